"""Customer matches decided by people, uploads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    _match_decisions()
    _referral_asks()
    _referral_asks_indexes()
    _upload_mappings()


def _match_decisions() -> None:
    op.create_table(
        "match_decisions",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("record_key", sa.String(length=200), nullable=False),
        sa.Column("name_norm", sa.String(length=300), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("company_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("relation", sa.String(length=16), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "record_key", name=op.f("pk_match_decisions")),
    )


def _referral_asks() -> None:
    op.create_table(
        "referral_asks",
        sa.Column(
            "ask_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("prospect_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("institution_code", sa.String(length=64), nullable=True),
        sa.Column("manager_no", sa.String(length=64), nullable=True),
        sa.Column("asked_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("asked_by_name", sa.String(length=100), nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("consent", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("ask_id", name=op.f("pk_referral_asks")),
    )


def _referral_asks_indexes() -> None:
    with op.batch_alter_table("referral_asks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_referral_asks_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_referral_asks_manager_no"), ["manager_no"], unique=False)
        batch_op.create_index(batch_op.f("ix_referral_asks_prospect_id"), ["prospect_id"], unique=False)


def _upload_mappings() -> None:
    op.create_table(
        "upload_mappings",
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("saved_by", sa.String(length=100), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("signature", name=op.f("pk_upload_mappings")),
    )
