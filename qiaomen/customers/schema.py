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

# One row per number, address or person that refused to be contacted: a hash and a masked form, not the value.
CONTACT_OPT_OUTS: Final = sa.Table(
    "contact_opt_outs",
    METADATA,
    sa.Column("opt_out_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("value_hash", sa.String(64), nullable=False),
    sa.Column("shown", sa.String(64), nullable=False),
    sa.Column("company_id", BigKey, nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    # ``staff``: noted on the page; ``list``: stated by a loaded list.
    sa.Column("origin", sa.String(16), nullable=False),
    sa.Column("recorded_by", sa.String(100), nullable=False),
    sa.Column("recorded_at", Moment, nullable=False),
    sa.Column("withdrawn_by", sa.String(100)),
    sa.Column("withdrawn_at", Moment),
    sa.UniqueConstraint("kind", "value_hash"),
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
