"""Work on tasks: claim, advance, assign, transfer. Task, history, audit and outbox change in one transaction.

A change gives the version it was based on; ``Conflict`` where somebody was faster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import (
    Action,
    Institution,
    Post,
    Viewer,
    acting_on,
    audit,
    institutions_in_force,
    lock_posts_of,
    may,
    pool_institutions,
    posts_held,
    posts_of,
    scope_of,
    today_of,
)
from qiaomen.dispatch import flow
from qiaomen.dispatch.flow import EVENT_LABELS, TaskEvent
from qiaomen.dispatch.records import write_change
from qiaomen.dispatch.rules import AllocationRules, shipped_allocation_rules, shipped_deadlines
from qiaomen.dispatch.schema import TASKS
from qiaomen.dispatch.tasks import Task, get_task
from qiaomen.store import outbox
from qiaomen.vocab import Conflict, InputRejected, NotAllowed, NotFound, Role, TaskState, UnitType

TOPIC: Final = "task.changed"
_STAMP: Final = {
    TaskState.FOLLOWING: "claimed_at",
    TaskState.INTENDED: "intended_at",
    TaskState.LANDED: "landed_at",
    TaskState.CLOSED: "closed_at",
}
_BY_ADMIN: Final = frozenset({TaskEvent.ASSIGN, TaskEvent.WITHDRAW})
_BY_SYSTEM: Final = frozenset({TaskEvent.RECYCLE, TaskEvent.ESCALATE})
_HELD: Final = sa.select(
    sa.func.count().label("held"), sa.func.count().filter(TASKS.c.is_customer).label("customers")
).where(TASKS.c.manager_no == sa.bindparam("staff_no"), TASKS.c.state != TaskState.CLOSED.value)
Deadlines = Mapping[TaskState, timedelta]


@dataclass(frozen=True, slots=True)
class Room:
    """A manager's open tasks, those of customers among them, and the limit, which customers' tasks may exceed."""

    held: int
    customers: int
    capacity: int

    @property
    def left(self) -> int:
        """How many tasks the manager may still claim or be given."""
        return max(0, self.capacity - self.held)


def may_do(viewer: Viewer, task: Task, event: TaskEvent) -> bool:
    """Whether a viewer who sees the task may ask for the event (its state is another question)."""
    if event in _BY_SYSTEM or not may(viewer, Action.WORK_TASKS):
        return False
    # A system (CRM) that may work tasks reports what was done with any task of its institutions; it assigns none.
    system = viewer.has(Role.INTEGRATOR)
    scope = scope_of(viewer, Action.WORK_TASKS if system else Action.TRANSFER_TASKS)
    governs = (
        scope.whole_bank
        or task.sub_branch_code in scope.institutions
        or task.branch_code in scope.institutions
    )
    own = task.manager_no is not None and task.manager_no in viewer.manager_nos
    if event is TaskEvent.CLAIM:
        return own or (task.manager_no is None and bool(viewer.manager_nos))
    if event in _BY_ADMIN:
        return governs and not system
    return own or governs


def allowed_events(viewer: Viewer, task: Task) -> tuple[TaskEvent, ...]:
    """Return the events that this viewer may ask of this task, for its buttons."""
    return tuple(event for event in flow.events_from(task.state) if may_do(viewer, task, event))


def _require(viewer: Viewer, task: Task, event: TaskEvent) -> None:
    if not may_do(viewer, task, event):
        raise NotAllowed(
            f"您不能对该任务进行“{EVENT_LABELS[event]}”", remedy="由经办客户经理或所属机构管理员办理"
        )


def claim(
    viewer: Viewer,
    connection: Connection,
    task_id: int,
    *,
    now: datetime,
    rules: AllocationRules | None = None,
    deadlines: Deadlines | None = None,
) -> Task:
    """Take an unclaimed task; of many who try at once exactly one wins, the others get ``Conflict``."""
    task = get_task(viewer, connection, task_id)
    _require(viewer, task, TaskEvent.CLAIM)
    manager_no = _claimer(viewer, task)
    _require_capacity(connection, manager_no, task, now, rules)
    step = flow.advance(task.state, TaskEvent.CLAIM)
    return apply_step(
        viewer,
        connection,
        task,
        TaskEvent.CLAIM,
        step,
        manager_no=manager_no,
        now=now,
        deadlines=deadlines,
        **_home(viewer, connection, task, manager_no, now),
    )


def _claimer(viewer: Viewer, task: Task) -> str:
    """Return whose task it becomes: a deputy claims for his principal what lies in the principal's pool alone."""
    acting = acting_on(viewer, task.sub_branch_code or task.branch_code, task.manager_no).acting
    if acting is not None:
        return acting.principal_no
    if viewer.staff_no is None:
        raise NotAllowed("只有客户经理可以认领任务", remedy="由客户经理办理")
    return viewer.staff_no


def _home(
    viewer: Viewer, connection: Connection, task: Task, manager_no: str, now: datetime
) -> dict[str, Any]:
    """Return where a task of a branch's pool goes: to the institution of the manager who claims it."""
    if task.sub_branch_code is not None:
        return {}
    units = {unit.institution_code: unit for unit in institutions_in_force(connection)}
    code = _post_of(viewer, connection, manager_no, now)
    branch, sub_branch = unit_path(units, code)
    return {"branch_code": branch, "sub_branch_code": sub_branch}


def _require_capacity(
    connection: Connection, staff_no: str, task: Task, now: datetime, rules: AllocationRules | None
) -> None:
    if task.manager_no == staff_no:
        return
    room = _room(connection, staff_no, lock_posts_of(connection, staff_no, today_of(now)), rules)
    if not room.left:
        raise Conflict(
            f"该客户经理进行中的任务有 {room.held} 条（其中存量客户 {room.customers} 条），上限 {room.capacity} 条",
            remedy=f"先办结、退回或转交 {room.held - room.capacity + 1} 条，或请管理员调高任务上限",
        )


def room_of(
    viewer: Viewer,
    connection: Connection,
    staff_no: str,
    now: datetime,
    rules: AllocationRules | None = None,
) -> Room:
    """Return how many open tasks the viewer, or a principal of his, has and may have; ``NotFound`` for others."""
    if staff_no not in viewer.manager_nos:
        raise NotFound("没有该客户经理", remedy="检查工号")
    return _room(connection, staff_no, posts_of(connection, staff_no, today_of(now)), rules)


def _room(
    connection: Connection, staff_no: str, posts: Sequence[Post], rules: AllocationRules | None
) -> Room:
    given = [post.capacity for post in posts if post.capacity is not None]
    capacity = given[0] if given else (rules or shipped_allocation_rules()).capacity_default
    held, customers = connection.execute(_HELD, {"staff_no": staff_no}).one()
    return Room(held, customers, capacity)


def advance(
    viewer: Viewer,
    connection: Connection,
    task_id: int,
    event: TaskEvent,
    *,
    expected_version: int,
    now: datetime,
    reason: str = "",
    landed_amount_fen: int | None = None,
    deadlines: Deadlines | None = None,
) -> Task:
    """Move a task by an event that names no manager (``claim``, ``assign`` and ``transfer`` are apart).

    ``landed_amount_fen`` goes with LAND. Raises ``Conflict`` for another version or a state that forbids it.
    """
    if event in {TaskEvent.CLAIM, TaskEvent.ASSIGN, TaskEvent.TRANSFER}:
        raise InputRejected(f"“{EVENT_LABELS[event]}”需要指明客户经理", remedy="使用对应的操作")
    task = get_task(viewer, connection, task_id)
    _require(viewer, task, event)
    _require_version(task, expected_version)
    if landed_amount_fen is not None and (event is not TaskEvent.LAND or landed_amount_fen < 0):
        raise InputRejected("落地金额只随落地填写，且不为负", remedy="改正金额")
    step = flow.advance(task.state, event, reason)
    return apply_step(
        viewer,
        connection,
        task,
        event,
        step,
        manager_no=None if step.manager == "free" else task.manager_no,
        now=now,
        reason=reason,
        landed_amount_fen=landed_amount_fen,
        deadlines=deadlines,
    )


def transfer(
    viewer: Viewer,
    connection: Connection,
    task_id: int,
    to_manager_no: str,
    *,
    expected_version: int,
    reason: str,
    now: datetime,
    deadlines: Deadlines | None = None,
) -> Task:
    """Hand a task to another manager: an unclaimed one is assigned, one in work is transferred with a reason.

    A manager may hand over within the own institution, an administrator within the institutions governed.
    """
    task = get_task(viewer, connection, task_id)
    event = TaskEvent.ASSIGN if task.state is TaskState.UNCLAIMED else TaskEvent.TRANSFER
    _require(viewer, task, event)
    _require_version(task, expected_version)
    step = flow.advance(task.state, event, reason)
    code = _post_of(viewer, connection, to_manager_no, now)
    units = {unit.institution_code: unit for unit in institutions_in_force(connection)}
    branch, sub_branch = unit_path(units, code)
    _require_capacity(connection, to_manager_no, task, now, None)
    return apply_step(
        viewer,
        connection,
        task,
        event,
        step,
        manager_no=to_manager_no,
        now=now,
        reason=reason,
        deadlines=deadlines,
        branch_code=branch,
        sub_branch_code=sub_branch,
    )


def _post_of(viewer: Viewer, connection: Connection, manager_no: str, now: datetime) -> str:
    held = [
        post
        for post in posts_held(connection, today_of(now))
        if post.staff_no == manager_no and post.role is Role.MANAGER
    ]
    scope = scope_of(viewer)
    reachable = scope.institutions | viewer.homes | pool_institutions(viewer)
    within = [post for post in held if scope.whole_bank or post.institution_code in reachable]
    if not within:
        raise InputRejected(f"工号“{manager_no}”不是可转交的客户经理", remedy="选择管辖范围内在岗的客户经理")
    return within[0].institution_code


def unit_path(units: Mapping[str, Institution], code: str) -> tuple[str | None, str | None]:
    """Return (branch, sub-branch) of an institution."""
    unit = units.get(code)
    sub_branch = code if unit is not None and unit.unit_type is UnitType.SUB_BRANCH else None
    while unit is not None and unit.unit_type is not UnitType.BRANCH:
        unit = units.get(unit.parent_code or "")
    return (unit.institution_code if unit else None), sub_branch


def _require_version(task: Task, expected: int) -> None:
    if task.version != expected:
        raise Conflict("任务已被他人更新", remedy="刷新后重试")


def apply_step(
    viewer: Viewer | None,
    connection: Connection,
    task: Task,
    event: TaskEvent,
    step: flow.Step,
    *,
    manager_no: str | None,
    now: datetime,
    reason: str = "",
    deadlines: Deadlines | None = None,
    **more: Any,
) -> Task:
    """Change the row if nobody else has; note history, outbox and audit log in the same transaction."""
    limit = (shipped_deadlines() if deadlines is None else deadlines).get(step.state)
    values: dict[str, Any] = {
        "state": step.state,
        "result": step.result,
        "manager_no": manager_no,
        "version": task.version + 1,
        "updated_at": now,
        **{name: value for name, value in more.items() if value is not None or name == "sub_branch_code"},
    }
    if step.state is not task.state or event in {TaskEvent.ASSIGN, TaskEvent.RECYCLE, TaskEvent.ESCALATE}:
        values["due_at"] = now + limit if limit else None
    stamp = _STAMP.get(step.state)
    if stamp is not None and getattr(task, stamp) is None:
        values[stamp] = now
    after = replace(task, **values)
    if not write_change(connection, task, after, *_records(viewer, task, after, event, reason, now)):
        raise Conflict("任务刚被他人认领或更新", remedy="刷新后重试")
    # Last, as other writers wait for its head until the commit.
    detail = {"version": after.version, "state": after.state.value, "manager": after.manager_no}
    audit(connection, viewer, f"task.{event.value}", f"task:{after.task_id}", detail, now=now)
    return after


def _records(
    viewer: Viewer | None, before: Task, after: Task, event: TaskEvent, reason: str, now: datetime
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rows of a change in history and outbox."""
    unit = before.sub_branch_code or before.branch_code
    row = {
        "task_id": after.task_id,
        "at": now,
        "actor": acting_on(viewer, unit, before.manager_no).actor if viewer else "system",
        "event": event.value,
        "from_state": before.state.value,
        "to_state": after.state.value,
        "reason": reason.strip(),
        "from_manager_no": before.manager_no,
        "to_manager_no": after.manager_no,
        "version": after.version,
    }
    payload = {
        "task_id": after.task_id,
        "lead_id": after.lead_id,
        "event": event.value,
        "state": after.state.value,
        "result": after.result.value if after.result else None,
        "manager_no": after.manager_no,
        "version": after.version,
        "at": now.isoformat(),
    }
    key, order = f"{after.task_id}:{after.version}", f"task_id:{after.task_id}"
    return row, outbox.message_row(TOPIC, key, order, payload, now)
