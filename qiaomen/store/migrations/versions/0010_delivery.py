"""Order of messages, resting endpoints, messages taken in any order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    _delivery_endpoints()
    _inbound_messages()
    _inbound_messages_2()
    _inbound_positions()
    _inbound_signatures()
    _inbound_signatures_5()
    _outbox_6()


def _delivery_endpoints() -> None:
    op.create_table(
        "delivery_endpoints",
        sa.Column("endpoint", sa.String(length=200), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("resting_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", name=op.f("pk_delivery_endpoints")),
    )


def _inbound_messages() -> None:
    op.create_table(
        "inbound_messages",
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("message_key", sa.String(length=200), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("object_key", sa.String(length=200), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("receipt", sa.JSON(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("source", "message_key", name=op.f("pk_inbound_messages")),
    )


def _inbound_messages_2() -> None:
    with op.batch_alter_table("inbound_messages", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_inbound_messages_source_topic_object_key_position"),
            ["source", "topic", "object_key", "position"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_inbound_messages_state_received_at"), ["state", "received_at"], unique=False
        )


def _inbound_positions() -> None:
    op.create_table(
        "inbound_positions",
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("object_key", sa.String(length=200), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "topic", "object_key", name=op.f("pk_inbound_positions")),
    )


def _inbound_signatures() -> None:
    op.create_table(
        "inbound_signatures",
        sa.Column("signature", sa.String(length=80), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("signature", name=op.f("pk_inbound_signatures")),
    )


def _inbound_signatures_5() -> None:
    with op.batch_alter_table("inbound_signatures", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inbound_signatures_seen_at"), ["seen_at"], unique=False)


def _outbox_6() -> None:
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("order_key", sa.String(length=100), nullable=True))
        batch_op.create_index(
            "ix_outbox_order",
            ["order_key", "message_id"],
            unique=False,
            sqlite_where=sa.text("state IN ('waiting', 'leased', 'dead') AND order_key IS NOT NULL"),
            postgresql_where=sa.text("state IN ('waiting', 'leased', 'dead') AND order_key IS NOT NULL"),
        )
