"""Keeps pages safe in a browser: response headers, a token in every form, cookies that scripts cannot read."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response

from qiaomen.vocab import NotAllowed

SESSION_COOKIE: Final = "qiaomen_session"
VISITOR_COOKIE: Final = "qiaomen_visitor"
# A browser takes a cookie of this prefix only over HTTPS, for this very host: nobody beside or below can plant one.
HOST_PREFIX: Final = "__Host-"
TOKEN_FIELD: Final = "csrf"  # noqa: S105 - the name of a form field
TOKEN_HEADER: Final = "x-csrf-token"  # noqa: S105 - the name of a header
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_TARGET: Final = 2000

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
    "Cross-Origin-Resource-Policy": "same-origin",
}
# At signing out the browser drops what it holds of this site. Browsers heed it over HTTPS (and on this machine) only.
# "cookies" is left out: it reaches the whole registered domain, so other systems of the bank as well.
CLEARED: Final = {"Clear-Site-Data": '"cache", "storage"'}
TLS_HEADERS: Final[dict[str, str]] = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


def headers_for(secure: bool) -> dict[str, str]:
    """Return the headers of every answer; a site on HTTPS adds that browsers keep to it."""
    return {**HEADERS, **(TLS_HEADERS if secure else {})}


@dataclass(frozen=True, slots=True)
class Cookies:
    """The site's two cookies: the session, and the secret of a visitor who has not signed in yet."""

    secure: bool

    @property
    def session(self) -> str:
        """Name of the session's cookie."""
        return f"{HOST_PREFIX if self.secure else ''}{SESSION_COOKIE}"

    @property
    def visitor(self) -> str:
        """Name of the visitor's cookie."""
        return f"{HOST_PREFIX if self.secure else ''}{VISITOR_COOKIE}"

    def give(self, answer: Response, name: str, value: str, *, max_age: int | None = None) -> None:
        """Set a cookie that no script reads and that other sites' forms do not send."""
        answer.set_cookie(
            name, value, max_age=max_age, path="/", httponly=True, samesite="lax", secure=self.secure
        )

    def take(self, answer: Response, name: str) -> None:
        """Remove a cookie."""
        answer.delete_cookie(name, path="/", httponly=True, samesite="lax", secure=self.secure)


def form_token(secret: str) -> str:
    """Return the token that forms of a session carry; it says nothing about the session's secret."""
    return hmac.new(secret.encode(), b"qiaomen form token", hashlib.sha256).hexdigest()


def new_visitor() -> str:
    """Return a secret for a visitor who has not signed in."""
    return secrets.token_urlsafe(32)


def check_token(secret: str, given: str | None) -> None:
    """Refuse a form that did not come from a page of this session."""
    fits = secret and given and hmac.compare_digest(form_token(secret).encode(), given.encode())
    if not fits:
        raise NotAllowed("页面已过期，操作没有执行", remedy="刷新页面后再试一次")


def check_origin(request: Request) -> None:
    """Refuse a request that another site's page makes."""
    origin = request.headers.get("origin")
    foreign = (
        origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()
    )
    # What browsers say of a request's source; older ones and programs say nothing.
    site = request.headers.get("sec-fetch-site", "same-origin")
    if foreign or site not in ("same-origin", "none"):
        raise NotAllowed("请求来自其他网站，已拒绝", remedy="从本系统的页面操作")


def is_local_address(target: str) -> bool:
    """Tell whether a redirect target stays on this site."""
    if not target.startswith("/") or len(target) > LONGEST_TARGET:
        return False
    # Browsers read a backslash as a slash and drop tabs and line ends, which would make the second slash of a host.
    if "\\" in target or any(sign < " " or sign == "\x7f" for sign in target):
        return False
    parts = urlsplit(target)
    return not parts.scheme and not parts.netloc and not target.startswith("//")
