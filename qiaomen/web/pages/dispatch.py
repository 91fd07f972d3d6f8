"""下发页: 今日待下发｜预分配预览｜冲突｜异地与无归属｜剔除清单, from the leads and allocations of the last run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from qiaomen.bank import INSTITUTION_RECORDS, STAFF_RECORDS, Action, scope_of
from qiaomen.customers import CUSTOMERS
from qiaomen.dispatch import ALLOCATIONS, LEADS
from qiaomen.registry import COMPANIES
from qiaomen.vocab import region_contains
from qiaomen.web import formats
from qiaomen.web.cells import Cell, Chip, ColumnView, Page, TableView, customer_chip, table
from qiaomen.web.figures import Figure
from qiaomen.web.firms import Firm, firms
from qiaomen.web.reading import Reading, Record
from qiaomen.web.tabs import Tab
from qiaomen.web.visit import Visit, signed_in

PAGE_SIZE: Final = 30
ORIGIN_LABELS: Final = {"opportunity": "商机", "long_list": "长名单", "retention": "留存", "expiry": "到期"}
# A lead joined to a better one of the same firm is no rejection.
JOINED: Final = "joined"
# Capacity was full: the lead waits for the next run.
DEFERRED: Final = "deferred"
EXPLAINED: Final = {
    "pending": "最近一次运行分配好的线索，按优先级",
    "preview": "每个机构分到多少、人均多少；同一企业只算一户",
    "conflicts": "同一企业有多条线索，或已有主办而分给他人",
    "homeless": "没有分行覆盖注册地，或等待分行指派",
    "rejected": "每一条都写明规则与理由",
}
TITLES: Final = {
    "pending": "今日待下发",
    "preview": "预分配预览",
    "conflicts": "冲突",
    "homeless": "异地 / 无归属",
    "rejected": "剔除清单",
}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class LeadRow:
    """One lead with where it goes."""

    lead_id: str
    firm: Firm
    origin: str
    product: str
    priority: float
    why_now: str
    branch_code: str
    sub_branch_code: str
    manager_no: str
    reason: str
    hold_out: bool
    deferred: bool


@dataclass(frozen=True, slots=True)
class LoadRow:
    """What one institution gets."""

    branch_code: str
    sub_branch_code: str
    companies: int
    leads: int
    waiting: int
    managers: int

    @property
    def per_head(self) -> float | None:
        """Firms per manager; nothing where there is none."""
        return self.companies / self.managers if self.managers else None


def allocated(reading: Reading) -> list[Record]:
    """Allocations in order of the run, each with its lead."""
    leads = reading.keyed(LEADS, "lead_id")
    rows = sorted(reading.table(ALLOCATIONS).to_pylist(), key=lambda row: row["rank"] or 0)
    found = []
    for row in rows:
        lead = leads.first(row["lead_id"])
        if lead:
            found.append({**lead, **{key: row[key] for key in row if key not in {"lead_id", "company_id"}}})
    return found


def rejected(reading: Reading) -> list[Record]:
    """Leads that an admission rule kept back, with the division of their company."""
    regions = dict(
        zip(
            reading.table(COMPANIES).column("company_id").to_pylist(),
            reading.table(COMPANIES).column("region_code").to_pylist(),
            strict=True,
        )
    )
    return [
        {**row, "region_code": regions.get(row["company_id"]) or ""}
        for row in reading.table(LEADS).to_pylist()
        if not row["admitted"] and row["rules"] != JOINED
    ]


def seen(visit: Visit) -> list[Record]:
    """Allocations within the viewer's scope."""
    scope = scope_of(visit.viewer)
    return [
        row
        for row in visit.reading.once(allocated)
        if scope.covers(row["sub_branch_code"] or row["branch_code"], row["manager_no"])
        or scope.covers(row["branch_code"], row["manager_no"])
        or (scope.whole_bank and not row["branch_code"])
    ]


def seen_rejected(visit: Visit) -> list[Record]:
    """Rejected leads of firms in the divisions that the viewer's institutions cover."""
    rows = visit.reading.once(rejected)
    if visit.viewer.whole_bank:
        return rows
    covered = {
        code
        for row in visit.reading.table(INSTITUTION_RECORDS).to_pylist()
        if row["institution_code"] in visit.viewer.below
        for code in formats.split(row["region_codes"])
    }
    return [row for row in rows if any(region_contains(code, row["region_code"]) for code in covered)]


def lead_rows(visit: Visit, rows: Iterable[Record]) -> list[LeadRow]:
    """Build the records of a page of leads."""
    listed = list(rows)
    by_number = {
        item.company_id: item
        for item in firms(visit.reading, visit.labels, {row["company_id"] for row in listed})
    }
    return [
        LeadRow(
            lead_id=row["lead_id"],
            firm=by_number[row["company_id"]],
            origin=ORIGIN_LABELS.get(row["origin"], ""),
            product=visit.labels.product(row["product"]),
            priority=row["priority"] or 0.0,
            why_now=visit.labels.plain(row["why_now"] or "", by_number[row["company_id"]].name),
            branch_code=row.get("branch_code") or "",
            sub_branch_code=row.get("sub_branch_code") or "",
            manager_no=row.get("manager_no") or "",
            reason=row.get("reason") or row.get("grounds") or "",
            hold_out=bool(row.get("hold_out")),
            deferred=row.get("rule") == DEFERRED,
        )
        for row in listed
        if row["company_id"] in by_number
    ]


def firm_cell(row: LeadRow) -> Cell:
    """Name, customer chip and origin."""
    chips = (customer_chip(row.firm.is_customer), Chip(row.origin, "teal"))
    return Cell(row.firm.name, href=row.firm.href, chips=chips, note=row.why_now)


def lead_columns(visit: Visit) -> tuple[ColumnView[LeadRow], ...]:
    """Columns of allocated leads."""
    names = visit.names

    def place(row: LeadRow) -> Cell:
        unit = names.institution(row.sub_branch_code) or names.institution(row.branch_code) or "无归属"
        return Cell(unit, note=row.reason)

    def owner(row: LeadRow) -> Cell:
        if row.hold_out:
            return Cell(chips=(Chip("对照组", "violet", "留作对照，不生成任务"),))
        if row.deferred:
            return Cell(chips=(Chip("下次再派", "grey", "产能已满，等下一次运行"),))
        return Cell(names.staff(row.manager_no)) if row.manager_no else Cell("待认领", tone="soft")

    return (
        ColumnView("企业与理由", firm_cell),
        ColumnView("推荐产品", lambda row: Cell(row.product), fixed=True),
        ColumnView(
            "优先级", lambda row: Cell(formats.score(row.priority), meter=row.priority / 100), align="right"
        ),
        ColumnView("去向", place),
        ColumnView("客户经理", owner, fixed=True),
    )


def rejected_columns() -> tuple[ColumnView[LeadRow], ...]:
    """Columns of rejected leads."""
    return (
        ColumnView("企业", firm_cell),
        ColumnView("地区", lambda row: Cell(row.firm.region), fixed=True),
        ColumnView("理由", lambda row: Cell(row.reason)),
    )


def loads(visit: Visit, rows: Sequence[Record]) -> list[LoadRow]:
    """What each institution gets, most loaded first."""
    managers = Counter(
        row["institution_code"]
        for row in visit.reading.table(STAFF_RECORDS).to_pylist()
        if row["role"] in {"manager", "客户经理"}
    )
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for row in rows:
        if not row["hold_out"] and row["rule"] != DEFERRED:
            groups[row["branch_code"] or "", row["sub_branch_code"] or ""].append(row)
    found = [
        LoadRow(
            branch_code=branch,
            sub_branch_code=unit,
            companies=len({row["company_id"] for row in held}),
            leads=len(held),
            waiting=sum(1 for row in held if not row["manager_no"]),
            managers=managers[unit],
        )
        for (branch, unit), held in groups.items()
    ]
    return sorted(
        found, key=lambda row: (-(row.per_head or row.companies), row.branch_code, row.sub_branch_code)
    )


def load_columns(visit: Visit) -> tuple[ColumnView[LoadRow], ...]:
    """Columns of the preview."""
    names = visit.names

    def per_head(row: LoadRow) -> Cell:
        if row.per_head is None:
            return Cell("无客户经理", tone="late")
        return Cell(f"{row.per_head:.1f} 户/人")

    return (
        ColumnView(
            "机构",
            lambda row: Cell(
                names.institution(row.sub_branch_code) or "待分行指派",
                note=names.institution(row.branch_code),
            ),
        ),
        ColumnView("企业", lambda row: Cell(formats.households(row.companies)), align="right"),
        ColumnView("线索", lambda row: Cell(formats.items(row.leads)), align="right"),
        ColumnView("待认领", lambda row: Cell(formats.items(row.waiting)), align="right"),
        ColumnView("客户经理", lambda row: Cell(f"{row.managers} 人"), align="right"),
        ColumnView("人均", per_head, align="right"),
    )


def conflicts(visit: Visit, rows: Sequence[Record]) -> list[tuple[Record, str]]:
    """Leads of one company that collide, with what collides."""
    per_company = Counter(row["company_id"] for row in rows)
    keepers = visit.reading.keyed(CUSTOMERS, "company_id")
    found = []
    for row in rows:
        keeper = keepers.first(row["company_id"])
        held_by = (keeper or {}).get("manager_no")
        if held_by and row["manager_no"] and held_by != row["manager_no"]:
            found.append(
                (row, f"主办是{visit.names.staff(held_by)}，却分给{visit.names.staff(row['manager_no'])}")
            )
        elif per_company[row["company_id"]] > 1:
            found.append((row, f"同一企业共 {per_company[row['company_id']]} 条线索"))
    return found


def conflict_table(visit: Visit, found: Sequence[tuple[Record, str]], number: int) -> TableView:
    """Lay out the collisions."""
    page = Page(number, PAGE_SIZE, len(found), "/dispatch", (("view", "conflicts"),))
    part = found[page.start : page.start + PAGE_SIZE]
    reasons = {row["lead_id"]: reason for row, reason in part}
    columns = (
        *lead_columns(visit)[:3],
        ColumnView("冲突", lambda row: Cell(reasons[row.lead_id])),
        lead_columns(visit)[4],
    )
    return table(
        columns,
        lead_rows(visit, [row for row, _ in part]),
        caption="冲突",
        page=page,
        empty="没有冲突",
        empty_hint="每户只有一条线索，主办也没有被改派",
    )


def listed(visit: Visit, view: str, rows: Sequence[Record], number: int) -> TableView:
    """Lay out a page of leads."""
    page = Page(number, PAGE_SIZE, len(rows), "/dispatch", (("view", view),))
    part = lead_rows(visit, rows[page.start : page.start + PAGE_SIZE])
    columns = rejected_columns() if view == "rejected" else lead_columns(visit)
    empty = {"homeless": "每条线索都有归属", "rejected": "没有被剔除的线索"}.get(view, "没有待下发的线索")
    return table(
        columns, part, caption=EXPLAINED[view], page=page, empty=empty, empty_hint="下一次运行后更新"
    )


def figures(rows: Sequence[Record], kept_back: Sequence[Record]) -> tuple[Figure, ...]:
    """The row of figures on top."""
    sent = [row for row in rows if not row["hold_out"] and row["rule"] != DEFERRED]
    waiting = sum(1 for row in rows if row["rule"] == DEFERRED)
    return (
        Figure(
            "待下发", formats.count(len({row["company_id"] for row in sent})), "户", f"{len(sent):,} 条线索"
        ),
        Figure(
            "已分到人", formats.count(sum(1 for row in sent if row["manager_no"])), "条", "其余进待认领池"
        ),
        Figure("下次再派", formats.count(waiting), "条", "产能已满"),
        Figure(
            "对照组",
            formats.count(sum(1 for row in rows if row["hold_out"])),
            "条",
            "不生成任务，用来衡量增量",
        ),
        Figure("剔除", formats.count(len(kept_back)), "条", "不会生成任务"),
    )


@router.get("/dispatch")
def show(
    visit: Annotated[Visit, Depends(signed_in)],
    view: Annotated[str, Query(pattern="^(pending|preview|conflicts|homeless|rejected)$")] = "pending",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show one of the five lists."""
    visit.require(Action.DISPATCH)
    rows = seen(visit)
    homeless = [row for row in rows if not row["branch_code"] or not row["sub_branch_code"]]
    kept_back = seen_rejected(visit)
    colliding = conflicts(visit, rows)
    if view == "preview":
        found = loads(visit, rows)
        shown = table(load_columns(visit), found, caption="预分配预览", empty="还没有分配结果")
    elif view == "conflicts":
        shown = conflict_table(visit, colliding, page)
    else:
        shown = listed(
            visit, view, {"pending": rows, "homeless": homeless, "rejected": kept_back}[view], page
        )
    counts = {
        "pending": len(rows),
        "conflicts": len(colliding),
        "homeless": len(homeless),
        "rejected": len(kept_back),
    }
    return visit.render(
        "dispatch.html",
        key="dispatch",
        title="下发",
        figures=figures(rows, kept_back),
        tabs=[
            Tab(key, title, f"/dispatch?view={key}", formats.count(counts[key]) if counts.get(key) else "")
            for key, title in TITLES.items()
        ],
        tab_key=view,
        explained=EXPLAINED[view],
        listing=shown,
        known=visit.reading.table(LEADS).num_rows,
    )
