"""Staff as those who govern them see them: found and paged, one person's posts, state of the sign-in, colleagues.

Reads tables ``staff``, ``posts``, ``institutions``, ``users`` and the guards of failed sign-ins; changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.access import Action, may, require, scope_of
from qiaomen.bank.guards import closed_logins
from qiaomen.bank.schema import INSTITUTIONS, POSTS, STAFF, USERS
from qiaomen.bank.viewers import Viewer, parents_of, subtree
from qiaomen.vocab import NotFound, Role

LARGEST_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class PostRow:
    """One post of somebody, in force or not."""

    post_id: int
    role: Role
    institution_code: str
    institution: str
    capacity: int | None
    since: date | None
    until: date | None
    origin: str
    in_force: bool


@dataclass(frozen=True, slots=True)
class StaffRow:
    """One member of staff with posts, the earlier first.

    ``elsewhere``: all posts of the day lie outside what the viewer governs; who has left is nowhere.
    """

    staff_no: str
    name: str
    login: str | None
    active: bool
    posts: tuple[PostRow, ...]
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class StaffFilter:
    """Whom to list: by a post's institution (with all below) and role, by number or name.

    Without ``everybody`` only posts in force count, so that who has left or moved away is not listed.
    """

    institution_code: str = ""
    role: Role | None = None
    text: str = ""
    everybody: bool = False


@dataclass(frozen=True, slots=True)
class StaffPage:
    """A page of staff by staff number, and how many fit the filter."""

    staff: tuple[StaffRow, ...]
    total: int


@dataclass(frozen=True, slots=True)
class SignInState:
    """How somebody stands at the entrance; no secret, and nothing of what was done inside."""

    login: str
    active: bool
    locked_until: datetime | None
    last_login_at: datetime | None
    must_change: bool
    has_password: bool
    bound: bool


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody with a post in force at one of some institutions."""

    staff_no: str
    name: str
    role: Role
    institution_code: str
    institution: str


def find_staff(
    viewer: Viewer,
    connection: Connection,
    day: date,
    wanted: StaffFilter | None = None,
    *,
    limit: int = 50,
    offset: int = 0,
) -> StaffPage:
    """Return the staff whom the viewer governs: all for head office and administrators, else those with a post below."""
    require(viewer, Action.SEE_STAFF)
    where = _fits(viewer, connection, day, wanted or StaffFilter())
    total = connection.execute(sa.select(sa.func.count()).select_from(STAFF).where(where)).scalar_one()
    numbers = sa.select(STAFF.c.staff_no).where(where).order_by(STAFF.c.staff_no)
    page = numbers.limit(min(limit, LARGEST_PAGE)).offset(offset).subquery()
    return StaffPage(_people(connection, sa.select(page.c.staff_no), day, _governed(viewer)), int(total))


def list_staff(
    viewer: Viewer, connection: Connection, day: date, *, everybody: bool = False
) -> list[StaffRow]:
    """Return all whom the viewer governs; without ``everybody`` only those who hold a post there on the day."""
    require(viewer, Action.SEE_STAFF)
    where = _fits(viewer, connection, day, StaffFilter(everybody=everybody))
    return list(_people(connection, sa.select(STAFF.c.staff_no).where(where), day, _governed(viewer)))


def show_staff(viewer: Viewer, connection: Connection, staff_no: str, day: date) -> StaffRow:
    """Return one member of staff with all posts; ``NotFound`` for one whom the viewer does not govern.

    Of who works elsewhere now only the posts that the viewer governs.
    """
    require(viewer, Action.SEE_STAFF)
    where = sa.and_(STAFF.c.staff_no == staff_no, _fits(viewer, connection, day, StaffFilter(everybody=True)))
    found = _people(connection, sa.select(STAFF.c.staff_no).where(where), day, _governed(viewer))
    if not found:
        raise NotFound(f"没有工号“{staff_no}”", remedy="在“人员与岗位”或用 qiaomen staff list 查看工号")
    within = _governed(viewer)
    if within is None or not found[0].elsewhere:
        return found[0]
    return replace(found[0], posts=tuple(post for post in found[0].posts if post.institution_code in within))


def sign_in_states(
    viewer: Viewer, connection: Connection, people: Sequence[StaffRow], now: datetime
) -> dict[str, SignInState]:
    """Return by staff number how each of the staff just listed stands at the entrance; who has no user is left out.

    Who works elsewhere now is left out too: a post that has ended shows what was here, not what goes on there.
    """
    require(viewer, Action.SEE_STAFF)
    here = [person.staff_no for person in people if not person.elsewhere]
    names = ("login", "active", "last_login_at", "must_change")
    query = sa.select(
        USERS.c.staff_no,
        *(USERS.c[name] for name in names),
        USERS.c.password_hash.is_not(None).label("has_password"),
        sa.or_(USERS.c.provider_subject.is_not(None), USERS.c.directory_subject.is_not(None)).label("bound"),
    ).where(USERS.c.staff_no.in_(here))
    rows = connection.execute(query).mappings().all()
    closed = closed_logins(connection, [row["login"] for row in rows], now)
    return {
        row["staff_no"]: SignInState(
            **{name: value for name, value in row.items() if name != "staff_no"},
            locked_until=closed.get(row["login"]),
        )
        for row in rows
    }


def governed_institutions(viewer: Viewer, connection: Connection) -> dict[str, str]:
    """Return the names of the active institutions whose staff the viewer may see, the higher before the lower."""
    require(viewer, Action.SEE_STAFF)
    within = _governed(viewer)
    table = INSTITUTIONS.c
    rows = connection.execute(
        sa.select(table.institution_code, table.name, table.parent_code)
        .where(table.active)
        .order_by(table.institution_code)
    ).all()
    parents = {row.institution_code: row.parent_code for row in rows}
    names = {row.institution_code: row.name for row in rows}
    return {
        code: names[code]
        for code in sorted(names, key=lambda code: _line(parents, code))
        if within is None or code in within
    }


def colleagues(connection: Connection, places: Collection[str], day: date) -> list[Colleague]:
    """Return who holds a post at one of the institutions on a day, one line per post, by institution and number."""
    query = (
        sa.select(
            POSTS.c.staff_no,
            STAFF.c.name,
            POSTS.c.role,
            POSTS.c.institution_code,
            INSTITUTIONS.c.name.label("institution"),
        )
        .join(STAFF, STAFF.c.staff_no == POSTS.c.staff_no)
        .join(INSTITUTIONS, INSTITUTIONS.c.institution_code == POSTS.c.institution_code)
        .where(POSTS.c.institution_code.in_(sorted(places)), _in_force(day))
        .order_by(POSTS.c.institution_code, POSTS.c.staff_no, POSTS.c.post_id)
    )
    return [
        Colleague(row.staff_no, row.name, Role(row.role), row.institution_code, row.institution)
        for row in connection.execute(query)
    ]


def _line(parents: Mapping[str, str | None], code: str) -> tuple[str, ...]:
    """Return the institutions from the top down to one: sorting by it puts each below its own."""
    line = [code]
    while (above := parents.get(line[0])) is not None and above not in line:
        line.insert(0, above)
    return tuple(line)


def _governed(viewer: Viewer) -> Collection[str] | None:
    """Return the institutions whose staff the viewer may see; None is all."""
    scope = scope_of(viewer, Action.SEE_STAFF)
    return None if scope.whole_bank or may(viewer, Action.MANAGE_STAFF) else scope.institutions


def _in_force(day: date) -> sa.ColumnElement[bool]:
    return sa.and_(
        sa.or_(POSTS.c.since.is_(None), POSTS.c.since <= day),
        sa.or_(POSTS.c.until.is_(None), POSTS.c.until >= day),
    )


def _fits(viewer: Viewer, connection: Connection, day: date, wanted: StaffFilter) -> sa.ColumnElement[bool]:
    """Return the condition on ``staff``: one post that fits in all respects, within what the viewer governs."""
    parts: list[sa.ColumnElement[bool]] = [POSTS.c.staff_no == STAFF.c.staff_no]
    within = _governed(viewer)
    if within is not None:
        parts.append(POSTS.c.institution_code.in_(sorted(within)))
    if wanted.institution_code:
        below = subtree(parents_of(connection), [wanted.institution_code])
        parts.append(POSTS.c.institution_code.in_(sorted(below)))
    if wanted.role is not None:
        parts.append(POSTS.c.role == wanted.role.value)
    if not wanted.everybody:
        parts.append(_in_force(day))
    fits = sa.exists().where(*parts)
    if text := wanted.text.strip():
        named = sa.func.lower(STAFF.c.name).contains(text.lower(), autoescape=True)
        numbered = sa.func.lower(STAFF.c.staff_no).contains(text.lower(), autoescape=True)
        return sa.and_(fits, sa.or_(named, numbered))
    return fits


def _people(
    connection: Connection, numbers: sa.Select[Any], day: date, within: Collection[str] | None
) -> tuple[StaffRow, ...]:
    """Read whole persons, by staff number."""
    query = (
        sa.select(
            POSTS, STAFF.c.name, INSTITUTIONS.c.name.label("institution"), USERS.c.login, USERS.c.active
        )
        .join(STAFF, STAFF.c.staff_no == POSTS.c.staff_no)
        .join(INSTITUTIONS, INSTITUTIONS.c.institution_code == POSTS.c.institution_code)
        .join(USERS, USERS.c.staff_no == STAFF.c.staff_no, isouter=True)
        .where(POSTS.c.staff_no.in_(numbers))
        .order_by(POSTS.c.staff_no, POSTS.c.post_id)
    )
    people: dict[str, list[Any]] = {}
    for row in connection.execute(query):
        people.setdefault(row.staff_no, []).append(row)
    return tuple(_staff_row(number, rows, day, within) for number, rows in people.items())


def _staff_row(staff_no: str, rows: list[Any], day: date, within: Collection[str] | None) -> StaffRow:
    first = rows[0]
    posts = tuple(
        PostRow(
            int(row.post_id),
            Role(row.role),
            row.institution_code,
            row.institution,
            row.capacity,
            row.since,
            row.until,
            row.origin,
            (row.since is None or row.since <= day) and (row.until is None or day <= row.until),
        )
        for row in rows
    )
    held = [post.institution_code for post in posts if post.in_force]
    elsewhere = within is not None and bool(held) and not any(code in within for code in held)
    return StaffRow(staff_no, first.name, first.login, bool(first.active), posts, elsewhere)
