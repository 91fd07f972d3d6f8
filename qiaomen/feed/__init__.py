"""Subscriptions, digest budget, what to push to whom.

Reads opportunities, company_nodes, company_tags, customers; writes the SQL tables subscriptions and feed_items and
messages of topic ``push.digest`` in the outbox.
"""

from qiaomen.feed.digests import (
    TOPIC,
    Digest,
    DigestItem,
    InboxItem,
    build_digest,
    mark_read,
    message_of,
    read_inbox,
    send_digests,
)
from qiaomen.feed.matching import FeedTables, match_subscriptions
from qiaomen.feed.schema import FEED_ITEMS, SUBSCRIPTIONS
from qiaomen.feed.subscriptions import (
    PAGE_CHANNEL,
    Subscription,
    Wish,
    active_subscriptions,
    change_subscription,
    list_subscriptions,
    pause_subscription,
    resume_subscription,
    subscribe,
    unsubscribe,
)

__all__ = [
    "FEED_ITEMS",
    "PAGE_CHANNEL",
    "SUBSCRIPTIONS",
    "TOPIC",
    "Digest",
    "DigestItem",
    "FeedTables",
    "InboxItem",
    "Subscription",
    "Wish",
    "active_subscriptions",
    "build_digest",
    "change_subscription",
    "list_subscriptions",
    "mark_read",
    "match_subscriptions",
    "message_of",
    "pause_subscription",
    "read_inbox",
    "resume_subscription",
    "send_digests",
    "subscribe",
    "unsubscribe",
]
