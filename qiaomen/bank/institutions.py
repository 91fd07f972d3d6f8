"""Institutions and staff: from the bank's lists (lake tables ``institution_records``, ``staff_records``) into SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.schema import INSTITUTIONS, POSTS, STAFF
from qiaomen.bank.viewers import today_of
from qiaomen.store import insert_missing
from qiaomen.vocab import ROLE_LABELS, UNIT_LABELS, InputRejected, Role, UnitType

_UNITS: Final = {label: code for code, label in UNIT_LABELS.items()} | {code: code for code in UNIT_LABELS}
_ROLES: Final = {label: code for code, label in ROLE_LABELS.items()} | {code: code for code in ROLE_LABELS}
POST_KEY: Final = ("staff_no", "role", "institution_code", "since")
_STAFF_ROLES: Final = {role.value for role in Role} - {Role.INTEGRATOR.value}


@dataclass(frozen=True, slots=True)
class Institution:
    """An institution in force, with the lists taken apart."""

    institution_code: str
    name: str
    unit_type: UnitType
    parent_code: str | None
    region_codes: tuple[str, ...]
    traits: frozenset[str]
    park_codes: frozenset[str]
    lon: float | None
    lat: float | None


@dataclass(frozen=True, slots=True)
class Post:
    """A post of a member of staff."""

    staff_no: str
    name: str
    role: Role
    institution_code: str
    capacity: int | None
    specialities: frozenset[str]
    since: date | None
    until: date | None

    def held(self, day: date) -> bool:
        """Whether the post is held on a day."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What ``sync_institutions`` did."""

    institutions: int
    closed: int
    staff: int
    posts: int


def words(text: str | None) -> tuple[str, ...]:
    """Split a `;`-separated text."""
    return tuple(part.strip() for part in (text or "").split(";") if part.strip())


def _place(row: Mapping[str, Any]) -> str:
    file, line = row.get("file"), row.get("line")
    return f"{file} 第 {line} 行" if file else ""


def read_institutions(records: pa.Table) -> list[Institution]:
    """Check the bank's institutions and return them, parents first.

    ``InputRejected`` names the row of an unknown kind, a code given twice, an unknown parent, a wrong level or a cycle.
    """
    rows: dict[str, dict[str, Any]] = {}
    for row in records.to_pylist():
        code = (row["institution_code"] or "").strip()
        if not code or not (row["name"] or "").strip():
            raise InputRejected("机构缺少编号或名称", where=_place(row), remedy="补齐后重新加载")
        if code in rows:
            raise InputRejected(f"机构编号“{code}”重复", where=_place(row), remedy="每个机构保留一行")
        unit = _UNITS.get((row["unit_type"] or "").strip())
        if unit is None:
            raise InputRejected(
                f"机构“{code}”的层级“{row['unit_type']}”无法识别",
                where=_place(row),
                remedy="填总行、分行或支行",
            )
        rows[code] = row | {"unit_type": unit, "parent_code": (row["parent_code"] or "").strip() or None}
    return [_institution(code, rows[code]) for code in _parents_first(rows)]


def _institution(code: str, row: Mapping[str, Any]) -> Institution:
    return Institution(
        code,
        row["name"].strip(),
        UnitType(row["unit_type"]),
        row["parent_code"],
        words(row["region_codes"]),
        frozenset(words(row["traits"])),
        frozenset(words(row["park_codes"])),
        row["lon"],
        row["lat"],
    )


_ABOVE: Final = {
    UnitType.HEAD_OFFICE.value: frozenset({None}),
    UnitType.BRANCH.value: frozenset({UnitType.HEAD_OFFICE.value, UnitType.BRANCH.value}),
    UnitType.SUB_BRANCH.value: frozenset({UnitType.HEAD_OFFICE.value, UnitType.BRANCH.value}),
}


def _parents_first(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    order: list[str] = []
    done: set[str] = set()
    for code in sorted(rows):
        chain: list[str] = []
        at: str | None = code
        while at is not None and at not in done:
            if at in chain:
                loop = " → ".join([*chain[chain.index(at) :], at])
                raise InputRejected(
                    f"机构上下级成环：{loop}", where=_place(rows[at]), remedy="改正上级机构编号"
                )
            chain.append(at)
            _check_parent(rows, at)
            at = rows[at]["parent_code"]
        order += reversed(chain)
        done.update(chain)
    return order


def _check_parent(rows: Mapping[str, Mapping[str, Any]], code: str) -> None:
    row = rows[code]
    parent = row["parent_code"]
    if parent is not None and parent not in rows:
        raise InputRejected(
            f"机构“{code}”的上级“{parent}”不存在", where=_place(row), remedy="补上该机构或改正编号"
        )
    above = rows[parent]["unit_type"] if parent is not None else None
    if above not in _ABOVE[row["unit_type"]]:
        level = UNIT_LABELS[row["unit_type"]]
        upper = UNIT_LABELS[above] if above else "无上级"
        raise InputRejected(
            f"{level}“{code}”的上级层级不对（{upper}）",
            where=_place(row),
            remedy="分行、支行应填上级，总行不填",
        )


def read_posts(records: pa.Table, institutions: Iterable[Institution]) -> list[Post]:
    """Check the bank's staff and return their posts; ``InputRejected`` names the row that does not fit."""
    known = {institution.institution_code for institution in institutions}
    posts: dict[tuple[Any, ...], Post] = {}
    for row in records.to_pylist():
        staff_no = (row["staff_no"] or "").strip()
        if not staff_no or not (row["name"] or "").strip():
            raise InputRejected("员工缺少工号或姓名", where=_place(row), remedy="补齐后重新加载")
        role = _ROLES.get((row["role"] or "").strip())
        if role not in _STAFF_ROLES:
            raise InputRejected(
                f"员工“{staff_no}”的角色“{row['role']}”无法识别",
                where=_place(row),
                remedy="填客户经理、支行管理员、分行管理员、总行分析师或系统管理员",
            )
        code = (row["institution_code"] or "").strip()
        if code not in known:
            raise InputRejected(
                f"员工“{staff_no}”的机构“{code}”不存在", where=_place(row), remedy="补上该机构或改正编号"
            )
        if row["since"] and row["until"] and row["until"] < row["since"]:
            raise InputRejected(f"员工“{staff_no}”的任职止期早于起期", where=_place(row), remedy="改正日期")
        posts[(staff_no, role, code, row["since"])] = _post(staff_no, role, code, row)
    return [posts[key] for key in sorted(posts, key=lambda key: (*key[:3], key[3] or date.min))]


def _post(staff_no: str, role: str, code: str, row: Mapping[str, Any]) -> Post:
    return Post(
        staff_no,
        row["name"].strip(),
        Role(role),
        code,
        row["capacity"],
        frozenset(words(row["specialities"])),
        row["since"],
        row["until"],
    )


def sync_institutions(
    connection: Connection,
    institution_records: pa.Table,
    staff_records: pa.Table,
    *,
    today: date | None = None,
) -> SyncResult:
    """Make the SQL tables say what the bank's lists say.

    An institution that is no longer listed is closed, not removed. A listed post keeps its number; one that is listed no
    more ended the day before ``today`` (the clock's unless given), so that who has left can still be found and handed over.
    Posts entered by hand stay and stand before a listed one of the same person, role, institution and beginning; users
    are left alone.
    """
    institutions = read_institutions(institution_records)
    posts = read_posts(staff_records, institutions)
    details = {row["institution_code"]: row for row in institution_records.to_pylist()}
    phones = {row["staff_no"]: row["phone"] for row in staff_records.to_pylist()}
    for institution in institutions:
        code = institution.institution_code
        values = _institution_row(institution, details.get(code, {}).get("address"))
        if not insert_missing(connection, INSTITUTIONS, [values], unique=("institution_code",)):
            connection.execute(
                sa.update(INSTITUTIONS).where(INSTITUTIONS.c.institution_code == code).values(**values)
            )
    listed = [institution.institution_code for institution in institutions]
    closed = connection.execute(
        sa.update(INSTITUTIONS)
        .where(INSTITUTIONS.c.institution_code.not_in(listed), INSTITUTIONS.c.active)
        .values(active=False)
    ).rowcount
    names = {post.staff_no: post.name for post in posts}
    for staff_no, name in sorted(names.items()):
        values = {"staff_no": staff_no, "name": name, "phone": phones.get(staff_no)}
        if not insert_missing(connection, STAFF, [values], unique=("staff_no",)):
            connection.execute(sa.update(STAFF).where(STAFF.c.staff_no == staff_no).values(**values))
    listed_posts = _sync_posts(connection, posts, today or today_of(datetime.now(UTC)))
    return SyncResult(len(institutions), closed, len(names), listed_posts)


def _sync_posts(connection: Connection, posts: Iterable[Post], today: date) -> int:
    """Bring the listed posts in and return their number."""
    keys = [POSTS.c[name] for name in POST_KEY]
    query = sa.select(POSTS.c.post_id, POSTS.c.origin, POSTS.c.until, *keys)
    held = {tuple(row)[3:]: row for row in connection.execute(query).all()}
    wanted = {
        key: row
        for row in map(_post_row, posts)
        if (key := tuple(row[name] for name in POST_KEY)) not in held or held[key].origin == "list"
    }
    for key, row in wanted.items():
        if key in held:
            number = held[key].post_id
            connection.execute(sa.update(POSTS).where(POSTS.c.post_id == number).values(**row))
    fresh = [row for key, row in wanted.items() if key not in held]
    if fresh:
        connection.execute(sa.insert(POSTS), fresh)
    gone = [
        post
        for key, post in held.items()
        if post.origin == "list" and key not in wanted and (post.until is None or post.until >= today)
    ]
    last = today - timedelta(days=1)
    for post in gone:
        itself = POSTS.c.post_id == post.post_id
        if post.since is not None and post.since > last:
            connection.execute(sa.delete(POSTS).where(itself))
        else:
            connection.execute(sa.update(POSTS).where(itself).values(until=last))
    return len(wanted)


def _institution_row(institution: Institution, address: str | None) -> dict[str, Any]:
    return {
        "institution_code": institution.institution_code,
        "name": institution.name,
        "unit_type": institution.unit_type.value,
        "parent_code": institution.parent_code,
        "region_codes": ";".join(institution.region_codes),
        "traits": ";".join(sorted(institution.traits)),
        "park_codes": ";".join(sorted(institution.park_codes)),
        "address": address,
        "lon": institution.lon,
        "lat": institution.lat,
        "active": True,
    }


def _post_row(post: Post) -> dict[str, Any]:
    return {
        "staff_no": post.staff_no,
        "role": post.role.value,
        "institution_code": post.institution_code,
        "capacity": post.capacity,
        "specialities": ";".join(sorted(post.specialities)),
        "since": post.since,
        "until": post.until,
        "origin": "list",
    }


def institution_names(connection: Connection) -> dict[str, str]:
    """Return the name of every institution, closed ones too."""
    rows = connection.execute(sa.select(INSTITUTIONS.c.institution_code, INSTITUTIONS.c.name))
    return {str(code): str(name) for code, name in rows}


def staff_names(connection: Connection) -> dict[str, str]:
    """Return the name of every member of staff."""
    return {str(no): str(name) for no, name in connection.execute(sa.select(STAFF.c.staff_no, STAFF.c.name))}


def posts_of(connection: Connection, staff_no: str, day: date) -> list[Post]:
    """Return the posts that one person holds on a day."""
    return _held_of(connection, _POSTS_OF, staff_no, day)


def lock_posts_of(connection: Connection, staff_no: str, day: date) -> list[Post]:
    """Return the posts as ``posts_of``; on PostgreSQL the person is locked until the transaction ends.

    So two transactions that count what the same person has in hand do so one after the other.
    """
    return _held_of(connection, _LOCK_POSTS_OF, staff_no, day)


def _held_of(connection: Connection, query: sa.Select[Any], staff_no: str, day: date) -> list[Post]:
    rows = connection.execute(query, {"staff_no": staff_no}).mappings()
    posts = [_post(row["staff_no"], row["role"], row["institution_code"], dict(row)) for row in rows]
    return [post for post in posts if post.held(day)]


_POSTS_OF: Final = (
    sa.select(POSTS, STAFF.c.name)
    .join(STAFF, STAFF.c.staff_no == POSTS.c.staff_no)
    .where(STAFF.c.staff_no == sa.bindparam("staff_no"))
    .order_by(POSTS.c.post_id)
)
_LOCK_POSTS_OF: Final = _POSTS_OF.with_for_update(key_share=True, of=STAFF)


def institutions_in_force(connection: Connection) -> list[Institution]:
    """Return the institutions that are not closed."""
    rows = connection.execute(
        sa.select(INSTITUTIONS).where(INSTITUTIONS.c.active).order_by(INSTITUTIONS.c.institution_code)
    )
    return [_institution(row["institution_code"], dict(row)) for row in rows.mappings()]


def posts_held(connection: Connection, day: date | None) -> list[Post]:
    """Return the posts held on a day; without a day those of all time."""
    rows = connection.execute(
        sa.select(POSTS, STAFF.c.name)
        .join(STAFF, STAFF.c.staff_no == POSTS.c.staff_no)
        .order_by(POSTS.c.staff_no, POSTS.c.post_id)
    )
    posts = [
        _post(row["staff_no"], row["role"], row["institution_code"], dict(row)) for row in rows.mappings()
    ]
    return [post for post in posts if day is None or post.held(day)]
