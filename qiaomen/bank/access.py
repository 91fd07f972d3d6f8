"""The one access policy, default deny: what a viewer may do and see. Page, API, export and command line ask here.

A row outside the viewer's scope does not exist for the viewer (``NotFound``, never ``NotAllowed``); a customer
outside the scope that appears on a path is shown as ``XX支行客户（需申请转介）``, without its name or amounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import lru_cache
from typing import Final

from qiaomen.bank.viewers import Scope, Viewer
from qiaomen.vocab import NotAllowed, NotFound, Role


class Action(StrEnum):
    """What can be asked of the system."""

    SEE_COMPANIES = "see_companies"
    SEE_CUSTOMERS = "see_customers"
    SEE_TASKS = "see_tasks"
    WORK_TASKS = "work_tasks"
    TRANSFER_TASKS = "transfer_tasks"
    DISPATCH = "dispatch"
    SEE_DASHBOARD = "see_dashboard"
    SCREEN = "screen"
    EXPORT = "export"
    SUBSCRIBE = "subscribe"
    UPLOAD_CUSTOMERS = "upload_customers"
    DECIDE_MATCHES = "decide_matches"
    RUN_JOBS = "run_jobs"
    APPROVE_MODELS = "approve_models"
    SEE_STAFF = "see_staff"
    DELEGATE = "delegate"
    HAND_OVER = "hand_over"
    MANAGE_STAFF = "manage_staff"
    MANAGE_USERS = "manage_users"
    MANAGE_TOKENS = "manage_tokens"
    SEE_AUDIT = "see_audit"
    SEE_SETTINGS = "see_settings"
    PUSH_EVENTS = "push_events"


_STAFF: Final = frozenset(
    {
        Action.SEE_COMPANIES,
        Action.SEE_CUSTOMERS,
        Action.SEE_TASKS,
        Action.WORK_TASKS,
        Action.SCREEN,
        Action.SUBSCRIBE,
        Action.DELEGATE,
    }
)
_UNIT_ADMIN: Final = _STAFF | {
    Action.SEE_STAFF,
    Action.HAND_OVER,
    Action.TRANSFER_TASKS,
    Action.DISPATCH,
    Action.SEE_DASHBOARD,
    Action.EXPORT,
}
POLICY: Final[Mapping[Role, frozenset[Action]]] = {
    Role.MANAGER: _STAFF,
    Role.SUB_BRANCH_ADMIN: _UNIT_ADMIN,
    Role.BRANCH_ADMIN: _UNIT_ADMIN | {Action.UPLOAD_CUSTOMERS, Action.DECIDE_MATCHES},
    Role.ANALYST: _UNIT_ADMIN
    | {Action.UPLOAD_CUSTOMERS, Action.DECIDE_MATCHES, Action.RUN_JOBS, Action.APPROVE_MODELS},
    Role.ADMINISTRATOR: frozenset(
        {
            Action.SEE_STAFF,
            Action.DELEGATE,
            Action.MANAGE_STAFF,
            Action.MANAGE_USERS,
            Action.MANAGE_TOKENS,
            Action.SEE_AUDIT,
            Action.SEE_SETTINGS,
            Action.RUN_JOBS,
        }
    ),
    Role.INTEGRATOR: frozenset(
        {
            Action.SEE_COMPANIES,
            Action.SEE_CUSTOMERS,
            Action.SEE_TASKS,
            Action.WORK_TASKS,
            Action.EXPORT,
            Action.UPLOAD_CUSTOMERS,
            Action.PUSH_EVENTS,
        }
    ),
}


def may(viewer: Viewer, action: Action) -> bool:
    """Whether the viewer may do something at all (the scope of rows is another question), by own posts or as deputy."""
    if viewer.actions is not None and action.value not in viewer.actions:
        return False
    return any(
        action in POLICY.get(role, frozenset())
        for roles in (viewer.roles, *(item.roles for item in viewer.stand_ins))
        for role in roles
    )


def require(viewer: Viewer, action: Action) -> None:
    """Raise ``NotAllowed`` where the viewer may not."""
    if not may(viewer, action):
        raise NotAllowed("您的角色无权进行此操作", remedy="如确有需要，请联系系统管理员调整角色")


# A page asks hundreds of times; the answer hangs on the arguments alone.
@lru_cache(maxsize=4096)
def scope_of(viewer: Viewer, action: Action | None = None) -> Scope:
    """Return which customers and tasks the viewer may see, or do something to; empty for an administrator.

    With ``action`` only the posts that allow it count: who is administrator of one unit and manager in another may
    export the rows of the first alone.
    """
    wanted = (action,) if action is not None else (Action.SEE_CUSTOMERS, Action.SEE_TASKS)
    scope = own_scope(viewer, wanted)
    for item in viewer.stand_ins:
        scope |= _part(item.roles, item.below, item.principal_no, wanted)
    return scope


def own_scope(viewer: Viewer, wanted: Sequence[Action] = ()) -> Scope:
    """Return the part of the scope that the viewer has by his own posts, deputising left out."""
    wanted = wanted or (Action.SEE_CUSTOMERS, Action.SEE_TASKS)
    if viewer.actions is not None and not any(action.value in viewer.actions for action in wanted):
        return Scope()
    part = _part(viewer.roles, viewer.below, viewer.staff_no, wanted)
    granting = _granting(viewer.roles, wanted)
    return part | Scope(whole_bank=viewer.whole_bank and not granting.isdisjoint(_WHOLE))


_BELOW: Final = frozenset({Role.SUB_BRANCH_ADMIN, Role.BRANCH_ADMIN, Role.INTEGRATOR})
_WHOLE: Final = frozenset({Role.ANALYST, Role.INTEGRATOR})


def _granting(roles: Iterable[Role], wanted: Sequence[Action]) -> frozenset[Role]:
    return frozenset(role for role in roles if any(action in POLICY.get(role, ()) for action in wanted))


def _part(
    roles: Iterable[Role], below: frozenset[str], staff_no: str | None, wanted: Sequence[Action]
) -> Scope:
    granting = _granting(roles, wanted)
    managed = {staff_no} if staff_no is not None and Role.MANAGER in granting else set()
    return Scope(
        institutions=frozenset() if granting.isdisjoint(_BELOW) else below, manager_nos=frozenset(managed)
    )


def acting_on(viewer: Viewer, institution_code: str | None, manager_no: str | None) -> Viewer:
    """Return the viewer as he acts on a row: as deputy where the row lies in the scope of a principal alone.

    A row that nobody has yet (``manager_no`` is nothing) is looked at by the pools too.
    """
    pooled = manager_no is None and institution_code in own_pool(viewer)
    if pooled or not viewer.stand_ins or own_scope(viewer).covers(institution_code, manager_no):
        return viewer
    wanted = (Action.SEE_CUSTOMERS, Action.SEE_TASKS)
    for item in viewer.stand_ins:
        scope = _part(item.roles, item.below, item.principal_no, wanted)
        pooled = manager_no is None and institution_code in item.desks
        if pooled or scope.covers(institution_code, manager_no):
            return replace(viewer, acting=item)
    return viewer


def scope_institutions(viewer: Viewer) -> frozenset[str] | None:
    """Return the institutions whose rows the viewer may see; None is the whole bank."""
    scope = scope_of(viewer)
    return None if scope.whole_bank else scope.institutions


def pool_institutions(viewer: Viewer) -> frozenset[str]:
    """Return the institutions whose unclaimed tasks a manager may see and claim: of the own desks and the principals'."""
    if not may(viewer, Action.WORK_TASKS):
        return frozenset()
    return own_pool(viewer).union(*(item.desks for item in viewer.stand_ins))


def own_pool(viewer: Viewer) -> frozenset[str]:
    """Return the institutions whose unclaimed tasks a manager may claim for himself."""
    if not viewer.has(Role.MANAGER) or not may(viewer, Action.WORK_TASKS):
        return frozenset()
    return viewer.homes if viewer.desks is None else viewer.desks


def require_row(viewer: Viewer, institution_code: str | None, manager_no: str | None) -> None:
    """Raise ``NotFound`` for an operational row outside the viewer's scope."""
    if not scope_of(viewer).covers(institution_code, manager_no):
        raise NotFound("没有找到", remedy="检查编号，或向所属机构申请")


def referral_name(institution_name: str | None) -> str:
    """Return how a customer outside the viewer's scope is shown."""
    return f"{institution_name or '本行其他机构'}客户（需申请转介）"


def customer_name(
    viewer: Viewer,
    name: str,
    *,
    institution_code: str | None,
    institution_name: str | None,
    manager_no: str | None,
) -> str:
    """Return a customer's name, or its referral wording where it lies outside the viewer's scope."""
    if scope_of(viewer).covers(institution_code, manager_no):
        return name
    return referral_name(institution_name)
