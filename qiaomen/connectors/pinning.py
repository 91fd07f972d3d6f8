"""Holds libraries that open their own connections (Apprise: requests, smtplib) to addresses that egress checked.

Within ``pinned`` this thread resolves the given hosts to the checked addresses and no other host at all: a redirect to
elsewhere, a second look-up and a proxy of the environment fail. Other threads resolve as before.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from qiaomen.vocab import Unavailable

_PINS: Final[ContextVar[Mapping[str, Sequence[str]] | None]] = ContextVar("egress_pins", default=None)
_GUARD: Final = threading.Lock()
_ORIGINAL: Final[list[Any]] = []


def _plain(host: Any) -> str:
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    return text.lower().rstrip(".").strip("[]")


def _look_up(host: Any, port: Any, *args: Any, **more: Any) -> Any:
    pins = _PINS.get()
    if pins is None:
        return _ORIGINAL[0](host, port, *args, **more)
    addresses = pins.get(_plain(host))
    if addresses is None:
        raise socket.gaierror(socket.EAI_FAIL, "host is not on the list")
    found: list[Any] = []
    for address in addresses:
        found += _ORIGINAL[0](address, port, *args, **more)
    return found


def _install() -> None:
    with _GUARD:
        if not _ORIGINAL:
            _ORIGINAL.append(socket.getaddrinfo)
            socket.getaddrinfo = _look_up
        if socket.getaddrinfo is not _look_up:
            raise Unavailable("域名解析被其他组件替换，推送不能受控", remedy="停用替换 socket 的组件")


@contextmanager
def pinned(hosts: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Let this thread connect to these hosts at these addresses only."""
    _install()
    token = _PINS.set({_plain(host): tuple(addresses) for host, addresses in hosts.items()})
    try:
        yield
    finally:
        _PINS.reset(token)
