"""One member of staff on a page: posts, deputies, hand-overs and sign-in, with what the viewer may do there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection

from qiaomen.bank import (
    DELEGABLE,
    Action,
    Colleague,
    Delegation,
    SignInState,
    StaffRow,
    colleagues,
    governed_institutions,
    list_delegations,
    may,
    may_delegate,
    show_staff,
    sign_in_states,
    today_of,
)
from qiaomen.dispatch import hand_overs_of
from qiaomen.store import reading
from qiaomen.vocab import ROLE_LABELS, InputRejected, Role
from qiaomen.web.cells import Chip
from qiaomen.web.people import ROLES, post_words, sign_chip, span
from qiaomen.web.visit import Visit, now

HISTORY: Final = 20
EARLIEST, LATEST = dt.date(1950, 1, 1), dt.date(2200, 12, 31)
DONE: Final = {
    "post": "岗位已登记，本人须重新登录",
    "post-ended": "岗位已结束",
    "deputy": "代理已登记",
    "deputy-ended": "代理已结束",
    "hand-over": "交接已完成",
    "hand-over-later": "任务已转移；有运行正在进行，客户归属在它结束后显示",
    "enable": "账号已恢复",
    "disable": "账号已停用，登录全部退出",
    "unlock": "锁定已解除",
    "sign-out": "登录已全部退出",
    "unbind": "绑定已解除，下次登录时重新绑定",
}


class Typed(dict[str, str]):
    """What was typed into a form; a field that was not is empty."""

    def __missing__(self, key: str) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Deputies:
    """Delegations of one person, and what a form for another needs."""

    principal_no: str
    rows: tuple[Delegation, ...]
    may_name: bool
    colleagues: tuple[Colleague, ...]
    address: str
    first: dt.date
    may_end: frozenset[int]


@dataclass(frozen=True, slots=True)
class Person:
    """Everything that the page of one person shows."""

    row: StaffRow
    summary: str
    deputies: Deputies
    hand_overs: tuple[Mapping[str, Any], ...]
    sign: SignInState | None
    sign_chip: Chip
    may_post: bool
    may_hand: bool
    may_users: bool
    units: Mapping[str, str]


def address_of(staff_no: str) -> str:
    """Address of the page of one member of staff."""
    return f"/staff/{quote(staff_no, safe='')}"


def deputies_of(visit: Visit, connection: Connection, staff_no: str, address: str) -> Deputies:
    """Read the delegations of one person as principal and as deputy; a form where the viewer may name a deputy."""
    viewer, day = visit.viewer, today_of(now())
    rows = tuple(list_delegations(viewer, connection, day, staff_no=staff_no)[:HISTORY])
    own = viewer.staff_no == staff_no
    if own:
        places, able = set(viewer.homes), not viewer.roles.isdisjoint(DELEGABLE)
    else:
        held = [post for post in show_staff(viewer, connection, staff_no, day).posts if post.in_force]
        places = {post.institution_code for post in held if post.role in DELEGABLE}
        able = bool(places)
    may_name = able and may_delegate(viewer, staff_no, places)
    around = colleagues(connection, places, day) if may_name else []
    others = {item.staff_no: item for item in reversed(around) if item.staff_no != staff_no}
    return Deputies(
        staff_no,
        rows,
        may_name,
        tuple(reversed(others.values())),
        address,
        day,
        frozenset(row.delegation_id for row in rows if row.ended_at is None and row.until >= day),
    )


def read_person(visit: Visit, connection: Connection, staff_no: str) -> Person:
    """Read one member of staff; ``NotFound`` for one whom the viewer does not govern."""
    viewer, day = visit.viewer, today_of(now())
    row = show_staff(viewer, connection, staff_no, day)
    sign = sign_in_states(viewer, connection, [row], now()).get(staff_no)
    held = [post for post in row.posts if post.in_force]
    return Person(
        row=row,
        summary="；".join(map(post_words, held)) or "无在任岗位",
        deputies=deputies_of(visit, connection, staff_no, f"{address_of(staff_no)}/deputies"),
        hand_overs=tuple(hand_overs_of(viewer, connection, staff_no, day)[:HISTORY]),
        sign=sign,
        sign_chip=sign_chip(row, sign, now()),
        may_post=may(viewer, Action.MANAGE_STAFF),
        may_hand=may(viewer, Action.HAND_OVER)
        and not row.elsewhere
        and any(post.role is Role.MANAGER for post in row.posts),
        may_users=may(viewer, Action.MANAGE_USERS),
        units=governed_institutions(viewer, connection) if may(viewer, Action.MANAGE_STAFF) else {},
    )


def read_day(text: str, what: str) -> dt.date | None:
    """Read a date of a form; nothing where the field is empty."""
    try:
        day = dt.date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError as error:
        raise InputRejected(f"{what}“{text}”无法识别", remedy="写成 2026-07-01") from error
    if day is not None and not EARLIEST <= day <= LATEST:
        raise InputRejected(f"{what}“{text}”超出范围", remedy=f"写 {EARLIEST} 至 {LATEST} 之间的日期")
    return day


def read_unit(units: Mapping[str, str], text: str) -> str:
    """Return the code of an institution given by code, by name, or as the list offers it (code and name).

    ``InputRejected`` for a name that several institutions bear; what is unknown comes back as it was typed.
    """
    plain = text.strip()
    first = plain.split(maxsplit=1)[0] if plain else ""
    if plain in units or first not in units:
        named = [code for code, name in units.items() if name == plain and plain not in units]
        if len(named) > 1:
            raise InputRejected(
                f"有 {len(named)} 家机构都叫“{plain}”：{'、'.join(named)}", remedy="填写机构编号"
            )
        return named[0] if named else plain
    return first


def person_page(
    visit: Visit,
    staff_no: str,
    *,
    status: int = 200,
    error: str = "",
    done: str = "",
    given: Mapping[str, str] | None = None,
) -> Response:
    """Draw the page; ``given`` keeps what was typed into a form that was refused."""
    visit.require(Action.SEE_STAFF)
    with reading(visit.sql) as connection:
        person = read_person(visit, connection, staff_no)
    return visit.render(
        "staff_person.html",
        key="staff",
        title=person.row.name,
        status=status,
        person=person,
        error=error,
        done=DONE.get(done, ""),
        given=Typed(given or {}),
        roles=ROLES,
        labels=ROLE_LABELS,
        span=span,
        today=today_of(now()),
    )


def back_to(staff_no: str, done: str) -> Response:
    """Return to the page of a person and say what was done."""
    return RedirectResponse(f"{address_of(staff_no)}?done={done}", HTTPStatus.SEE_OTHER)
