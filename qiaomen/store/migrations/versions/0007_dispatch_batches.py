"""What staff confirmed or sent by hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    _dispatch_batches()
    _dispatch_batches_1()
    _dispatch_items()
    _dispatch_items_3()


def _dispatch_batches() -> None:
    op.create_table(
        "dispatch_batches",
        sa.Column(
            "batch_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("request_key", sa.String(length=100), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("target", sa.String(length=300), nullable=False),
        sa.Column("product", sa.String(length=64), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("institution_code", sa.String(length=64), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("joined", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_dispatch_batches")),
        sa.UniqueConstraint("request_key", name=op.f("uq_dispatch_batches_request_key")),
    )


def _dispatch_batches_1() -> None:
    with op.batch_alter_table("dispatch_batches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dispatch_batches_at"), ["at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_dispatch_batches_institution_code"), ["institution_code"], unique=False
        )


def _dispatch_items() -> None:
    op.create_table(
        "dispatch_items",
        sa.Column(
            "item_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("lead_id", sa.String(length=64), nullable=False),
        sa.Column("company_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("company_name", sa.String(length=300), nullable=False),
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("branch_code", sa.String(length=64), nullable=True),
        sa.Column("sub_branch_code", sa.String(length=64), nullable=True),
        sa.Column("manager_no", sa.String(length=64), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["dispatch_batches.batch_id"], name=op.f("fk_dispatch_items_batch_id")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name=op.f("fk_dispatch_items_task_id")),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_dispatch_items")),
    )


def _dispatch_items_3() -> None:
    with op.batch_alter_table("dispatch_items", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dispatch_items_batch_id"), ["batch_id"], unique=False)
