"""Digests: what is sent to whom today, within the budget, each opportunity once per subscriber for ever.

The items and the outbox message are written in one transaction, so that a stopped process sends nothing twice and
forgets nothing. Tables ``subscriptions``, ``feed_items``, ``outbox``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import Action, Viewer, require, viewer_of
from qiaomen.feed.matching import IN_BANK, FeedTables, match_subscriptions
from qiaomen.feed.schema import FEED_ITEMS
from qiaomen.feed.subscriptions import PAGE_CHANNEL, Subscription, active_subscriptions
from qiaomen.store import insert_missing, outbox
from qiaomen.vocab import GRADE_LABELS, POLARITY_LABELS, NotAllowed

TOPIC: Final = "push.digest"
IN_BANK_LINE: Final = "您的一户存量客户有行内提示，请登录系统查看"
_SHOWN: Final = [
    "opportunity_id",
    "company_id",
    "title",
    "grade",
    "polarity",
    "severity",
    "published_on",
    "detector",
]
DISCLAIMER: Final = "仅用于营销提示，不作授信审批依据。"


@dataclass(frozen=True, slots=True)
class DigestItem:
    """One line of a digest; ``line`` is what may leave the bank, without names and amounts from its own books."""

    opportunity_id: str
    company_id: int
    title: str
    line: str


@dataclass(frozen=True, slots=True)
class Digest:
    """What one subscription gets on one day, and how many more matched but did not fit the budget."""

    subscription: Subscription
    on: date
    items: tuple[DigestItem, ...]
    held_back: int

    @property
    def title(self) -> str:
        """Return the subject line."""
        return f"【{self.subscription.wish.name}】{self.on.isoformat()} 商机 {len(self.items)} 条"

    @property
    def body(self) -> str:
        """Return the plain text."""
        lines = [f"{number}. {item.line}" for number, item in enumerate(self.items, 1)]
        if self.held_back:
            lines.append(f"另有 {self.held_back} 条超出每日条数，将在次日按优先次序推送。")
        return "\n".join([*lines, DISCLAIMER])


def _line(row: Mapping[str, Any]) -> str:
    grade = row["grade"]
    mark = f"价值{GRADE_LABELS[grade]}" if grade else f"{POLARITY_LABELS[row['polarity']]}·{row['severity']}"
    title = IN_BANK_LINE if row["detector"] == IN_BANK else row["title"]
    return f"[{mark}] {title}（{row['published_on']}）"


def build_digest(
    subscription: Subscription, matched: pa.Table, sent: frozenset[str], used_today: int, as_of: date
) -> Digest:
    """Return today's digest from what matched (in order of sending), less what was ever sent, within the budget.

    ``used_today`` counts the items of this subscription that were sent for ``as_of`` already.
    """
    fresh = [row for row in matched.select(_SHOWN).to_pylist() if row["opportunity_id"] not in sent]
    room = max(0, subscription.wish.daily_budget - used_today)
    items = tuple(
        DigestItem(row["opportunity_id"], row["company_id"], row["title"], _line(row)) for row in fresh[:room]
    )
    return Digest(subscription, as_of, items, len(fresh) - len(items))


def _sent_to(connection: Connection, user_id: int) -> frozenset[str]:
    rows = connection.execute(
        sa.select(FEED_ITEMS.c.opportunity_id).where(FEED_ITEMS.c.user_id == user_id)
    ).scalars()
    return frozenset(rows)


def _used(connection: Connection, subscription: Subscription, on: date) -> int:
    query = (
        sa.select(sa.func.count())
        .select_from(FEED_ITEMS)
        .where(
            FEED_ITEMS.c.subscription_id == subscription.subscription_id,
            FEED_ITEMS.c.digest_on == on,
        )
    )
    return int(connection.execute(query).scalar_one())


def send_digests(
    connection: Connection,
    tables: FeedTables,
    *,
    as_of: date,
    now: datetime,
) -> dict[str, int]:
    """Send every active subscription what is new, in the caller's transaction; return counts.

    A second call for the same data sends nothing. Counts: subscriptions, digests, items, held_back, inactive_users.
    """
    counts = {"subscriptions": 0, "digests": 0, "items": 0, "held_back": 0, "inactive_users": 0}
    for subscription in active_subscriptions(connection):
        counts["subscriptions"] += 1
        try:
            viewer = viewer_of(connection, subscription.user_id, now)
            require(viewer, Action.SUBSCRIBE)
        except NotAllowed:
            counts["inactive_users"] += 1
            continue
        matched = match_subscriptions(viewer, subscription.wish, tables)
        sent = _sent_to(connection, subscription.user_id)
        digest = build_digest(subscription, matched, sent, _used(connection, subscription, as_of), as_of)
        counts["held_back"] += digest.held_back
        if digest.items:
            counts["items"] += _send(connection, digest, now)
            counts["digests"] += 1
    return counts


def _send(connection: Connection, digest: Digest, now: datetime) -> int:
    """Note the items and put the message into the outbox."""
    subscription = digest.subscription
    start = _used(connection, subscription, digest.on)
    rows = [
        {
            "user_id": subscription.user_id,
            "opportunity_id": item.opportunity_id,
            "subscription_id": subscription.subscription_id,
            "company_id": item.company_id,
            "title": item.title,
            "digest_on": digest.on,
            "place": start + place,
            "sent_at": now,
        }
        for place, item in enumerate(digest.items, 1)
    ]
    inserted = insert_missing(connection, FEED_ITEMS, rows, unique=("user_id", "opportunity_id"))
    if inserted and subscription.wish.channel != PAGE_CHANNEL:
        key = f"{subscription.subscription_id}:{digest.on.isoformat()}:{start}"
        outbox.enqueue(connection, TOPIC, key, message_of(digest), now=now)
    return len(inserted)


def message_of(digest: Digest) -> dict[str, Any]:
    """Return the outbox payload of a digest: channel, address, title, body and the opportunities' identities."""
    wish = digest.subscription.wish
    return {
        "channel": wish.channel,
        "address": wish.address,
        "title": digest.title,
        "body": digest.body,
        "opportunities": [item.opportunity_id for item in digest.items],
    }


@dataclass(frozen=True, slots=True)
class InboxItem:
    """One item that the viewer was sent."""

    opportunity_id: str
    company_id: int
    title: str
    digest_on: date
    read: bool


def read_inbox(viewer: Viewer, connection: Connection, *, limit: int = 50) -> list[InboxItem]:
    """Return what the viewer was sent, newest first."""
    require(viewer, Action.SUBSCRIBE)
    query = (
        sa.select(FEED_ITEMS)
        .where(FEED_ITEMS.c.user_id == viewer.user_id)
        .order_by(FEED_ITEMS.c.digest_on.desc(), FEED_ITEMS.c.place, FEED_ITEMS.c.opportunity_id)
        .limit(limit)
    )
    return [
        InboxItem(
            row["opportunity_id"],
            row["company_id"],
            row["title"],
            row["digest_on"],
            row["read_at"] is not None,
        )
        for row in connection.execute(query).mappings()
    ]


def mark_read(viewer: Viewer, connection: Connection, opportunity_ids: Sequence[str], now: datetime) -> int:
    """Note that the viewer has read the items; return how many were unread."""
    require(viewer, Action.SUBSCRIBE)
    changed = connection.execute(
        sa.update(FEED_ITEMS)
        .where(
            FEED_ITEMS.c.user_id == viewer.user_id,
            FEED_ITEMS.c.opportunity_id.in_(list(opportunity_ids)),
            FEED_ITEMS.c.read_at.is_(None),
        )
        .values(read_at=now)
    )
    return int(changed.rowcount)
