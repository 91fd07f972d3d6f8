"""Who may come in: by local password, by the bank's directory, or by its identity provider.

The ways are told apart by the user alone: a local password that ``SignInRules.local`` still admits is used; everybody
else's password goes to the directory where there is one. No way makes a user or gives a role. Table ``users``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.guards import (
    Attempt,
    LockRules,
    begin_attempt,
    login_guard,
    plain_login,
    release,
    settle_failure,
    settle_success,
)
from qiaomen.bank.passwords import PasswordRules, fits, hash_password, is_outdated
from qiaomen.bank.schema import POSTS, USERS
from qiaomen.bank.trail import audit
from qiaomen.bank.viewers import Viewer, viewer_of
from qiaomen.store import reading, writing
from qiaomen.vocab import NotAllowed, Role, Unavailable

_WRONG: Final = "登录名或密码不正确"
_WRONG_REMEDY: Final = "核对后重试；忘记密码请联系系统管理员"
NOBODY: Final = "unknown"


class Way(StrEnum):
    """How somebody signed in."""

    LOCAL = "local"
    DIRECTORY = "directory"
    PROVIDER = "provider"


class LocalSignIn(StrEnum):
    """Whose local passwords are admitted."""

    EVERYONE = "everyone"
    ADMINISTRATORS = "administrators"
    NOBODY = "nobody"


class Match(StrEnum):
    """Which column of ``users`` an outside identity names."""

    LOGIN = "login"
    STAFF_NO = "staff_no"


@dataclass(frozen=True, slots=True)
class SignInRules:
    """The bank's rules of signing in."""

    locks: LockRules = field(default_factory=LockRules)
    passwords: PasswordRules = field(default_factory=PasswordRules)
    local: LocalSignIn = LocalSignIn.EVERYONE


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody whom a directory or provider vouches for; ``subject`` is the name that it never gives to another."""

    match: Match
    value: str
    subject: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who came in and how; ``password_due_at`` is when a local password must be changed."""

    viewer: Viewer
    way: Way
    password_due_at: datetime | None = None


# Asks the directory: login and password give an identity; ``NotAllowed`` where they are wrong.
Directory = Callable[[str, str], Identity]
_DEFAULT: Final = SignInRules()


def wrong_password() -> NotAllowed:
    """Return the one answer to a wrong name and to a wrong password."""
    return NotAllowed(_WRONG, remedy=_WRONG_REMEDY)


def sign_in(
    sql: sa.Engine,
    login: str,
    password: str,
    now: datetime,
    *,
    address: str = "",
    rules: SignInRules = _DEFAULT,
    directory: Directory | None = None,
) -> SignedIn:
    """Return who a login and password belong to.

    ``NotAllowed`` otherwise, in the same words for an unknown login; after repeated failures on the login or from the
    address everything is refused for a while.
    """
    attempt = begin_attempt(sql, login, address, rules.locks, now)
    if attempt.closed:
        _note_locks(sql, login, address, attempt.fresh, now)
        raise _closed(rules.locks)
    try:
        found = _try(sql, login, password, rules, directory)
        with writing(sql) as connection:
            settle_success(connection, login, attempt)
            return _enter(connection, found, password, rules, address, now)
    except NotAllowed:
        _fail(sql, login, address, attempt, rules.locks, now)
        raise
    except Unavailable:
        with writing(sql) as connection:
            release(connection, attempt.guards)
        raise


def sign_in_as(sql: sa.Engine, identity: Identity, now: datetime, *, address: str = "") -> SignedIn:
    """Let in whom the identity provider vouches for; ``NotAllowed`` where no active user has the identity."""
    with writing(sql) as connection:
        user = _user_of(connection, identity)
        if user is None:
            audit(connection, None, "log_in_failed", NOBODY, {"address": address, "way": "provider"}, now=now)
        else:
            return _enter(connection, _Found(user, Way.PROVIDER, identity), "", _DEFAULT, address, now)
    raise NotAllowed(
        "统一认证已通过，但本系统没有与之对应的用户", remedy="请系统管理员按您的工号建立用户，再重新登录"
    )


@dataclass(frozen=True, slots=True)
class _Found:
    user: dict[str, Any]
    way: Way
    identity: Identity | None = None


def _try(
    sql: sa.Engine, login: str, password: str, rules: SignInRules, directory: Directory | None
) -> _Found:
    with reading(sql) as connection:
        row = connection.execute(sa.select(USERS).where(USERS.c.login == plain_login(login))).mappings()
        user = _as_dict(row.first())
        local = user is not None and _is_local(connection, user, rules.local)
    if directory is not None and not local:
        identity = directory(login, password)
        with reading(sql) as connection:
            known = _user_of(connection, identity)
        if known is None:
            raise wrong_password()
        return _Found(known, Way.DIRECTORY, identity)
    if not fits(user["password_hash"] if user and local else None, password) or user is None:
        raise wrong_password()
    return _Found(user, Way.LOCAL)


def _as_dict(row: Any) -> dict[str, Any] | None:
    return None if row is None else dict(row)


def _is_local(connection: Connection, user: dict[str, Any], local: LocalSignIn) -> bool:
    if user["password_hash"] is None or local is LocalSignIn.NOBODY:
        return False
    return (
        local is LocalSignIn.EVERYONE
        or user["role"] == Role.ADMINISTRATOR.value
        or _has_post(connection, user["staff_no"])
    )


def _has_post(connection: Connection, staff_no: str | None) -> bool:
    found = sa.select(POSTS.c.post_id).where(
        POSTS.c.staff_no == staff_no, POSTS.c.role == Role.ADMINISTRATOR.value
    )
    return staff_no is not None and connection.execute(found.limit(1)).first() is not None


def _user_of(connection: Connection, identity: Identity) -> dict[str, Any] | None:
    column = USERS.c.login if identity.match is Match.LOGIN else USERS.c.staff_no
    value = plain_login(identity.value) if identity.match is Match.LOGIN else identity.value.strip()
    if not value:
        return None
    return _as_dict(connection.execute(sa.select(USERS).where(column == value)).mappings().first())


def _enter(
    connection: Connection, found: _Found, password: str, rules: SignInRules, address: str, now: datetime
) -> SignedIn:
    """Check what only a right password may tell, note the sign-in and return who it is."""
    user = found.user
    viewer = viewer_of(connection, int(user["user_id"]), now)
    values: dict[str, Any] = {"last_login_at": now}
    due = None
    if found.identity is not None:
        values |= _bind(user, found.way, found.identity)
    else:
        due = due_at(user, rules.passwords)
        if user["must_change"] and due is not None and due + rules.passwords.first_life <= now:
            raise NotAllowed("初始密码已过期", remedy="请联系系统管理员重新设置密码")
        if is_outdated(user["password_hash"]):
            values["password_hash"] = hash_password(password)
    connection.execute(sa.update(USERS).where(USERS.c.user_id == user["user_id"]).values(values))
    audit(connection, viewer, "log_in", viewer.login, {"address": address, "way": found.way.value}, now=now)
    return SignedIn(viewer, found.way, due)


def _bind(user: dict[str, Any], way: Way, identity: Identity) -> dict[str, Any]:
    """Tie the user to the outside account of the first sign-in: a number given to somebody else opens nothing."""
    column = "provider_subject" if way is Way.PROVIDER else "directory_subject"
    if user[column] is None:
        return {column: identity.subject}
    if user[column] != identity.subject:
        raise NotAllowed(
            "该用户在统一认证中的账号已变更", remedy="请系统管理员核实后解除绑定（qiaomen users unbind）"
        )
    return {}


def due_at(user: dict[str, Any], rules: PasswordRules) -> datetime | None:
    """Return when a user's local password must be changed; None is never."""
    since: datetime = user["password_changed_at"] or user["created_at"]
    if user["must_change"]:
        return since
    return since + rules.max_age if rules.max_age is not None else None


def _fail(
    sql: sa.Engine, login: str, address: str, attempt: Attempt, rules: LockRules, now: datetime
) -> None:
    with writing(sql) as connection:
        reached = settle_failure(connection, login, attempt, rules, now)
        detail = {"address": address}
        audit(connection, None, "log_in_failed", _known(connection, login), detail, now=now)
    _note_locks(sql, login, address, reached, now)


def _note_locks(sql: sa.Engine, login: str, address: str, guards: tuple[str, ...], now: datetime) -> None:
    if not guards:
        return
    with writing(sql) as connection:
        for guard in guards:
            what = _known(connection, login) if guard == login_guard(login) else guard
            audit(connection, None, "lock_sign_in", what, {"address": address}, now=now)


def _known(connection: Connection, login: str) -> str:
    """Return a login that exists; what else was typed may be somebody's password and is not written down."""
    found = connection.execute(sa.select(USERS.c.login).where(USERS.c.login == plain_login(login))).scalar()
    return str(found) if found is not None else NOBODY


def _closed(rules: LockRules) -> NotAllowed:
    minutes = int(rules.period.total_seconds() // 60)
    return NotAllowed("连续登录失败，已暂时锁定", remedy=f"{minutes} 分钟后再试，或联系系统管理员解锁")
