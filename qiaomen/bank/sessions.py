"""Sessions of pages and tokens of machines: random, hashed at rest, expiring. Tables ``sessions``, ``api_tokens``."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.access import Action, require
from qiaomen.bank.schema import API_TOKENS, INSTITUTIONS, SESSIONS
from qiaomen.bank.trail import audit
from qiaomen.bank.viewers import Viewer, parents_of, subtree, viewer_of
from qiaomen.vocab import InputRejected, NotAllowed, NotFound, Role

IDLE: Final = timedelta(hours=2)
SEEN_EVERY: Final = timedelta(minutes=5)
LONGEST_TOKEN: Final = timedelta(days=366)
_AGAIN: Final = "请重新登录"


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Session:
    """A valid session: who is looking, until when, and whether ``touch_session`` is due."""

    viewer: Viewer
    expires_at: datetime
    stale: bool


def open_session(connection: Connection, viewer: Viewer, now: datetime, *, life: timedelta) -> str:
    """Begin a session that ends after ``life`` and return its token, which is stored only as a hash."""
    token = secrets.token_urlsafe(32)
    connection.execute(
        sa.insert(SESSIONS).values(
            token_hash=_hashed(token),
            user_id=viewer.user_id,
            created_at=now,
            seen_at=now,
            expires_at=now + life,
        )
    )
    return token


def session_of(connection: Connection, token: str, now: datetime) -> Session:
    """Return the session of a token; ``NotAllowed`` where it is unknown, idle too long or expired."""
    row = (
        connection.execute(sa.select(SESSIONS).where(SESSIONS.c.token_hash == _hashed(token)))
        .mappings()
        .first()
    )
    if row is None or row["expires_at"] <= now or row["seen_at"] + IDLE <= now:
        raise NotAllowed("登录已失效", remedy=_AGAIN)
    viewer = viewer_of(connection, int(row["user_id"]), now)
    return Session(viewer, row["expires_at"], stale=row["seen_at"] + SEEN_EVERY <= now)


def touch_session(connection: Connection, token: str, now: datetime) -> None:
    """Note that a session is in use."""
    connection.execute(sa.update(SESSIONS).where(SESSIONS.c.token_hash == _hashed(token)).values(seen_at=now))


def rotate_session(connection: Connection, token: str, now: datetime) -> str:
    """Replace a session's token by a new one with the same end; ``NotAllowed`` where it is not valid."""
    session_of(connection, token, now)
    fresh = secrets.token_urlsafe(32)
    connection.execute(
        sa.update(SESSIONS)
        .where(SESSIONS.c.token_hash == _hashed(token))
        .values(token_hash=_hashed(fresh), seen_at=now)
    )
    return fresh


def close_session(connection: Connection, token: str) -> None:
    """End a session; an unknown one is already ended."""
    connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.token_hash == _hashed(token)))


def drop_expired_sessions(connection: Connection, now: datetime) -> int:
    """Remove sessions that have ended by themselves and return their number."""
    ended = sa.or_(SESSIONS.c.expires_at <= now, SESSIONS.c.seen_at <= now - IDLE)
    return connection.execute(sa.delete(SESSIONS).where(ended)).rowcount


def create_token(
    viewer: Viewer,
    connection: Connection,
    name: str,
    *,
    actions: Iterable[Action],
    institution_code: str | None,
    expires_at: datetime,
    now: datetime,
) -> str:
    """Make an API token and return it this once; it sees the institution and those below (None: the whole bank)."""
    require(viewer, Action.MANAGE_TOKENS)
    if not now < expires_at <= now + LONGEST_TOKEN:
        raise InputRejected("有效期应在一年以内", remedy="改短有效期")
    if institution_code is not None:
        found = sa.select(INSTITUTIONS.c.name).where(INSTITUTIONS.c.institution_code == institution_code)
        if connection.execute(found).first() is None:
            raise InputRejected(f"没有机构“{institution_code}”", remedy="检查机构编号")
    token = f"qm_{secrets.token_urlsafe(32)}"
    connection.execute(
        sa.insert(API_TOKENS).values(
            token_hash=_hashed(token),
            name=name,
            institution_code=institution_code,
            actions=";".join(sorted(action.value for action in actions)),
            created_by=viewer.user_id,
            created_at=now,
            expires_at=expires_at,
        )
    )
    audit(connection, viewer, "create_token", name, {"institution": institution_code}, now=now)
    return token


def token_viewer(connection: Connection, token: str, now: datetime) -> Viewer:
    """Return the viewer of an API token; ``NotAllowed`` where it is unknown, revoked or expired."""
    row = (
        connection.execute(sa.select(API_TOKENS).where(API_TOKENS.c.token_hash == _hashed(token)))
        .mappings()
        .first()
    )
    if row is None or row["revoked_at"] is not None or row["expires_at"] <= now:
        raise NotAllowed("令牌无效或已过期", remedy="联系系统管理员重新签发")
    code = row["institution_code"]
    return Viewer(
        user_id=None,
        login=f"token:{row['token_id']}",
        name=row["name"],
        roles=frozenset({Role.INTEGRATOR}),
        below=subtree(parents_of(connection), [code]) if code else frozenset(),
        whole_bank=code is None,
        actions=frozenset(str(row["actions"]).split(";")),
    )


def revoke_token(viewer: Viewer, connection: Connection, token_id: int, *, now: datetime) -> None:
    """End a token at once."""
    require(viewer, Action.MANAGE_TOKENS)
    changed = connection.execute(
        sa.update(API_TOKENS)
        .where(API_TOKENS.c.token_id == token_id, API_TOKENS.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    if changed.rowcount != 1:
        raise NotFound("令牌不存在或已吊销")
    audit(connection, viewer, "revoke_token", str(token_id), now=now)


def list_tokens(viewer: Viewer, connection: Connection) -> list[dict[str, Any]]:
    """Return every token without its secret, for those who manage tokens."""
    require(viewer, Action.MANAGE_TOKENS)
    columns = [column for column in API_TOKENS.c if column.name != "token_hash"]
    rows = connection.execute(sa.select(*columns).order_by(API_TOKENS.c.token_id))
    return [dict(row) for row in rows.mappings()]
