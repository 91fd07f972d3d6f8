"""Signing in: guards, outside accounts, former passwords, bound sessions, used tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    _sign_in_guards()
    _sign_in_guards_1()
    _sign_in_starts()
    _sign_in_starts_3()
    _former_passwords()
    _former_passwords_5()
    _api_tokens_6()
    _sessions_7()
    _users_8()


def _sign_in_guards() -> None:
    op.create_table(
        "sign_in_guards",
        sa.Column("guard", sa.String(length=80), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("guard", name=op.f("pk_sign_in_guards")),
    )


def _sign_in_guards_1() -> None:
    with op.batch_alter_table("sign_in_guards", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_guards_touched_at"), ["touched_at"], unique=False)


def _sign_in_starts() -> None:
    op.create_table(
        "sign_in_starts",
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("visitor_hash", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("verifier", sa.String(length=128), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_sign_in_starts")),
    )


def _sign_in_starts_3() -> None:
    with op.batch_alter_table("sign_in_starts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_starts_expires_at"), ["expires_at"], unique=False)


def _former_passwords() -> None:
    op.create_table(
        "former_passwords",
        sa.Column(
            "former_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_former_passwords_user_id")),
        sa.PrimaryKeyConstraint("former_id", name=op.f("pk_former_passwords")),
    )


def _former_passwords_5() -> None:
    with op.batch_alter_table("former_passwords", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_former_passwords_user_id"), ["user_id"], unique=False)


def _api_tokens_6() -> None:
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("start", sa.String(length=16), server_default="", nullable=False))
        batch_op.add_column(sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))


def _sessions_7() -> None:
    # The sessions there are do not say what the new columns ask for: everybody signs in again after the upgrade.
    op.execute(sa.text("DELETE FROM sessions"))
    op.drop_table("sessions")
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idle_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idle_seconds", sa.Integer(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("password_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)


def _users_8() -> None:
    # One by one: a batch would rebuild the table, which others refer to.
    op.add_column("users", sa.Column("must_change", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("users", sa.Column("provider_subject", sa.String(length=500), nullable=True))
    op.add_column("users", sa.Column("directory_subject", sa.String(length=500), nullable=True))
    op.drop_column("users", "locked_until")
    op.drop_column("users", "failures")
