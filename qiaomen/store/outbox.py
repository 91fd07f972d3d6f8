"""The outbox: messages for the outside world, written in the transaction of the change they tell of. Table ``outbox``.

A message is claimed with a lease, sent by ``connectors``, then finished, failed or put off. Delivery is at least once:
topic and key stay the same for ever, so that receivers can drop repeats. Messages with the same ``order_key`` go out one
after the other in the order of their numbers; a dead one holds the later ones back until it is requeued or discarded.

States: waiting, leased, done, dead (given up), discarded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from qiaomen.store.rows import insert_missing
from qiaomen.store.sql import METADATA, BigKey, Moment, is_postgres, lapsed, writing

LEASE: Final = timedelta(minutes=2)
_ERROR_LENGTH: Final = 500
_HOLDING: Final = ("waiting", "leased", "dead")
_HOLDING_SQL: Final = sa.text("state IN ('waiting', 'leased', 'dead') AND order_key IS NOT NULL")

OUTBOX: Final = sa.Table(
    "outbox",
    METADATA,
    sa.Column("message_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("topic", sa.String(64), nullable=False),
    sa.Column("key", sa.String(200), nullable=False),
    sa.Column("order_key", sa.String(100)),
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
    sa.Index(
        "ix_outbox_order",
        "order_key",
        "message_id",
        sqlite_where=_HOLDING_SQL,
        postgresql_where=_HOLDING_SQL,
    ),
)


@dataclass(frozen=True, slots=True)
class Message:
    """A claimed message; ``key`` is its idempotency key within ``topic``, ``attempts`` counts this one too."""

    message_id: int
    topic: str
    key: str
    payload: Mapping[str, Any]
    attempts: int
    worker: str
    order_key: str | None
    created_at: datetime
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as it stands, without its content."""

    message_id: int
    topic: str
    key: str
    order_key: str | None
    state: str
    attempts: int
    error: str | None
    created_at: datetime
    next_at: datetime
    finished_at: datetime | None


_ENTRY: Final = tuple(OUTBOX.c[name] for name in Entry.__dataclass_fields__)
COLUMNS: Final = ("topic", "key", "order_key", "payload", "state", "attempts", "next_at", "created_at")
_INSERT: Final = {
    module: module.insert(OUTBOX)
    .values({name: sa.bindparam(name) for name in COLUMNS})
    .on_conflict_do_nothing(index_elements=["topic", "key"])
    .returning(OUTBOX.c.message_id)
    for module in (postgresql, sqlite)
}


def message_row(
    topic: str, key: str, order_key: str | None, payload: Mapping[str, Any], at: datetime
) -> dict[str, Any]:
    """Return the row of a new message, for ``add`` or a statement of the caller's own."""
    return {
        "topic": topic,
        "key": key,
        "order_key": order_key,
        "payload": dict(payload),
        "state": "waiting",
        "attempts": 0,
        "next_at": at,
        "created_at": at,
    }


def enqueue(
    connection: Connection,
    topic: str,
    key: str,
    payload: Mapping[str, Any],
    *,
    order_key: str | None = None,
    now: datetime | None = None,
) -> bool:
    """Add a message in the caller's transaction; False where topic and key are there already."""
    return add(connection, message_row(topic, key, order_key, payload, now or datetime.now(UTC)))


def add(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Add the row of a message; False where its topic and key are there already."""
    statement = _INSERT[postgresql if is_postgres(connection) else sqlite]
    return connection.execute(statement, dict(row)).first() is not None


def enqueue_all(
    connection: Connection,
    topic: str,
    messages: Mapping[str, Mapping[str, Any]],
    *,
    ordered_by: str | None = None,
    now: datetime | None = None,
) -> int:
    """Add messages by key and return how many are new.

    ``ordered_by`` names the field of the payload that orders them: ``task_id`` gives the order key ``task_id:7``.
    """
    at = now or datetime.now(UTC)
    rows = [
        message_row(topic, key, f"{ordered_by}:{payload[ordered_by]}" if ordered_by else None, payload, at)
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
    """Take due messages, oldest first; no other worker sees them until the lease ends.

    Of one order key only the first is taken.
    """
    table = OUTBOX.c
    columns = (table.message_id, table.topic, table.key, table.payload, table.attempts, table.order_key)
    with writing(sql) as connection:
        found = connection.execute(
            sa.select(*columns, table.created_at)
            .where(_due(now, topics), sa.or_(table.order_key.is_(None), ~_held_back()))
            .order_by(table.message_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        if found:
            connection.execute(
                sa.update(OUTBOX)
                .where(table.message_id.in_([row.message_id for row in found]))
                .values(
                    state="leased", lease_owner=worker, lease_until=now + lease, attempts=table.attempts + 1
                )
            )
    return [
        Message(
            row.message_id,
            row.topic,
            row.key,
            row.payload,
            row.attempts + 1,
            worker,
            row.order_key,
            row.created_at,
            now + lease,
        )
        for row in found
    ]


def _due(now: datetime, topics: Sequence[str] | None) -> sa.ColumnElement[bool]:
    """Whether a message waits to be sent, or was left by a worker whose lease has ended; of all topics or of some."""
    table = OUTBOX.c
    due = sa.or_(
        sa.and_(table.state == "waiting", table.next_at <= now),
        sa.and_(table.state == "leased", lapsed(table.lease_until, now)),
    )
    return due if topics is None else sa.and_(due, table.topic.in_(list(topics)))


def _held_back() -> sa.ColumnElement[bool]:
    """Whether an earlier message of the same order key is still on its way."""
    earlier = OUTBOX.alias("earlier")
    return (
        sa.select(sa.literal(1))
        .where(
            earlier.c.order_key == OUTBOX.c.order_key,
            earlier.c.message_id < OUTBOX.c.message_id,
            earlier.c.state.in_(_HOLDING),
            earlier.c.order_key.is_not(None),
        )
        .exists()
    )


def finish(sql: sa.Engine, message: Message, now: datetime) -> bool:
    """Mark a message as delivered; False where its lease was lost to another worker."""
    return _settle(sql, message, state="done", finished_at=now, error=None)


def fail(sql: sa.Engine, message: Message, error: str, now: datetime, again_at: datetime | None) -> bool:
    """Give a message back with its error until ``again_at``; without a time it is given up as dead."""
    return _settle(
        sql,
        message,
        state="dead" if again_at is None else "waiting",
        next_at=again_at or now,
        finished_at=now if again_at is None else None,
        error=error[:_ERROR_LENGTH],
    )


def put_off(sql: sa.Engine, message: Message, until: datetime, reason: str = "") -> bool:
    """Give a message back that was not tried (or was told to wait); this does not count as an attempt."""
    return _settle(
        sql,
        message,
        state="waiting",
        next_at=until,
        attempts=OUTBOX.c.attempts - 1,
        error=reason[:_ERROR_LENGTH] or OUTBOX.c.error,
    )


def _settle(sql: sa.Engine, message: Message, **values: Any) -> bool:
    mine = sa.and_(
        OUTBOX.c.message_id == message.message_id,
        OUTBOX.c.state == "leased",
        OUTBOX.c.lease_owner == message.worker,
        OUTBOX.c.attempts == message.attempts,
        OUTBOX.c.lease_until == message.lease_until,
    )
    with writing(sql) as connection:
        changed = connection.execute(
            sa.update(OUTBOX).where(mine).values(lease_owner=None, lease_until=None, **values)
        )
    return changed.rowcount == 1


def requeue(connection: Connection, message_ids: Collection[int], now: datetime) -> list[int]:
    """Let dead messages be tried again with the same key from their first attempt; return those that were dead."""
    return _revive(connection, message_ids, state="waiting", attempts=0, next_at=now, finished_at=None)


def discard(connection: Connection, message_ids: Collection[int], now: datetime) -> list[int]:
    """Give up dead messages for good, so that later ones of their order key go out; return those that were dead."""
    return _revive(connection, message_ids, state="discarded", finished_at=now)


def _revive(connection: Connection, message_ids: Collection[int], **values: Any) -> list[int]:
    changed = connection.execute(
        sa.update(OUTBOX)
        .where(OUTBOX.c.message_id.in_(list(message_ids)), OUTBOX.c.state == "dead")
        .values(**values)
        .returning(OUTBOX.c.message_id)
    )
    return sorted(int(number) for number in changed.scalars())


def entries(connection: Connection, *, states: Collection[str], limit: int = 100) -> list[Entry]:
    """Return messages in these states, oldest first, without their content."""
    rows = connection.execute(
        sa.select(*_ENTRY).where(OUTBOX.c.state.in_(list(states))).order_by(OUTBOX.c.message_id).limit(limit)
    )
    return [Entry(*row) for row in rows]


def forget(connection: Connection, before: datetime) -> int:
    """Remove messages that were sent or discarded before a moment and return how many; dead ones stay."""
    settled = sa.and_(OUTBOX.c.state.in_(("done", "discarded")), OUTBOX.c.finished_at < before)
    return connection.execute(sa.delete(OUTBOX).where(settled)).rowcount


def counts(connection: Connection) -> dict[str, int]:
    """Return the number of messages by state."""
    rows = connection.execute(
        sa.select(OUTBOX.c.state, sa.func.count()).group_by(OUTBOX.c.state).order_by(OUTBOX.c.state)
    )
    return {str(state): int(number) for state, number in rows}
