"""Where push may connect to: declared hosts only, and no private address unless the bank allows it.

The name is resolved once and the connection goes to the address that was checked, so that a name that answers
differently the second time gains nothing. Link-local, multicast and unspecified addresses (cloud metadata among
them) are refused always.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from qiaomen.vocab import NotAllowed

Resolve = Callable[[str, int], Sequence[str]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Hosts that may be called (``api.bank.cn``, or ``*.bank.cn`` for all below), and whether inside addresses may."""

    hosts: tuple[str, ...] = ()
    private: bool = False

    def names(self, host: str) -> bool:
        """Whether the host is on the list."""
        wanted = host.lower().rstrip(".")
        return any(
            wanted == entry.lower() or (entry.startswith("*.") and wanted.endswith(entry[1:].lower()))
            for entry in self.hosts
        )


@dataclass(frozen=True, slots=True)
class Target:
    """A checked address to connect to."""

    url: str
    scheme: str
    host: str
    port: int
    address: str


def resolve_host(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host; ``NotAllowed`` where it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotAllowed(f"主机 {host} 无法解析", remedy="检查主机名与本机的域名解析") from error
    return sorted({str(entry[4][0]) for entry in found})


def _plain(address: Address) -> Address:
    """Return the IPv4 address inside a mapped, 6to4 or NAT64 one, so that it cannot hide there."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address in ipaddress.ip_network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _permitted(text: str, policy: EgressPolicy) -> bool:
    address = _plain(ipaddress.ip_address(text.split("%", maxsplit=1)[0]))
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return policy.private if not address.is_global else True


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise NotAllowed("推送网址无法识别", remedy="写成 https://主机/路径") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise NotAllowed("推送网址须为不含账号的 http(s) 网址", remedy="写成 https://主机/路径")
    return parts


def check_host(host: str, port: int, policy: EgressPolicy, *, resolve: Resolve = resolve_host) -> str:
    """Return the address to connect to; ``NotAllowed`` unless the host is listed and all its addresses may be used."""
    if not policy.names(host):
        raise NotAllowed(f"主机 {host} 不在允许的名单内", remedy="由系统管理员加入 egress_hosts")
    addresses = list(resolve(host, port))
    if not addresses or not all(_permitted(address, policy) for address in addresses):
        raise NotAllowed(
            f"主机 {host} 解析到不允许访问的地址", remedy="确为内网系统时由系统管理员打开 egress_private"
        )
    return addresses[0]


def check_target(url: str, policy: EgressPolicy, *, resolve: Resolve = resolve_host) -> Target:
    """Check a URL; plain http is for inside addresses only."""
    parts = _split(url)
    host = str(parts.hostname)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = check_host(host, port, policy, resolve=resolve)
    if parts.scheme == "http" and _plain(ipaddress.ip_address(address.split("%")[0])).is_global:
        raise NotAllowed("对公网地址只能使用 https", remedy="改用 https 网址")
    return Target(url, parts.scheme, host, port, address)
