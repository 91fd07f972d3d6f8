"""Status updates from the bank's CRM: each idempotency key changes a task once. Table ``crm_updates``.

An update with a ``sequence`` (1, 2, 3 … for each task) may come late, twice or before its predecessors and waits for
its turn (``inbox``). One without is carried out when it comes; give ``expected_version`` so that a late one is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import Action, Viewer, require
from qiaomen.connectors.inbox import Inbound, body_hash, check_key, receive_in_turn
from qiaomen.connectors.schema import CRM_UPDATES
from qiaomen.dispatch import Task, TaskEvent, advance, get_task
from qiaomen.store import insert_missing
from qiaomen.vocab import Conflict, InputRejected

TOPIC: Final = "crm.update"


@dataclass(frozen=True, slots=True)
class CrmUpdate:
    """One update: the task, what happened (a TaskEvent), and the version it was based on (null: whatever it is now)."""

    idempotency_key: str
    task_id: int
    event: str
    reason: str = ""
    expected_version: int | None = None
    landed_amount_fen: int | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class CrmReceipt:
    """What became of the update; ``repeated`` where the key was known and nothing was done again.

    ``status`` is applied, waiting (for its predecessors; state and version are empty then) or refused, with ``error``.
    """

    task_id: int
    state: str | None
    version: int | None
    repeated: bool
    status: str = "applied"
    error: str = ""


def receive_crm_update(
    viewer: Viewer, connection: Connection, update: CrmUpdate, *, now: datetime
) -> CrmReceipt:
    """Carry an update out once, in the caller's transaction; the same key again returns the first receipt.

    ``Conflict`` for a key that was used with other content; without a sequence all that ``dispatch.advance`` raises.
    """
    require(viewer, Action.WORK_TASKS)
    key = check_key(update.idempotency_key)
    try:
        event = TaskEvent(update.event)
    except ValueError as error:
        known = "、".join(item.value for item in TaskEvent)
        raise InputRejected(f"不认识的事件“{update.event}”", remedy=f"可用：{known}") from error
    if update.sequence is not None:
        return _in_turn(viewer, connection, update, key, update.sequence, now)
    body = asdict(update)
    del body["sequence"]
    row = {
        "idempotency_key": key,
        "body_hash": body_hash(body),
        "login": viewer.login,
        "task_id": update.task_id,
        "event": event.value,
        "received_at": now,
    }
    if not insert_missing(connection, CRM_UPDATES, [row], unique=("idempotency_key",)):
        return _first_receipt(viewer, connection, key, row["body_hash"])
    task = _carry_out(viewer, connection, body, now)
    connection.execute(
        sa.update(CRM_UPDATES)
        .where(CRM_UPDATES.c.idempotency_key == key)
        .values(state=task.state.value, version=task.version)
    )
    return CrmReceipt(update.task_id, task.state.value, task.version, repeated=False)


def _in_turn(
    viewer: Viewer, connection: Connection, update: CrmUpdate, key: str, sequence: int, now: datetime
) -> CrmReceipt:
    get_task(viewer, connection, update.task_id)
    message = Inbound(viewer.login, TOPIC, f"task:{update.task_id}", sequence, key, asdict(update))

    def apply(body: Mapping[str, Any]) -> Mapping[str, Any]:
        task = _carry_out(viewer, connection, body, now)
        return {"state": task.state.value, "version": task.version}

    settled = receive_in_turn(connection, message, apply, now=now)
    found = settled.receipt or {}
    return CrmReceipt(
        update.task_id,
        found.get("state"),
        found.get("version"),
        settled.repeated,
        settled.state,
        settled.error,
    )


def _carry_out(viewer: Viewer, connection: Connection, body: Mapping[str, Any], now: datetime) -> Task:
    expected = body["expected_version"]
    if expected is None:
        expected = get_task(viewer, connection, body["task_id"]).version
    return advance(
        viewer,
        connection,
        body["task_id"],
        TaskEvent(body["event"]),
        expected_version=expected,
        now=now,
        reason=body["reason"],
        landed_amount_fen=body["landed_amount_fen"],
    )


def _first_receipt(viewer: Viewer, connection: Connection, key: str, body_hash: object) -> CrmReceipt:
    row = (
        connection.execute(sa.select(CRM_UPDATES).where(CRM_UPDATES.c.idempotency_key == key))
        .mappings()
        .one()
    )
    if row["body_hash"] != body_hash or row["login"] != viewer.login:
        raise Conflict("幂等键已用于另一内容", remedy="为每次更新生成唯一的键")
    return CrmReceipt(row["task_id"], row["state"], row["version"], repeated=True)
