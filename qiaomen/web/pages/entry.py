"""Signing in by login and password, signing out, and the first page of each role."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from qiaomen.bank import Way, audit, close_session, sign_in
from qiaomen.store import writing
from qiaomen.vocab import NotAllowed, Unavailable
from qiaomen.web.entrance import address_of, step_inside
from qiaomen.web.navigation import home
from qiaomen.web.problems import ACCOUNT, PasswordDue, SignInNeeded
from qiaomen.web.rendering import render_plain
from qiaomen.web.security import (
    CLEARED,
    check_origin,
    check_token,
    form_token,
    is_local_address,
    new_visitor,
)
from qiaomen.web.visit import Visit, changing_account, now, signed_in, site_of

router = APIRouter()


def login_page(
    request: Request, *, status: int = 200, error: str = "", login: str = "", target: str = ""
) -> Response:
    """Draw the login page; the visitor gets a secret that the form's token belongs to."""
    site = site_of(request)
    entrance, settings = site.entrance, site.workspace.settings
    visitor = request.cookies.get(entrance.cookies.visitor) or new_visitor()
    page = render_plain(
        request,
        "login.html",
        status=status,
        title="登录",
        csrf=form_token(visitor),
        error=error,
        login=login,
        next=target,
        bank_name=settings.bank_name,
        takes_passwords=entrance.takes_passwords,
        provider=entrance.provider_name if entrance.provider else "",
        demo=settings.demo_logins,
    )
    entrance.cookies.give(page, entrance.cookies.visitor, visitor)
    return page


@router.get("/")
def first(visit: Annotated[Visit, Depends(signed_in)]) -> Response:
    """Lead to the first page of the viewer."""
    return RedirectResponse(home(visit.viewer), HTTPStatus.SEE_OTHER)


@router.get("/nothing")
def nothing(visit: Annotated[Visit, Depends(signed_in)]) -> Response:
    """Tell a user without pages how to go on."""
    return visit.render("nothing.html", key="", title="没有可用页面")


@router.get("/login")
def show_login(request: Request, next: str = "") -> Response:  # noqa: A002 - the name in the address
    """Show the login page; who is signed in already goes home."""
    try:
        visit = signed_in(request)
    except SignInNeeded:
        return login_page(request, target=next if is_local_address(next) else "")
    except PasswordDue:
        return RedirectResponse(ACCOUNT, HTTPStatus.SEE_OTHER)
    return RedirectResponse(home(visit.viewer), HTTPStatus.SEE_OTHER)


@router.post("/login")
def log_in(
    request: Request,
    login: Annotated[str, Form(max_length=100)],
    password: Annotated[str, Form(max_length=500)],
    csrf: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002 - the name of the form's field
) -> Response:
    """Check the password and begin a session."""
    site = site_of(request)
    entrance, sql, moment = site.entrance, site.workspace.sql, now()
    target = next if is_local_address(next) else "/"
    try:
        check_origin(request)
        check_token(request.cookies.get(entrance.cookies.visitor, ""), csrf)
        signed = sign_in(
            sql,
            login,
            password,
            moment,
            address=address_of(request),
            rules=entrance.rules,
            directory=entrance.directory,
        )
    except NotAllowed as error:
        return login_page(request, status=HTTPStatus.FORBIDDEN, error=str(error), login=login, target=target)
    except Unavailable as error:
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return login_page(request, status=status, error=str(error), login=login, target=target)
    return step_inside(request, entrance, sql, signed, target, moment)


@router.post("/logout")
def log_out(visit: Annotated[Visit, Depends(changing_account)]) -> Response:
    """End the session; who came by the provider is led on to sign out there."""
    cookies = visit.site.entrance.cookies
    with writing(visit.sql) as connection:
        way = close_session(connection, visit.secret)
        audit(connection, visit.viewer, "log_out", visit.viewer.login, now=now())
    left = "/login/left" if way is Way.PROVIDER else "/login"
    answer = RedirectResponse(left, HTTPStatus.SEE_OTHER, headers=CLEARED)
    cookies.take(answer, cookies.session)
    return answer
