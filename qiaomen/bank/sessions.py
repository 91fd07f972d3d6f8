"""Sessions of pages: random, hashed at rest, with an end and an idle time. Table ``sessions``.

A session is bound to the roles that its user had at the sign-in: other roles mean a new sign-in, and so a new token.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.guards import drop_old_guards
from qiaomen.bank.provider_starts import drop_old_starts
from qiaomen.bank.schema import SESSIONS
from qiaomen.bank.signing_in import Way
from qiaomen.bank.trail import audit
from qiaomen.bank.viewers import Viewer, viewer_of
from qiaomen.vocab import NotAllowed, NotFound

IDLE: Final = timedelta(hours=2)
# A session in use is noted this often; a short idle time is noted more often.
SEEN_EVERY: Final = timedelta(minutes=5)
LONGEST_AGENT: Final = 200
_KEY: Final = 16
_AGAIN: Final = "请重新登录"


def hashed(token: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Session:
    """A valid session: who is looking, until when, whether ``touch_session`` is due, whether the password is."""

    viewer: Viewer
    expires_at: datetime
    stale: bool
    way: Way = Way.LOCAL
    password_due: bool = False


@dataclass(frozen=True, slots=True)
class OwnSession:
    """One session as its owner sees it; ``key`` names it and is no secret."""

    key: str
    way: Way
    address: str
    agent: str
    created_at: datetime
    seen_at: datetime
    current: bool


def open_session(
    connection: Connection,
    viewer: Viewer,
    now: datetime,
    *,
    life: timedelta,
    idle: timedelta = IDLE,
    way: Way = Way.LOCAL,
    password_due_at: datetime | None = None,
    address: str = "",
    agent: str = "",
) -> str:
    """Begin a session that ends after ``life``, or ``idle`` without use; return its token, stored only as a hash."""
    token = secrets.token_urlsafe(32)
    connection.execute(
        sa.insert(SESSIONS).values(
            token_hash=hashed(token),
            user_id=viewer.user_id,
            created_at=now,
            seen_at=now,
            expires_at=now + life,
            idle_at=now + idle,
            idle_seconds=int(idle.total_seconds()),
            roles=_roles(viewer),
            way=way.value,
            password_due_at=password_due_at,
            address=address[:64],
            agent=agent[:LONGEST_AGENT],
        )
    )
    return token


def _roles(viewer: Viewer) -> str:
    return ";".join(sorted(role.value for role in viewer.roles))


def session_of(connection: Connection, token: str, now: datetime) -> Session:
    """Return the session of a token; ``NotAllowed`` where it is unknown, idle too long, expired or of other roles."""
    row = (
        connection.execute(sa.select(SESSIONS).where(SESSIONS.c.token_hash == hashed(token)))
        .mappings()
        .first()
    )
    if row is None or row["expires_at"] <= now or row["idle_at"] <= now:
        raise NotAllowed("登录已失效", remedy=_AGAIN)
    viewer = viewer_of(connection, int(row["user_id"]), now)
    if row["roles"] != _roles(viewer):
        raise NotAllowed("您的角色已变更，登录已失效", remedy=_AGAIN)
    due = row["password_due_at"]
    every = min(SEEN_EVERY, timedelta(seconds=row["idle_seconds"] / 4))
    return Session(
        viewer,
        row["expires_at"],
        stale=row["seen_at"] + every <= now,
        way=Way(row["way"]),
        password_due=due is not None and due <= now,
    )


def touch_session(connection: Connection, token: str, now: datetime) -> None:
    """Note that a session is in use."""
    mine = SESSIONS.c.token_hash == hashed(token)
    idle = connection.execute(sa.select(SESSIONS.c.idle_seconds).where(mine)).scalar()
    if idle is not None:
        values = {"seen_at": now, "idle_at": now + timedelta(seconds=idle)}
        connection.execute(sa.update(SESSIONS).where(mine).values(values))


def rotate_session(connection: Connection, token: str, now: datetime) -> str:
    """Replace a session's token by a new one with the same end; ``NotAllowed`` where it is not valid."""
    session_of(connection, token, now)
    fresh = secrets.token_urlsafe(32)
    connection.execute(
        sa.update(SESSIONS)
        .where(SESSIONS.c.token_hash == hashed(token))
        .values(token_hash=hashed(fresh), seen_at=now)
    )
    return fresh


def close_session(connection: Connection, token: str) -> Way | None:
    """End a session and return how it began; an unknown one is already ended."""
    way = connection.execute(
        sa.delete(SESSIONS).where(SESSIONS.c.token_hash == hashed(token)).returning(SESSIONS.c.way)
    ).scalar()
    return Way(way) if way else None


def close_sessions(connection: Connection, viewer: Viewer, *, now: datetime, but: str = "") -> int:
    """End all sessions of the viewer except that of the token ``but``; return their number."""
    ended = connection.execute(
        sa.delete(SESSIONS).where(SESSIONS.c.user_id == viewer.user_id, SESSIONS.c.token_hash != hashed(but))
    ).rowcount
    audit(connection, viewer, "log_out_everywhere", viewer.login, {"sessions": ended}, now=now)
    return ended


def close_own_session(connection: Connection, viewer: Viewer, key: str, *, now: datetime) -> None:
    """End one session of the viewer by its key; ``NotFound`` for anybody else's."""
    ended = connection.execute(
        sa.delete(SESSIONS).where(
            SESSIONS.c.user_id == viewer.user_id, sa.func.substr(SESSIONS.c.token_hash, 1, _KEY) == key
        )
    ).rowcount
    if not ended:
        raise NotFound("没有这个会话", remedy="刷新页面；它可能已经结束")
    audit(connection, viewer, "log_out_session", viewer.login, now=now)


def list_own_sessions(connection: Connection, viewer: Viewer, token: str, now: datetime) -> list[OwnSession]:
    """Return the viewer's sessions in force, the newest first; that of ``token`` is the current one."""
    mine = hashed(token)
    rows = connection.execute(
        sa.select(SESSIONS)
        .where(SESSIONS.c.user_id == viewer.user_id, SESSIONS.c.expires_at > now, SESSIONS.c.idle_at > now)
        .order_by(SESSIONS.c.seen_at.desc(), SESSIONS.c.token_hash)
    )
    return [
        OwnSession(
            key=row["token_hash"][:_KEY],
            way=Way(row["way"]),
            address=row["address"],
            agent=row["agent"],
            created_at=row["created_at"],
            seen_at=row["seen_at"],
            current=row["token_hash"] == mine,
        )
        for row in rows.mappings()
    ]


def drop_expired_sessions(connection: Connection, now: datetime) -> int:
    """Remove sessions that have ended by themselves and return their number; old guards and sign-ins go with them."""
    drop_old_guards(connection, now)
    drop_old_starts(connection, now)
    ended = sa.or_(SESSIONS.c.expires_at <= now, SESSIONS.c.idle_at <= now)
    return connection.execute(sa.delete(SESSIONS).where(ended)).rowcount
