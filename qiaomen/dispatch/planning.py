"""What would become of leads if they were dispatched now: where each goes, or the rule that keeps it back.

Writes nothing. The page shows a plan; the confirmation plans again in its own transaction and compares (decision 0009).
Reads tasks, visits, controls, institutions and posts; facts of the lake are handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import (
    Action,
    Institution,
    Scope,
    Viewer,
    institutions_in_force,
    posts_held,
    referral_name,
    require,
    scope_of,
)
from qiaomen.dispatch.allocation import (
    DEFERRED,
    SERVED,
    Bank,
    branch_of,
    held_out,
    least_loaded,
    open_desks,
    wait_in_pool,
)
from qiaomen.dispatch.leads import HAND
from qiaomen.dispatch.rules import AdmissionRule, AllocationRules
from qiaomen.dispatch.schema import TASKS
from qiaomen.dispatch.standing import Refusal, Standing, first_refusal, longest_days, standing_of
from qiaomen.vocab import InputRejected, NotFound, TaskState, UnitType

Outcome = Literal["created", "joined", "refused"]
# Rules of the confirmation itself, beside the declared admission rules.
CONFIRMATION_RULES: Final[Mapping[str, str]] = {
    "already": "已下发",
    "not_allocated": "未分配",
    "hold_out": "对照组",
    "one_firm": "一户一任务",
    "kept": "已有主办",
    "no_branch": "无归属",
    "capacity": "产能已满",
    "joined": "并入其他线索",
    "dropped": "人工去除",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where staff send firms themselves: to a manager, or to an institution's pool or its managers by load."""

    institution_code: str
    manager_no: str | None = None
    share: Literal["pool", "managers"] = "pool"


@dataclass(frozen=True, slots=True)
class LakeFacts:
    """What the lake knows of the firms: who keeps a live customer, and the days of past contacts."""

    keepers: Mapping[int, tuple[str | None, str | None]] = field(default_factory=dict)
    contacts: Mapping[int, Sequence[date]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Planned:
    """One lead with what would become of it; ``rule`` is that of allocation, or the one that refuses."""

    lead: Mapping[str, Any]
    outcome: Outcome
    rule: str
    reason: str
    branch_code: str | None = None
    sub_branch_code: str | None = None
    manager_no: str | None = None

    @property
    def lead_id(self) -> str:
        """Number of the lead."""
        return str(self.lead["lead_id"])

    @property
    def company_id(self) -> int:
        """The company."""
        return int(self.lead["company_id"])

    @property
    def mark(self) -> str:
        """What a confirmation compares: the outcome and where the lead goes, or the rule that refuses it."""
        if self.outcome == "refused":
            return f"refused|{self.rule}"
        places = (self.branch_code, self.sub_branch_code, self.manager_no)
        return "|".join([self.outcome, *(place or "" for place in places)])


@dataclass(slots=True)
class _Plan:
    """Everything that one plan is worked out with."""

    viewer: Viewer
    scope: Scope
    bank: Bank
    standing: Standing
    facts: LakeFacts
    admission: Sequence[AdmissionRule]
    as_of: date
    target: Target | None
    taken: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Place:
    rule: str
    reason: str
    branch_code: str | None
    sub_branch_code: str | None
    manager_no: str | None


def plan_dispatch(
    viewer: Viewer,
    connection: Connection,
    leads: Iterable[Mapping[str, Any]],
    allocations: Mapping[str, Mapping[str, Any]],
    *,
    facts: LakeFacts,
    rules: AllocationRules,
    admission: Sequence[AdmissionRule],
    as_of: date,
    target: Target | None = None,
) -> list[Planned]:
    """Return what would become of each lead, highest priority first; ``target`` sends all of them to one place.

    ``NotFound`` for a lead or a target outside the viewer's scope.
    """
    require(viewer, Action.DISPATCH)
    listed = sorted(leads, key=lambda lead: (-(lead["priority"] or 0.0), lead["lead_id"]))
    standing = standing_of(viewer, connection, listed, facts.contacts, as_of, longest_days(admission))
    bank = _bank(connection, rules, as_of)
    plan = _Plan(viewer, scope_of(viewer), bank, standing, facts, admission, as_of, target)
    if target is not None:
        _check_target(plan, target)
    # As in the allocation: customers take their managers' room before prospects do.
    order = sorted(range(len(listed)), key=lambda place: not listed[place]["is_customer"])
    planned = {
        place: _planned(plan, listed[place], allocations.get(listed[place]["lead_id"])) for place in order
    }
    return [planned[place] for place in range(len(listed))]


def _bank(connection: Connection, rules: AllocationRules, as_of: date) -> Bank:
    where = TASKS.c.state != TaskState.CLOSED.value
    held = connection.execute(
        sa.select(TASKS.c.manager_no, sa.func.count())
        .where(where, TASKS.c.manager_no.is_not(None))
        .group_by(TASKS.c.manager_no)
    )
    unit = sa.func.coalesce(TASKS.c.sub_branch_code, TASKS.c.branch_code)
    waiting = connection.execute(
        sa.select(unit, sa.func.count())
        .where(where, TASKS.c.manager_no.is_(None), unit.is_not(None))
        .group_by(unit)
    )
    return open_desks(
        institutions_in_force(connection),
        posts_held(connection, as_of),
        {str(number): int(count) for number, count in held},
        {str(code): int(count) for code, count in waiting},
        rules,
        as_of,
    )


def _check_target(plan: _Plan, target: Target) -> None:
    unit = plan.bank.units.get(target.institution_code)
    governed = plan.scope.whole_bank or target.institution_code in plan.scope.institutions
    if unit is None or not governed:
        raise NotFound("没有该机构", remedy="选择管辖范围内的机构")
    if unit.unit_type not in {UnitType.BRANCH, UnitType.SUB_BRANCH}:
        raise InputRejected(f"“{unit.name}”不承接营销任务", remedy="选择分行或支行")
    managers = {each.post.staff_no for each in plan.bank.desks.get(target.institution_code, [])}
    if target.manager_no is not None and target.manager_no not in managers:
        raise InputRejected(
            f"工号“{target.manager_no}”不是{unit.name}的在岗客户经理", remedy="重新选择客户经理"
        )


def _planned(plan: _Plan, lead: Mapping[str, Any], allocation: Mapping[str, Any] | None) -> Planned:
    if lead["origin"] != HAND:
        _require_scope(plan, allocation)
    refusal = _refusal(plan, lead, allocation)
    if refusal is not None:
        return Planned(lead, "refused", refusal.rule, refusal.ground)
    same = _same_product(plan, lead)
    if same is not None:
        plan.taken.add(lead["company_id"])
        return Planned(
            lead,
            "joined",
            "open_task",
            f"并入进行中的{same.task_id}号任务",
            same.branch_code,
            same.sub_branch_code,
            same.manager_no,
        )
    place = _place(plan, lead, allocation)
    if isinstance(place, Refusal):
        return Planned(lead, "refused", place.rule, place.ground)
    plan.taken.add(lead["company_id"])
    return Planned(
        lead,
        "created",
        place.rule,
        place.reason,
        place.branch_code,
        place.sub_branch_code,
        place.manager_no,
    )


def _require_scope(plan: _Plan, allocation: Mapping[str, Any] | None) -> None:
    if plan.scope.whole_bank:
        return
    row = allocation or {"branch_code": None, "sub_branch_code": None, "manager_no": None}
    codes = (row["sub_branch_code"], row["branch_code"])
    if not any(plan.scope.covers(code, row["manager_no"]) for code in codes):
        raise NotFound("线索不存在", remedy="刷新下发页后重新选择")


def _refusal(plan: _Plan, lead: Mapping[str, Any], allocation: Mapping[str, Any] | None) -> Refusal | None:
    sent = plan.standing.sent.get(lead["lead_id"])
    if sent is not None:
        return Refusal("already", f"已生成{sent}号任务")
    if lead["rules"]:
        return Refusal(str(lead["rules"]).split(";")[0], lead["grounds"] or "")
    if lead["company_id"] in plan.taken:
        return Refusal("one_firm", "同一企业已有一条线索在本次下发中")
    if _is_control(plan, lead, allocation):
        return Refusal("hold_out", "对照组企业不下发，用于衡量营销效果")
    broken = first_refusal(lead, plan.standing, plan.admission, plan.as_of)
    if broken is not None or lead["origin"] == HAND:
        return broken
    return None if allocation else Refusal("not_allocated", "最近一次运行没有分配这条线索")


def _is_control(plan: _Plan, lead: Mapping[str, Any], allocation: Mapping[str, Any] | None) -> bool:
    if lead["origin"] in SERVED:
        return False
    if allocation is not None:
        return bool(allocation["hold_out"])
    return lead["company_id"] in plan.standing.controls or held_out(lead, plan.bank.rules)


def _same_product(plan: _Plan, lead: Mapping[str, Any]) -> Any:
    wanted = lead["product"] or ""
    return next(
        (task for task in plan.standing.open_tasks(lead["company_id"]) if task.product == wanted), None
    )


def _place(plan: _Plan, lead: Mapping[str, Any], allocation: Mapping[str, Any] | None) -> _Place | Refusal:
    keeper = plan.facts.keepers.get(lead["company_id"]) if lead["is_customer"] else None
    if plan.target is not None:
        if keeper is not None and keeper[0] in plan.bank.units:
            return _with_keeper(plan, plan.target, str(keeper[0]), keeper[1])
        return _to_target(plan, lead, plan.target)
    assert allocation is not None  # noqa: S101 - a lead without one was refused before
    return _as_allocated(plan, lead, allocation)


def _with_keeper(plan: _Plan, target: Target, code: str, manager_no: str | None) -> _Place | Refusal:
    """Send a customer to who keeps it; refuse where staff chose somebody else."""
    bank = plan.bank
    unit = bank.units[code]
    working = bank.desk_of.get(manager_no or "")
    within = target.institution_code in {code, branch_of(bank, code)}
    to_other = target.manager_no is not None and working is not None and target.manager_no != manager_no
    if not within or to_other:
        if not plan.scope.covers(code, manager_no):
            return Refusal("kept", referral_name(unit.name))
        who = working.post.name if working else "待定"
        return Refusal("kept", f"主办：{unit.name}，客户经理{who}")
    sub_branch = code if unit.unit_type is UnitType.SUB_BRANCH else None
    number = working.post.staff_no if working else target.manager_no
    if number:
        bank.desk_of[number].load += 1
    elif not wait_in_pool(bank, code):
        return _full(unit)
    return _Place("customer_manager", "存量客户，归主办", branch_of(bank, code), sub_branch, number)


def _to_target(plan: _Plan, lead: Mapping[str, Any], target: Target) -> _Place | Refusal:
    bank = plan.bank
    code = target.institution_code
    unit = bank.units[code]
    number: str | None = None
    if target.manager_no is not None:
        chosen = bank.desk_of[target.manager_no]
        if chosen.load >= chosen.capacity:
            return Refusal("capacity", f"{chosen.post.name}进行中的任务已达上限（{chosen.capacity}条）")
        chosen.load += 1
        number = target.manager_no
    elif target.share == "managers" and (free := least_loaded(bank, code, lead["lead_id"])):
        free.load += 1
        number = free.post.staff_no
    elif not wait_in_pool(bank, code):
        return _full(unit)
    sub_branch = code if unit.unit_type is UnitType.SUB_BRANCH else None
    return _Place(HAND, f"手工指定{unit.name}", branch_of(bank, code), sub_branch, number)


def _full(unit: Institution) -> Refusal:
    return Refusal("capacity", f"{unit.name}的客户经理与待认领池都已满额")


def _as_allocated(plan: _Plan, lead: Mapping[str, Any], allocation: Mapping[str, Any]) -> _Place | Refusal:
    bank = plan.bank
    branch, sub_branch = allocation["branch_code"], allocation["sub_branch_code"]
    code = sub_branch or branch
    if code is None or code not in bank.units:
        return Refusal("no_branch", allocation["reason"] or "没有机构覆盖该地区，请手工指定机构")
    working = bank.desk_of.get(allocation["manager_no"] or "")
    kept = allocation["rule"] == "customer_manager"
    reason = str(allocation["reason"])
    # The rule that chose the institution is not known any more where the lead was deferred or joined a task.
    rule = "even" if allocation["rule"] in {DEFERRED, "open_task"} else str(allocation["rule"])
    if allocation["rule"] == "open_task":
        reason = "原任务已结束，按原去向下发"
    if working is None and allocation["rule"] == DEFERRED:
        working = least_loaded(bank, code, lead["lead_id"])
        reason = f"{bank.units[code].name}已有余量"
    if working is not None and (kept or working.load < working.capacity):
        working.load += 1
        return _Place(rule, reason, branch, sub_branch, working.post.staff_no)
    if not wait_in_pool(bank, code):
        return _full(bank.units[code])
    if working is not None:
        reason += "；该客户经理已满额，待认领"
    return _Place(rule, reason, branch, sub_branch, None)
