"""Makes tasks from leads and allocations: idempotent by ``lead_id``, one open task per company and product.

Writes tasks, task_leads, task_history, controls and the outbox in the caller's transaction. ``create_tasks`` makes
tasks of all allocated leads; ``refresh_tasks`` leaves new ones to be confirmed by staff (decision 0009).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.dispatch.allocation import DEFERRED, NO_BRANCH
from qiaomen.dispatch.schema import CONTROLS, TASK_HISTORY, TASK_LEADS, TASKS
from qiaomen.dispatch.task_rows import Introducer, TaskWords, introducers, task_row
from qiaomen.store import insert_missing, is_postgres, outbox
from qiaomen.vocab import TaskState

TOPIC_CREATED: Final = "task.created"
TOPIC_UPDATED: Final = "task.updated"
SYSTEM: Final = "system"
# Beyond so many values a whole column is read instead of asking for each.
_ASKED: Final = 5_000
_REFRESHED: Final = (
    "priority",
    "why_now",
    "who",
    "who_institution_code",
    "who_manager_no",
    "script",
    "tier",
    "kind",
)


@dataclass(frozen=True, slots=True)
class CreateResult:
    """Leads by what became of them; the seven add up to the admitted leads.

    ``prepared`` ones wait for confirmation, ``homeless`` ones (no branch covers them) for dispatch by hand.
    """

    created: int
    updated: int
    unchanged: int
    held_out: int
    deferred: int
    prepared: int = 0
    homeless: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """Tasks by lead: those made, those that were open and got the lead; and how many changed."""

    created: Mapping[str, int]
    joined: Mapping[str, int]
    changed: int


def create_tasks(
    connection: Connection,
    leads: pa.Table,
    allocations: pa.Table,
    *,
    words: TaskWords,
    introductions: pa.Table,
    customers: pa.Table,
    generation: int,
    now: datetime,
) -> CreateResult:
    """Create a task per allocated lead, or bring the open task of the same company and product up to date.

    A lead seen before changes nothing; a held-out one is noted as control; a deferred one waits for the next run; one
    that no branch covers waits for dispatch by hand.
    """
    lock_tasks(connection)
    who = introducers(introductions, customers)
    sorted_out = _sort_out(leads, allocations, words, who, generation, now)
    insert_missing(connection, CONTROLS, sorted_out.controls, unique=("company_id",))
    made = place_tasks(connection, sorted_out.placed, generation=generation, now=now)
    unchanged = len(sorted_out.placed) - len(made.created) - made.changed
    return CreateResult(
        len(made.created),
        made.changed,
        unchanged,
        len(sorted_out.controls),
        sorted_out.deferred,
        homeless=sorted_out.homeless,
    )


def refresh_tasks(
    connection: Connection,
    leads: pa.Table,
    allocations: pa.Table,
    *,
    words: TaskWords,
    introductions: pa.Table,
    customers: pa.Table,
    generation: int,
    now: datetime,
) -> CreateResult:
    """Do what ``create_tasks`` does, except that no new task is made: such leads wait to be confirmed."""
    lock_tasks(connection)
    who = introducers(introductions, customers)
    sorted_out = _sort_out(leads, allocations, words, who, generation, now)
    insert_missing(connection, CONTROLS, sorted_out.controls, unique=("company_id",))
    seen = _seen(connection, sorted_out.placed)
    open_tasks = _open_by_company(connection, sorted_out.placed)
    known = [
        task
        for task in sorted_out.placed
        if task["lead_id"] in seen or (task["company_id"], task["product"]) in open_tasks
    ]
    made = place_tasks(connection, known, generation=generation, now=now)
    prepared = len(sorted_out.placed) - len(known)
    unchanged = len(known) - made.changed
    return CreateResult(
        0,
        made.changed,
        unchanged,
        len(sorted_out.controls),
        sorted_out.deferred,
        prepared,
        sorted_out.homeless,
    )


def lock_tasks(connection: Connection) -> None:
    """Let no other transaction write tasks until this one ends; a writer on SQLite is alone already."""
    if is_postgres(connection):
        connection.execute(sa.text("LOCK TABLE tasks IN SHARE ROW EXCLUSIVE MODE"))


@dataclass(frozen=True, slots=True)
class _SortedOut:
    placed: list[dict[str, Any]]
    controls: list[dict[str, Any]]
    deferred: int
    homeless: int


def _sort_out(
    leads: pa.Table,
    allocations: pa.Table,
    words: TaskWords,
    who: Mapping[int, Introducer],
    generation: int,
    now: datetime,
) -> _SortedOut:
    lead_of = {row["lead_id"]: row for row in leads.to_pylist() if row["admitted"]}
    placed, controls, deferred, homeless = [], [], 0, 0
    for allocation in allocations.to_pylist():
        lead = lead_of.get(allocation["lead_id"])
        if lead is None:
            continue
        if allocation["hold_out"]:
            controls.append(_control(lead, allocation, generation, now))
        elif allocation["rule"] == DEFERRED:
            deferred += 1
        elif allocation["rule"] == NO_BRANCH:
            homeless += 1
        else:
            placed.append(task_row(lead, allocation, words, who, generation, now))
    return _SortedOut(placed, controls, deferred, homeless)


def place_tasks(
    connection: Connection,
    placed: list[dict[str, Any]],
    *,
    generation: int,
    now: datetime,
    actor: str = SYSTEM,
    reason: str = "",
) -> Placed:
    """Make the tasks of rows from ``task_row``, or join them to the open task of their company and product."""
    seen = _seen(connection, placed)
    fresh = [task for task in placed if task["lead_id"] not in seen]
    open_tasks = _open_by_company(connection, placed)
    updates = [task for task in fresh if (task["company_id"], task["product"]) in open_tasks]
    new = [task for task in fresh if (task["company_id"], task["product"]) not in open_tasks]
    again = [task for task in placed if task["lead_id"] in seen]
    created = _insert(connection, new, generation, now, actor, reason or f"第 {generation} 代数据下发")
    _link(connection, updates, open_tasks, generation)
    changed = sum(_refresh(connection, task, open_tasks, generation, now) for task in [*updates, *again])
    joined = {
        task["lead_id"]: int(open_tasks[(task["company_id"], task["product"])]["task_id"]) for task in updates
    }
    return Placed(created, joined, changed)


def _among(column: sa.ColumnElement[Any], values: set[Any]) -> sa.ColumnElement[bool]:
    return column.in_(sorted(values)) if len(values) <= _ASKED else sa.true()


def _seen(connection: Connection, tasks: list[dict[str, Any]]) -> set[str]:
    wanted = _among(TASK_LEADS.c.lead_id, {task["lead_id"] for task in tasks})
    return {str(lead_id) for (lead_id,) in connection.execute(sa.select(TASK_LEADS.c.lead_id).where(wanted))}


def _open_by_company(
    connection: Connection, tasks: list[dict[str, Any]]
) -> dict[tuple[int, str], Mapping[str, Any]]:
    names = ("task_id", "company_id", "product", "manager_no", "version", "state", *_REFRESHED)
    rows = connection.execute(
        sa.select(*(TASKS.c[name] for name in names)).where(
            TASKS.c.state != TaskState.CLOSED.value,
            _among(TASKS.c.company_id, {task["company_id"] for task in tasks}),
        )
    )
    return {(row["company_id"], row["product"]): dict(row) for row in rows.mappings()}


def _insert(
    connection: Connection,
    tasks: list[dict[str, Any]],
    generation: int,
    now: datetime,
    actor: str,
    reason: str,
) -> dict[str, int]:
    if not tasks:
        return {}
    insert_missing(connection, TASKS, tasks, unique=("lead_id",))
    lead_ids = {task["lead_id"] for task in tasks}
    rows = connection.execute(
        sa.select(TASKS.c.task_id, TASKS.c.lead_id, TASKS.c.manager_no).where(
            TASKS.c.generation == generation
        )
    )
    made = [row for row in rows if row.lead_id in lead_ids]
    insert_missing(
        connection,
        TASK_LEADS,
        [{"lead_id": row.lead_id, "task_id": row.task_id, "generation": generation} for row in made],
        unique=("lead_id",),
    )
    connection.execute(
        sa.insert(TASK_HISTORY),
        [
            {
                "task_id": row.task_id,
                "at": now,
                "actor": actor,
                "event": "create",
                "from_state": None,
                "to_state": TaskState.UNCLAIMED.value,
                "reason": reason,
                "from_manager_no": None,
                "to_manager_no": row.manager_no,
                "version": 1,
            }
            for row in made
        ],
    )
    messages = {row.lead_id: {"task_id": row.task_id, "generation": generation} for row in made}
    outbox.enqueue_all(connection, TOPIC_CREATED, messages, ordered_by="task_id", now=now)
    return {row.lead_id: int(row.task_id) for row in made}


def _link(
    connection: Connection,
    tasks: list[dict[str, Any]],
    open_tasks: Mapping[tuple[int, str], Mapping[str, Any]],
    generation: int,
) -> None:
    links = [
        {
            "lead_id": task["lead_id"],
            "task_id": open_tasks[(task["company_id"], task["product"])]["task_id"],
            "generation": generation,
        }
        for task in tasks
    ]
    insert_missing(connection, TASK_LEADS, links, unique=("lead_id",))


def _refresh(
    connection: Connection,
    task: Mapping[str, Any],
    open_tasks: Mapping[tuple[int, str], Mapping[str, Any]],
    generation: int,
    now: datetime,
) -> bool:
    """Bring an open task up to date; its version stays, so that nobody's work on it conflicts."""
    current = open_tasks.get((task["company_id"], task["product"]))
    if current is None:
        return False
    values = {name: task[name] for name in _REFRESHED if task[name] != current[name]}
    if not values:
        return False
    connection.execute(
        sa.update(TASKS).where(TASKS.c.task_id == current["task_id"]).values(updated_at=now, **values)
    )
    connection.execute(
        sa.insert(TASK_HISTORY).values(
            task_id=current["task_id"],
            at=now,
            actor="system",
            event="refresh",
            from_state=current["state"],
            to_state=current["state"],
            reason=f"第 {generation} 代数据更新：{'、'.join(sorted(values))}",
            from_manager_no=current["manager_no"],
            to_manager_no=current["manager_no"],
            version=current["version"],
        )
    )
    key = f"{current['task_id']}:{generation}"
    refreshed = {key: {"task_id": current["task_id"]}}
    outbox.enqueue_all(connection, TOPIC_UPDATED, refreshed, ordered_by="task_id", now=now)
    return True


def _control(
    lead: Mapping[str, Any], allocation: Mapping[str, Any], generation: int, now: datetime
) -> dict[str, Any]:
    return {
        "company_id": lead["company_id"],
        "lead_id": lead["lead_id"],
        "origin": lead["origin"],
        "kind": lead["kind"],
        "tier": lead["tier"],
        "product": lead["product"] or "",
        "branch_code": allocation["branch_code"],
        "sub_branch_code": allocation["sub_branch_code"],
        "generation": generation,
        "since": now,
    }
