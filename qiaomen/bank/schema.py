"""SQL tables owned by bank: institutions, staff and their posts, users, sessions, tokens, the audit log."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import DDL, event

from qiaomen.store import METADATA, BigKey, Moment

_CODE: Final = sa.String(64)

INSTITUTIONS: Final = sa.Table(
    "institutions",
    METADATA,
    sa.Column("institution_code", _CODE, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("unit_type", sa.String(16), nullable=False),
    sa.Column("parent_code", _CODE, sa.ForeignKey("institutions.institution_code")),
    sa.Column("region_codes", sa.Text, nullable=False),
    sa.Column("traits", sa.Text, nullable=False),
    sa.Column("park_codes", sa.Text, nullable=False),
    sa.Column("address", sa.Text),
    sa.Column("lon", sa.Float),
    sa.Column("lat", sa.Float),
    sa.Column("active", sa.Boolean, nullable=False),
)

STAFF: Final = sa.Table(
    "staff",
    METADATA,
    sa.Column("staff_no", _CODE, primary_key=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("phone", sa.String(50)),
)

POSTS: Final = sa.Table(
    "posts",
    METADATA,
    sa.Column("post_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("staff_no", _CODE, sa.ForeignKey("staff.staff_no"), nullable=False, index=True),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column(
        "institution_code", _CODE, sa.ForeignKey("institutions.institution_code"), nullable=False, index=True
    ),
    sa.Column("capacity", sa.Integer),
    sa.Column("specialities", sa.Text, nullable=False),
    sa.Column("since", sa.Date),
    sa.Column("until", sa.Date),
    # ``list``: from the bank's list of staff, replaced with it; ``hand``: entered here, and stays.
    sa.Column("origin", sa.String(16), nullable=False, server_default="list"),
)

# One person stands in for another from ``since`` to ``until``, both days included.
DELEGATIONS: Final = sa.Table(
    "delegations",
    METADATA,
    sa.Column("delegation_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("principal_no", _CODE, sa.ForeignKey("staff.staff_no"), nullable=False, index=True),
    sa.Column("deputy_no", _CODE, sa.ForeignKey("staff.staff_no"), nullable=False, index=True),
    sa.Column("since", sa.Date, nullable=False),
    sa.Column("until", sa.Date, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("made_by", sa.String(100), nullable=False),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("ended_by", sa.String(100)),
    sa.Column("ended_at", Moment),
)

USERS: Final = sa.Table(
    "users",
    METADATA,
    sa.Column("user_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("login", sa.String(100), nullable=False, unique=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("staff_no", _CODE, sa.ForeignKey("staff.staff_no"), unique=True),
    # A role beside those of the user's posts; staff have none of their own.
    sa.Column("role", sa.String(32)),
    sa.Column("password_hash", sa.String(200)),
    sa.Column("password_changed_at", Moment),
    # Somebody else gave the password: it opens nothing but the page that changes it.
    sa.Column("must_change", sa.Boolean, nullable=False, server_default=sa.false()),
    # The account at the identity provider or in the directory that the first sign-in came from.
    sa.Column("provider_subject", sa.String(500)),
    sa.Column("directory_subject", sa.String(500)),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("last_login_at", Moment),
)

SESSIONS: Final = sa.Table(
    "sessions",
    METADATA,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("user_id", BigKey, sa.ForeignKey("users.user_id"), nullable=False, index=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("idle_at", Moment, nullable=False),
    sa.Column("idle_seconds", sa.Integer, nullable=False),
    # The roles at the sign-in; a session with others is over.
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("way", sa.String(16), nullable=False),
    sa.Column("password_due_at", Moment),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("agent", sa.String(200), nullable=False),
)

API_TOKENS: Final = sa.Table(
    "api_tokens",
    METADATA,
    sa.Column("token_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.String(100), nullable=False),
    # The first characters, to find again whose token was seen somewhere.
    sa.Column("start", sa.String(16), nullable=False, server_default=""),
    # The institution whose rows, and those below it, the token may see; null is the whole bank.
    sa.Column("institution_code", _CODE, sa.ForeignKey("institutions.institution_code")),
    sa.Column("actions", sa.Text, nullable=False),
    sa.Column("created_by", BigKey, sa.ForeignKey("users.user_id")),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("last_used_at", Moment),
    sa.Column("revoked_at", Moment),
)

AUDIT_LOG: Final = sa.Table(
    "audit_log",
    METADATA,
    sa.Column("number", BigKey, primary_key=True, autoincrement=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("actor", sa.String(100), nullable=False, index=True),
    sa.Column("user_id", BigKey),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("object", sa.String(200), nullable=False, index=True),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

# One row: the last number and hash. It serialises writers and shows when rows were cut off the end.
AUDIT_HEAD: Final = sa.Table(
    "audit_head",
    METADATA,
    sa.Column("head", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", BigKey, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

# The head is there from the start; a writer that finds none fails.
_ORIGIN: Final = "0" * 64
FIRST_HEAD: Final = (
    f"INSERT INTO audit_head (head, number, hash) VALUES (1, 0, '{_ORIGIN}') ON CONFLICT DO NOTHING"
)
_first: DDL = DDL(FIRST_HEAD)  # type: ignore[no-untyped-call]
event.listen(AUDIT_HEAD, "after_create", _first)

# The log refuses changes even by a hand that writes SQL; the migrations run the same statements.
SQLITE_GUARDS: Final = tuple(
    f"CREATE TRIGGER audit_log_no_{verb.lower()} BEFORE {verb} ON audit_log "
    "BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END"
    for verb in ("UPDATE", "DELETE")
)
POSTGRES_GUARDS: Final = (
    (
        "CREATE OR REPLACE FUNCTION audit_log_refuse() RETURNS trigger AS $$ "
        "BEGIN RAISE EXCEPTION 'audit_log is append-only'; END $$ LANGUAGE plpgsql"
    ),
    (
        "CREATE TRIGGER audit_log_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse()"
    ),
)
for _dialect, _statements in (("sqlite", SQLITE_GUARDS), ("postgresql", POSTGRES_GUARDS)):
    for _statement in _statements:
        _guard: DDL = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(AUDIT_LOG, "after_create", _guard.execute_if(dialect=_dialect))
