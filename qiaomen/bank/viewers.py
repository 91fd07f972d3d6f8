"""Who is looking: a viewer built from a user's posts, and what lies in the viewer's scope."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.schema import INSTITUTIONS, POSTS, USERS
from qiaomen.vocab import NotAllowed, NotFound, Role

LOCAL_LOGIN: Final = "local"
ZONE: Final = ZoneInfo("Asia/Shanghai")
_UNIT_ADMINS: Final = frozenset({Role.SUB_BRANCH_ADMIN, Role.BRANCH_ADMIN})


@dataclass(frozen=True, slots=True)
class Scope:
    """Which operational rows a viewer may see: by institution, or by being their manager.

    ``manager_no`` alone gives the rows of one manager; ``institutions`` every row of those institutions.
    """

    whole_bank: bool = False
    institutions: frozenset[str] = frozenset()
    manager_no: str | None = None

    def covers(self, institution_code: str | None, manager_no: str | None) -> bool:
        """Whether one row is in scope."""
        if self.whole_bank or (institution_code is not None and institution_code in self.institutions):
            return True
        return self.manager_no is not None and manager_no == self.manager_no

    def clause(
        self, institution_codes: Iterable[sa.ColumnElement[Any]], manager_no: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[bool]:
        """Return the SQL condition; a row is in scope if any of its institution columns is."""
        if self.whole_bank:
            return sa.true()
        parts: list[sa.ColumnElement[bool]] = [sa.false()]
        if self.institutions:
            parts += [column.in_(sorted(self.institutions)) for column in institution_codes]
        if self.manager_no is not None:
            parts.append(manager_no == self.manager_no)
        return sa.or_(*parts)

    def mask(self, institution_code: pa.ChunkedArray, manager_no: pa.ChunkedArray) -> pa.Array:
        """Return one boolean per row of an Arrow table."""
        import pyarrow.compute as pc

        rows = len(institution_code)
        if self.whole_bank:
            return pa.repeat(True, rows)
        inside = pc.is_in(institution_code, value_set=pa.array(sorted(self.institutions), pa.string()))
        if self.manager_no is not None:
            inside = pc.or_(inside, pc.fill_null(pc.equal(manager_no, self.manager_no), False))
        return inside.combine_chunks() if isinstance(inside, pa.ChunkedArray) else inside


@dataclass(frozen=True, slots=True)
class Viewer:
    """A user as the access policy sees him; passed first to every function that returns operational rows.

    ``homes`` are the institutions of the viewer's posts, ``below`` those an administrator of a unit governs.
    ``actions`` is set for API tokens only, which may do nothing else.
    """

    user_id: int | None
    login: str
    name: str
    roles: frozenset[Role]
    staff_no: str | None = None
    homes: frozenset[str] = frozenset()
    below: frozenset[str] = frozenset()
    whole_bank: bool = False
    actions: frozenset[str] | None = None

    def has(self, *roles: Role) -> bool:
        """Whether the viewer holds one of the roles."""
        return not self.roles.isdisjoint(roles)


def today_of(now: datetime) -> date:
    """Return the business date of a moment."""
    return now.astimezone(ZONE).date()


def subtree(parents: dict[str, str | None], roots: Iterable[str]) -> frozenset[str]:
    """Return the institutions at and below ``roots``; ``parents`` maps each code to the one above."""
    children: dict[str, list[str]] = {}
    for code, parent in parents.items():
        if parent is not None:
            children.setdefault(parent, []).append(code)
    found: set[str] = set()
    waiting = [code for code in roots if code in parents]
    while waiting:
        code = waiting.pop()
        if code not in found:
            found.add(code)
            waiting += children.get(code, [])
    return frozenset(found)


def parents_of(connection: Connection) -> dict[str, str | None]:
    """Return every institution with the one above it."""
    rows = connection.execute(sa.select(INSTITUTIONS.c.institution_code, INSTITUTIONS.c.parent_code))
    return {str(code): parent for code, parent in rows}


def viewer_of(connection: Connection, user_id: int, now: datetime) -> Viewer:
    """Return the viewer of a user with the posts held at ``now``; ``NotAllowed`` where the user is inactive."""
    user = connection.execute(sa.select(USERS).where(USERS.c.user_id == user_id)).mappings().first()
    if user is None or not user["active"]:
        raise NotAllowed("用户不存在或已停用", remedy="联系系统管理员")
    posts = _posts(connection, user["staff_no"], today_of(now)) if user["staff_no"] else []
    roles = {Role(role) for role, _ in posts}
    if user["role"]:
        roles.add(Role(user["role"]))
    governed = [code for role, code in posts if Role(role) in _UNIT_ADMINS]
    return Viewer(
        user_id=int(user["user_id"]),
        login=user["login"],
        name=user["name"],
        roles=frozenset(roles),
        staff_no=user["staff_no"],
        homes=frozenset(code for _, code in posts),
        below=subtree(parents_of(connection), governed) if governed else frozenset(),
        whole_bank=Role.ANALYST in roles,
    )


def _posts(connection: Connection, staff_no: str, day: date) -> list[tuple[str, str]]:
    held = sa.and_(
        POSTS.c.staff_no == staff_no,
        sa.or_(POSTS.c.since.is_(None), POSTS.c.since <= day),
        sa.or_(POSTS.c.until.is_(None), POSTS.c.until >= day),
    )
    rows = connection.execute(sa.select(POSTS.c.role, POSTS.c.institution_code).where(held))
    return [(role, code) for role, code in rows]


def viewer_by_login(connection: Connection, login: str, now: datetime) -> Viewer:
    """Return the viewer of a login (the command line's ``--as``); ``NotFound`` where there is none."""
    user_id = connection.execute(
        sa.select(USERS.c.user_id).where(USERS.c.login == login.strip().lower())
    ).scalar()
    if user_id is None:
        raise NotFound(f"没有登录名为“{login}”的用户", remedy="用 qiaomen users 查看登录名")
    return viewer_of(connection, int(user_id), now)


def local_analyst(connection: Connection, now: datetime) -> Viewer:
    """Return the workspace's local analyst, made on first use; it has no password and cannot log in."""
    from qiaomen.store import insert_missing

    insert_missing(
        connection,
        USERS,
        [
            {
                "login": LOCAL_LOGIN,
                "name": "本机分析师",
                "role": Role.ANALYST.value,
                "failures": 0,
                "active": True,
                "created_at": now,
            }
        ],
        unique=("login",),
    )
    return viewer_by_login(connection, LOCAL_LOGIN, now)
