"""Status updates from the bank's CRM: each idempotency key changes a task once. Table ``crm_updates``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import Action, Viewer, require
from qiaomen.connectors.schema import CRM_UPDATES
from qiaomen.dispatch import TaskEvent, advance, get_task
from qiaomen.store import insert_missing
from qiaomen.vocab import Conflict, InputRejected

LONGEST_KEY: Final = 200


@dataclass(frozen=True, slots=True)
class CrmUpdate:
    """One update: the task, what happened (a TaskEvent), and the version it was based on (null: whatever it is now)."""

    idempotency_key: str
    task_id: int
    event: str
    reason: str = ""
    expected_version: int | None = None
    landed_amount_fen: int | None = None


@dataclass(frozen=True, slots=True)
class CrmReceipt:
    """What became of the update; ``repeated`` where the key was known and nothing was done again."""

    task_id: int
    state: str
    version: int
    repeated: bool


def _hash(update: CrmUpdate) -> str:
    text = json.dumps(asdict(update), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def receive_crm_update(
    viewer: Viewer, connection: Connection, update: CrmUpdate, *, now: datetime
) -> CrmReceipt:
    """Carry an update out once, in the caller's transaction; the same key again returns the first receipt.

    ``Conflict`` for a key that was used with other content; all that ``dispatch.advance`` raises.
    """
    require(viewer, Action.WORK_TASKS)
    key = update.idempotency_key.strip()
    if not key or len(key) > LONGEST_KEY:
        raise InputRejected(f"幂等键须为 1 至 {LONGEST_KEY} 个字符", remedy="为每次更新生成唯一的键")
    try:
        event = TaskEvent(update.event)
    except ValueError as error:
        known = "、".join(item.value for item in TaskEvent)
        raise InputRejected(f"不认识的事件“{update.event}”", remedy=f"可用：{known}") from error
    row = {
        "idempotency_key": key,
        "body_hash": _hash(update),
        "login": viewer.login,
        "task_id": update.task_id,
        "event": event.value,
        "received_at": now,
    }
    if not insert_missing(connection, CRM_UPDATES, [row], unique=("idempotency_key",)):
        return _first_receipt(viewer, connection, key, row["body_hash"])
    expected = update.expected_version
    if expected is None:
        expected = get_task(viewer, connection, update.task_id).version
    task = advance(
        viewer,
        connection,
        update.task_id,
        event,
        expected_version=expected,
        now=now,
        reason=update.reason,
        landed_amount_fen=update.landed_amount_fen,
    )
    connection.execute(
        sa.update(CRM_UPDATES)
        .where(CRM_UPDATES.c.idempotency_key == key)
        .values(state=task.state.value, version=task.version)
    )
    return CrmReceipt(update.task_id, task.state.value, task.version, repeated=False)


def _first_receipt(viewer: Viewer, connection: Connection, key: str, body_hash: object) -> CrmReceipt:
    row = (
        connection.execute(sa.select(CRM_UPDATES).where(CRM_UPDATES.c.idempotency_key == key))
        .mappings()
        .one()
    )
    if row["body_hash"] != body_hash or row["login"] != viewer.login:
        raise Conflict("幂等键已用于另一内容", remedy="为每次更新生成唯一的键")
    return CrmReceipt(row["task_id"], row["state"], row["version"], repeated=True)
