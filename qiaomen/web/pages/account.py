"""账号: the viewer's own password and sessions."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from qiaomen.bank import (
    SignedIn,
    Way,
    change_password,
    close_own_session,
    close_sessions,
    list_own_sessions,
)
from qiaomen.store import reading, writing
from qiaomen.vocab import InputRejected, NotAllowed
from qiaomen.web.entrance import address_of, step_inside
from qiaomen.web.people import span
from qiaomen.web.person import DONE, Typed, deputies_of
from qiaomen.web.problems import ACCOUNT
from qiaomen.web.visit import Visit, at_account, changing_account, now

router = APIRouter()

WAYS = {Way.LOCAL: "本地密码", Way.DIRECTORY: "员工目录", Way.PROVIDER: "统一认证"}


def _agent(text: str) -> str:
    """Return the browser and system of a user agent in two words."""
    browser = next(
        (name for sign, name in (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari")) if sign in text),
        "其他程序",
    )  # fmt: skip
    system = next(
        (name for sign, name in (("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("Mac OS", "macOS"), ("Linux", "Linux")) if sign in text),
        "",
    )  # fmt: skip
    return f"{browser} · {system}" if system else browser


def account_page(
    visit: Visit,
    *,
    status: int = 200,
    error: str = "",
    done: str = "",
    given: Mapping[str, str] | None = None,
) -> Response:
    """Draw the page; ``given`` keeps what was typed into a form that was refused."""
    moment, number = now(), visit.viewer.staff_no
    with reading(visit.sql) as connection:
        sessions = list_own_sessions(connection, visit.viewer, visit.secret, moment)
        own = number is not None and not visit.password_due
        deputies = deputies_of(visit, connection, number, f"{ACCOUNT}/deputies") if own and number else None
    current = next((item for item in sessions if item.current), None)
    rules = visit.site.entrance.rules.passwords
    return visit.render(
        "account.html",
        key="account",
        title="账号与会话",
        status=status,
        error=error,
        done=done,
        due=visit.password_due,
        local=current is not None and current.way is Way.LOCAL,
        shortest=rules.shortest,
        days=rules.max_age.days if rules.max_age else 0,
        deputies=deputies,
        given=Typed(given or {}),
        span=span,
        sessions=[(item, WAYS[item.way], _agent(item.agent)) for item in sessions],
        idle_minutes=int(visit.site.entrance.idle.total_seconds() // 60),
    )


@router.get(ACCOUNT)
def show(visit: Annotated[Visit, Depends(at_account)], done: str = "") -> Response:
    """Show the viewer's password form and sessions."""
    words = {"password": "密码已修改，其他设备上的登录已全部退出", "sessions": "其他登录已全部退出", "session": "该登录已退出", "deputy": DONE["deputy"], "deputy-ended": DONE["deputy-ended"]}  # fmt: skip
    return account_page(visit, done=words.get(done, ""))


@router.post(f"{ACCOUNT}/password")
def change(
    request: Request,
    visit: Annotated[Visit, Depends(changing_account)],
    old: Annotated[str, Form(max_length=500)] = "",
    new: Annotated[str, Form(max_length=500)] = "",
    again: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Change the password; all sessions end and this browser gets a new one."""
    entrance, moment = visit.site.entrance, now()
    try:
        if new != again:
            raise InputRejected("两次输入的新密码不一致", remedy="重新输入")
        due = change_password(
            visit.sql, visit.viewer, old, new, moment, address=address_of(request), rules=entrance.rules
        )
    except (InputRejected, NotAllowed) as error:
        return account_page(visit, status=HTTPStatus.UNPROCESSABLE_ENTITY, error=str(error))
    signed = SignedIn(visit.viewer, Way.LOCAL, due)
    return step_inside(request, entrance, visit.sql, signed, f"{ACCOUNT}?done=password", moment)


@router.post(f"{ACCOUNT}/sessions")
def end_others(visit: Annotated[Visit, Depends(changing_account)]) -> Response:
    """End all other sessions of the viewer."""
    with writing(visit.sql) as connection:
        close_sessions(connection, visit.viewer, now=now(), but=visit.secret)
    return RedirectResponse(f"{ACCOUNT}?done=sessions", HTTPStatus.SEE_OTHER)


@router.post(f"{ACCOUNT}/sessions/{{key}}")
def end_one(visit: Annotated[Visit, Depends(changing_account)], key: str) -> Response:
    """End one session of the viewer."""
    with writing(visit.sql) as connection:
        close_own_session(connection, visit.viewer, key, now=now())
    return RedirectResponse(f"{ACCOUNT}?done=session", HTTPStatus.SEE_OTHER)
