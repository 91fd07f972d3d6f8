"""SQL table owned by connectors: updates that the CRM sent, by idempotency key."""

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
