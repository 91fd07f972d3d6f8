"""Refusals to be contacted; look-ups in the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    _contact_opt_outs()
    _contact_opt_outs_1()
    _audit_log_2()


def _contact_opt_outs() -> None:
    op.create_table(
        "contact_opt_outs",
        sa.Column(
            "opt_out_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value_hash", sa.String(length=64), nullable=False),
        sa.Column("shown", sa.String(length=64), nullable=False),
        sa.Column("company_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("recorded_by", sa.String(length=100), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_by", sa.String(length=100), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("opt_out_id", name=op.f("pk_contact_opt_outs")),
        sa.UniqueConstraint("kind", "value_hash", name=op.f("uq_contact_opt_outs_kind_value_hash")),
    )


def _contact_opt_outs_1() -> None:
    with op.batch_alter_table("contact_opt_outs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contact_opt_outs_company_id"), ["company_id"], unique=False)


def _audit_log_2() -> None:
    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_log_actor"), ["actor"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_log_object"), ["object"], unique=False)
