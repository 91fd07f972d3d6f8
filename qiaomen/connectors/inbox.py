"""What others send us, in whatever order and however often: the same messages always end in the same state.

Each message has an idempotency key and a place in the order of its object. Two kinds of order:

* in turn: places are 1, 2, 3 …; a message waits until all before it were carried out (or refused).
* latest: a message carries the whole state of its object; of all places the highest counts, ties by key.

Tables ``inbound_messages`` and ``inbound_positions``; the row of the position serialises the messages of one object.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import Action, Viewer, require
from qiaomen.connectors.schema import INBOUND_MESSAGES, INBOUND_POSITIONS
from qiaomen.store import insert_missing
from qiaomen.vocab import Conflict, InputRejected, NotAllowed, NotFound

LONGEST_KEY: Final = 200
LARGEST_PLACE: Final = 2**62
_TABLE: Final = INBOUND_MESSAGES.c
Apply = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message: who sent it, about which object, its place in the object's order, its key and content."""

    source: str
    topic: str
    object_key: str
    position: int
    message_key: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a message: applied, waiting, refused; or current, superseded."""

    state: str
    receipt: Mapping[str, Any] | None
    error: str
    repeated: bool


def body_hash(body: Mapping[str, Any]) -> str:
    """Return the hash by which a repeated message is told from another with the same key."""
    text = json.dumps(dict(body), ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def check_key(key: str) -> str:
    """Return an idempotency key without blanks around it; ``InputRejected`` where it is empty or too long."""
    plain = key.strip()
    if not plain or len(plain) > LONGEST_KEY:
        raise InputRejected(f"幂等键须为 1 至 {LONGEST_KEY} 个字符", remedy="为每次更新生成唯一的键")
    return plain


def receive_in_turn(connection: Connection, message: Inbound, apply: Apply, *, now: datetime) -> Settled:
    """Take a message in the caller's transaction; carry out all whose turn has come.

    ``apply`` carries one body out and returns its receipt; what it refuses is noted and the next one has its turn.
    """
    if message.position < 1:
        raise InputRejected("序号从 1 起", remedy="每个对象的消息依次编号 1、2、3…")
    done, first = _take(connection, message, now)
    if not first:
        return _settled(connection, message, repeated=True)
    clash = sa.select(_TABLE.message_key).where(
        *_of(message), _TABLE.position == message.position, _TABLE.message_key != message.message_key
    )
    if connection.execute(clash).first():
        raise Conflict("该对象的这个序号已用于另一消息", remedy="为每条消息使用新的序号")
    reached = done
    while _apply_next(connection, message, reached + 1, apply, now):
        reached += 1
    if reached != done:
        _reach(connection, message, reached)
    return _settled(connection, message, repeated=False)


def receive_latest(connection: Connection, message: Inbound, *, now: datetime) -> Settled:
    """Take a message that carries its object's whole state; it counts unless a later one is there."""
    done, first = _take(connection, message, now)
    if not first:
        return _settled(connection, message, repeated=True)
    current = sa.select(_TABLE.position, _TABLE.message_key).where(*_of(message), _TABLE.state == "current")
    former = connection.execute(current).first()
    if former is not None and (former.position, former.message_key) > (message.position, message.message_key):
        _set(connection, message.source, message.message_key, state="superseded", settled_at=now)
        return _settled(connection, message, repeated=False)
    if former is not None:
        _set(connection, message.source, former.message_key, state="superseded")
    _set(connection, message.source, message.message_key, state="current", settled_at=now)
    _reach(connection, message, max(done, message.position))
    return _settled(connection, message, repeated=False)


def untaken(
    connection: Connection, topic: str, *, limit: int = 1000
) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Return (source, key, body) of states that count and were not taken over yet, oldest first."""
    rows = connection.execute(
        sa.select(_TABLE.source, _TABLE.message_key, _TABLE.body)
        .where(_TABLE.topic == topic, _TABLE.state == "current", _TABLE.taken_at.is_(None))
        .order_by(_TABLE.received_at, _TABLE.source, _TABLE.message_key)
        .limit(limit)
    )
    return [(row.source, row.message_key, row.body) for row in rows]


def note_taken(connection: Connection, keys: Collection[tuple[str, str]], now: datetime) -> None:
    """Note that states were taken over; to be called once they are safe, so that a stopped run takes them again."""
    for source, key in keys:
        _set(connection, source, key, taken_at=now)


def past_bodies(connection: Connection, topic: str, before: datetime) -> int:
    """Count the messages of a topic, received before a moment and done with, whose content is still kept."""
    return int(connection.execute(sa.select(sa.func.count()).where(*_done_with(topic, before))).scalar_one())


def forget_bodies(connection: Connection, topic: str, before: datetime) -> int:
    """Empty the content of these messages; key and hash stay, so that a repeated one is known. Return their number."""
    statement = sa.update(INBOUND_MESSAGES).where(*_done_with(topic, before)).values(body={})
    return connection.execute(statement).rowcount


def _done_with(topic: str, before: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    taken = sa.or_(_TABLE.state == "superseded", _TABLE.taken_at.is_not(None))
    return _TABLE.topic == topic, _TABLE.received_at < before, taken, sa.cast(_TABLE.body, sa.Text) != "{}"


def gaps(
    viewer: Viewer, connection: Connection, *, before: datetime, limit: int = 100
) -> list[dict[str, Any]]:
    """Return, for those who run the system, messages received before a moment that still wait for one that has not come, oldest first."""
    require(viewer, Action.RUN_JOBS)
    rows = connection.execute(
        sa.select(
            _TABLE.source,
            _TABLE.topic,
            _TABLE.object_key,
            _TABLE.position,
            INBOUND_POSITIONS.c.position.label("reached"),
            _TABLE.received_at,
        )
        .join(
            INBOUND_POSITIONS,
            sa.and_(
                INBOUND_POSITIONS.c.source == _TABLE.source,
                INBOUND_POSITIONS.c.topic == _TABLE.topic,
                INBOUND_POSITIONS.c.object_key == _TABLE.object_key,
            ),
        )
        .where(_TABLE.state == "waiting", _TABLE.received_at < before)
        .order_by(_TABLE.received_at, _TABLE.position)
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]


def _of(message: Inbound) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _TABLE.source == message.source,
        _TABLE.topic == message.topic,
        _TABLE.object_key == message.object_key,
    )


def _take(connection: Connection, message: Inbound, now: datetime) -> tuple[int, bool]:
    """Lock the object, note the message; return the place reached and whether the message is new."""
    if not 0 <= message.position <= LARGEST_PLACE:
        raise InputRejected("序号超出范围", remedy="使用非负整数")
    place = {"source": message.source, "topic": message.topic, "object_key": message.object_key}
    insert_missing(connection, INBOUND_POSITIONS, [place | {"position": 0}], unique=tuple(place))
    reached = connection.execute(
        sa.select(INBOUND_POSITIONS.c.position).filter_by(**place).with_for_update()
    ).scalar_one()
    row = place | {
        "message_key": check_key(message.message_key),
        "position": message.position,
        "body": dict(message.body),
        "body_hash": body_hash(message.body),
        "state": "waiting",
        "received_at": now,
    }
    new = insert_missing(connection, INBOUND_MESSAGES, [row], unique=("source", "message_key"))
    return int(reached), bool(new)


def _apply_next(connection: Connection, message: Inbound, position: int, apply: Apply, now: datetime) -> bool:
    row = connection.execute(
        sa.select(_TABLE.message_key, _TABLE.body).where(
            *_of(message), _TABLE.position == position, _TABLE.state == "waiting"
        )
    ).first()
    if row is None:
        return False
    try:
        with connection.begin_nested():
            receipt = apply(row.body)
    except (Conflict, InputRejected, NotAllowed, NotFound) as error:
        _set(connection, message.source, row.message_key, state="refused", error=str(error), settled_at=now)
    else:
        _set(
            connection,
            message.source,
            row.message_key,
            state="applied",
            receipt=dict(receipt),
            settled_at=now,
        )
    return True


def _reach(connection: Connection, message: Inbound, position: int) -> None:
    connection.execute(
        sa.update(INBOUND_POSITIONS)
        .filter_by(source=message.source, topic=message.topic, object_key=message.object_key)
        .values(position=position)
    )


def _set(connection: Connection, source: str, message_key: str, **values: Any) -> None:
    mine = sa.and_(_TABLE.source == source, _TABLE.message_key == message_key)
    connection.execute(sa.update(INBOUND_MESSAGES).where(mine).values(**values))


def _settled(connection: Connection, message: Inbound, *, repeated: bool) -> Settled:
    row = (
        connection.execute(
            sa.select(INBOUND_MESSAGES).where(
                _TABLE.source == message.source, _TABLE.message_key == check_key(message.message_key)
            )
        )
        .mappings()
        .one()
    )
    same = (row["topic"], row["object_key"], row["position"], row["body_hash"])
    if same != (message.topic, message.object_key, message.position, body_hash(message.body)):
        raise Conflict("幂等键已用于另一内容", remedy="为每次更新生成唯一的键")
    return Settled(row["state"], row["receipt"], row["error"] or "", repeated)
