"""Messages that are due, dead or held back, for those who run the system: what waits, why, and trying again.

Shows no content. Changes the outbox; every change is in the audit log.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final

from sqlalchemy.engine import Connection

from qiaomen.bank import Action, Viewer, audit, require
from qiaomen.store import outbox
from qiaomen.vocab import InputRejected, NotFound

STATES: Final = ("waiting", "leased", "done", "dead", "discarded")
MOST: Final = 1000


def outbox_counts(viewer: Viewer, connection: Connection) -> dict[str, int]:
    """Return the number of messages by state."""
    require(viewer, Action.RUN_JOBS)
    return outbox.counts(connection)


def outbox_entries(
    viewer: Viewer, connection: Connection, states: Collection[str] = ("dead",), *, limit: int = 100
) -> list[outbox.Entry]:
    """Return messages in these states, oldest first."""
    require(viewer, Action.RUN_JOBS)
    unknown = sorted(set(states) - set(STATES))
    if unknown:
        raise InputRejected(f"不认识的状态“{unknown[0]}”", remedy=f"可用：{'、'.join(STATES)}")
    return outbox.entries(connection, states=states, limit=min(limit, MOST))


def requeue_messages(
    viewer: Viewer, connection: Connection, message_ids: Collection[int], *, now: datetime
) -> list[int]:
    """Let dead messages be sent again under their old keys; ``NotFound`` where one of them is not dead."""
    return _change(viewer, connection, message_ids, outbox.requeue, "requeue", now)


def discard_messages(
    viewer: Viewer, connection: Connection, message_ids: Collection[int], *, now: datetime
) -> list[int]:
    """Give dead messages up for good and let go what they hold back; ``NotFound`` where one of them is not dead."""
    return _change(viewer, connection, message_ids, outbox.discard, "discard", now)


def _change(
    viewer: Viewer,
    connection: Connection,
    message_ids: Collection[int],
    change: Callable[[Connection, Collection[int], datetime], list[int]],
    word: str,
    now: datetime,
) -> list[int]:
    require(viewer, Action.RUN_JOBS)
    wanted = sorted(set(message_ids))
    if not wanted:
        raise InputRejected("没有指明消息编号", remedy="用 qiaomen outbox 查看编号")
    changed = change(connection, wanted, now)
    missing = [number for number in wanted if number not in changed]
    if missing:
        raise NotFound(f"消息 {missing[0]} 不存在或不是死信", remedy="用 qiaomen outbox 查看死信")
    audit(connection, viewer, f"outbox.{word}", "outbox", {"messages": changed}, now=now)
    return changed
