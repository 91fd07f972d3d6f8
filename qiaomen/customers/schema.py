"""SQL tables owned by customers: confirmed column mappings of uploaded lists, and who keeps a customer since a hand-over."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from qiaomen.store import METADATA, BigKey, Moment

UPLOAD_MAPPINGS: Final = sa.Table(
    "upload_mappings",
    METADATA,
    sa.Column("signature", sa.String(64), primary_key=True),
    sa.Column("mapping", sa.Text, nullable=False),
    sa.Column("saved_by", sa.String(100), nullable=False),
    sa.Column("saved_at", Moment, nullable=False),
)

# One row per customer number and hand-over. It counts while the bank's own list still names ``from_manager_no``.
CUSTOMER_KEEPERS: Final = sa.Table(
    "customer_keepers",
    METADATA,
    sa.Column("keeper_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("hand_over_id", BigKey, nullable=False, index=True),
    sa.Column("customer_no", sa.String(64), nullable=False, index=True),
    sa.Column("from_manager_no", sa.String(64), nullable=False),
    sa.Column("manager_no", sa.String(64), nullable=False),
    sa.Column("institution_code", sa.String(64), nullable=False),
    sa.Column("since", Moment, nullable=False),
)
