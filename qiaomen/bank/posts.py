"""Posts as administrators keep them: add and end one. Tables ``staff``, ``posts``.

The bank's own list brings most posts; one entered here stays when the list is loaded again.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.access import Action, require
from qiaomen.bank.people_names import check_name, check_number
from qiaomen.bank.schema import INSTITUTIONS, POSTS, SESSIONS, STAFF, USERS
from qiaomen.bank.trail import audit
from qiaomen.bank.users import has_administrator
from qiaomen.bank.viewers import Viewer, today_of
from qiaomen.store import insert_missing
from qiaomen.vocab import Conflict, InputRejected, NotFound, Role, UnitType

BY_HAND: Final = "hand"
# Where a role may sit: a manager works in a unit that has customers, the whole bank is governed from the head office.
PLACES: Final[dict[Role, frozenset[UnitType]]] = {
    Role.MANAGER: frozenset({UnitType.SUB_BRANCH, UnitType.BRANCH}),
    Role.SUB_BRANCH_ADMIN: frozenset({UnitType.SUB_BRANCH}),
    Role.BRANCH_ADMIN: frozenset({UnitType.BRANCH}),
    Role.ANALYST: frozenset({UnitType.HEAD_OFFICE}),
    Role.ADMINISTRATOR: frozenset({UnitType.HEAD_OFFICE}),
}


def add_post(
    viewer: Viewer,
    connection: Connection,
    staff_no: str,
    role: Role,
    institution_code: str,
    *,
    since: date | None,
    until: date | None = None,
    capacity: int | None = None,
    name: str = "",
    now: datetime,
) -> int:
    """Give somebody a post and return its number; ``name`` makes a new member of staff.

    ``Conflict`` where the same post is held at the same time already.
    """
    require(viewer, Action.MANAGE_STAFF)
    _require_place(connection, role, institution_code)
    if since and until and until < since:
        raise InputRejected("任职止期早于起期", remedy="改正日期")
    if capacity is not None and capacity < 1:
        raise InputRejected("任务上限应为正数", remedy="改正上限，或不填用默认值")
    _require_person(connection, staff_no, name)
    for row in connection.execute(
        sa.select(POSTS).where(
            POSTS.c.staff_no == staff_no,
            POSTS.c.role == role.value,
            POSTS.c.institution_code == institution_code,
        )
    ):
        if _overlap((since, until), (row.since, row.until)):
            raise Conflict("同一岗位在这段时间内已有任职", remedy="先结束原任职，或改日期")
    values = {
        "staff_no": staff_no,
        "role": role.value,
        "institution_code": institution_code,
        "capacity": capacity,
        "specialities": "",
        "since": since,
        "until": until,
        "origin": BY_HAND,
    }
    made = connection.execute(sa.insert(POSTS).values(**values).returning(POSTS.c.post_id)).scalar_one()
    detail = {"role": role.value, "institution": institution_code, "since": since, "until": until}
    audit(connection, viewer, "add_post", f"staff:{staff_no}", detail, now=now)
    _sign_out(connection, staff_no)
    return int(made)


def end_post(viewer: Viewer, connection: Connection, post_id: int, last_day: date, *, now: datetime) -> None:
    """End a post after its last day; a post of the bank's list becomes one by hand, so that the list does not reopen it."""
    require(viewer, Action.MANAGE_STAFF)
    row = connection.execute(sa.select(POSTS).where(POSTS.c.post_id == post_id)).first()
    if row is None:
        raise NotFound(f"没有编号为 {post_id} 的岗位", remedy="用 qiaomen staff show 工号 查看岗位编号")
    if row.since is not None and last_day < row.since and (row.since - last_day).days > 1:
        raise InputRejected("止期早于起期", remedy=f"该岗位自 {row.since} 起")
    if row.until is not None and row.until < last_day:
        raise Conflict(f"该岗位已于 {row.until} 结束", remedy="需要延长时另加一个岗位")
    connection.execute(
        sa.update(POSTS).where(POSTS.c.post_id == post_id).values(until=last_day, origin=BY_HAND)
    )
    following = max(last_day, today_of(now)) + timedelta(days=1) if last_day < date.max else last_day
    if row.role == Role.ADMINISTRATOR.value and not has_administrator(connection, following):
        raise Conflict("这是最后一位系统管理员的岗位", remedy="先为另一位登记系统管理员岗位并开户")
    audit(
        connection, viewer, "end_post", f"staff:{row.staff_no}", {"post": post_id, "until": last_day}, now=now
    )
    if last_day < today_of(now):
        _sign_out(connection, row.staff_no)


def _overlap(one: tuple[date | None, date | None], other: tuple[date | None, date | None]) -> bool:
    first, last = date.min, date.max
    return (one[0] or first) <= (other[1] or last) and (other[0] or first) <= (one[1] or last)


def _require_place(connection: Connection, role: Role, institution_code: str) -> None:
    if role not in PLACES:
        raise InputRejected("系统对接方不是岗位", remedy="用令牌为外部系统授权")
    unit = connection.execute(
        sa.select(INSTITUTIONS.c.unit_type, INSTITUTIONS.c.active).where(
            INSTITUTIONS.c.institution_code == institution_code
        )
    ).first()
    if unit is None or not unit.active:
        raise InputRejected(f"没有在用的机构“{institution_code}”", remedy="检查机构编号")
    if UnitType(unit.unit_type) not in PLACES[role]:
        raise InputRejected(
            "该角色不能设在这一层级的机构", remedy="分行管理员设在分行，总行分析师与系统管理员设在总行"
        )


def _require_person(connection: Connection, staff_no: str, name: str) -> None:
    known = connection.execute(sa.select(STAFF.c.name).where(STAFF.c.staff_no == staff_no)).scalar()
    if known is None and not name.strip():
        raise NotFound(f"没有工号“{staff_no}”", remedy="新员工请同时给出姓名（--name）")
    if known is None:
        check_number(staff_no)
        check_name(name)
        values = {"staff_no": staff_no, "name": name.strip(), "phone": None}
        insert_missing(connection, STAFF, [values], unique=("staff_no",))
    # The overlap is looked at and the post inserted as one: whoever else enters a post for this person waits.
    connection.execute(sa.select(STAFF.c.staff_no).where(STAFF.c.staff_no == staff_no).with_for_update())


def _sign_out(connection: Connection, staff_no: str) -> None:
    """End the sessions of somebody whose rights changed: the next page asks for the password anew."""
    users = sa.select(USERS.c.user_id).where(USERS.c.staff_no == staff_no)
    connection.execute(sa.delete(SESSIONS).where(SESSIONS.c.user_id.in_(users)))
