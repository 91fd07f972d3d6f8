"""Deadlines: what is overdue, and what the clock does about it. Changes tasks, history and outbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import Viewer, institution_names
from qiaomen.dispatch import flow
from qiaomen.dispatch.flow import TaskEvent
from qiaomen.dispatch.rules import load_deadlines
from qiaomen.dispatch.schema import TASKS, VISIT_RECORDS
from qiaomen.dispatch.tasks import Task, TaskFilter, TaskPage, list_tasks, read_task
from qiaomen.dispatch.work import Deadlines, apply_step
from qiaomen.vocab import TaskState

ROUND: Final = 200


@dataclass(frozen=True, slots=True)
class Recycled:
    """Tasks that the clock moved."""

    pooled: int
    recycled: int
    escalated: int
    # Where the next round goes on; None where nothing is left to look at.
    next_after: int | None = None


def overdue(viewer: Viewer, connection: Connection, now: datetime, *, limit: int = 100) -> TaskPage:
    """Return the open tasks whose deadline has passed."""
    return list_tasks(viewer, connection, TaskFilter(due_before=now), limit=limit)


def recycle_overdue(
    viewer: Viewer,
    connection: Connection,
    now: datetime,
    *,
    deadlines: Deadlines | None = None,
    after: int = 0,
    limit: int = ROUND,
) -> Recycled:
    """Move overdue tasks: unclaimed by its manager → the sub-branch's pool → the branch's pool; claimed but never
    contacted → the pool. Others stay and are listed as overdue. The viewer is the clock's, of the whole bank.

    Looks at ``limit`` tasks with a number above ``after``: other writers wait for the transaction, so keep it short.
    """
    limits = load_deadlines() if deadlines is None else deadlines
    late = sa.and_(
        TASKS.c.task_id > after,
        TASKS.c.due_at < now,
        TASKS.c.state.in_([TaskState.UNCLAIMED.value, TaskState.FOLLOWING.value]),
    )
    rows = connection.execute(
        sa.select(TASKS).where(late).order_by(TASKS.c.task_id).limit(limit).with_for_update(skip_locked=True)
    ).mappings()
    names = institution_names(connection)
    tasks = [read_task(viewer, row, names) for row in rows]
    counts = {"pooled": 0, "recycled": 0, "escalated": 0}
    for task in tasks:
        move = _move_of(connection, task, limits)
        if move is None:
            continue
        event, reason, kind = move
        step = flow.advance(task.state, event, reason)
        up = {"sub_branch_code": None} if event is TaskEvent.ESCALATE else {}
        apply_step(
            None,
            connection,
            task,
            event,
            step,
            manager_no=None,
            now=now,
            reason=reason,
            deadlines=limits,
            **up,
        )
        counts[kind] += 1
    return Recycled(**counts, next_after=tasks[-1].task_id if len(tasks) == limit else None)


def _move_of(connection: Connection, task: Task, limits: Deadlines) -> tuple[TaskEvent, str, str] | None:
    """Return the event of an overdue task, its reason and what it counts as; None where it stays."""
    if task.state is TaskState.FOLLOWING:
        if _contacted(connection, task, limits):
            return None
        return TaskEvent.RECYCLE, "认领后超时没有联系记录", "recycled"
    if task.manager_no is not None:
        return TaskEvent.RECYCLE, "指定客户经理超时未认领", "pooled"
    if task.sub_branch_code is not None and task.branch_code is not None:
        return TaskEvent.ESCALATE, "支行超时无人认领", "escalated"
    return None


def _contacted(connection: Connection, task: Task, deadlines: Deadlines) -> bool:
    """Whether a contact was recorded since the task entered its state."""
    found = sa.select(sa.func.count()).where(VISIT_RECORDS.c.task_id == task.task_id)
    limit = deadlines.get(task.state)
    if task.due_at is not None and limit is not None:
        found = found.where(VISIT_RECORDS.c.created_at >= task.due_at - limit)
    return bool(connection.execute(found).scalar_one())
