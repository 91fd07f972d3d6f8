"""Users and passwords: argon2id, random first passwords shown once, lock-out after failures."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.access import Action, require
from qiaomen.bank.schema import POSTS, SESSIONS, STAFF, USERS
from qiaomen.bank.trail import audit
from qiaomen.bank.viewers import Viewer, today_of, viewer_of
from qiaomen.store import insert_missing, reading, writing
from qiaomen.vocab import Conflict, InputRejected, NotAllowed, NotFound, Role

if TYPE_CHECKING:
    from argon2 import PasswordHasher

FAILURES: Final = 5
LOCK: Final = timedelta(minutes=15)
SHORTEST: Final = 10
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_WRONG: Final = "登录名或密码不正确"
# A hash of no known password: an unknown login takes as long as a wrong password.
_NOBODY: Final = secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user just made, with the password that is shown this once."""

    login: str
    name: str
    staff_no: str | None
    roles: tuple[Role, ...]
    institution_code: str | None
    password: str


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    # The least cost that OWASP's password storage sheet names for argon2id.
    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@lru_cache(maxsize=1)
def _nobody() -> str:
    return _hasher().hash(_NOBODY)


def _fits(stored: str, password: str) -> bool:
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        return _hasher().verify(stored, password)
    except (Argon2Error, InvalidHashError):
        return False


def new_password() -> str:
    """Return a random password of 79 bits without look-alike characters."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def create_user(
    connection: Connection,
    login: str,
    name: str,
    *,
    role: Role | None = None,
    staff_no: str | None = None,
    now: datetime,
) -> NewUser:
    """Make one user with a random password; ``Conflict`` where the login is taken."""
    made = _create(connection, [_Draft(login, name, staff_no, role)], now)
    if not made:
        raise Conflict(f"登录名“{login}”已存在", remedy="换一个登录名")
    return made[0]


def create_users_for_staff(connection: Connection, *, now: datetime) -> list[NewUser]:
    """Make a user for every member of staff with a post in force and none yet; the staff number is the login."""
    day = today_of(now)
    held = sa.and_(
        sa.or_(POSTS.c.since.is_(None), POSTS.c.since <= day),
        sa.or_(POSTS.c.until.is_(None), POSTS.c.until >= day),
    )
    rows = connection.execute(
        sa.select(STAFF.c.staff_no, STAFF.c.name, POSTS.c.role, POSTS.c.institution_code)
        .join(POSTS, POSTS.c.staff_no == STAFF.c.staff_no)
        .join(USERS, USERS.c.staff_no == STAFF.c.staff_no, isouter=True)
        .where(held, USERS.c.user_id.is_(None))
        .order_by(STAFF.c.staff_no, POSTS.c.post_id)
    ).all()
    drafts: dict[str, _Draft] = {}
    for row in rows:
        draft = drafts.setdefault(
            row.staff_no, _Draft(row.staff_no, row.name, row.staff_no, None, row.institution_code)
        )
        draft.roles.append(Role(row.role))
    return _create(connection, list(drafts.values()), now)


class _Draft:
    def __init__(
        self, login: str, name: str, staff_no: str | None, role: Role | None, institution: str | None = None
    ) -> None:
        self.login = login.strip().lower()
        self.name = name
        self.staff_no = staff_no
        self.role = role
        self.roles: list[Role] = [role] if role else []
        self.institution = institution
        if not self.login:
            raise InputRejected("登录名不能为空", remedy="填写登录名")


def _create(connection: Connection, drafts: list[_Draft], now: datetime) -> list[NewUser]:
    made: list[NewUser] = []
    for draft in drafts:
        password = new_password()
        row: dict[str, Any] = {
            "login": draft.login,
            "name": draft.name,
            "staff_no": draft.staff_no,
            "role": draft.role.value if draft.role else None,
            "password_hash": _hasher().hash(password),
            "failures": 0,
            "active": True,
            "created_at": now,
        }
        if insert_missing(connection, USERS, [row], unique=("login",)):
            made.append(
                NewUser(
                    draft.login, draft.name, draft.staff_no, tuple(draft.roles), draft.institution, password
                )
            )
    return made


def check_password(engine: sa.Engine, login: str, password: str, now: datetime) -> Viewer:
    """Return the viewer for a login and password.

    ``NotAllowed`` otherwise, in the same words for an unknown login; locked for a while after repeated failures.
    """
    with reading(engine) as connection:
        user = (
            connection.execute(sa.select(USERS).where(USERS.c.login == login.strip().lower()))
            .mappings()
            .first()
        )
    fits = _fits((user["password_hash"] if user else None) or _nobody(), password)
    if user is None or user["password_hash"] is None:
        raise NotAllowed(_WRONG, remedy="核对后重试；忘记密码请联系系统管理员")
    if user["locked_until"] is not None and user["locked_until"] > now:
        raise NotAllowed("连续输错密码，账号已暂时锁定", remedy="15 分钟后再试，或联系系统管理员重置密码")
    with writing(engine) as connection:
        if not fits:
            _note_failure(connection, int(user["user_id"]), now)
        else:
            connection.execute(
                sa.update(USERS)
                .where(USERS.c.user_id == user["user_id"])
                .values(failures=0, locked_until=None, last_login_at=now)
            )
            viewer = viewer_of(connection, int(user["user_id"]), now)
            audit(connection, viewer, "log_in", viewer.login, now=now)
            return viewer
    raise NotAllowed(_WRONG, remedy="核对后重试；忘记密码请联系系统管理员")


def _note_failure(connection: Connection, user_id: int, now: datetime) -> None:
    failures = int(
        connection.execute(
            sa.update(USERS)
            .where(USERS.c.user_id == user_id)
            .values(failures=USERS.c.failures + 1)
            .returning(USERS.c.failures)
        ).scalar_one()
    )
    if failures >= FAILURES:
        connection.execute(
            sa.update(USERS).where(USERS.c.user_id == user_id).values(failures=0, locked_until=now + LOCK)
        )
        audit(connection, None, "lock_user", str(user_id), now=now)


def change_password(engine: sa.Engine, viewer: Viewer, old: str, new: str, now: datetime) -> None:
    """Change the viewer's own password and end the viewer's sessions."""
    if len(new) < SHORTEST or new.lower() == viewer.login or len(set(new)) < 5:
        raise InputRejected(
            f"新密码至少 {SHORTEST} 位，且不能过于简单", remedy="换一个更长、不含登录名的密码"
        )
    check_password(engine, viewer.login, old, now)
    stored = _hasher().hash(new)
    with writing(engine) as connection:
        connection.execute(
            sa.update(USERS)
            .where(USERS.c.user_id == viewer.user_id)
            .values(password_hash=stored, password_changed_at=now)
        )
        connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.user_id == viewer.user_id))
        audit(connection, viewer, "change_password", viewer.login, now=now)


def reset_password(viewer: Viewer, connection: Connection, login: str, *, now: datetime) -> str:
    """Give a user a new random password, end the user's sessions and return the password."""
    require(viewer, Action.MANAGE_USERS)
    password = new_password()
    user_id = connection.execute(
        sa.update(USERS)
        .where(USERS.c.login == login.strip().lower())
        .values(
            password_hash=_hasher().hash(password), failures=0, locked_until=None, password_changed_at=None
        )
        .returning(USERS.c.user_id)
    ).scalar()
    if user_id is None:
        raise NotFound("用户不存在", remedy="检查登录名")
    connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.user_id == user_id))
    audit(connection, viewer, "reset_password", login, now=now)
    return password


def set_active(viewer: Viewer, connection: Connection, login: str, active: bool, *, now: datetime) -> None:
    """Let a user in or keep a user out; keeping out ends the user's sessions."""
    require(viewer, Action.MANAGE_USERS)
    user_id = connection.execute(
        sa.update(USERS)
        .where(USERS.c.login == login.strip().lower())
        .values(active=active)
        .returning(USERS.c.user_id)
    ).scalar()
    if user_id is None:
        raise NotFound("用户不存在", remedy="检查登录名")
    if not active:
        connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.user_id == user_id))
    audit(connection, viewer, "activate_user" if active else "deactivate_user", login, now=now)


def list_users(viewer: Viewer, connection: Connection) -> list[dict[str, Any]]:
    """Return every user without secrets, for those who manage users."""
    require(viewer, Action.MANAGE_USERS)
    columns = [USERS.c[name] for name in ("user_id", "login", "name", "staff_no", "role", "active")]
    rows = connection.execute(
        sa.select(*columns, USERS.c.last_login_at, USERS.c.locked_until).order_by(USERS.c.login)
    )
    return [dict(row) for row in rows.mappings()]
