"""SQL tables owned by feed: subscriptions, and every opportunity that a subscriber was sent."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from qiaomen.store import METADATA, BigKey, Moment

SUBSCRIPTIONS: Final = sa.Table(
    "subscriptions",
    METADATA,
    sa.Column("subscription_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("user_id", BigKey, sa.ForeignKey("users.user_id"), nullable=False, index=True),
    sa.Column("name", sa.String(100), nullable=False),
    # Lists are JSON arrays of text (companies: of numbers); an empty list filters nothing.
    sa.Column("kinds", sa.JSON, nullable=False),
    sa.Column("chains", sa.JSON, nullable=False),
    sa.Column("regions", sa.JSON, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("companies", sa.JSON, nullable=False),
    sa.Column("keywords", sa.JSON, nullable=False),
    sa.Column("minimum_grade", sa.String(16)),
    sa.Column("own_customers", sa.Boolean, nullable=False),
    sa.Column("channel", sa.String(32), nullable=False),
    sa.Column("address", sa.String(300), nullable=False),
    sa.Column("daily_budget", sa.Integer, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
)

# The primary key is what keeps an opportunity from being sent to a subscriber twice, on whatever channel.
FEED_ITEMS: Final = sa.Table(
    "feed_items",
    METADATA,
    sa.Column("user_id", BigKey, sa.ForeignKey("users.user_id"), primary_key=True, autoincrement=False),
    sa.Column("opportunity_id", sa.String(64), primary_key=True),
    sa.Column("subscription_id", BigKey, nullable=False, index=True),
    sa.Column("company_id", BigKey, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("digest_on", sa.Date, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("sent_at", Moment, nullable=False),
    sa.Column("read_at", Moment),
    sa.Index(None, "user_id", "digest_on"),
)
