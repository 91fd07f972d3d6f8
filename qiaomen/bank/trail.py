"""The audit log: append-only, each row hashed with the one before it. Tables ``audit_log`` and ``audit_head``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.access import Action, require
from qiaomen.bank.schema import AUDIT_HEAD, AUDIT_LOG
from qiaomen.bank.viewers import Viewer
from qiaomen.store import insert_missing

_ORIGIN: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """Result of checking the chain: rows read, and the first number that does not fit (None where all fit)."""

    rows: int
    broken_at: int | None
    reason: str


def _hash(previous: str, row: Mapping[str, Any]) -> str:
    body = [
        row["number"],
        row["at"].astimezone(UTC).isoformat(),
        row["actor"],
        row["user_id"],
        row["action"],
        row["object"],
        row["detail"],
    ]
    text = previous + json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def audit(
    connection: Connection,
    viewer: Viewer | None,
    action: str,
    object_: str,
    detail: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> int:
    """Append a row in the caller's transaction and return its number; no viewer means the system itself.

    ``detail`` must hold no names, phones or amounts of customers.
    """
    head = connection.execute(sa.select(AUDIT_HEAD).with_for_update()).first()
    if head is None:
        insert_missing(connection, AUDIT_HEAD, [{"head": 1, "number": 0, "hash": _ORIGIN}], unique=("head",))
        head = connection.execute(sa.select(AUDIT_HEAD).with_for_update()).one()
    row = {
        "number": int(head.number) + 1,
        "at": now,
        "actor": viewer.login if viewer else "system",
        "user_id": viewer.user_id if viewer else None,
        "action": action,
        "object": object_,
        "detail": json.dumps(detail or {}, ensure_ascii=False, sort_keys=True, default=str),
    }
    row["hash"] = _hash(head.hash, row)
    connection.execute(sa.insert(AUDIT_LOG).values(**row))
    connection.execute(sa.update(AUDIT_HEAD).values(number=row["number"], hash=row["hash"]))
    return int(head.number) + 1


def verify_audit(connection: Connection) -> AuditCheck:
    """Recompute the chain from its start."""
    previous, expected = _ORIGIN, 0
    query = sa.select(AUDIT_LOG).order_by(AUDIT_LOG.c.number)
    with connection.execute(query, execution_options={"stream_results": True}) as rows:
        for row in rows.mappings():
            expected += 1
            if row["number"] != expected:
                return AuditCheck(expected, expected, "缺少一行")
            if _hash(previous, dict(row)) != row["hash"]:
                return AuditCheck(expected, expected, "内容被改动")
            previous = row["hash"]
    head = connection.execute(sa.select(AUDIT_HEAD)).first()
    last = (int(head.number), head.hash) if head else (0, _ORIGIN)
    if last != (expected, previous):
        return AuditCheck(expected, expected + 1, "末尾的行被删去")
    return AuditCheck(expected, None, "")


def audit_rows(viewer: Viewer, connection: Connection, *, limit: int = 200) -> list[dict[str, Any]]:
    """Return the newest rows, newest first, for those who may see the log."""
    require(viewer, Action.SEE_AUDIT)
    query = sa.select(AUDIT_LOG).order_by(AUDIT_LOG.c.number.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]
