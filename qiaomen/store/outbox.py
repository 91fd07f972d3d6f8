"""The outbox: messages for the outside world, written in the transaction of the change they tell of.

A message is claimed with a lease, sent by ``connectors``, then finished or failed; a failure waits twice as long
each time and ends as ``dead`` after ``ATTEMPTS``. Delivery is at least once: the key lets receivers drop repeats.
Table ``outbox``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.store.rows import insert_missing
from qiaomen.store.sql import METADATA, BigKey, Moment, writing

ATTEMPTS: Final = 8
FIRST_WAIT: Final = timedelta(seconds=30)
LEASE: Final = timedelta(minutes=2)
_ERROR_LENGTH: Final = 500

OUTBOX: Final = sa.Table(
    "outbox",
    METADATA,
    sa.Column("message_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("topic", sa.String(64), nullable=False),
    sa.Column("key", sa.String(200), nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", Moment, nullable=False),
    sa.Column("lease_owner", sa.String(100)),
    sa.Column("lease_until", Moment),
    sa.Column("error", sa.Text),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("finished_at", Moment),
    sa.UniqueConstraint("topic", "key"),
    sa.Index(None, "state", "next_at"),
)


@dataclass(frozen=True, slots=True)
class Message:
    """A claimed message; ``key`` is its idempotency key within ``topic``."""

    message_id: int
    topic: str
    key: str
    payload: Mapping[str, Any]
    attempts: int
    worker: str


def enqueue(
    connection: Connection, topic: str, key: str, payload: Mapping[str, Any], *, now: datetime | None = None
) -> bool:
    """Add a message in the caller's transaction; False where topic and key are there already."""
    return bool(enqueue_all(connection, topic, {key: payload}, now=now))


def enqueue_all(
    connection: Connection,
    topic: str,
    messages: Mapping[str, Mapping[str, Any]],
    *,
    now: datetime | None = None,
) -> int:
    """Add messages by key and return how many are new."""
    at = now or datetime.now(UTC)
    rows = [
        {
            "topic": topic,
            "key": key,
            "payload": dict(payload),
            "state": "waiting",
            "attempts": 0,
            "next_at": at,
            "created_at": at,
        }
        for key, payload in messages.items()
    ]
    return len(insert_missing(connection, OUTBOX, rows, unique=("topic", "key")))


def claim(
    sql: sa.Engine,
    worker: str,
    now: datetime,
    limit: int = 20,
    *,
    topics: Sequence[str] | None = None,
    lease: timedelta = LEASE,
) -> list[Message]:
    """Take due messages, oldest first; no other worker sees them until the lease ends."""
    table = OUTBOX.c
    due = sa.or_(
        sa.and_(table.state == "waiting", table.next_at <= now),
        sa.and_(table.state == "leased", table.lease_until < now),
    )
    if topics is not None:
        due = sa.and_(due, table.topic.in_(list(topics)))
    with writing(sql) as connection:
        found = connection.execute(
            sa.select(table.message_id, table.topic, table.key, table.payload, table.attempts)
            .where(due)
            .order_by(table.message_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        connection.execute(
            sa.update(OUTBOX)
            .where(table.message_id.in_([row.message_id for row in found]))
            .values(state="leased", lease_owner=worker, lease_until=now + lease, attempts=table.attempts + 1)
        )
    return [
        Message(row.message_id, row.topic, row.key, row.payload, row.attempts + 1, worker) for row in found
    ]


def finish(sql: sa.Engine, message: Message, now: datetime) -> bool:
    """Mark a message as delivered; False where its lease was lost to another worker."""
    return _settle(sql, message, state="done", finished_at=now, error=None)


def fail(sql: sa.Engine, message: Message, error: str, now: datetime) -> bool:
    """Give a message back with its error: it waits longer each time, or ends as ``dead``."""
    dead = message.attempts >= ATTEMPTS
    return _settle(
        sql,
        message,
        state="dead" if dead else "waiting",
        next_at=now + FIRST_WAIT * 2 ** (message.attempts - 1),
        finished_at=now if dead else None,
        error=error[:_ERROR_LENGTH],
    )


def _settle(sql: sa.Engine, message: Message, **values: Any) -> bool:
    mine = sa.and_(
        OUTBOX.c.message_id == message.message_id,
        OUTBOX.c.state == "leased",
        OUTBOX.c.lease_owner == message.worker,
        OUTBOX.c.attempts == message.attempts,
    )
    with writing(sql) as connection:
        changed = connection.execute(
            sa.update(OUTBOX).where(mine).values(lease_owner=None, lease_until=None, **values)
        )
    return changed.rowcount == 1


def counts(connection: Connection) -> dict[str, int]:
    """Return the number of messages by state."""
    rows = connection.execute(
        sa.select(OUTBOX.c.state, sa.func.count()).group_by(OUTBOX.c.state).order_by(OUTBOX.c.state)
    )
    return {str(state): int(number) for state, number in rows}
