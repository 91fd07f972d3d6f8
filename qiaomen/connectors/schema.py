"""SQL tables owned by connectors: what others sent us, by idempotency key and order; endpoints that rest."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from qiaomen.store import METADATA, BigKey, Moment

CRM_UPDATES: Final = sa.Table(
    "crm_updates",
    METADATA,
    sa.Column("idempotency_key", sa.String(200), primary_key=True),
    sa.Column("body_hash", sa.String(64), nullable=False),
    sa.Column("login", sa.String(100), nullable=False),
    sa.Column("task_id", BigKey, nullable=False, index=True),
    sa.Column("event", sa.String(32), nullable=False),
    # State and version of the task after the update; null only within the transaction that makes it.
    sa.Column("state", sa.String(16)),
    sa.Column("version", sa.Integer),
    sa.Column("received_at", Moment, nullable=False),
)

# Messages that carry a place in an order, kept until those before them are there.
INBOUND_MESSAGES: Final = sa.Table(
    "inbound_messages",
    METADATA,
    sa.Column("source", sa.String(100), primary_key=True),
    sa.Column("message_key", sa.String(200), primary_key=True),
    sa.Column("topic", sa.String(64), nullable=False),
    sa.Column("object_key", sa.String(200), nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("body_hash", sa.String(64), nullable=False),
    # waiting, applied, refused; of messages that carry a whole state: current or superseded.
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("receipt", sa.JSON),
    sa.Column("error", sa.Text),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("settled_at", Moment),
    sa.Column("taken_at", Moment),
    sa.Index(None, "source", "topic", "object_key", "position"),
    sa.Index(None, "state", "received_at"),
)

INBOUND_POSITIONS: Final = sa.Table(
    "inbound_positions",
    METADATA,
    sa.Column("source", sa.String(100), primary_key=True),
    sa.Column("topic", sa.String(64), primary_key=True),
    sa.Column("object_key", sa.String(200), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
)

# Signatures seen within their window: a request sent again is refused.
INBOUND_SIGNATURES: Final = sa.Table(
    "inbound_signatures",
    METADATA,
    sa.Column("signature", sa.String(80), primary_key=True),
    sa.Column("seen_at", Moment, nullable=False, index=True),
)

ENDPOINTS: Final = sa.Table(
    "delivery_endpoints",
    METADATA,
    sa.Column("endpoint", sa.String(200), primary_key=True),
    # Failures in a row; from a declared number on the endpoint rests.
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("resting_until", Moment),
    sa.Column("changed_at", Moment, nullable=False),
)
