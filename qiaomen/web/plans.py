"""A plan of dispatch as a page shows it: what goes where, what is refused and why, what the form carries back."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.engine import Connection

from qiaomen.bank import institutions_in_force, posts_held, scope_of
from qiaomen.dispatch import (
    CONFIRMATION_RULES,
    BatchItem,
    Planned,
    Target,
    load_admission_rules,
)
from qiaomen.vocab import InputRejected, Role, UnitType
from qiaomen.web import formats
from qiaomen.web.cells import Cell, Chip, ColumnView, TableView, table
from qiaomen.web.figures import Figure
from qiaomen.web.firms import firms
from qiaomen.web.lead_lists import LeadRow, firm_cell, lead_rows, load_columns, loads
from qiaomen.web.reading import Record
from qiaomen.web.visit import Visit

# A plan has one lead per firm, and what is deferred stands among the refused.
SAID_ELSEWHERE: Final = frozenset({"线索", "产能已满暂缓"})
SHARES: Final = (("pool", "待认领池"), ("managers", "按负荷分给客户经理"))


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """The places of one institution that firms can be sent to: value and words of each."""

    name: str
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PlanView:
    """What the confirmation page shows."""

    figures: tuple[Figure, ...]
    loads: TableView
    going: TableView
    refused: TableView
    count: int
    seen: str


def targets(visit: Visit, connection: Connection) -> tuple[TargetGroup, ...]:
    """Return the branches and sub-branches that the viewer governs, with their managers."""
    scope = scope_of(visit.viewer)
    managers: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for post in posts_held(connection, visit.as_of):
        if post.role is Role.MANAGER:
            managers[post.institution_code].append((post.staff_no, post.name))
    found = []
    for unit in institutions_in_force(connection):
        code = unit.institution_code
        if unit.unit_type is UnitType.HEAD_OFFICE or not (scope.whole_bank or code in scope.institutions):
            continue
        own = managers[code]
        shares = SHARES if own else SHARES[:1]
        options = [(f"{code}|{share}", f"{unit.name} · {words}") for share, words in shares]
        options += [(f"{code}|@{number}", f"{unit.name} · {name}") for number, name in sorted(own)]
        found.append(TargetGroup(unit.name, tuple(options)))
    return tuple(found)


def read_target(text: str) -> Target | None:
    """Read the choice of a place; none where nothing was chosen."""
    if not text:
        return None
    code, _, place = text.partition("|")
    if place.startswith("@"):
        return Target(code, place[1:])
    if place == "pool":
        return Target(code)
    if place == "managers":
        return Target(code, share="managers")
    raise InputRejected("去向无法识别", remedy="从列表中选择机构或客户经理")


def target_words(visit: Visit, target: Target | None) -> str:
    """Say where a target is."""
    if target is None:
        return ""
    unit = visit.names.institution(target.institution_code)
    return f"{unit} · {visit.names.staff(target.manager_no) if target.manager_no else dict(SHARES)[target.share]}"


def rule_names(visit: Visit) -> dict[str, str]:
    """Names of the rules that refuse: the declared ones, and those of the confirmation itself."""
    declared = {rule.code: rule.name for rule in load_admission_rules(visit.site.workspace.overlay)}
    return {**declared, **CONFIRMATION_RULES}


def plan_view(
    visit: Visit,
    planned: Sequence[Planned],
    held: Mapping[str, int],
    warnings: Mapping[int, str],
    dropped: frozenset[str],
) -> PlanView:
    """Lay out a plan; ``warnings`` are collisions by company, ``dropped`` leads were taken out before."""
    going = [each for each in planned if each.outcome != "refused"]
    refused = [each for each in planned if each.outcome == "refused"]
    joined = sum(each.outcome == "joined" for each in going)
    new = [as_record(each) for each in going if each.outcome == "created"]
    units = {row["sub_branch_code"] or row["branch_code"] for row in new}
    return PlanView(
        figures=(
            Figure("将生成任务", formats.count(len(new)), "户", "每户一条任务"),
            Figure("并入进行中的任务", formats.count(joined), "户", "补充理由，不新增任务"),
            Figure("不能下发", formats.count(len(refused)), "户", "规则与理由见下"),
            Figure("涉及机构", formats.count(len(units)), "家"),
        ),
        loads=table(
            [column for column in load_columns(visit) if column.title not in SAID_ELSEWHERE],
            loads(visit, new, dict(held)),
            caption="按机构",
            empty="没有可下发的企业",
        ),
        going=_going(visit, going, warnings, dropped),
        refused=_refused(visit, refused),
        count=len(going),
        seen=json.dumps({each.lead_id: each.mark for each in planned}, separators=(",", ":")),
    )


def as_record(planned: Planned) -> Record:
    """Return a planned lead as the lists have it."""
    return {
        **planned.lead,
        "branch_code": planned.branch_code,
        "sub_branch_code": planned.sub_branch_code,
        "manager_no": planned.manager_no,
        "rule": planned.rule,
        "reason": planned.reason,
        "hold_out": False,
    }


def _going(
    visit: Visit, going: Sequence[Planned], warnings: Mapping[int, str], dropped: frozenset[str]
) -> TableView:
    rows = lead_rows(visit, [as_record(each) for each in going])
    names = visit.names

    def place(row: LeadRow) -> Cell:
        unit = names.institution(row.sub_branch_code or row.branch_code)
        return Cell(unit, note=row.reason)

    def owner(row: LeadRow) -> Cell:
        return Cell(names.staff(row.manager_no)) if row.manager_no else Cell("待认领", tone="soft")

    def firm(row: LeadRow) -> Cell:
        usual = firm_cell(row)
        warning = warnings.get(row.firm.company_id)
        chips = (*usual.chips, Chip("冲突", "amber", warning)) if warning else usual.chips
        note = f"{usual.note}。{warning}" if warning else usual.note
        return Cell(usual.text, href=usual.href, chips=chips, note=note)

    return table(
        (
            ColumnView("企业与理由", firm),
            ColumnView("产品", lambda row: Cell(row.product), fixed=True),
            ColumnView("去向", place),
            ColumnView("客户经理", owner, fixed=True),
        ),
        rows,
        caption="将下发的企业",
        empty="所选企业都不能下发",
        empty_hint="原因见下方清单",
        keys=[row.lead_id for row in rows],
        unpicked=frozenset(row.lead_id for row in rows if row.lead_id in dropped),
    )


def _refused(visit: Visit, refused: Sequence[Planned]) -> TableView:
    grounds = {each.lead_id: each for each in refused}
    names = rule_names(visit)

    def rule(row: LeadRow) -> Cell:
        code = grounds[row.lead_id].rule
        return Cell(chips=(Chip(names.get(code, code), "red"),))

    rows = lead_rows(visit, [as_record(each) for each in refused])
    return table(
        (
            ColumnView("企业", lambda row: Cell(row.firm.name, href=row.firm.href)),
            ColumnView("规则", rule, fixed=True),
            ColumnView("理由", lambda row: Cell(grounds[row.lead_id].reason)),
        ),
        rows,
        caption="不能下发的企业",
        empty="没有不能下发的企业",
    )


def item_table(visit: Visit, items: Sequence[BatchItem]) -> TableView:
    """Lay out what became of each firm of a confirmation."""
    known = {
        row.company_id: row for row in firms(visit.reading, visit.labels, {item.company_id for item in items})
    }

    names = rule_names(visit)

    def outcome(row: BatchItem) -> Cell:
        words = {"created": ("已生成任务", "green"), "joined": ("已并入任务", "brand")}
        if row.outcome in words:
            text, tone = words[row.outcome]
            return Cell(f"{row.task_id}号", chips=(Chip(text, tone),))  # type: ignore[arg-type]
        return Cell(chips=(Chip(names.get(row.rule, row.rule), "red"),))

    def place(row: BatchItem) -> Cell:
        if row.outcome == "refused":
            return Cell("—", tone="soft")
        unit = visit.names.institution(row.sub_branch_code or row.branch_code)
        return Cell(unit, note=visit.names.staff(row.manager_no) if row.manager_no else "待认领")

    def firm(row: BatchItem) -> Cell:
        found = known.get(row.company_id)
        return Cell(row.company_name, href=found.href if found else "")

    return table(
        (
            ColumnView("企业", firm),
            ColumnView("结果", outcome, fixed=True),
            ColumnView("去向", place),
            ColumnView("说明", lambda row: Cell(row.reason)),
        ),
        items,
        caption="每户结果",
        empty="这次确认没有企业",
    )


def read_seen(text: str) -> dict[str, str]:
    """Read the marks that the form carries; ``InputRejected`` where somebody has changed their shape."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputRejected("预览内容已损坏", remedy="回到下发页重新预览") from error
    if not isinstance(found, dict) or not all(isinstance(mark, str) for mark in found.values()):
        raise InputRejected("预览内容已损坏", remedy="回到下发页重新预览")
    return found
