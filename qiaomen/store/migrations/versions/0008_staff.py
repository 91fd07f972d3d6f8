"""Deputies, hand-overs, posts entered by hand."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    _customer_keepers()
    _customer_keepers_1()
    _hand_overs()
    _hand_overs_3()
    _delegations()
    _delegations_5()
    _posts_6()


def _customer_keepers() -> None:
    op.create_table(
        "customer_keepers",
        sa.Column(
            "keeper_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("hand_over_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_no", sa.String(length=64), nullable=False),
        sa.Column("from_manager_no", sa.String(length=64), nullable=False),
        sa.Column("manager_no", sa.String(length=64), nullable=False),
        sa.Column("institution_code", sa.String(length=64), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("keeper_id", name=op.f("pk_customer_keepers")),
    )


def _customer_keepers_1() -> None:
    with op.batch_alter_table("customer_keepers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_keepers_customer_no"), ["customer_no"], unique=False)
        batch_op.create_index(batch_op.f("ix_customer_keepers_hand_over_id"), ["hand_over_id"], unique=False)


def _hand_overs() -> None:
    op.create_table(
        "hand_overs",
        sa.Column(
            "hand_over_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("from_manager_no", sa.String(length=64), nullable=False),
        sa.Column("to_manager_nos", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.Column("tasks", sa.Integer(), nullable=False),
        sa.Column("asks", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.String(length=100), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hand_over_id", name=op.f("pk_hand_overs")),
    )


def _hand_overs_3() -> None:
    with op.batch_alter_table("hand_overs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hand_overs_from_manager_no"), ["from_manager_no"], unique=False)


def _delegations() -> None:
    op.create_table(
        "delegations",
        sa.Column(
            "delegation_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("principal_no", sa.String(length=64), nullable=False),
        sa.Column("deputy_no", sa.String(length=64), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=100), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.String(length=100), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["deputy_no"], ["staff.staff_no"], name=op.f("fk_delegations_deputy_no")),
        sa.ForeignKeyConstraint(
            ["principal_no"], ["staff.staff_no"], name=op.f("fk_delegations_principal_no")
        ),
        sa.PrimaryKeyConstraint("delegation_id", name=op.f("pk_delegations")),
    )


def _delegations_5() -> None:
    with op.batch_alter_table("delegations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delegations_deputy_no"), ["deputy_no"], unique=False)
        batch_op.create_index(batch_op.f("ix_delegations_principal_no"), ["principal_no"], unique=False)


def _posts_6() -> None:
    with op.batch_alter_table("posts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("origin", sa.String(length=16), server_default="list", nullable=False))
