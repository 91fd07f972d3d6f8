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

from qiaomen.bank.schema import DELEGATIONS, INSTITUTIONS, POSTS, STAFF, USERS
from qiaomen.vocab import NotAllowed, NotFound, Role

LOCAL_LOGIN: Final = "local"
ZONE: Final = ZoneInfo("Asia/Shanghai")
_UNIT_ADMINS: Final = frozenset({Role.SUB_BRANCH_ADMIN, Role.BRANCH_ADMIN})
# Posts that a deputy can fill; head office and system posts need a post of their own.
DELEGABLE: Final = frozenset({Role.MANAGER, *_UNIT_ADMINS})


@dataclass(frozen=True, slots=True)
class Scope:
    """Which operational rows a viewer may see: by institution, or by being their manager.

    ``manager_nos`` gives the rows of those managers; ``institutions`` every row of those institutions.
    """

    whole_bank: bool = False
    institutions: frozenset[str] = frozenset()
    manager_nos: frozenset[str] = frozenset()

    def covers(self, institution_code: str | None, manager_no: str | None) -> bool:
        """Whether one row is in scope."""
        if self.whole_bank or (institution_code is not None and institution_code in self.institutions):
            return True
        return manager_no is not None and manager_no in self.manager_nos

    def __or__(self, other: Scope) -> Scope:
        """Return what lies in either scope."""
        return Scope(
            self.whole_bank or other.whole_bank,
            self.institutions | other.institutions,
            self.manager_nos | other.manager_nos,
        )

    def clause(
        self, institution_codes: Iterable[sa.ColumnElement[Any]], manager_no: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[bool]:
        """Return the SQL condition; a row is in scope if any of its institution columns is."""
        if self.whole_bank:
            return sa.true()
        parts: list[sa.ColumnElement[bool]] = [sa.false()]
        if self.institutions:
            parts += [column.in_(sorted(self.institutions)) for column in institution_codes]
        if self.manager_nos:
            parts.append(manager_no.in_(sorted(self.manager_nos)))
        return sa.or_(*parts)

    def mask(self, institution_code: pa.ChunkedArray, manager_no: pa.ChunkedArray) -> pa.Array:
        """Return one boolean per row of an Arrow table."""
        import pyarrow.compute as pc

        rows = len(institution_code)
        if self.whole_bank:
            return pa.repeat(True, rows)
        inside = pc.is_in(institution_code, value_set=pa.array(sorted(self.institutions), pa.string()))
        if self.manager_nos:
            managed = pc.is_in(manager_no, value_set=pa.array(sorted(self.manager_nos), pa.string()))
            inside = pc.or_(inside, managed)
        return inside.combine_chunks() if isinstance(inside, pa.ChunkedArray) else inside


@dataclass(frozen=True, slots=True)
class StandIn:
    """One person for whom the viewer stands in today, with the posts that this person holds today."""

    delegation_id: int
    principal_no: str
    name: str
    until: date
    roles: frozenset[Role]
    desks: frozenset[str] = frozenset()
    below: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Viewer:
    """A user as the access policy sees him; passed first to every function that returns operational rows.

    ``homes`` are the institutions of the viewer's posts, ``desks`` those where he is a manager (None: all of
    ``homes``), ``below`` those an administrator of a unit governs; ``stand_ins`` whom he deputises for today, ``acting``
    the one for whom he acts on the row at hand (set by ``access.acting_on``).
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
    desks: frozenset[str] | None = None
    stand_ins: tuple[StandIn, ...] = ()
    acting: StandIn | None = None

    @property
    def actor(self) -> str:
        """Who acts, as histories and the audit log say it: ``e0006``, or ``e0006（代 王五）`` for a deputy."""
        return f"{self.login}（代 {self.acting.name}）" if self.acting is not None else self.login

    @property
    def manager_nos(self) -> frozenset[str]:
        """Staff numbers of the managers whose work is the viewer's own today: himself and his principals."""
        own = {self.staff_no} if self.staff_no is not None and self.has(Role.MANAGER) else set()
        return frozenset(own) | {item.principal_no for item in self.stand_ins if Role.MANAGER in item.roles}

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
    day, staff_no = today_of(now), user["staff_no"]
    posts = held_posts(connection, staff_no, day) if staff_no else []
    roles = {role for role, _ in posts}
    if user["role"]:
        roles.add(Role(user["role"]))
    return Viewer(
        user_id=int(user["user_id"]),
        login=user["login"],
        name=user["name"],
        roles=frozenset(roles),
        staff_no=staff_no,
        homes=frozenset(code for _, code in posts),
        below=governed_by(connection, posts),
        whole_bank=Role.ANALYST in roles,
        desks=desks_of(posts),
        stand_ins=stand_ins_of(connection, staff_no, day) if staff_no else (),
    )


def held_posts(connection: Connection, staff_no: str, day: date) -> list[tuple[Role, str]]:
    """Return role and institution of the posts that somebody holds on a day; the first and last day count."""
    held = sa.and_(
        POSTS.c.staff_no == staff_no,
        sa.or_(POSTS.c.since.is_(None), POSTS.c.since <= day),
        sa.or_(POSTS.c.until.is_(None), POSTS.c.until >= day),
    )
    rows = connection.execute(sa.select(POSTS.c.role, POSTS.c.institution_code).where(held))
    return [(Role(role), code) for role, code in rows]


def desks_of(posts: Iterable[tuple[Role, str]]) -> frozenset[str]:
    """Return the institutions where the posts are those of a manager."""
    return frozenset(code for role, code in posts if role is Role.MANAGER)


def governed_by(connection: Connection, posts: Iterable[tuple[Role, str]]) -> frozenset[str]:
    """Return the institutions that unit administrators of the posts govern: their own and all below."""
    roots = [code for role, code in posts if role in _UNIT_ADMINS]
    return subtree(parents_of(connection), roots) if roots else frozenset()


def stand_ins_of(connection: Connection, deputy_no: str, day: date) -> tuple[StandIn, ...]:
    """Return whom a member of staff stands in for on a day.

    Only posts that may be delegated count, as the principal holds them that day; what the principal holds as somebody
    else's deputy does not pass on.
    """
    rows = connection.execute(
        sa.select(DELEGATIONS, STAFF.c.name)
        .join(STAFF, STAFF.c.staff_no == DELEGATIONS.c.principal_no)
        .where(
            DELEGATIONS.c.deputy_no == deputy_no,
            DELEGATIONS.c.ended_at.is_(None),
            DELEGATIONS.c.since <= day,
            DELEGATIONS.c.until >= day,
        )
        .order_by(DELEGATIONS.c.delegation_id)
    ).all()
    found = []
    for row in rows:
        posts = [post for post in held_posts(connection, row.principal_no, day) if post[0] in DELEGABLE]
        if posts:
            found.append(
                StandIn(
                    delegation_id=int(row.delegation_id),
                    principal_no=row.principal_no,
                    name=row.name,
                    until=row.until,
                    roles=frozenset(role for role, _ in posts),
                    desks=desks_of(posts),
                    below=governed_by(connection, posts),
                )
            )
    return tuple(found)


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
                "active": True,
                "created_at": now,
            }
        ],
        unique=("login",),
    )
    return viewer_by_login(connection, LOCAL_LOGIN, now)
