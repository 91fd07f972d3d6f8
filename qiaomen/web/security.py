"""Keeps pages safe in a browser: response headers, a token in every form, cookies that scripts cannot read."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response

from qiaomen.vocab import NotAllowed

SESSION_COOKIE: Final = "qiaomen_session"
VISITOR_COOKIE: Final = "qiaomen_visitor"
TOKEN_FIELD: Final = "csrf"  # noqa: S105 - the name of a form field
TOKEN_HEADER: Final = "x-csrf-token"  # noqa: S105 - the name of a header

SOURCES: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
)

HEADERS: Final[dict[str, str]] = {
    "Content-Security-Policy": "; ".join(SOURCES),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def form_token(secret: str) -> str:
    """Return the token that forms of a session carry; it says nothing about the session's secret."""
    return hmac.new(secret.encode(), b"qiaomen form token", hashlib.sha256).hexdigest()


def new_visitor() -> str:
    """Return a secret for a visitor who has not signed in."""
    return secrets.token_urlsafe(32)


def check_token(secret: str, given: str | None) -> None:
    """Refuse a form that did not come from a page of this session."""
    if not given or not hmac.compare_digest(form_token(secret), given):
        raise NotAllowed("页面已过期，操作没有执行", remedy="刷新页面后再试一次")


def check_origin(request: Request) -> None:
    """Refuse a request that another site's page makes."""
    origin = request.headers.get("origin")
    if origin and origin != "null" and urlsplit(origin).netloc != request.headers.get("host"):
        raise NotAllowed("请求来自其他网站，已拒绝", remedy="从本系统的页面操作")


def is_local_address(target: str) -> bool:
    """Tell whether a redirect target stays on this site."""
    parts = urlsplit(target)
    return (
        not parts.scheme
        and not parts.netloc
        and target.startswith("/")
        and not target.startswith(("//", "/\\"))
    )


def install_headers(app: FastAPI) -> None:
    """Put the headers on every response; pages with a session are never stored by a cache."""

    @app.middleware("http")
    async def add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if not request.url.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
        elif "v" in request.query_params:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            response.headers["Cache-Control"] = "no-cache"
        return response
