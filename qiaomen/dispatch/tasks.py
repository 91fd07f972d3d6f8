"""Tasks as a viewer may see them: the list, one task, its history. Reads tasks, task_history and visit_records."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import (
    DataKind,
    Viewer,
    institution_names,
    pool_institutions,
    readable,
    reads,
    referral_name,
    scope_of,
)
from qiaomen.dispatch.schema import TASK_HISTORY, TASKS, VISIT_RECORDS
from qiaomen.vocab import NotFound, TaskResult, TaskState

LARGEST_PAGE: Final = 500
_OPEN: Final = tuple(state.value for state in TaskState if state is not TaskState.CLOSED)


@dataclass(frozen=True, slots=True)
class Task:
    """One task as the viewer may read it; ``who`` hides a customer outside the viewer's scope."""

    task_id: int
    lead_id: str
    generation: int
    company_id: int
    company_name: str
    is_customer: bool
    origin: str
    opportunity_id: str | None
    recipe: str | None
    kind: str | None
    tier: str | None
    product: str
    priority: float
    why_now: str
    who: str
    script: str
    allocation_rule: str
    allocation_reason: str
    branch_code: str | None
    sub_branch_code: str | None
    manager_no: str | None
    state: TaskState
    result: TaskResult | None
    version: int
    due_at: datetime | None
    created_at: datetime
    updated_at: datetime
    claimed_at: datetime | None
    intended_at: datetime | None
    landed_at: datetime | None
    closed_at: datetime | None
    landed_amount_fen: int | None

    def overdue(self, now: datetime) -> bool:
        """Whether its deadline has passed."""
        return self.due_at is not None and self.due_at < now


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks to list; an empty filter is every open task. ``manager_nos`` is any of them; an empty one is none."""

    states: Collection[TaskState] = ()
    origins: Collection[str] = ()
    company_id: int | None = None
    product: str | None = None
    kind: str | None = None
    tier: str | None = None
    branch_code: str | None = None
    sub_branch_code: str | None = None
    manager_nos: Collection[str] | None = None
    unassigned: bool = False
    text: str = ""
    due_before: datetime | None = None
    with_closed: bool = False


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A page of tasks, the number of tasks (条) and of distinct firms (户) that fit the filter."""

    tasks: tuple[Task, ...]
    items: int
    firms: int


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One thing that happened to a task."""

    at: datetime
    actor: str
    event: str
    from_state: str | None
    to_state: str
    reason: str
    from_manager_no: str | None
    to_manager_no: str | None


@dataclass(frozen=True, slots=True)
class Visit:
    """One recorded contact."""

    visit_id: int
    visited_at: datetime
    staff_no: str | None
    channel: str
    note: str
    refused: bool
    next_at: datetime | None


@lru_cache(maxsize=1024)
def visible(viewer: Viewer) -> sa.ColumnElement[bool]:
    """Return the condition for the tasks that a viewer may see: the scope, and the pool of the own posts."""
    scope = scope_of(viewer)
    clause = scope.clause([TASKS.c.sub_branch_code, TASKS.c.branch_code], TASKS.c.manager_no)
    homes = sorted(pool_institutions(viewer))
    if not homes:
        return clause
    at_home = sa.or_(
        TASKS.c.sub_branch_code.in_(homes),
        sa.and_(TASKS.c.sub_branch_code.is_(None), TASKS.c.branch_code.in_(homes)),
    )
    pool = sa.and_(TASKS.c.state == TaskState.UNCLAIMED.value, TASKS.c.manager_no.is_(None), at_home)
    return sa.or_(clause, pool)


def read_task(viewer: Viewer, row: Any, names: dict[str, str]) -> Task:
    """Return a row as the viewer may read it."""
    values = dict(row)
    code, manager = values.pop("who_institution_code"), values.pop("who_manager_no")
    known = code is None and manager is None
    if not known and not scope_of(viewer).covers(code, manager):
        values["who"] = f"可经{referral_name(names.get(code or ''))}引荐"
    if not reads(viewer, DataKind.TEXT):
        values |= _without_persons(viewer, values)
    if not reads(viewer, DataKind.AMOUNT):
        values["landed_amount_fen"] = None
    values["state"] = TaskState(values["state"])
    values["result"] = TaskResult(values["result"]) if values["result"] else None
    return Task(**values)


def _without_persons(viewer: Viewer, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the texts of a task without natural persons: who introduces is told to those who may read names alone."""
    hidden = "有引荐人，姓名须由经办机构查看" if values["who"] else ""
    return {
        "who": values["who"] if values["is_customer"] else hidden,
        "script": readable(viewer, values["script"]),
        "why_now": readable(viewer, values["why_now"]),
    }


def _conditions(filters: TaskFilter) -> list[sa.ColumnElement[bool]]:
    table = TASKS.c
    parts: list[sa.ColumnElement[bool]] = []
    for name in ("company_id", "product", "kind", "tier", "branch_code", "sub_branch_code"):
        value = getattr(filters, name)
        if value is not None:
            parts.append(table[name] == value)
    if filters.states:
        parts.append(table.state.in_([state.value for state in filters.states]))
    elif not filters.with_closed:
        parts.append(table.state.in_(_OPEN))
    if filters.origins:
        parts.append(table.origin.in_(list(filters.origins)))
    if filters.manager_nos is not None:
        parts.append(table.manager_no.in_(sorted(filters.manager_nos)))
    if filters.unassigned:
        parts.append(table.manager_no.is_(None))
    if filters.text.strip():
        word = filters.text.strip()
        parts.append(table.company_name.contains(word, autoescape=True))
    if filters.due_before is not None:
        parts.append(table.due_at < filters.due_before)
    return parts


def list_tasks(
    viewer: Viewer,
    connection: Connection,
    filters: TaskFilter | None = None,
    *,
    limit: int = 100,
    offset: int = 0,
) -> TaskPage:
    """Return the tasks that fit, highest priority first, with the numbers of items and firms."""
    where = sa.and_(visible(viewer), *_conditions(filters or TaskFilter()))
    items, firms = connection.execute(
        sa.select(sa.func.count(), sa.func.count(sa.distinct(TASKS.c.company_id))).where(where)
    ).one()
    rows = connection.execute(
        sa.select(TASKS)
        .where(where)
        .order_by(TASKS.c.priority.desc(), TASKS.c.task_id)
        .limit(min(limit, LARGEST_PAGE))
        .offset(offset)
    ).mappings()
    names = institution_names(connection)
    return TaskPage(tuple(read_task(viewer, row, names) for row in rows), int(items), int(firms))


def open_tasks_of(viewer: Viewer, connection: Connection, manager_nos: Collection[str]) -> dict[str, int]:
    """Return how many open tasks, of those that the viewer may see, each of the managers has; those with none are left out."""
    rows = connection.execute(
        sa.select(TASKS.c.manager_no, sa.func.count())
        .where(visible(viewer), TASKS.c.manager_no.in_(sorted(manager_nos)), TASKS.c.state.in_(_OPEN))
        .group_by(TASKS.c.manager_no)
    )
    return {str(number): int(count) for number, count in rows}


@lru_cache(maxsize=1024)
def _one_of(viewer: Viewer) -> sa.Select[Any]:
    # A claim spends a third of its time on building this condition; it hangs on the viewer alone.
    return sa.select(TASKS).where(TASKS.c.task_id == sa.bindparam("task_id"), visible(viewer))


def get_task(viewer: Viewer, connection: Connection, task_id: int) -> Task:
    """Return one task; ``NotFound`` where there is none or the viewer may not know of it."""
    row = connection.execute(_one_of(viewer), {"task_id": task_id}).mappings().first()
    if row is None:
        raise NotFound("任务不存在", remedy="检查任务编号")
    code, manager = row["who_institution_code"], row["who_manager_no"]
    hidden = (code is not None or manager is not None) and not scope_of(viewer).covers(code, manager)
    return read_task(viewer, row, institution_names(connection) if hidden else {})


def task_history(viewer: Viewer, connection: Connection, task_id: int) -> list[HistoryRow]:
    """Return what happened to a task, oldest first."""
    get_task(viewer, connection, task_id)
    columns = [TASK_HISTORY.c[name] for name in HistoryRow.__dataclass_fields__]
    rows = connection.execute(
        sa.select(*columns).where(TASK_HISTORY.c.task_id == task_id).order_by(TASK_HISTORY.c.history_id)
    )
    return [HistoryRow(**row) for row in rows.mappings()]


def task_visits(viewer: Viewer, connection: Connection, task_id: int) -> list[Visit]:
    """Return the contacts recorded for a task, newest first."""
    get_task(viewer, connection, task_id)
    columns = [VISIT_RECORDS.c[name] for name in Visit.__dataclass_fields__]
    rows = connection.execute(
        sa.select(*columns)
        .where(VISIT_RECORDS.c.task_id == task_id)
        .order_by(VISIT_RECORDS.c.visited_at.desc(), VISIT_RECORDS.c.visit_id.desc())
    )
    return [Visit(**row) for row in rows.mappings()]
