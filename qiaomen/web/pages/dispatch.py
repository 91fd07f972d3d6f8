"""下发页: 今日待下发｜预分配预览｜冲突｜异地与无归属｜剔除清单｜下发记录, from the leads and allocations of the last run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from sqlalchemy.engine import Connection

from qiaomen.bank import Action
from qiaomen.dispatch import LEADS, Batch, funnel, list_batches, sent_leads
from qiaomen.store import reading as sql_reading
from qiaomen.web import formats
from qiaomen.web.cells import Cell, Chip, ColumnView, Page, TableView, table
from qiaomen.web.choices import Option
from qiaomen.web.conflicts import KINDS, Collision, collisions
from qiaomen.web.figures import Figure
from qiaomen.web.lead_lists import (
    DEFERRED,
    LeadRow,
    lead_columns,
    lead_rows,
    load_columns,
    loads,
    rejected_columns,
    seen,
    seen_rejected,
)
from qiaomen.web.plans import targets
from qiaomen.web.reading import Record
from qiaomen.web.tabs import Tab
from qiaomen.web.visit import SHANGHAI, Visit, signed_in

PAGE_SIZE: Final = 30
BATCHES: Final = 100
TITLES: Final = {
    "pending": "今日待下发",
    "preview": "预分配预览",
    "conflicts": "冲突",
    "homeless": "异地 / 无归属",
    "rejected": "剔除清单",
    "records": "下发记录",
}
EXPLAINED: Final = {
    "pending": "最近一次运行分配好的线索，勾选后预览并确认",
    "preview": "待下发的线索会给每个机构、每位客户经理加多少",
    "conflicts": "同一集团分给多人、已有主办而分给他人、同一企业有多条线索",
    "homeless": "没有分行覆盖注册地，或由分行直接认领",
    "rejected": "每一条都写明规则与理由",
    "records": "谁在何时确认了什么，每户的结果都留痕",
}
STATES: Final = {"waiting": "待确认", "sent": "已下发", "held": "对照组与无归属"}
ORIGINS: Final = {"rule": "按预分配", "hand": "手工"}

router = APIRouter()


def state_of(row: Record, sent: frozenset[str]) -> str:
    """Return how far a lead is: sent, waiting to be confirmed, or held back."""
    if row["lead_id"] in sent:
        return "sent"
    return "held" if row["hold_out"] or not row["branch_code"] else "waiting"


def conflict_table(
    visit: Visit, found: Sequence[Collision], sent: frozenset[str], number: int, kind: str
) -> TableView:
    """Lay out the collisions."""
    page = Page(number, PAGE_SIZE, len(found), "/dispatch", (("view", "conflicts"), ("kind", kind)))
    part = found[page.start : page.start + PAGE_SIZE]
    words = {each.lead["lead_id"]: each for each in part}
    usual = lead_columns(visit, sent)

    def reason(row: LeadRow) -> Cell:
        each = words[row.lead_id]
        return Cell(each.words, chips=(Chip(KINDS[each.kind], "amber" if each.kind != "firm" else "grey"),))

    columns = (*usual[:3], ColumnView("冲突", reason), usual[4])
    return table(
        columns,
        lead_rows(visit, [each.lead for each in part]),
        caption="冲突",
        page=page,
        empty="没有冲突",
        empty_hint="每户只有一条线索，同一集团没有分给多人，主办也没有被改派",
    )


def listed(
    visit: Visit, view: str, rows: Sequence[Record], sent: frozenset[str], number: int, state: str = ""
) -> TableView:
    """Lay out a page of leads; those that wait to be confirmed can be chosen."""
    page = Page(number, PAGE_SIZE, len(rows), "/dispatch", (("view", view), ("state", state)))
    part = lead_rows(visit, rows[page.start : page.start + PAGE_SIZE])
    columns = rejected_columns() if view == "rejected" else lead_columns(visit, sent)
    empty = {"homeless": "每条线索都有归属", "rejected": "没有被剔除的线索"}.get(view, "没有待确认的线索")
    choosing = view == "homeless" or state == "waiting"
    return table(
        columns,
        part,
        caption=EXPLAINED[view],
        page=page,
        empty=empty,
        empty_hint="下一次运行后更新",
        keys=[row.lead_id for row in part] if choosing else (),
    )


def record_table(visit: Visit, batches: Sequence[Batch]) -> TableView:
    """Lay out the confirmations."""
    columns: tuple[ColumnView[Batch], ...] = (
        ColumnView(
            "时间",
            lambda row: Cell(
                formats.moment(row.at.astimezone(SHANGHAI)), href=f"/dispatch/batches/{row.batch_id}"
            ),
            fixed=True,
        ),
        ColumnView("下发人", lambda row: Cell(visit.names.staff(row.actor.upper())), fixed=True),
        ColumnView("方式", lambda row: Cell(ORIGINS.get(row.source, row.source), note=row.target)),
        ColumnView("生成任务", lambda row: Cell(formats.items(row.created)), align="right"),
        ColumnView("并入", lambda row: Cell(formats.items(row.joined)), align="right"),
        ColumnView("未下发", lambda row: Cell(formats.items(row.refused)), align="right"),
        ColumnView("说明", lambda row: Cell(row.note or "—", tone="" if row.note else "soft")),
    )
    return table(
        columns,
        batches,
        caption="下发记录",
        empty="还没有确认过下发",
        empty_hint="在“今日待下发”勾选线索，或从筛选、地图、企业页手工下发",
    )


def figures(rows: Sequence[Record], sent: frozenset[str], kept_back: Sequence[Record]) -> tuple[Figure, ...]:
    """The row of figures on top."""
    states = Counter(state_of(row, sent) for row in rows)
    waiting = [row for row in rows if state_of(row, sent) == "waiting"]
    full = sum(1 for row in waiting if row["rule"] == DEFERRED)
    return (
        Figure(
            "待确认",
            formats.count(len({row["company_id"] for row in waiting})),
            "户",
            f"其中 {full:,} 户因产能已满暂缓" if full else "确认后生成任务",
            href="/dispatch?view=pending&state=waiting",
        ),
        Figure(
            "已下发", formats.count(states["sent"]), "条", "已生成或并入任务", href="/dispatch?state=sent"
        ),
        Figure(
            "对照组",
            formats.count(sum(1 for row in rows if row["hold_out"])),
            "条",
            "不生成任务，用来衡量增量",
        ),
        Figure(
            "剔除", formats.count(len(kept_back)), "条", "每条有规则与理由", href="/dispatch?view=rejected"
        ),
    )


def _segments(rows: Sequence[Record], sent: frozenset[str], chosen: str) -> tuple[Option, ...]:
    counts = Counter(state_of(row, sent) for row in rows)
    return tuple(
        Option(key, f"{title} {counts[key]:,}", f"/dispatch?view=pending&state={key}", key == chosen)
        for key, title in STATES.items()
    )


def _kinds(found: Sequence[Collision], chosen: str) -> tuple[Option, ...]:
    counts = Counter(each.kind for each in found)
    every = Option("", f"全部 {len(found):,}", "/dispatch?view=conflicts", not chosen)
    return every, *(
        Option(key, f"{title} {counts[key]:,}", f"/dispatch?view=conflicts&kind={key}", key == chosen)
        for key, title in KINDS.items()
    )


@dataclass(frozen=True, slots=True)
class Lists:
    """Everything that the page chooses from."""

    rows: list[Record]
    kept_back: list[Record]
    waiting: list[Record]
    homeless: list[Record]
    colliding: list[Collision]
    batches: list[Batch]
    sent: frozenset[str]
    held: dict[str, int]

    @property
    def counts(self) -> dict[str, int]:
        """What the tabs count."""
        return {
            "pending": len(self.waiting),
            "conflicts": sum(1 for each in self.colliding if each.kind != "firm"),
            "homeless": len(self.homeless),
            "rejected": len(self.kept_back),
            "records": len(self.batches),
        }


def read_lists(visit: Visit, connection: Connection) -> Lists:
    """Read the lists within the viewer's scope."""
    sent = sent_leads(visit.viewer, connection)
    loads_now = funnel(visit.viewer, connection, by="manager_no", now=visit.moment)
    rows = seen(visit)
    return Lists(
        rows,
        seen_rejected(visit),
        [row for row in rows if state_of(row, sent) == "waiting"],
        [row for row in rows if not row["branch_code"] or not row["sub_branch_code"]],
        collisions(visit, rows),
        list_batches(visit.viewer, connection, limit=BATCHES),
        sent,
        {row.group: row.open_items for row in loads_now},
    )


def shown_list(
    visit: Visit, lists: Lists, view: str, state: str, kind: str, number: int
) -> tuple[TableView, tuple[Option, ...]]:
    """Return the table of a view, and the links that narrow it."""
    if view == "preview":
        rows = lists.waiting or [row for row in lists.rows if not row["hold_out"]]
        found = loads(visit, rows, lists.held)
        hint = "下一次运行后更新"
        shown = table(
            load_columns(visit), found, caption="预分配预览", empty="还没有分配结果", empty_hint=hint
        )
        return shown, ()
    if view == "conflicts":
        part = [each for each in lists.colliding if not kind or each.kind == kind]
        return conflict_table(visit, part, lists.sent, number, kind), _kinds(lists.colliding, kind)
    if view == "records":
        return record_table(visit, lists.batches), ()
    if view == "pending":
        rows = [row for row in lists.rows if state_of(row, lists.sent) == state]
        segments = _segments(lists.rows, lists.sent, state)
        return listed(visit, view, rows, lists.sent, number, state), segments
    rows = lists.homeless if view == "homeless" else lists.kept_back
    return listed(visit, view, rows, lists.sent, number), ()


@router.get("/dispatch")
def show(
    visit: Annotated[Visit, Depends(signed_in)],
    view: Annotated[
        str, Query(pattern="^(pending|preview|conflicts|homeless|rejected|records)$")
    ] = "pending",
    state: Annotated[str, Query(pattern="^(waiting|sent|held)?$")] = "",
    kind: Annotated[str, Query(pattern="^(group|keeper|firm)?$")] = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show one of the lists."""
    visit.require(Action.DISPATCH)
    with sql_reading(visit.sql) as connection:
        lists = read_lists(visit, connection)
        choices = targets(visit, connection)
    chosen = state or ("waiting" if lists.waiting or not lists.rows else "sent")
    listing, segments = shown_list(visit, lists, view, chosen, kind, page)
    counts = lists.counts
    return visit.render(
        "dispatch.html",
        key="dispatch",
        title="下发",
        figures=figures(lists.rows, lists.sent, lists.kept_back),
        tabs=[
            Tab(key, title, f"/dispatch?view={key}", formats.count(counts[key]) if counts.get(key) else "")
            for key, title in TITLES.items()
        ],
        tab_key=view,
        explained=EXPLAINED[view],
        segments=segments,
        listing=listing,
        targets=choices,
        waiting=len(lists.waiting) if view == "pending" and chosen == "waiting" else 0,
        done=view == "preview" and not lists.waiting and bool(lists.rows),
        confirmed_first=visit.site.workspace.settings.dispatch_mode == "confirm",
        known=visit.reading.table(LEADS).num_rows,
    )
