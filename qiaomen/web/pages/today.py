"""今日: the manager's home. 今天必办 → 留存预警 → 本行到期 → 新商机 → 待回访 → 转介请求, each card ready to act on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Depends
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection

from qiaomen.bank import Action
from qiaomen.customers import CUSTOMERS, DEALINGS
from qiaomen.dispatch import Room, Task, TaskFilter, list_tasks, room_of, task_visits
from qiaomen.opportunities import OPPORTUNITIES
from qiaomen.store import reading
from qiaomen.vocab import Role, TaskState
from qiaomen.web import formats
from qiaomen.web.cards import LeadCard, lead_cards
from qiaomen.web.cells import Cell, Chip, ColumnView, Evidence, TableView, table
from qiaomen.web.figures import Figure
from qiaomen.web.firms import firms
from qiaomen.web.reading import Record
from qiaomen.web.referrals import AskRow, waiting_rows
from qiaomen.web.visit import Visit, signed_in

MUST: Final = 5
SHOWN: Final = 6
READ: Final = 200
LOOKED_AT: Final = 30
DUE_DAYS: Final = 60
WARNING_DAYS: Final = 90
SILENT_DAYS: Final = 7
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
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]


def own_tasks(visit: Visit, connection: Connection) -> list[Task]:
    """Open tasks of the manager and the pool that the manager may claim from, highest priority first."""
    own = list_tasks(visit.viewer, connection, TaskFilter(manager_no=visit.viewer.staff_no), limit=READ)
    pool = list_tasks(
        visit.viewer, connection, TaskFilter(states=(TaskState.UNCLAIMED,), unassigned=True), limit=READ
    )
    return [*own.tasks, *pool.tasks]


def urgency(visit: Visit, task: Task) -> tuple[bool, bool, float]:
    """Order of 今天必办: late ones, then those due within two days, then by priority."""
    soon = task.due_at is not None and task.due_at < visit.moment + dt.timedelta(days=2)
    return not task.overdue(visit.moment), not soon, -task.priority


def must_do(visit: Visit, tasks: Sequence[Task]) -> list[Task]:
    """The at most five tasks of today: one per firm."""
    mine = [
        task
        for task in tasks
        if task.manager_no == visit.viewer.staff_no and task.state is not TaskState.LANDED
    ]
    chosen: dict[int, Task] = {}
    for task in sorted(mine, key=lambda item: urgency(visit, item)):
        if len(chosen) == MUST:
            break
        chosen.setdefault(task.company_id, task)
    return list(chosen.values())


def own_customers(visit: Visit) -> pa.Array:
    """Companies that the manager keeps."""
    rows = visit.reading.table(CUSTOMERS)
    mine = rows.filter(pc.fill_null(pc.equal(rows.column("manager_no"), visit.viewer.staff_no), False))
    return mine.column("company_id").combine_chunks()


def warnings(visit: Visit, customers: pa.Array) -> list[Record]:
    """Newest warnings and attrition signals of the manager's own customers."""
    rows = visit.reading.table(OPPORTUNITIES)
    since = pa.scalar(visit.as_of - dt.timedelta(days=WARNING_DAYS))
    mask = pc.is_in(rows.column("company_id"), value_set=customers)
    mask = pc.and_(
        mask, pc.is_in(rows.column("polarity"), value_set=pa.array(["warning", "veto", "retention"]))
    )
    mask = pc.and_(mask, pc.fill_null(pc.greater_equal(rows.column("published_on"), since), False))
    mask = pc.and_(mask, pc.fill_null(pc.equal(rows.column("status"), "active"), False))
    found: list[Record] = rows.filter(mask).sort_by([("published_on", "descending")]).to_pylist()
    return found


def warning_table(visit: Visit, rows: Sequence[Record]) -> TableView | None:
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
        ColumnView(
            "企业", lambda row: Cell(names[row["company_id"]].name, href=names[row["company_id"]].href)
        ),
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


def due_dealings(visit: Visit, customers: pa.Array) -> list[Record]:
    """Dealings of the manager's own customers that fall due within sixty days."""
    rows = visit.reading.table(DEALINGS)
    last = pa.scalar(visit.as_of + dt.timedelta(days=DUE_DAYS))
    mask = pc.is_in(rows.column("company_id"), value_set=customers)
    mask = pc.and_(mask, pc.fill_null(pc.greater_equal(rows.column("due_on"), pa.scalar(visit.as_of)), False))
    mask = pc.and_(mask, pc.fill_null(pc.less_equal(rows.column("due_on"), last), False))
    mask = pc.and_(mask, pc.invert(pc.fill_null(pc.equal(rows.column("status"), "ended"), False)))
    found: list[Record] = rows.filter(mask).sort_by([("due_on", "ascending")]).to_pylist()
    return found


def due_table(visit: Visit, rows: Sequence[Record]) -> TableView | None:
    """Lay out what falls due; nothing where there is none."""
    if not rows:
        return None
    part = rows[:SHOWN]
    names = {
        item.company_id: item
        for item in firms(visit.reading, visit.labels, {row["company_id"] for row in part})
    }
    columns: tuple[ColumnView[Record], ...] = (
        ColumnView(
            "企业", lambda row: Cell(names[row["company_id"]].name, href=names[row["company_id"]].href)
        ),
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


def to_visit(visit: Visit, connection: Connection, tasks: Sequence[Task]) -> list[Task]:
    """Tasks in work whose next contact is due, or that nobody has contacted for a week after the claim."""
    horizon = visit.moment + dt.timedelta(days=3)
    found = []
    busy = [task for task in tasks if task.state in {TaskState.FOLLOWING, TaskState.INTENDED}]
    for task in busy[:LOOKED_AT]:
        if task.manager_no != visit.viewer.staff_no:
            continue
        visits = task_visits(visit.viewer, connection, task.task_id)
        planned = [item.next_at for item in visits if item.next_at]
        silent = (
            not visits
            and task.claimed_at is not None
            and task.claimed_at < visit.moment - dt.timedelta(days=SILENT_DAYS)
        )
        if silent or (planned and planned[0] <= horizon):
            found.append(task)
    return found


SECTIONS: Final = (
    Section("must", "今天必办", "超期与两天内到时限的在前，最多五件", "今天没有必办的任务", "可以从新商机中认领", "circle-check"),
    Section("retention", "留存预警", "名下客户的流失与风险信号，近 90 天", "名下客户没有预警", "出现流失或风险信号时会列在这里", "shield-check"),
    Section("expiry", "本行到期", f"{DUE_DAYS} 天内到期的业务", "近期没有到期业务", "到期前 60 天会列在这里", "calendar-due"),
    Section("fresh", "新商机", "分给我的和本支行可认领的，按优先级", "没有新的商机", "下一次运行后更新", "target-arrow"),
    Section("revisit", "待回访", "约定时间已到，或认领后一周没有联系", "没有待回访的任务", "登记联系时填写下次回访日期", "phone"),
    Section("referrals", "转介请求", "同事请您把名下客户引荐给潜客", "没有待回应的转介请求", "同事在触达路径页发起请求后会列在这里", "users-group"),
)  # fmt: skip


def sections(visit: Visit, connection: Connection, tasks: Sequence[Task]) -> tuple[Section, ...]:
    """Lay out the six parts; a task stands in the first that it fits."""
    placed: set[int] = set()

    def pick(fits: Sequence[Task]) -> list[Task]:
        fresh = [task for task in fits if task.task_id not in placed]
        placed.update(task.task_id for task in fresh)
        return fresh

    picked = {
        "must": pick(must_do(visit, tasks)),
        "retention": pick([task for task in tasks if task.origin == "retention"]),
        "expiry": pick([task for task in tasks if task.origin == "expiry"]),
        "revisit": pick(to_visit(visit, connection, tasks)),
        "fresh": pick([task for task in tasks if task.state is TaskState.UNCLAIMED]),
        "referrals": [],
    }
    customers = own_customers(visit)
    alerts, due = warnings(visit, customers), due_dealings(visit, customers)
    asks = waiting_rows(visit, connection)
    further = {"retention": len(alerts), "expiry": len(due), "referrals": len(asks)}
    tables = {"retention": warning_table(visit, alerts), "expiry": due_table(visit, due)}
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


def today_view(visit: Visit) -> TodayView:
    """Compute the page."""
    with reading(visit.sql) as connection:
        tasks = own_tasks(visit, connection)
        parts = sections(visit, connection, tasks)
        room = room_of(visit.viewer, connection, visit.viewer.staff_no or "", visit.moment)
    mine = [task for task in tasks if task.manager_no == visit.viewer.staff_no]
    late = sum(1 for task in mine if task.overdue(visit.moment))
    landed = [task for task in mine if task.state is TaskState.LANDED]
    customers = len(own_customers(visit))
    return TodayView(
        greeting=f"{visit.viewer.name}，今天先办这几件",
        summary=f"{formats.day(visit.as_of)}",
        figures=(
            Figure("名下客户", formats.count(customers) if customers else "", "户", none="暂无名下客户"),
            Figure(
                "进行中任务",
                formats.count(len(mine)),
                "条",
                f"涉及 {len({task.company_id for task in mine}):,} 户，{limit_words(room)}",
                href="/tasks?scope=mine",
            ),
            Figure("超期", formats.count(late), "条", "按各状态的时限", href="/tasks?scope=mine&late=1"),
            Figure(
                "可认领",
                formats.count(len(tasks) - len(mine)),
                "条",
                "本支行公共池" if room.left else "已到任务上限，办结或退回后可认领",
                href="/tasks?scope=pool",
            ),
            Figure(
                "已落地",
                formats.count(len(landed)),
                "条",
                formats.money(sum(task.landed_amount_fen or 0 for task in landed) / 100) if landed else "",
            ),
        ),
        sections=parts,
    )


@router.get("/today")
def show(visit: Annotated[Visit, Depends(signed_in)]) -> Response:
    """Show the manager's day; others begin elsewhere."""
    visit.require(Action.WORK_TASKS)
    if not visit.viewer.has(Role.MANAGER):
        return RedirectResponse("/", 303)
    return visit.render("today.html", key="today", title="今日", view=today_view(visit), sheet_next="/today")
