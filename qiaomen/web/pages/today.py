"""今日: the manager's home. 今天必办 → 留存预警 → 本行到期 → 新商机 → 待回访 → 转介请求, each card ready to act on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Depends
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection

from qiaomen.bank import Action
from qiaomen.customers import DEALINGS
from qiaomen.dispatch import Room, Task
from qiaomen.opportunities import OPPORTUNITIES
from qiaomen.store import reading
from qiaomen.vocab import Role, TaskState
from qiaomen.web import formats
from qiaomen.web.cards import LeadCard, lead_cards
from qiaomen.web.cells import Cell, Chip, ColumnView, Evidence, TableView, table
from qiaomen.web.figures import Figure
from qiaomen.web.firms import Firm, firms
from qiaomen.web.own_day import (
    SILENT_DAYS,
    OwnDay,
    must_do,
    own_customers,
    own_day,
    principal_name,
    shares,
    to_visit,
)
from qiaomen.web.reading import Record
from qiaomen.web.referrals import AskRow, waiting_rows
from qiaomen.web.visit import Visit, signed_in

SHOWN: Final = 6
DUE_DAYS: Final = 60
WARNING_DAYS: Final = 90
DEALING_LABELS: Final = {
    "deposit": "活期存款",
    "time_deposit": "定期存款",
    "loan": "贷款",
    "credit_line": "授信额度",
    "guarantee_letter": "保函",
    "bill": "票据",
    "wealth": "理财",
    "payroll": "代发",
}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page: what it says when empty, and what it holds."""

    key: str
    title: str
    note: str
    empty: str
    empty_hint: str
    symbol: str
    count: str = ""
    cards: tuple[LeadCard, ...] = ()
    table: TableView | None = None
    more_href: str = ""
    asks: tuple[AskRow, ...] = ()


@dataclass(frozen=True, slots=True)
class TodayView:
    """The whole page."""

    greeting: str
    summary: str
    standing_in: str
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]


def warnings(visit: Visit, customers: Mapping[int, str]) -> list[Record]:
    """Newest warnings and attrition signals of the own customers."""
    rows = visit.reading.table(OPPORTUNITIES)
    since = pa.scalar(visit.as_of - dt.timedelta(days=WARNING_DAYS))
    mask = pc.is_in(rows.column("company_id"), value_set=pa.array(customers, pa.int64()))
    mask = pc.and_(
        mask, pc.is_in(rows.column("polarity"), value_set=pa.array(["warning", "veto", "retention"]))
    )
    mask = pc.and_(mask, pc.fill_null(pc.greater_equal(rows.column("published_on"), since), False))
    mask = pc.and_(mask, pc.fill_null(pc.equal(rows.column("status"), "active"), False))
    found: list[Record] = rows.filter(mask).sort_by([("published_on", "descending")]).to_pylist()
    return found


def firm_cell(visit: Visit, firm: Firm, customers: Mapping[int, str]) -> Cell:
    """Name a customer; that of a principal says for whom."""
    principal = principal_name(visit, customers.get(firm.company_id))
    return Cell(firm.name, href=firm.href, note=f"代 {principal}" if principal else "")


def warning_table(visit: Visit, rows: Sequence[Record], customers: Mapping[int, str]) -> TableView | None:
    """Lay out warnings; nothing where there are none."""
    if not rows:
        return None
    part = rows[:SHOWN]
    names = {
        item.company_id: item
        for item in firms(visit.reading, visit.labels, {row["company_id"] for row in part})
    }

    def level(row: Record) -> Cell:
        text = row["severity"] or ("留存" if row["polarity"] == "retention" else "预警")
        return Cell(chips=(Chip(text, "red" if text == "高" else "amber"),))

    columns: tuple[ColumnView[Record], ...] = (
        ColumnView("企业", lambda row: firm_cell(visit, names[row["company_id"]], customers)),
        ColumnView(
            "预警",
            lambda row: Cell(
                visit.labels.kind(row["kind"]),
                note=row["title"] or "",
                evidence=Evidence.parse(row["evidence"]),
            ),
        ),
        ColumnView("程度", level, fixed=True),
        ColumnView(
            "处理", lambda row: Cell(kind.action if (kind := visit.labels.kinds.get(row["kind"])) else "")
        ),
        ColumnView("日期", lambda row: Cell(formats.day(row["published_on"])), fixed=True),
    )
    return table(columns, [row for row in part if row["company_id"] in names], caption="留存预警")


def due_dealings(visit: Visit, customers: Mapping[int, str]) -> list[Record]:
    """Dealings of the own customers that fall due within sixty days."""
    rows = visit.reading.table(DEALINGS)
    last = pa.scalar(visit.as_of + dt.timedelta(days=DUE_DAYS))
    mask = pc.is_in(rows.column("company_id"), value_set=pa.array(customers, pa.int64()))
    mask = pc.and_(mask, pc.fill_null(pc.greater_equal(rows.column("due_on"), pa.scalar(visit.as_of)), False))
    mask = pc.and_(mask, pc.fill_null(pc.less_equal(rows.column("due_on"), last), False))
    mask = pc.and_(mask, pc.invert(pc.fill_null(pc.equal(rows.column("status"), "ended"), False)))
    found: list[Record] = rows.filter(mask).sort_by([("due_on", "ascending")]).to_pylist()
    return found


def due_table(visit: Visit, rows: Sequence[Record], customers: Mapping[int, str]) -> TableView | None:
    """Lay out what falls due; nothing where there is none."""
    if not rows:
        return None
    part = rows[:SHOWN]
    names = {
        item.company_id: item
        for item in firms(visit.reading, visit.labels, {row["company_id"] for row in part})
    }
    columns: tuple[ColumnView[Record], ...] = (
        ColumnView("企业", lambda row: firm_cell(visit, names[row["company_id"]], customers)),
        ColumnView(
            "业务",
            lambda row: Cell(
                DEALING_LABELS.get(row["kind"], row["kind"] or ""), note=visit.labels.product(row["product"])
            ),
        ),
        ColumnView(
            "金额",
            lambda row: Cell(formats.money(row["amount_cny"] or row["limit_cny"] or row["balance_cny"])),
            align="right",
        ),
        ColumnView("到期日", lambda row: Cell(formats.day(row["due_on"])), fixed=True),
        ColumnView(
            "剩余",
            lambda row: Cell(
                formats.remaining(row["due_on"], visit.as_of),
                tone="late" if (row["due_on"] - visit.as_of).days <= SILENT_DAYS else "",
            ),
            fixed=True,
        ),
    )
    return table(columns, [row for row in part if row["company_id"] in names], caption="本行到期")


SECTIONS: Final = (
    Section("must", "今天必办", "超期与两天内到时限的在前，最多五件", "今天没有必办的任务", "可以从新商机中认领", "circle-check"),
    Section("retention", "留存预警", "名下客户的流失与风险信号，近 90 天", "名下客户没有预警", "出现流失或风险信号时会列在这里", "shield-check"),
    Section("expiry", "本行到期", f"{DUE_DAYS} 天内到期的业务", "近期没有到期业务", "到期前 60 天会列在这里", "calendar-due"),
    Section("fresh", "新商机", "分给我的和本支行可认领的，按优先级", "没有新的商机", "下一次运行后更新", "target-arrow"),
    Section("revisit", "待回访", "约定时间已到，或认领后一周没有联系", "没有待回访的任务", "登记联系时填写下次回访日期", "phone"),
    Section("referrals", "转介请求", "同事请您把名下客户引荐给潜客", "没有待回应的转介请求", "同事在触达路径页发起请求后会列在这里", "users-group"),
)  # fmt: skip


def sections(
    visit: Visit, connection: Connection, day: OwnDay, customers: Mapping[int, str]
) -> tuple[Section, ...]:
    """Lay out the six parts; a task stands in the first that it fits."""
    placed: set[int] = set()
    tasks = day.tasks

    def pick(fits: Sequence[Task]) -> list[Task]:
        fresh = [task for task in fits if task.task_id not in placed]
        placed.update(task.task_id for task in fresh)
        return fresh

    picked = {
        "must": pick(must_do(visit, day)),
        "retention": pick([task for task in tasks if task.origin == "retention"]),
        "expiry": pick([task for task in tasks if task.origin == "expiry"]),
        "revisit": pick(to_visit(visit, connection, day.mine.tasks)),
        "fresh": pick([task for task in tasks if task.state is TaskState.UNCLAIMED]),
        "referrals": [],
    }
    alerts, due = warnings(visit, customers), due_dealings(visit, customers)
    asks = waiting_rows(visit, connection)
    further = {"retention": len(alerts), "expiry": len(due), "referrals": len(asks)}
    tables = {
        "retention": warning_table(visit, alerts, customers),
        "expiry": due_table(visit, due, customers),
    }
    tones = {"must": "must", "retention": "warn"}
    return tuple(
        replace(
            section,
            count=formats.items(len(picked[section.key]) + further.get(section.key, 0)),
            cards=lead_cards(visit, picked[section.key][:SHOWN], tones.get(section.key, "")),
            table=tables.get(section.key),
            more_href="/tasks?scope=pool" if section.key == "fresh" else "",
            asks=asks if section.key == "referrals" else (),
        )
        for section in SECTIONS
    )


def limit_words(room: Room) -> str:
    """Say how many tasks the manager may have, and why there can be more."""
    if room.held > room.capacity:
        return f"超出上限 {room.capacity} 条（存量客户 {room.customers} 条归主办，不受上限）"
    return f"上限 {room.capacity} 条"


def rooms_words(day: OwnDay) -> str:
    """Say the limit of each person whose tasks are shown; who stands in for nobody reads the limit alone."""
    if all(not item.deputised for item in day.rooms):
        return "，".join(limit_words(item.room) for item in day.rooms)
    return "；".join(
        f"{f'代 {item.deputised}' if item.deputised else '本人'} {item.room.held:,} 条，{limit_words(item.room)}"
        for item in day.rooms
    )


def figures_of(day: OwnDay, customers: Mapping[int, str], deputised: str) -> tuple[Figure, ...]:
    """The five numbers at the head of the page."""
    amount = sum(task.landed_amount_fen or 0 for task in day.landed) / 100
    return (
        Figure(
            "名下客户",
            formats.count(len(customers)) if customers else "",
            "户",
            f"其中{deputised}" if deputised else "",
            none="暂无名下客户",
        ),
        Figure(
            "进行中任务",
            formats.count(day.mine.items),
            "条",
            f"涉及 {day.mine.firms:,} 户，{rooms_words(day)}",
            href="/tasks?scope=mine",
        ),
        Figure("超期", formats.count(day.late), "条", "按各状态的时限", href="/tasks?scope=mine&late=1"),
        Figure(
            "可认领",
            formats.count(day.pool.items),
            "条",
            "本支行公共池" if day.may_claim else "已到任务上限，办结或退回后可认领",
            href="/tasks?scope=pool",
        ),
        Figure("已落地", formats.count(len(day.landed)), "条", formats.money(amount) if day.landed else ""),
    )


def today_view(visit: Visit) -> TodayView:
    """Compute the page."""
    customers = own_customers(visit)
    with reading(visit.sql) as connection:
        day = own_day(visit, connection)
        parts = sections(visit, connection, day, customers)
    return TodayView(
        greeting=f"{visit.viewer.name}，今天先办这几件",
        summary=f"{formats.day(visit.as_of)}",
        standing_in="；".join(
            f"代 {item.name} 至 {formats.day(item.until)}"
            for item in visit.viewer.stand_ins
            if Role.MANAGER in item.roles
        ),
        figures=figures_of(day, customers, shares(visit, customers)),
        sections=parts,
    )


@router.get("/today")
def show(visit: Annotated[Visit, Depends(signed_in)]) -> Response:
    """Show the day of a manager, or of who stands in for one; others begin elsewhere."""
    visit.require(Action.WORK_TASKS)
    if not visit.viewer.manager_nos:
        return RedirectResponse("/", 303)
    return visit.render("today.html", key="today", title="今日", view=today_view(visit), sheet_next="/today")
