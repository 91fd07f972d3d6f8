"""SQL tables of signing in: failed attempts, sign-ins begun at the bank's identity provider, former passwords."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from qiaomen.store import METADATA, BigKey, Moment

# One row per name or address with recent failures. A name is kept as a hash: people type passwords into that field.
SIGN_IN_GUARDS: Final = sa.Table(
    "sign_in_guards",
    METADATA,
    sa.Column("guard", sa.String(80), primary_key=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("since", Moment, nullable=False),
    sa.Column("locked_until", Moment),
    sa.Column("touched_at", Moment, nullable=False, index=True),
)

# A sign-in that has left for the identity provider: usable once, by the browser that began it.
SIGN_IN_STARTS: Final = sa.Table(
    "sign_in_starts",
    METADATA,
    sa.Column("state_hash", sa.String(64), primary_key=True),
    sa.Column("visitor_hash", sa.String(64), nullable=False),
    sa.Column("nonce", sa.String(64), nullable=False),
    sa.Column("verifier", sa.String(128), nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("expires_at", Moment, nullable=False, index=True),
)

FORMER_PASSWORDS: Final = sa.Table(
    "former_passwords",
    METADATA,
    sa.Column("former_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("user_id", BigKey, sa.ForeignKey("users.user_id"), nullable=False, index=True),
    sa.Column("password_hash", sa.String(200), nullable=False),
    sa.Column("retired_at", Moment, nullable=False),
)
