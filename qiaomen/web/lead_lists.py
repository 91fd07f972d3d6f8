"""Leads and allocations of the last run as the 下发 page lists them, within the scope of the viewer."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from qiaomen.bank import INSTITUTION_RECORDS, STAFF_RECORDS, scope_of
from qiaomen.dispatch import ALLOCATIONS, LEADS
from qiaomen.registry import COMPANIES
from qiaomen.vocab import region_contains
from qiaomen.web import formats
from qiaomen.web.cards import ORIGIN_LABELS
from qiaomen.web.cells import Cell, Chip, ColumnView, customer_chip
from qiaomen.web.firms import Firm, firms
from qiaomen.web.reading import Reading, Record
from qiaomen.web.seen import foreign_customers
from qiaomen.web.visit import Visit

# A lead joined to a better one of the same firm is no rejection.
JOINED: Final = "joined"
# Capacity was full: the lead waits for the next run, or for staff who find room.
DEFERRED: Final = "deferred"
QUOTED_CODE: Final = re.compile("“([a-z_]+)”")


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
    """What one institution gets, beside what its managers have."""

    branch_code: str
    sub_branch_code: str
    companies: int
    leads: int
    waiting: int
    managers: int
    held: int
    deferred: int

    @property
    def per_head(self) -> float | None:
        """New firms per manager; nothing where there is none."""
        return self.companies / self.managers if self.managers else None

    @property
    def after(self) -> float | None:
        """Open tasks per manager afterwards."""
        return (self.held + self.companies) / self.managers if self.managers else None


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
    companies = reading.table(COMPANIES)
    regions = dict(
        zip(
            companies.column("company_id").to_pylist(),
            companies.column("region_code").to_pylist(),
            strict=True,
        )
    )
    return [
        {**row, "region_code": regions.get(row["company_id"]) or ""}
        for row in reading.table(LEADS).to_pylist()
        if not row["admitted"] and row["rules"] != JOINED
    ]


def joined_leads(reading: Reading) -> Counter[int]:
    """Number of leads of each company that were joined to a better one."""
    return Counter(row["company_id"] for row in reading.table(LEADS).to_pylist() if row["rules"] == JOINED)


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
    """Rejected leads of firms in the divisions that the viewer's institutions cover; of others' customers none."""
    foreign = set(visit.reading.once(foreign_customers).tolist())
    rows = [row for row in visit.reading.once(rejected) if row["company_id"] not in foreign]
    if visit.viewer.whole_bank:
        return rows
    covered = {
        code
        for row in visit.reading.table(INSTITUTION_RECORDS).to_pylist()
        if row["institution_code"] in visit.viewer.below
        for code in formats.split(row["region_codes"])
    }
    return [row for row in rows if any(region_contains(code, row["region_code"]) for code in covered)]


def named_products(visit: Visit, text: str) -> str:
    """Say a ground with the names of products instead of their codes."""
    return QUOTED_CODE.sub(lambda found: f"“{visit.labels.product(found[1])}”", text)


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
            reason=named_products(visit, row.get("reason") or row.get("grounds") or ""),
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


def lead_columns(visit: Visit, sent: frozenset[str]) -> tuple[ColumnView[LeadRow], ...]:
    """Columns of allocated leads."""
    names = visit.names

    def place(row: LeadRow) -> Cell:
        unit = names.institution(row.sub_branch_code) or names.institution(row.branch_code) or "无归属"
        return Cell(unit, note=row.reason)

    def owner(row: LeadRow) -> Cell:
        if row.hold_out:
            return Cell(chips=(Chip("对照组", "violet", "留作对照，不生成任务"),))
        done = (Chip("已下发", "green"),) if row.lead_id in sent else ()
        if row.deferred and not done:
            return Cell(chips=(Chip("产能已满", "grey", "有余量后可确认下发，或等下一次运行"),))
        if row.manager_no:
            return Cell(names.staff(row.manager_no), chips=done)
        return Cell("待认领", tone="soft", chips=done)

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
        ColumnView("规则与理由", lambda row: Cell(row.reason)),
    )


def loads(visit: Visit, rows: Sequence[Record], held: dict[str, int]) -> list[LoadRow]:
    """What each institution gets, most loaded first; ``held`` are open tasks by manager."""
    managers: dict[str, set[str]] = defaultdict(set)
    for row in visit.reading.table(STAFF_RECORDS).to_pylist():
        if row["role"] in {"manager", "客户经理"}:
            managers[row["institution_code"]].add(row["staff_no"])
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for row in rows:
        groups[row["branch_code"] or "", row["sub_branch_code"] or ""].append(row)
    found = [
        LoadRow(
            branch_code=branch,
            sub_branch_code=unit,
            companies=len({row["company_id"] for row in part if row["rule"] != DEFERRED}),
            leads=sum(1 for row in part if row["rule"] != DEFERRED),
            waiting=sum(1 for row in part if not row["manager_no"] and row["rule"] != DEFERRED),
            managers=len(managers[unit or branch]),
            deferred=sum(1 for row in part if row["rule"] == DEFERRED),
            held=sum(held.get(number, 0) for number in managers[unit or branch]),
        )
        for (branch, unit), part in groups.items()
    ]
    return sorted(
        found, key=lambda row: (-(row.per_head or row.companies), row.branch_code, row.sub_branch_code)
    )


def load_columns(visit: Visit) -> tuple[ColumnView[LoadRow], ...]:
    """Columns of the preview."""
    names = visit.names

    def unit(row: LoadRow) -> Cell:
        if not row.branch_code:
            return Cell("无归属", note="手工指定机构后才能下发")
        if not row.sub_branch_code:
            return Cell(names.institution(row.branch_code), note="由分行认领")
        return Cell(names.institution(row.sub_branch_code), note=names.institution(row.branch_code))

    def per_head(value: float | None) -> Cell:
        return Cell(f"{value:.1f}") if value is not None else Cell("无客户经理", tone="late")

    return (
        ColumnView("机构", unit),
        ColumnView("企业", lambda row: Cell(formats.households(row.companies)), align="right"),
        ColumnView("线索", lambda row: Cell(formats.items(row.leads)), align="right"),
        ColumnView("其中待认领", lambda row: Cell(formats.items(row.waiting)), align="right"),
        ColumnView("产能已满暂缓", lambda row: Cell(formats.items(row.deferred)), align="right"),
        ColumnView("客户经理", lambda row: Cell(f"{row.managers} 人"), align="right"),
        ColumnView("人均新增（户）", lambda row: per_head(row.per_head), align="right"),
        ColumnView(
            "人均在办（条）",
            lambda row: Cell(f"{row.held / row.managers:.1f}" if row.managers else "—"),
            align="right",
        ),
        ColumnView("下发后人均（条）", lambda row: per_head(row.after), align="right"),
    )
