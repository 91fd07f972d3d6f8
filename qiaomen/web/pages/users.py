"""账号: for those who manage users. Accounts without staff, a new account, and the steps on any account."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection

from qiaomen.bank import (
    Action,
    FirstPassword,
    Viewer,
    add_user,
    list_users,
    reset_password,
    set_active,
    show_staff,
    sign_out_user,
    today_of,
    unbind_user,
    unlock_user,
)
from qiaomen.store import reading, writing
from qiaomen.vocab import ROLE_LABELS, Conflict, InputRejected, NotFound, Role
from qiaomen.web.person import DONE, address_of, back_to, person_page
from qiaomen.web.visit import Visit, changing, now, signed_in

router = APIRouter()
Verb = Literal["enable", "disable", "unlock", "sign-out", "unbind"]
Step = Callable[[Viewer, Connection, str], object]
STEPS: Final[dict[str, Step]] = {
    "enable": lambda viewer, connection, login: set_active(viewer, connection, login, True, now=now()),
    "disable": lambda viewer, connection, login: set_active(viewer, connection, login, False, now=now()),
    "unlock": lambda viewer, connection, login: unlock_user(viewer, connection, login, now=now()),
    "sign-out": lambda viewer, connection, login: sign_out_user(viewer, connection, login, now=now()),
    "unbind": lambda viewer, connection, login: unbind_user(viewer, connection, login, now=now()),
}
# Roles of an account without staff; those of staff come from their posts.
OWN_ROLES: Final = (Role.ADMINISTRATOR, Role.ANALYST)
Login = Annotated[str, Form(min_length=1, max_length=100)]
StaffNo = Annotated[str, Form(max_length=64)]


def _page(visit: Visit, *, status: int = 200, error: str = "", done: str = "") -> Response:
    visit.require(Action.MANAGE_USERS)
    with reading(visit.sql) as connection:
        users = list_users(visit.viewer, connection, now=now(), without_staff=True)
    return visit.render(
        "users.html",
        key="staff",
        title="账号",
        status=status,
        users=users,
        labels=ROLE_LABELS,
        roles=[(role.value, ROLE_LABELS[role.value]) for role in OWN_ROLES],
        own=visit.viewer.login,
        error=error,
        done=DONE.get(done, ""),
        moment=now(),
    )


def _require_own(visit: Visit, staff_no: str, login: str) -> None:
    """Refuse a login that is not that of the person on whose page the form stands."""
    if not staff_no:
        return
    with reading(visit.sql) as connection:
        person = show_staff(visit.viewer, connection, staff_no, today_of(now()))
    if person.login != login.strip().lower():
        raise NotFound("用户不存在", remedy="刷新页面")


def _refused(visit: Visit, staff_no: str, error: Exception) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    if staff_no:
        return person_page(visit, staff_no, status=status, error=str(error))
    return _page(visit, status=status, error=str(error))


def _shown(visit: Visit, login: str, name: str, password: str, staff_no: str) -> Response:
    """Show a password this once."""
    return visit.render(
        "user_password.html",
        key="staff",
        title="初始密码",
        login=login,
        name=name,
        password=password,
        back=address_of(staff_no) if staff_no else "/users",
    )


@router.get("/users")
def show(visit: Annotated[Visit, Depends(signed_in)], done: str = "") -> Response:
    """Show the accounts that belong to no member of staff."""
    return _page(visit, done=done)


@router.post("/users")
def create(
    visit: Annotated[Visit, Depends(changing)],
    login: Login,
    name: Annotated[str, Form(max_length=100)],
    role: Annotated[Role | Literal[""], Form()] = "",
    staff_no: StaffNo = "",
    no_password: Annotated[bool, Form()] = False,
) -> Response:
    """Make an account and show its first password; a member of staff has no role beside the posts."""
    visit.require(Action.MANAGE_USERS)
    try:
        if not staff_no and role not in OWN_ROLES:
            raise InputRejected("没有工号的账号须选角色", remedy="选系统管理员或总行分析师")
        with writing(visit.sql) as connection:
            made = add_user(
                visit.viewer,
                connection,
                login,
                name,
                role=None if staff_no else Role(role),
                staff_no=staff_no or None,
                now=now(),
                first=FirstPassword.NONE if no_password else FirstPassword.TO_CHANGE,
            )
    except (InputRejected, Conflict) as error:
        return _refused(visit, staff_no, error)
    return _shown(visit, made.login, made.name, made.password, staff_no)


@router.post("/users/reset")
def reset(visit: Annotated[Visit, Depends(changing)], login: Login, staff_no: StaffNo = "") -> Response:
    """Give an account a new password and show it."""
    visit.require(Action.MANAGE_USERS)
    _require_own(visit, staff_no, login)
    with writing(visit.sql) as connection:
        password = reset_password(visit.viewer, connection, login, now=now())
    return _shown(visit, login, "", password, staff_no)


@router.post("/users/{verb}")
def step(
    visit: Annotated[Visit, Depends(changing)], verb: Verb, login: Login, staff_no: StaffNo = ""
) -> Response:
    """Take one step on an account."""
    visit.require(Action.MANAGE_USERS)
    _require_own(visit, staff_no, login)
    try:
        with writing(visit.sql) as connection:
            STEPS[verb](visit.viewer, connection, login)
    except (InputRejected, Conflict) as error:
        return _refused(visit, staff_no, error)
    if staff_no:
        return back_to(staff_no, verb)
    return RedirectResponse(f"/users?done={verb}", HTTPStatus.SEE_OTHER)
