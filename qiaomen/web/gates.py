"""What every request passes before a page sees it: believed proxies, known host names, a size, plain text, headers.

Plain ASGI, so that a body is counted as it comes in. The order is that of ``install_gates``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qiaomen.settings import Settings
from qiaomen.vocab import InputRejected
from qiaomen.web.problems import answer, problem
from qiaomen.web.security import headers_for

MEBIBYTE: Final = 1 << 20
# Forms and API calls; the longest expression and a page of choices stay far below.
LARGEST_BODY: Final = MEBIBYTE
UPLOADS: Final = "/inventory/upload"
# Asked by watchdogs that know an address only; its answer says nothing about the host.
ANY_HOST: Final = ("/health",)
LOCAL_NAMES: Final = frozenset({"localhost", "localhost.localdomain"})

NUL_WORDS: Final = "内容含有无法保存的字符（NUL）"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class BelievedProxies:
    """Takes client address and scheme from the forwarded headers where the sender is a proxy of ours."""

    def __init__(self, app: ASGIApp, proxies: Sequence[str]) -> None:
        self.app = app
        self.proxies = _networks(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, as it was before the proxies."""
        if scope["type"] == "http" and self.proxies and self._ours(str((scope.get("client") or ("",))[0])):
            scope = self._before(scope)
        await self.app(scope, receive, send)

    def _before(self, scope: Scope) -> Scope:
        headers = Headers(scope=scope)
        changed = dict(scope)
        scheme = headers.get("x-forwarded-proto", "").split(",")[-1].strip().lower()
        if scheme in ("http", "https"):
            changed["scheme"] = scheme
        hops = [hop.strip() for hop in ",".join(headers.getlist("x-forwarded-for")).split(",") if hop.strip()]
        # From the right: each proxy of ours added the address that called it; the first other one is the client.
        client = next((hop for hop in reversed(hops) if not self._ours(hop)), None)
        if client is not None and _address(client) is not None:
            changed["client"] = (client, 0)
        return changed

    def _ours(self, text: str) -> bool:
        found = _address(text)
        return found is not None and any(
            found.version == network.version and found in network for network in self.proxies
        )


class KnownHosts:
    """Refuses a request by a host name that is not ours: links, redirects and caches never carry a foreign name."""

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self.app = app
        self.names = frozenset(name.strip().lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request by a known name."""
        if scope["type"] != "http" or scope["path"] in ANY_HOST or self._known(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        words = "主机名不在允许的名单内。请管理员在 qiaomen.toml 的 web_hosts 中加入它，或使用正确的网址。"
        await PlainTextResponse(words, 400)(scope, receive, send)

    def _known(self, headers: Headers) -> bool:
        given = headers.getlist("host")
        if len(given) != 1:
            return False
        host = given[0].strip().lower()
        name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
        if self.names:
            return name in self.names
        return name in LOCAL_NAMES or _address(name.strip("[]")) is not None


class BodyLimit:
    """Refuses a body that is too large: by its announced length, else as soon as that much has come in."""

    def __init__(self, app: ASGIApp, upload_bytes: int) -> None:
        self.app = app
        self.upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request of a fitting size."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.upload_bytes if str(scope["path"]).startswith(UPLOADS) else LARGEST_BODY
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdigit() or int(announced) > limit:
            await _too_large(limit)(scope, receive, send)
            return
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > limit:
                raise HTTPException(413, "请求过大")
            return message

        await self.app(scope, counted, send)


class NoNul:
    """Refuses the character NUL in address, form and JSON: PostgreSQL cannot keep it, and no name or reason has one.

    Files are not looked at here; they are read as files.
    """

    SPELLINGS: Final = (b"\x00", b"%00", b"\\u0000")
    LONGEST: Final = max(map(len, SPELLINGS))

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request of plain text on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if "\x00" in scope["path"] or b"%00" in scope.get("query_string", b""):
            body = problem(422, NUL_WORDS, code="input_rejected", remedy="删去这些字符")
            await answer(Request(scope), body)(scope, receive, send)
            return
        if Headers(scope=scope).get("content-type", "").startswith("multipart/"):
            await self.app(scope, receive, send)
            return
        rest = b""

        async def checked() -> Message:
            nonlocal rest
            message = await receive()
            seen = rest + message.get("body", b"")
            if any(spelling in seen for spelling in self.SPELLINGS):
                raise HTTPException(422, NUL_WORDS)
            rest = seen[-self.LONGEST :]
            return message

        await self.app(scope, checked, send)


class SafeHeaders:
    """Puts the headers on every answer; what is not a static file is never stored by a cache."""

    def __init__(self, app: ASGIApp, secure: bool) -> None:
        self.app = app
        self.headers = headers_for(secure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and put the headers on its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                _mark_caching(scope, headers)
            await send(message)

        await self.app(scope, receive, headed)


def _mark_caching(scope: Scope, headers: MutableHeaders) -> None:
    if not str(scope["path"]).startswith("/static/"):
        headers.setdefault("Cache-Control", "no-store")
    elif b"v=" in scope.get("query_string", b""):
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    else:
        headers["Cache-Control"] = "no-cache"


def _too_large(limit: int) -> JSONResponse:
    body = {
        "type": "urn:qiaomen:problem:too_large",
        "title": "内容太大",
        "status": 413,
        "detail": f"请求超过 {limit // MEBIBYTE} MB",
        "code": "too_large",
        "remedy": "减少内容，或请管理员调整 upload_megabytes",
    }
    return JSONResponse(body, 413, media_type="application/problem+json", headers={"Connection": "close"})


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _networks(texts: Sequence[str]) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts)
    except ValueError as error:
        raise InputRejected(
            f"trusted_proxies 无法识别：{error}", remedy="写成地址或网段，例如 10.0.0.0/24"
        ) from error


def install_gates(app: FastAPI, settings: Settings, hosts: Sequence[str]) -> None:
    """Put the gates before the application; the last one named is the first that a request meets."""
    _networks(settings.trusted_proxies)
    app.add_middleware(NoNul)
    app.add_middleware(BodyLimit, upload_bytes=(settings.upload_megabytes + 1) * MEBIBYTE)
    app.add_middleware(KnownHosts, names=tuple(hosts))
    app.add_middleware(BelievedProxies, proxies=settings.trusted_proxies)
    app.add_middleware(SafeHeaders, secure=settings.secure_cookies)
