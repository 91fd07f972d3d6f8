"""Signing in and out at the bank's identity provider (OpenID Connect)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from qiaomen.bank import begin_provider, sign_in_as, take_provider_start
from qiaomen.connectors import OidcProvider
from qiaomen.store import writing
from qiaomen.vocab import InputRejected, NotAllowed, NotFound, Unavailable
from qiaomen.web.entrance import address_of, step_inside
from qiaomen.web.pages.entry import login_page
from qiaomen.web.problems import TooManyCalls
from qiaomen.web.rendering import render_plain
from qiaomen.web.security import is_local_address, new_visitor
from qiaomen.web.visit import Site, now, site_of

router = APIRouter()


def _provider(site: Site) -> OidcProvider:
    if site.entrance.provider is None:
        raise NotFound("没有找到", remedy="本系统没有启用统一认证")
    return site.entrance.provider


@router.get("/login/provider")
def begin(request: Request, next: str = "") -> Response:  # noqa: A002 - the name in the address
    """Send the browser to the provider, with a state that only this browser can bring back, once."""
    site = site_of(request)
    provider, entrance, moment = _provider(site), site.entrance, now()
    if seconds := entrance.strangers.take(address_of(request)):
        raise TooManyCalls(seconds)
    visitor = request.cookies.get(entrance.cookies.visitor) or new_visitor()
    target = next if is_local_address(next) else "/"
    with writing(site.workspace.sql) as connection:
        start = begin_provider(connection, visitor, target, moment)
    try:
        place = provider.authorization_address(start.state, start.nonce, start.verifier, moment)
    except (InputRejected, NotAllowed, Unavailable) as error:
        return _refused(request, error, target)
    answer = RedirectResponse(place, HTTPStatus.SEE_OTHER)
    entrance.cookies.give(answer, entrance.cookies.visitor, visitor)
    return answer


@router.get("/login/provider/return")
def come_back(
    request: Request,
    state: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
    iss: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """Take the provider's answer: check the state, exchange the code, check the token, begin a session."""
    site = site_of(request)
    provider, entrance, sql, moment = _provider(site), site.entrance, site.workspace.sql, now()
    try:
        with writing(sql) as connection:
            visitor = request.cookies.get(entrance.cookies.visitor, "")
            start = take_provider_start(connection, state, visitor, moment)
        if error or not code:
            raise NotAllowed("统一认证没有完成", remedy="回到登录页重试，或联系认证平台的管理员")
        identity = provider.identity(code, start.nonce, start.verifier, moment, issuer=iss)
        signed = sign_in_as(sql, identity, moment, address=address_of(request))
    except (InputRejected, NotAllowed, Unavailable) as refusal:
        return _refused(request, refusal, "")
    return step_inside(request, entrance, sql, signed, start.target, moment)


def _refused(request: Request, error: InputRejected | NotAllowed | Unavailable, target: str) -> Response:
    status = HTTPStatus.FORBIDDEN if isinstance(error, NotAllowed) else HTTPStatus.SERVICE_UNAVAILABLE
    return login_page(request, status=status, error=str(error), target=target)


@router.get("/login/left")
def left(request: Request) -> Response:
    """Say that the session here is over and lead to the end of the one at the provider."""
    site = site_of(request)
    provider = _provider(site)
    try:
        place = provider.sign_out_address(f"{site.entrance.public_url}/login", now())
    except (InputRejected, NotAllowed, Unavailable):
        place = ""
    return render_plain(
        request, "left.html", title="已退出", place=place, provider=site.entrance.provider_name
    )
