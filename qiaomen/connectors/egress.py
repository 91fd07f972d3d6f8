"""Where the program may connect to: listed hosts only, at public addresses unless the administrator allows a network.

A name is resolved once and every address it has must be allowed; the connection then goes to a checked address, so
that a name that answers differently the second time gains nothing. Addresses of cloud metadata, multicast and
unspecified ones are refused whatever is allowed.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from qiaomen.vocab import NotAllowed

Resolve = Callable[[str, int], Sequence[str]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


_METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
    )
)
# What no setting opens: this host on any interface, everybody, nobody.
_NEVER: Final = _networks("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "ff00::/8")
_PRIVATE: Final = _networks(
    "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"
)
# IANA's special-purpose registries; of IPv6 only 2000::/3 is public at all.
_SPECIAL: Final = _networks(
    *(str(network) for network in _PRIVATE),
    "169.254.0.0/16",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
)
_PUBLIC_IPV6: Final = ipaddress.IPv6Network("2000::/3")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LONGEST_URL: Final = 2048


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Hosts that may be called (``api.bank.cn``, or ``*.bank.cn`` for all below), and which inside networks.

    ``private`` allows all private and loopback networks, ``networks`` (CIDR) only those named.
    """

    hosts: tuple[str, ...] = ()
    private: bool = False
    networks: tuple[str, ...] = ()
    _allowed: tuple[Network, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the networks once; ``NotAllowed`` for one that is none."""
        try:
            named = tuple(ipaddress.ip_network(text.strip(), strict=False) for text in self.networks)
        except ValueError as error:
            raise NotAllowed(f"网段无法识别：{error}", remedy="写成 10.1.0.0/16") from error
        object.__setattr__(self, "_allowed", (*named, *(_PRIVATE if self.private else ())))

    def names(self, host: str) -> bool:
        """Whether the host is on the list."""
        wanted = host.lower().rstrip(".").strip("[]")
        return any(_fits(wanted, entry.strip().lower().strip("[]")) for entry in self.hosts)

    def permits(self, address: str) -> bool:
        """Whether a connection to the address is allowed."""
        try:
            found = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
        except ValueError:
            return False
        return self._permits(found)

    def _permits(self, found: Address) -> bool:
        inner = _inner(found)
        if inner is not None:
            # The operating system connects to the inner address, or a gateway does: both must be allowed.
            return self._permits(inner) and (found in _NAT64 or _mapped(found))
        if found in _METADATA or _within(found, _NEVER):
            return False
        return _within(found, self._allowed) or _public(found)


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL in its plain form, and the addresses to connect to, in the order of the resolver."""

    url: str
    scheme: str
    host: str
    port: int
    address: str
    addresses: tuple[str, ...] = ()


def _fits(host: str, entry: str) -> bool:
    return host == entry or (entry.startswith("*.") and host.endswith(entry[1:]))


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_IPV6:
        return False
    return not _within(address, _SPECIAL)


def _mapped(address: Address) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address inside a mapped, compatible, NAT64, 6to4, Teredo or ISATAP one."""
    if isinstance(address, ipaddress.IPv4Address) or int(address) <= 1:
        return None
    number = int(address)
    if address in _NAT64 or number >> 32 == 0 or ((number >> 32) & 0xFFFFFFFF) in _ISATAP:
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def resolve_host(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host in the resolver's order; ``NotAllowed`` where it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotAllowed(f"主机 {host} 无法解析", remedy="检查主机名与本机的域名解析") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def plain_host(host: str) -> str:
    """Return a host in its one spelling; ``NotAllowed`` for any other way to write an address or a name."""
    text = host.strip("[]").lower()
    text = text.removesuffix(".")
    try:
        return ipaddress.ip_address(text).compressed
    except ValueError:
        pass
    labels = text.split(".")
    # A name may not end in a number: systems read 2130706433, 0x7f.1 and 0177.0.0.1 as addresses.
    numeric = re.fullmatch(r"\d+|0x[0-9a-f]*", labels[-1])
    if numeric or len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise NotAllowed(
            f"主机名“{host[:80]}”写法不合规", remedy="写成域名（中文域名写成 xn--…）或标准的 IP 地址"
        )
    return text


def _split(url: str) -> SplitResult:
    if len(url) > _LONGEST_URL or any(sign <= " " or sign in '\\"<>^`{|}' or sign > "~" for sign in url):
        raise NotAllowed("推送网址含有不允许的字符，或过长", remedy="写成 https://主机/路径，特殊字符用 %XX")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise NotAllowed("推送网址无法识别", remedy="写成 https://主机/路径") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.port == 0:
        raise NotAllowed("推送网址须为不含账号的 http(s) 网址", remedy="写成 https://主机/路径")
    return parts


def check_addresses(
    host: str, port: int, policy: EgressPolicy, *, resolve: Resolve = resolve_host
) -> tuple[str, ...]:
    """Return the addresses to connect to; ``NotAllowed`` unless the host is listed and all its addresses allowed."""
    name = plain_host(host)
    if not policy.names(name):
        raise NotAllowed(f"主机 {name} 不在允许的名单内", remedy="由系统管理员加入 egress_hosts")
    addresses = tuple(resolve(name, port))
    if not addresses or not all(policy.permits(address) for address in addresses):
        raise NotAllowed(
            f"主机 {name} 解析到不允许访问的地址",
            remedy="确为内网系统时由系统管理员在 egress_networks 中写明网段",
        )
    return addresses


def check_host(host: str, port: int, policy: EgressPolicy, *, resolve: Resolve = resolve_host) -> str:
    """Return the address to connect to; for protocols other than HTTP, which connect to it themselves."""
    return check_addresses(host, port, policy, resolve=resolve)[0]


def check_target(url: str, policy: EgressPolicy, *, resolve: Resolve = resolve_host) -> Target:
    """Check a URL; plain http is for inside addresses only."""
    parts = _split(url)
    host = plain_host(str(parts.hostname))
    usual = 443 if parts.scheme == "https" else 80
    port = parts.port or usual
    addresses = check_addresses(host, port, policy, resolve=resolve)
    if parts.scheme == "http" and any(EgressPolicy().permits(address) for address in addresses):
        raise NotAllowed("对公网地址只能使用 https", remedy="改用 https 网址")
    shown = f"[{host}]" if ":" in host else host
    where = shown if port == usual else f"{shown}:{port}"
    query = f"?{parts.query}" if parts.query else ""
    plain = f"{parts.scheme}://{where}{parts.path or '/'}{query}"
    return Target(plain, parts.scheme, host, port, addresses[0], addresses)
