"""Makes tasks from leads and allocations: idempotent by ``lead_id``, one open task per company and product.

Writes tasks, task_leads, task_history, controls and the outbox in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.dispatch.allocation import DEFERRED
from qiaomen.dispatch.rules import load_deadlines, load_openers
from qiaomen.dispatch.schema import CONTROLS, TASK_HISTORY, TASK_LEADS, TASKS
from qiaomen.store import insert_missing, outbox
from qiaomen.vocab import TaskState

TOPIC_CREATED: Final = "task.created"
TOPIC_UPDATED: Final = "task.updated"
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
    """Leads by what became of them; the first five add up to the admitted leads."""

    created: int
    updated: int
    unchanged: int
    held_out: int
    deferred: int


@dataclass(frozen=True, slots=True)
class TaskWords:
    """What tasks are worded with: names of companies and products, openers by origin, deadlines by state."""

    companies: Mapping[int, str]
    products: Mapping[str, str]
    openers: Mapping[str, str]
    deadlines: Mapping[TaskState, timedelta]


def task_words(
    companies: Mapping[int, str],
    products: Mapping[str, str] | None = None,
    *,
    openers: Mapping[str, str] | None = None,
    deadlines: Mapping[TaskState, timedelta] | None = None,
) -> TaskWords:
    """Return the words of tasks; openers and deadlines are the shipped ones unless given."""
    return TaskWords(
        companies,
        products or {},
        load_openers() if openers is None else openers,
        load_deadlines() if deadlines is None else deadlines,
    )


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

    A lead seen before changes nothing; a held-out one is noted as control; a deferred one waits for the next run.
    """
    lead_of = {row["lead_id"]: row for row in leads.to_pylist() if row["admitted"]}
    who = _introducers(introductions, customers)
    placed, controls, deferred = [], [], 0
    for allocation in allocations.to_pylist():
        lead = lead_of.get(allocation["lead_id"])
        if lead is None:
            continue
        if allocation["hold_out"]:
            controls.append(_control(lead, allocation, generation, now))
        elif allocation["rule"] == DEFERRED:
            deferred += 1
        else:
            placed.append(_task(lead, allocation, words, who, generation, now))
    insert_missing(connection, CONTROLS, controls, unique=("company_id",))
    seen = _seen(connection)
    fresh = [task for task in placed if task["lead_id"] not in seen]
    open_tasks = _open_by_company(connection)
    updates = [task for task in fresh if (task["company_id"], task["product"]) in open_tasks]
    new = [task for task in fresh if (task["company_id"], task["product"]) not in open_tasks]
    again = [task for task in placed if task["lead_id"] in seen]
    _insert(connection, new, generation, now)
    _link(connection, updates, open_tasks, generation)
    changed = sum(_refresh(connection, task, open_tasks, generation, now) for task in [*updates, *again])
    unchanged = len(placed) - len(new) - changed
    return CreateResult(len(new), changed, unchanged, len(controls), deferred)


def _seen(connection: Connection) -> set[str]:
    return {str(lead_id) for (lead_id,) in connection.execute(sa.select(TASK_LEADS.c.lead_id))}


def _open_by_company(connection: Connection) -> dict[tuple[int, str], Mapping[str, Any]]:
    names = ("task_id", "company_id", "product", "manager_no", "version", "state", *_REFRESHED)
    rows = connection.execute(
        sa.select(*(TASKS.c[name] for name in names)).where(TASKS.c.state != TaskState.CLOSED.value)
    )
    return {(row["company_id"], row["product"]): dict(row) for row in rows.mappings()}


def _insert(connection: Connection, tasks: list[dict[str, Any]], generation: int, now: datetime) -> None:
    if not tasks:
        return
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
                "actor": "system",
                "event": "create",
                "from_state": None,
                "to_state": TaskState.UNCLAIMED.value,
                "reason": f"第 {generation} 代数据下发",
                "from_manager_no": None,
                "to_manager_no": row.manager_no,
                "version": 1,
            }
            for row in made
        ],
    )
    messages = {row.lead_id: {"task_id": row.task_id, "generation": generation} for row in made}
    outbox.enqueue_all(connection, TOPIC_CREATED, messages, now=now)


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
    outbox.enqueue(connection, TOPIC_UPDATED, key, {"task_id": current["task_id"]}, now=now)
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


@dataclass(frozen=True, slots=True)
class _Introducer:
    wording: str
    institution_code: str | None
    manager_no: str | None


def _introducers(introductions: pa.Table, customers: pa.Table) -> dict[int, _Introducer]:
    """Return the warmest introduction of each company, with who keeps the customer at its end."""
    keepers = {
        row["company_id"]: (row["institution_code"], row["manager_no"])
        for row in customers.select(["company_id", "institution_code", "manager_no"]).to_pylist()
    }
    best: dict[int, _Introducer] = {}
    rows = introductions.select(["company_id", "rank", "customer_id", "wording"]).to_pylist()
    for row in sorted(rows, key=lambda row: (row["company_id"], row["rank"])):
        code, manager = keepers.get(row["customer_id"], (None, None))
        best.setdefault(row["company_id"], _Introducer(row["wording"] or "", code, manager))
    return best


def _task(
    lead: Mapping[str, Any],
    allocation: Mapping[str, Any],
    words: TaskWords,
    who: Mapping[int, _Introducer],
    generation: int,
    now: datetime,
) -> dict[str, Any]:
    product = lead["product"] or ""
    introducer = who.get(lead["company_id"], _Introducer("", None, None))
    event = str(lead["why_now"] or "").split("（")[0]
    opener = words.openers.get(lead["origin"], "")
    deadline = words.deadlines.get(TaskState.UNCLAIMED)
    return {
        "lead_id": lead["lead_id"],
        "generation": generation,
        "company_id": lead["company_id"],
        "company_name": words.companies.get(lead["company_id"], f"企业{lead['company_id']}"),
        "is_customer": bool(lead["is_customer"]),
        "origin": lead["origin"],
        "opportunity_id": lead["opportunity_id"],
        "recipe": lead["recipe"],
        "kind": lead["kind"],
        "tier": lead["tier"],
        "product": product,
        "priority": float(lead["priority"] or 0.0),
        "why_now": lead["why_now"] or "",
        "who": "本行存量客户，直接联系" if lead["is_customer"] else introducer.wording,
        "who_institution_code": None if lead["is_customer"] else introducer.institution_code,
        "who_manager_no": None if lead["is_customer"] else introducer.manager_no,
        "script": opener.replace("{event}", event).replace(
            "{product}", words.products.get(product, "合适的产品")
        ),
        "allocation_rule": allocation["rule"],
        "allocation_reason": allocation["reason"],
        "branch_code": allocation["branch_code"],
        "sub_branch_code": allocation["sub_branch_code"],
        "manager_no": allocation["manager_no"],
        "state": TaskState.UNCLAIMED.value,
        "version": 1,
        "due_at": now + deadline if deadline else None,
        "created_at": now,
        "updated_at": now,
    }
