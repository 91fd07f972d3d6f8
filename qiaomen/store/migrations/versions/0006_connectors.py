"""Updates received from the customer system."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    _crm_updates()
    _crm_updates_1()


def _crm_updates() -> None:
    op.create_table(
        "crm_updates",
        sa.Column("idempotency_key", sa.String(length=200), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("login", sa.String(length=100), nullable=False),
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("idempotency_key", name=op.f("pk_crm_updates")),
    )


def _crm_updates_1() -> None:
    with op.batch_alter_table("crm_updates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_crm_updates_task_id"), ["task_id"], unique=False)
