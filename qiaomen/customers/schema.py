"""SQL tables owned by customers: the column mappings that users confirmed for uploaded lists."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from qiaomen.store import METADATA, Moment

UPLOAD_MAPPINGS: Final = sa.Table(
    "upload_mappings",
    METADATA,
    sa.Column("signature", sa.String(64), primary_key=True),
    sa.Column("mapping", sa.Text, nullable=False),
    sa.Column("saved_by", sa.String(100), nullable=False),
    sa.Column("saved_at", Moment, nullable=False),
)
