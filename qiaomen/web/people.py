"""Staff as the page 人员与岗位 lists them: posts, who stands in for whom, open tasks, state of the sign-in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from sqlalchemy.engine import Connection

from qiaomen.bank import (
    Action,
    Delegation,
    PostRow,
    SignInState,
    StaffFilter,
    StaffPage,
    StaffRow,
    find_staff,
    list_delegations,
    may,
    sign_in_states,
    today_of,
)
from qiaomen.dispatch import open_tasks_of
from qiaomen.vocab import ROLE_LABELS, Role
from qiaomen.web import formats
from qiaomen.web.cells import Cell, Chip, ColumnView, Page, TableView, table
from qiaomen.web.visit import Visit, now

PAGE_SIZE: Final = 50
ROLES: Final = tuple((role.value, ROLE_LABELS[role.value]) for role in Role if role is not Role.INTEGRATOR)


@dataclass(frozen=True, slots=True)
class People:
    """One page of staff with what stands beside each."""

    page: StaffPage
    deputies: tuple[Delegation, ...]
    signs: Mapping[str, SignInState]
    tasks: Mapping[str, int] | None

    @property
    def deputising(self) -> int:
        """How many persons stand in for somebody today, of the delegations that the viewer may see."""
        return len({row.deputy_no for row in self.deputies if row.in_force})


def read_people(visit: Visit, connection: Connection, wanted: StaffFilter, number: int) -> People:
    """Read one page; open tasks only for who may see tasks."""
    viewer, day = visit.viewer, today_of(now())
    page = find_staff(viewer, connection, day, wanted, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)
    numbers = [person.staff_no for person in page.staff]
    return People(
        page,
        tuple(list_delegations(viewer, connection, day, current=True)),
        sign_in_states(viewer, connection, page.staff, now()),
        open_tasks_of(viewer, connection, numbers) if may(viewer, Action.SEE_TASKS) else None,
    )


def span(since: dt.date | None, until: dt.date | None) -> str:
    """Say from when to when."""
    if since is None and until is None:
        return ""
    if until is None:
        return f"自 {formats.day(since)}"
    return f"{formats.day(since)} 至 {formats.day(until)}" if since else f"至 {formats.day(until)}"


def post_words(post: PostRow) -> str:
    """Say a post in one phrase."""
    return f"{ROLE_LABELS[post.role.value]} · {post.institution}"


def sign_chip(person: StaffRow, state: SignInState | None, moment: dt.datetime) -> Chip:
    """Say how somebody stands at the entrance; of who works elsewhere now that is not told."""
    if state is None and person.login is not None:
        return Chip("现属其他机构", "grey", "登录状态由现任机构查看")
    if state is None:
        return Chip("未开户", "grey", "还没有登录账号")
    if not state.active:
        return Chip("已停用", "red")
    if state.locked_until is not None and state.locked_until > moment:
        return Chip("已锁定", "amber", f"至 {formats.moment(state.locked_until)}")
    if state.last_login_at is None:
        return Chip("未登录过", "grey")
    return Chip("正常", "green")


def posts_cell(person: StaffRow) -> Cell:
    """Say where somebody works today, and until when where that is known."""
    held = [post for post in person.posts if post.in_force]
    note = "；".join(span(post.since, post.until) for post in held if post.until)
    return Cell("；".join(map(post_words, held)) or "无在任岗位", note=note, tone="" if held else "soft")


def deputies_cell(person: StaffRow, deputies: Sequence[Delegation]) -> Cell:
    """Say who stands in for somebody, and for whom he does."""
    given = [row for row in deputies if row.principal_no == person.staff_no]
    taken = [row for row in deputies if row.deputy_no == person.staff_no]
    words = [f"由 {row.deputy} 代理" for row in given] + [f"代 {row.principal}" for row in taken]
    return Cell("；".join(words), note="；".join(span(row.since, row.until) for row in given + taken))


def sign_cell(person: StaffRow, state: SignInState | None, moment: dt.datetime) -> Cell:
    """Say how somebody stands at the entrance, and when he last came in."""
    last = f"最近 {formats.moment(state.last_login_at)}" if state and state.last_login_at else ""
    return Cell(chips=(sign_chip(person, state, moment),), note=last)


def name_cell(person: StaffRow) -> Cell:
    """Name somebody, with the way to his page."""
    return Cell(person.name, f"/staff/{quote(person.staff_no, safe='')}", person.staff_no)


def people_table(people: People, number: int, query: Sequence[tuple[str, str]]) -> TableView:
    """Lay one page of staff out; open tasks are counted for those alone who may see tasks."""
    moment, tasks = now(), people.tasks
    counted: tuple[ColumnView[StaffRow], ...] = ()
    if tasks is not None:
        counted = (
            ColumnView(
                "未结束任务", lambda person: Cell(formats.count(tasks.get(person.staff_no, 0))), align="right"
            ),
        )
    columns: tuple[ColumnView[StaffRow], ...] = (
        ColumnView("姓名", name_cell),
        ColumnView("岗位", posts_cell),
        ColumnView("代理", lambda person: deputies_cell(person, people.deputies)),
        *counted,
        ColumnView(
            "登录", lambda person: sign_cell(person, people.signs.get(person.staff_no), moment), fixed=True
        ),
    )
    return table(
        columns,
        people.page.staff,
        caption="人员",
        page=Page(number, PAGE_SIZE, people.page.total, "/staff", tuple(query)),
        empty="没有符合条件的人员",
        empty_hint="放宽条件，或勾选“含不在任”",
    )
