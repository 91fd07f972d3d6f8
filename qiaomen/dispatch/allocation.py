"""Allocation: which branch, sub-branch and manager each admitted lead goes to, and who is kept back as control.

The order of rows in the input does not matter: leads are taken by priority, ties by their number, choices between
equals by a stable hash. Returns ALLOCATIONS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import pyarrow as pa

from qiaomen.bank import Institution, Post
from qiaomen.dispatch.rules import AllocationRules
from qiaomen.dispatch.tables import ALLOCATIONS
from qiaomen.store import portable
from qiaomen.vocab import Role, UnitType, region_prefix

# Kept-back companies never come from these origins: 本行到期 and 流失预警 must be served.
SERVED: Final = frozenset({"expiry", "retention"})
DEFERRED: Final = "deferred"
NO_BRANCH: Final = "no_branch"
_PRECISION: Final = 6


@dataclass(frozen=True, slots=True)
class Place:
    """Where one company belongs."""

    region_code: str = ""
    lon: float | None = None
    lat: float | None = None
    parks: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()
    chains: frozenset[str] = frozenset()
    institution_code: str | None = None
    manager_no: str | None = None


@dataclass(slots=True)
class Desk:
    """A manager at an institution, with the open tasks that the manager has."""

    post: Post
    capacity: int
    load: int


@dataclass(slots=True)
class _Target:
    """Where a lead goes, as it is worked out."""

    branch: str | None = None
    sub_branch: str | None = None
    manager: str | None = None
    rule: str = ""
    reason: str = ""


@dataclass(slots=True)
class Bank:
    """The bank's institutions and desks during one allocation: every lead that is placed takes its room."""

    rules: AllocationRules
    units: dict[str, Institution]
    below: dict[str, list[Institution]] = field(default_factory=dict)
    desks: dict[str, list[Desk]] = field(default_factory=dict)
    desk_of: dict[str, Desk] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    # Open tasks by company and product: their lead stays where the task is.
    tasks: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)


def places_of(rows: pa.Table) -> dict[int, Place]:
    """Return PLACES by company."""
    return {
        row["company_id"]: Place(
            row["region_code"] or "",
            row["lon"],
            row["lat"],
            _words(row["park_codes"]),
            _words(row["traits"]),
            _words(row["chain_codes"]),
            row["institution_code"],
            row["manager_no"],
        )
        for row in rows.to_pylist()
    }


def _words(text: str | None) -> frozenset[str]:
    return frozenset(part for part in (text or "").split(";") if part)


def allocate(
    leads: pa.Table,
    places: pa.Table,
    *,
    institutions: Sequence[Institution],
    posts: Sequence[Post],
    open_tasks: pa.Table,
    rules: AllocationRules,
    as_of: date,
) -> pa.Table:
    """Return ALLOCATIONS: one row per admitted lead.

    A customer goes to its manager; a prospect to the branch of its region, the best fitting sub-branch and the least
    loaded manager there, or waits to be claimed. Customers take their managers' room first, above the limit where they
    are more: nobody else is to call on them; prospects get what is left. Beyond the pool's limit a lead is deferred (rule
    ``deferred``); one that no branch covers, or whose region nobody knows, waits for dispatch by hand (``no_branch``).
    """
    bank = _open_bank(institutions, posts, open_tasks, rules, as_of)
    where = places_of(places)
    admitted = [row for row in leads.to_pylist() if row["admitted"]]
    admitted.sort(key=lambda row: (-(row["priority"] or 0.0), row["lead_id"]))
    rows = []
    ranked = list(enumerate(admitted, start=1))
    for rank, lead in sorted(ranked, key=lambda item: not item[1]["is_customer"]):
        place = where.get(lead["company_id"], Place())
        held = held_out(lead, rules) and (lead["company_id"], lead["product"] or "") not in bank.tasks
        target = _target(bank, lead, place, held=held)
        # What no branch covers gets no task either way, and is no control of anything.
        held = held and target.rule != NO_BRANCH
        rows.append(
            {
                "lead_id": lead["lead_id"],
                "company_id": lead["company_id"],
                "branch_code": target.branch,
                "sub_branch_code": target.sub_branch,
                "manager_no": None if held else target.manager,
                "rule": target.rule,
                "reason": target.reason,
                "hold_out": held,
                "rank": rank,
            }
        )
    rows.sort(key=lambda row: row["rank"])
    return ALLOCATIONS.conform(pa.Table.from_pylist(rows, schema=ALLOCATIONS.schema))


def held_out(lead: Mapping[str, Any], rules: AllocationRules) -> bool:
    """Whether the company of a lead belongs to the control group (the same share of companies in every run)."""
    if lead["origin"] in SERVED:
        return False
    return portable.share_of(f"control:{lead['company_id']}") < rules.hold_out_share


def _open_bank(
    institutions: Iterable[Institution],
    posts: Iterable[Post],
    open_tasks: pa.Table,
    rules: AllocationRules,
    as_of: date,
) -> Bank:
    tasks = [row for row in open_tasks.to_pylist() if row["state"] != "closed"]
    load = Counter(row["manager_no"] for row in tasks if row["manager_no"])
    waiting = Counter(
        row["sub_branch_code"] for row in tasks if not row["manager_no"] and row["sub_branch_code"]
    )
    bank = open_desks(institutions, posts, load, waiting, rules, as_of)
    bank.tasks = {(row["company_id"], row["product"] or ""): row for row in tasks}
    return bank


def open_desks(
    institutions: Iterable[Institution],
    posts: Iterable[Post],
    load: Mapping[str, int],
    waiting: Mapping[str, int],
    rules: AllocationRules,
    as_of: date,
) -> Bank:
    """Return the bank with its managers' open tasks (``load``) and its pools' (``waiting``)."""
    bank = Bank(rules, {unit.institution_code: unit for unit in institutions}, waiting=dict(waiting))
    for code in sorted(bank.units):
        unit = bank.units[code]
        if unit.unit_type is UnitType.SUB_BRANCH and unit.parent_code is not None:
            bank.below.setdefault(unit.parent_code, []).append(unit)
    managers = [post for post in posts if post.role is Role.MANAGER and post.held(as_of)]
    for post in sorted(managers, key=lambda post: (post.staff_no, post.institution_code)):
        capacity = rules.capacity_default if post.capacity is None else post.capacity
        # One desk per person: a manager with several posts has one capacity.
        desk = bank.desk_of.setdefault(post.staff_no, Desk(post, capacity, load.get(post.staff_no, 0)))
        bank.desks.setdefault(post.institution_code, []).append(desk)
    return bank


def _target(bank: Bank, lead: dict[str, Any], place: Place, *, held: bool) -> _Target:
    task = bank.tasks.get((lead["company_id"], lead["product"] or ""))
    if task is not None:
        code = task["sub_branch_code"]
        branch = branch_of(bank, code) if code else task["branch_code"]
        return _Target(branch, code, task["manager_no"], "open_task", f"并入进行中的{task['task_id']}号任务")
    if lead["is_customer"]:
        target = _for_customer(bank, place)
        if target is not None:
            if target.manager and not held:
                bank.desk_of[target.manager].load += 1
            return target
    target = _for_prospect(bank, lead["lead_id"], place)
    if target.rule == NO_BRANCH:
        return target
    if held:
        target.rule, target.reason = "hold_out", "对照组：本次不下发，用于衡量营销效果"
        return target
    return _with_manager(bank, lead["lead_id"], place, target)


def branch_of(bank: Bank, code: str) -> str | None:
    """Return the branch that an institution is or belongs to."""
    unit: Institution | None = bank.units.get(code)
    while unit is not None and unit.unit_type is not UnitType.BRANCH:
        unit = bank.units.get(unit.parent_code or "")
    return unit.institution_code if unit else None


def _for_customer(bank: Bank, place: Place) -> _Target | None:
    desk = bank.desk_of.get(place.manager_no or "")
    keeper = place.institution_code if place.institution_code in bank.units else None
    code = keeper or (desk.post.institution_code if desk else None)
    if code is None:
        return None
    sub_branch = code if bank.units[code].unit_type is UnitType.SUB_BRANCH else None
    branch = branch_of(bank, code)
    if desk is not None:
        return _Target(branch, sub_branch, desk.post.staff_no, "customer_manager", "存量客户，归主办客户经理")
    return _Target(branch, sub_branch, None, "customer_unit", "存量客户，主办已离岗或未定，由主办机构认领")


def _overlap(unit: Institution, region_code: str) -> int:
    """Return how many leading digits the region shares with the unit's closest division; 0 where it lies in none."""
    prefixes = (region_prefix(code) if len(code) == 6 else code for code in unit.region_codes)
    return max((len(prefix) for prefix in prefixes if region_code.startswith(prefix)), default=0)


def _for_prospect(bank: Bank, lead_id: str, place: Place) -> _Target:
    branch = _branch_for(bank, lead_id, place)
    if branch is None:
        region = place.region_code
        reason = f"没有分行覆盖该地区（{region}）" if region else "地区不详，请手工指定机构"
        return _Target(rule=NO_BRANCH, reason=reason)
    candidates = bank.below.get(branch.institution_code, [])
    if not candidates:
        return _Target(branch.institution_code, None, None, "branch", "该分行未设支行，由分行认领")
    scored = [(_fit(bank, unit, place), unit) for unit in candidates]
    best_fit = max(fit for fit, _ in scored)
    equals = [unit for fit, unit in scored if fit == best_fit]
    chosen = min(equals, key=lambda unit: _tie(lead_id, unit.institution_code))
    rule, reason = _why(best_fit, chosen, place)
    return _Target(branch.institution_code, chosen.institution_code, None, rule, reason)


def _branch_for(bank: Bank, lead_id: str, place: Place) -> Institution | None:
    """Return the branch with the longest prefix of the region, by its own divisions or its sub-branches'."""
    best: list[Institution] = []
    longest = 0
    for code in sorted(bank.units):
        unit = bank.units[code]
        if unit.unit_type is not UnitType.BRANCH:
            continue
        below = bank.below.get(code, [])
        length = max(_overlap(each, place.region_code) for each in [unit, *below])
        if length > longest:
            best, longest = [unit], length
        elif length == longest and length:
            best.append(unit)
    return min(best, key=lambda unit: _tie(lead_id, unit.institution_code)) if best else None


def _tie(lead_id: str, code: str) -> float:
    return portable.share_of(f"{lead_id}:{code}")


Fit = tuple[int, int, int, float]


def _fit(bank: Bank, unit: Institution, place: Place) -> Fit:
    """How well a sub-branch fits: parks, then traits, then divisions, then nearness (all higher is better)."""
    parks = len(unit.park_codes & place.parks)
    traits = len(unit.traits & place.traits)
    near = _distance_km(unit, place)
    nearness = -round(near, _PRECISION) if near is not None and near <= bank.rules.near_km else float("-inf")
    return (parks, traits, _overlap(unit, place.region_code), nearness)


def _distance_km(unit: Institution, place: Place) -> float | None:
    from math import asin, cos, radians, sin, sqrt

    if unit.lon is None or unit.lat is None or place.lon is None or place.lat is None:
        return None
    rise, turn = radians(place.lat - unit.lat) / 2, radians(place.lon - unit.lon) / 2
    part = sin(rise) ** 2 + cos(radians(unit.lat)) * cos(radians(place.lat)) * sin(turn) ** 2
    return 2 * portable.EARTH_RADIUS_M / 1000 * asin(sqrt(min(1.0, part)))


def _why(fit: Fit, unit: Institution, place: Place) -> tuple[str, str]:
    parks, traits, overlap, nearness = fit
    if parks:
        return "park", f"{unit.name}覆盖该企业所在园区"
    if traits:
        return "trait", f"{unit.name}特色相符：{'、'.join(sorted(unit.traits & place.traits))}"
    if overlap:
        return "region", f"{unit.name}覆盖该地区（{place.region_code}）"
    if nearness > float("-inf"):
        return "distance", f"{unit.name}距离最近（{-nearness:.1f}公里）"
    return "even", f"同条件支行间按固定次序分给{unit.name}"


def _with_manager(bank: Bank, lead_id: str, place: Place, target: _Target) -> _Target:
    code = target.sub_branch or target.branch
    if code is None:
        return target
    desk = least_loaded(bank, code, lead_id, place.traits | place.chains)
    if desk is not None:
        desk.load += 1
        target.manager = desk.post.staff_no
        target.reason += "；按专长与负荷分给客户经理"
        return target
    if not wait_in_pool(bank, code):
        target.rule, target.reason = (
            DEFERRED,
            target.reason + f"；待认领已满{bank.rules.pool_limit}条，留待下次",
        )
        return target
    target.reason += "；客户经理均已满额，待认领"
    return target


def least_loaded(bank: Bank, code: str, lead_id: str, wanted: frozenset[str] = frozenset()) -> Desk | None:
    """Return the manager of an institution who has room: by speciality, then load, then a stable order."""
    free = [desk for desk in bank.desks.get(code, []) if desk.load < desk.capacity]
    return min(
        free,
        key=lambda desk: (
            -len(desk.post.specialities & wanted),
            desk.load / desk.capacity,
            _tie(lead_id, desk.post.staff_no),
        ),
        default=None,
    )


def wait_in_pool(bank: Bank, code: str) -> bool:
    """Take a place in the pool of an institution; False where it is full."""
    if bank.waiting.get(code, 0) >= bank.rules.pool_limit:
        return False
    bank.waiting[code] = bank.waiting.get(code, 0) + 1
    return True
