"""Turns of recurring work."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    _schedules()


def _schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("last_turn", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_schedules")),
    )
