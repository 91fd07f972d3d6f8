"""Tokens of machines: shown once, hashed at rest, limited to actions and an institution, expiring. Table ``api_tokens``."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.access import POLICY, Action, require
from qiaomen.bank.schema import API_TOKENS, INSTITUTIONS, USERS
from qiaomen.bank.trail import audit
from qiaomen.bank.viewers import Viewer, parents_of, subtree
from qiaomen.store import reading, writing
from qiaomen.vocab import InputRejected, NotAllowed, NotFound, Role

LONGEST: Final = timedelta(days=366)
LONGEST_NAME: Final = 100
PREFIX: Final = "qm_"
SHOWN: Final = 8
# A use is noted this often at most: a call of the API is no reason to write each time.
USED_EVERY: Final = timedelta(minutes=5)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made: its number, and the secret that is shown this once."""

    token_id: int
    secret: str
    expires_at: datetime


def create_token(
    viewer: Viewer,
    connection: Connection,
    name: str,
    *,
    actions: Iterable[Action],
    institution_code: str | None,
    expires_at: datetime,
    now: datetime,
    longest: timedelta = LONGEST,
) -> NewToken:
    """Make an API token; it sees the institution and those below (None: the whole bank)."""
    require(viewer, Action.MANAGE_TOKENS)
    allowed = sorted({action.value for action in actions})
    _check(connection, name, allowed, institution_code)
    if not now < expires_at <= now + longest:
        raise InputRejected(f"有效期应在 {longest.days} 天以内", remedy="改短有效期")
    secret = f"{PREFIX}{secrets.token_urlsafe(32)}"
    token_id = connection.execute(
        sa.insert(API_TOKENS)
        .values(
            token_hash=_hashed(secret),
            name=name.strip(),
            start=secret[: len(PREFIX) + SHOWN],
            institution_code=institution_code,
            actions=";".join(allowed),
            created_by=viewer.user_id,
            created_at=now,
            expires_at=expires_at,
        )
        .returning(API_TOKENS.c.token_id)
    ).scalar_one()
    detail = {"institution": institution_code, "actions": allowed, "expires_at": expires_at}
    audit(connection, viewer, "create_token", f"{token_id} {name.strip()}", detail, now=now)
    return NewToken(int(token_id), secret, expires_at)


def token_actions() -> frozenset[Action]:
    """Return the actions that a token may be given; others would be without effect."""
    return POLICY[Role.INTEGRATOR]


def _check(connection: Connection, name: str, actions: list[str], institution_code: str | None) -> None:
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise InputRejected(f"令牌名称须为 1 至 {LONGEST_NAME} 个字", remedy="写明用它的系统")
    if institution_code is not None:
        found = sa.select(INSTITUTIONS.c.name).where(INSTITUTIONS.c.institution_code == institution_code)
        if connection.execute(found).first() is None:
            raise InputRejected(f"没有机构“{institution_code}”", remedy="检查机构编号")
    if not actions:
        raise InputRejected("令牌须写明允许的操作", remedy="至少给出一项操作")


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


def touch_token(sql: sa.Engine, token: str, now: datetime) -> None:
    """Note that a token is in use, at most every few minutes."""
    row = API_TOKENS.c
    due = sa.or_(row.last_used_at.is_(None), row.last_used_at <= now - USED_EVERY)
    with reading(sql) as connection:
        found = connection.execute(
            sa.select(row.token_id).where(row.token_hash == _hashed(token), due)
        ).scalar()
    if found is not None:
        with writing(sql) as connection:
            connection.execute(sa.update(API_TOKENS).where(row.token_id == found).values(last_used_at=now))


def revoke_token(viewer: Viewer, connection: Connection, token_id: int, *, now: datetime) -> None:
    """End a token at once."""
    require(viewer, Action.MANAGE_TOKENS)
    changed = connection.execute(
        sa.update(API_TOKENS)
        .where(API_TOKENS.c.token_id == token_id, API_TOKENS.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    if changed.rowcount != 1:
        raise NotFound("令牌不存在或已吊销", remedy="用 qiaomen token list 查看")
    audit(connection, viewer, "revoke_token", str(token_id), now=now)


def list_tokens(viewer: Viewer, connection: Connection) -> list[dict[str, Any]]:
    """Return every token without its secret, for those who manage tokens; ``created_by`` is a login."""
    require(viewer, Action.MANAGE_TOKENS)
    columns = [column for column in API_TOKENS.c if column.name not in ("token_hash", "created_by")]
    rows = connection.execute(
        sa.select(*columns, USERS.c.login.label("created_by"))
        .join(USERS, USERS.c.user_id == API_TOKENS.c.created_by, isouter=True)
        .order_by(API_TOKENS.c.token_id)
    )
    return [dict(row) for row in rows.mappings()]
