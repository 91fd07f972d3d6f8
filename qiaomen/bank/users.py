"""Users: made with a random first password that is shown once, changed, reset, unlocked, kept out. Table ``users``.

No password is built in. One that somebody else has given must be changed at the first sign-in and does not last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from qiaomen.bank.access import Action, require
from qiaomen.bank.guards import (
    begin_attempt,
    closed_logins,
    plain_login,
    reopen,
    settle_failure,
    settle_success,
)
from qiaomen.bank.identity_schema import FORMER_PASSWORDS
from qiaomen.bank.passwords import check_new_password, fits, hash_password, new_password
from qiaomen.bank.people_names import check_name
from qiaomen.bank.schema import POSTS, SESSIONS, STAFF, USERS
from qiaomen.bank.signing_in import SignInRules, due_at, wrong_password
from qiaomen.bank.trail import audit
from qiaomen.bank.viewers import LOCAL_LOGIN, Viewer, today_of
from qiaomen.store import insert_missing, reading, writing
from qiaomen.vocab import Conflict, InputRejected, NotAllowed, NotFound, Role

LONGEST_LOGIN: Final = 100
_DEFAULT: Final = SignInRules()


class FirstPassword(StrEnum):
    """What a new user's password is: to be changed at once, lasting (demonstrations only), or none at all."""

    TO_CHANGE = "to_change"
    LASTS = "lasts"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user just made, with the password that is shown this once (empty: none was given)."""

    login: str
    name: str
    staff_no: str | None
    roles: tuple[Role, ...]
    institution_code: str | None
    password: str


def create_user(
    connection: Connection,
    login: str,
    name: str,
    *,
    role: Role | None = None,
    staff_no: str | None = None,
    now: datetime,
    first: FirstPassword = FirstPassword.TO_CHANGE,
) -> NewUser:
    """Make one user; ``Conflict`` where the login is taken."""
    made = _create(connection, [_Draft(login, name, staff_no, role)], first, now)
    if not made:
        raise Conflict(f"登录名“{login}”已存在", remedy="换一个登录名")
    return made[0]


def create_users_for_staff(
    connection: Connection, *, now: datetime, first: FirstPassword = FirstPassword.TO_CHANGE
) -> list[NewUser]:
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
    return _create(connection, list(drafts.values()), first, now)


class _Draft:
    def __init__(
        self, login: str, name: str, staff_no: str | None, role: Role | None, institution: str | None = None
    ) -> None:
        self.login = plain_login(login)
        self.name = name.strip()
        self.staff_no = staff_no
        self.role = role
        self.roles: list[Role] = [role] if role else []
        self.institution = institution
        if not self.login or len(self.login) > LONGEST_LOGIN or not self.login.isprintable():
            raise InputRejected(f"登录名须为 1 至 {LONGEST_LOGIN} 个可见字符", remedy="换一个登录名")


def _create(
    connection: Connection, drafts: list[_Draft], first: FirstPassword, now: datetime
) -> list[NewUser]:
    made: list[NewUser] = []
    for draft in drafts:
        password = "" if first is FirstPassword.NONE else new_password()
        row: dict[str, Any] = {
            "login": draft.login,
            "name": draft.name,
            "staff_no": draft.staff_no,
            "role": draft.role.value if draft.role else None,
            "password_hash": hash_password(password) if password else None,
            "password_changed_at": now if password else None,
            "must_change": first is FirstPassword.TO_CHANGE,
            "active": True,
            "created_at": now,
        }
        try:
            with connection.begin_nested():
                inserted = insert_missing(connection, USERS, [row], unique=("login",))
        except IntegrityError as error:
            # Somebody else made an account for this member of staff between the look and the insert.
            raise Conflict(f"工号“{draft.staff_no}”已有账号", remedy="刷新后再看") from error
        if inserted:
            made.append(
                NewUser(
                    draft.login, draft.name, draft.staff_no, tuple(draft.roles), draft.institution, password
                )
            )
    return made


def change_password(
    sql: sa.Engine,
    viewer: Viewer,
    old: str,
    new: str,
    now: datetime,
    *,
    address: str = "",
    rules: SignInRules = _DEFAULT,
) -> datetime | None:
    """Change the viewer's own password, end all the viewer's sessions and return when the new one is due.

    A wrong old password counts as a failed sign-in.
    """
    check_new_password(new, rules.passwords, [viewer.login, viewer.name, viewer.staff_no or ""])
    attempt = begin_attempt(sql, viewer.login, address, rules.locks, now)
    if attempt.closed:
        raise NotAllowed("连续输错密码，已暂时锁定", remedy="稍后再试，或联系系统管理员解锁")
    with reading(sql) as connection:
        stored = connection.execute(
            sa.select(USERS.c.password_hash).where(USERS.c.user_id == viewer.user_id)
        ).scalar()
        former = _former(connection, viewer, rules.passwords.remembered)
    if not fits(stored, old):
        with writing(sql) as connection:
            settle_failure(connection, viewer.login, attempt, rules.locks, now)
        raise wrong_password()
    with writing(sql) as connection:
        settle_success(connection, viewer.login, attempt)
    if any(fits(one, new) for one in [stored, *former]):
        raise InputRejected("新密码最近用过", remedy="换一个没有用过的密码")
    fresh = hash_password(new)
    with writing(sql) as connection:
        user = _set_password(connection, viewer.login, fresh, now, must_change=False)
        audit(connection, viewer, "change_password", viewer.login, now=now)
    return due_at(user, rules.passwords)


def _former(connection: Connection, viewer: Viewer, count: int) -> list[str]:
    rows = connection.execute(
        sa.select(FORMER_PASSWORDS.c.password_hash)
        .where(FORMER_PASSWORDS.c.user_id == viewer.user_id)
        .order_by(FORMER_PASSWORDS.c.former_id.desc())
        .limit(count)
    )
    return [str(row.password_hash) for row in rows]


def _set_password(
    connection: Connection, login: str, fresh: str, now: datetime, *, must_change: bool
) -> dict[str, Any]:
    """Store a hash, keep the former one, end the user's sessions; ``NotFound`` where there is no such user."""
    user = _user(connection, login)
    if user["password_hash"] is not None:
        connection.execute(
            sa.insert(FORMER_PASSWORDS).values(
                user_id=user["user_id"], password_hash=user["password_hash"], retired_at=now
            )
        )
    values = {"password_hash": fresh, "password_changed_at": now, "must_change": must_change}
    connection.execute(sa.update(USERS).where(USERS.c.user_id == user["user_id"]).values(values))
    _end_sessions(connection, user)
    return user | values


def _user(connection: Connection, login: str) -> dict[str, Any]:
    """Return a user by login; that of the command line is nobody's, and is neither shut out nor given a password."""
    if plain_login(login) == LOCAL_LOGIN:
        raise NotFound("用户不存在", remedy="检查登录名")
    row = connection.execute(sa.select(USERS).where(USERS.c.login == plain_login(login))).mappings().first()
    if row is None:
        raise NotFound("用户不存在", remedy="检查登录名")
    return dict(row)


def _end_sessions(connection: Connection, user: dict[str, Any]) -> int:
    return connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.user_id == user["user_id"])).rowcount


def reset_password(viewer: Viewer, connection: Connection, login: str, *, now: datetime) -> str:
    """Give a user a new random password that must be changed, unlock the user, end the sessions; return the password."""
    require(viewer, Action.MANAGE_USERS)
    password = new_password()
    user = _set_password(connection, login, hash_password(password), now, must_change=True)
    reopen(connection, login)
    audit(connection, viewer, "reset_password", user["login"], now=now)
    return password


def unlock_user(viewer: Viewer, connection: Connection, login: str, *, now: datetime) -> None:
    """Lift the lock that failed sign-ins have put on a user."""
    require(viewer, Action.MANAGE_USERS)
    user = _user(connection, login)
    reopen(connection, login)
    audit(connection, viewer, "unlock_user", user["login"], now=now)


def unbind_user(viewer: Viewer, connection: Connection, login: str, *, now: datetime) -> None:
    """Let the next sign-in through provider or directory tie the user to an outside account anew."""
    require(viewer, Action.MANAGE_USERS)
    user = _user(connection, login)
    connection.execute(
        sa.update(USERS)
        .where(USERS.c.user_id == user["user_id"])
        .values(provider_subject=None, directory_subject=None)
    )
    audit(connection, viewer, "unbind_user", user["login"], now=now)


def sign_out_user(viewer: Viewer, connection: Connection, login: str, *, now: datetime) -> int:
    """End all sessions of a user and return their number."""
    require(viewer, Action.MANAGE_USERS)
    user = _user(connection, login)
    ended = _end_sessions(connection, user)
    audit(connection, viewer, "sign_out_user", user["login"], {"sessions": ended}, now=now)
    return ended


def set_active(viewer: Viewer, connection: Connection, login: str, active: bool, *, now: datetime) -> None:
    """Let a user in or keep a user out; keeping out ends the user's sessions."""
    require(viewer, Action.MANAGE_USERS)
    user = _user(connection, login)
    if not active and user["user_id"] == viewer.user_id:
        raise Conflict("不能停用自己的账号", remedy="由另一位系统管理员办理")
    connection.execute(sa.update(USERS).where(USERS.c.user_id == user["user_id"]).values(active=active))
    if not active:
        _end_sessions(connection, user)
    audit(connection, viewer, "activate_user" if active else "deactivate_user", user["login"], now=now)


def list_users(
    viewer: Viewer, connection: Connection, *, now: datetime, without_staff: bool = False
) -> list[dict[str, Any]]:
    """Return every user without secrets, for those who manage users; ``locked_until`` is set for a locked one.

    ``without_staff`` leaves out those of members of staff.
    """
    require(viewer, Action.MANAGE_USERS)
    names = ("user_id", "login", "name", "staff_no", "role", "active", "must_change", "last_login_at")
    query = sa.select(*(USERS.c[name] for name in names)).order_by(USERS.c.login)
    if without_staff:
        query = query.where(USERS.c.staff_no.is_(None), USERS.c.login != LOCAL_LOGIN)
    rows = connection.execute(query)
    users = [dict(row) for row in rows.mappings()]
    closed = closed_logins(connection, [str(user["login"]) for user in users], now)
    return [user | {"locked_until": closed.get(user["login"])} for user in users]


def has_administrator(connection: Connection, day: date | None = None) -> bool:
    """Whether anybody could manage users on a day, today unless told otherwise.

    Without one, the first may be made from the command line of the server.
    """
    on = day or today_of(datetime.now(UTC))
    own = sa.select(USERS.c.user_id).where(USERS.c.role == Role.ADMINISTRATOR.value, USERS.c.active)
    posted = (
        sa.select(USERS.c.user_id)
        .join(POSTS, POSTS.c.staff_no == USERS.c.staff_no)
        .where(
            POSTS.c.role == Role.ADMINISTRATOR.value,
            USERS.c.active,
            sa.or_(POSTS.c.since.is_(None), POSTS.c.since <= on),
            sa.or_(POSTS.c.until.is_(None), POSTS.c.until >= on),
        )
    )
    return connection.execute(sa.union_all(own, posted).limit(1)).first() is not None


def add_user(
    viewer: Viewer,
    connection: Connection,
    login: str,
    name: str,
    *,
    role: Role | None,
    staff_no: str | None,
    now: datetime,
    first: FirstPassword = FirstPassword.TO_CHANGE,
) -> NewUser:
    """Make a user on behalf of somebody who manages users."""
    require(viewer, Action.MANAGE_USERS)
    check_name(name)
    if staff_no is not None and not _is_staff(connection, staff_no):
        raise InputRejected(f"没有工号为“{staff_no}”的员工", remedy="检查工号，或先装载人员名册")
    taken = sa.select(USERS.c.login).where(USERS.c.staff_no == staff_no)
    if staff_no is not None and (login_taken := connection.execute(taken).scalar()) is not None:
        raise Conflict(f"工号“{staff_no}”已有账号“{login_taken}”", remedy="重置它的密码，或恢复它")
    made = create_user(connection, login, name, role=role, staff_no=staff_no, now=now, first=first)
    detail = {"role": role.value if role else None, "staff_no": staff_no, "first_password": first.value}
    audit(connection, viewer, "create_user", made.login, detail, now=now)
    return made


def _is_staff(connection: Connection, staff_no: str) -> bool:
    found = sa.select(STAFF.c.staff_no).where(STAFF.c.staff_no == staff_no)
    return connection.execute(found).first() is not None


def add_users_for_staff(
    viewer: Viewer, connection: Connection, *, now: datetime, first: FirstPassword = FirstPassword.TO_CHANGE
) -> list[NewUser]:
    """Make a user for every member of staff with a post and none yet, on behalf of somebody who manages users."""
    require(viewer, Action.MANAGE_USERS)
    made = create_users_for_staff(connection, now=now, first=first)
    detail = {"users": len(made), "first_password": first.value}
    audit(connection, viewer, "create_users", "staff", detail, now=now)
    return made


def add_first_administrator(connection: Connection, login: str, name: str, *, now: datetime) -> NewUser:
    """Make the first administrator, by whoever holds the server; ``NotAllowed`` where there is one."""
    if has_administrator(connection):
        raise NotAllowed("系统已有系统管理员", remedy="用 --as 指定一位系统管理员")
    made = create_user(connection, login, name, role=Role.ADMINISTRATOR, now=now)
    audit(connection, None, "create_first_administrator", made.login, now=now)
    return made
