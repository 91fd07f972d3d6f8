"""Signing in and out, and the first page of each role."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from qiaomen.bank import check_password, close_session, open_session
from qiaomen.store import writing
from qiaomen.vocab import NotAllowed
from qiaomen.web.navigation import home
from qiaomen.web.problems import SignInNeeded
from qiaomen.web.rendering import render_plain
from qiaomen.web.security import (
    SESSION_COOKIE,
    VISITOR_COOKIE,
    check_origin,
    check_token,
    form_token,
    is_local_address,
    new_visitor,
)
from qiaomen.web.visit import Visit, changing, now, signed_in, site_of

router = APIRouter()


def _login_page(
    request: Request, *, status: int = 200, error: str = "", login: str = "", target: str = ""
) -> Response:
    visitor = request.cookies.get(VISITOR_COOKIE) or new_visitor()
    settings = site_of(request).workspace.settings
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
    )
    page.set_cookie(
        VISITOR_COOKIE, visitor, httponly=True, samesite="lax", secure=settings.secure_cookies, path="/login"
    )
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
        return _login_page(request, target=next if is_local_address(next) else "")
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
    target = next if is_local_address(next) else "/"
    try:
        check_origin(request)
        check_token(request.cookies.get(VISITOR_COOKIE, ""), csrf)
        viewer = check_password(site.workspace.sql, login, password, now())
    except NotAllowed as error:
        return _login_page(request, status=HTTPStatus.FORBIDDEN, error=str(error), login=login, target=target)
    with writing(site.workspace.sql) as connection:
        token = open_session(connection, viewer, now(), life=site.workspace.settings.session_life)
    answer = RedirectResponse(target, HTTPStatus.SEE_OTHER)
    settings = site.workspace.settings
    answer.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=int(settings.session_life.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=settings.secure_cookies,
    )
    answer.delete_cookie(VISITOR_COOKIE, path="/login")
    return answer


@router.post("/logout")
def log_out(visit: Annotated[Visit, Depends(changing)]) -> Response:
    """End the session."""
    with writing(visit.sql) as connection:
        close_session(connection, visit.secret)
    answer = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(SESSION_COOKIE)
    return answer
