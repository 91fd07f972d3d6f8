"""Passwords checked by the bank's LDAP directory: find the entry, then bind as it. No password is kept here.

Only TLS (LDAPS or STARTTLS) with a checked certificate; what was typed is escaped; an empty password is refused before
the directory sees it, since a bind without one succeeds as nobody (RFC 4513 5.1.2).
"""

from __future__ import annotations

import logging
import math
import secrets
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from qiaomen.bank import Identity, Match, wrong_password
from qiaomen.connectors.egress import EgressPolicy, Resolve, check_host, resolve_host
from qiaomen.connectors.transport import tls_context
from qiaomen.vocab import InputRejected, NotAllowed, Unavailable

log = logging.getLogger(__name__)

PLACE: Final = "{login}"
PORTS: Final = {"ldap": 389, "ldaps": 636}
# Names that a directory gives to an entry once and never again; the first that the entry has is kept.
LASTING: Final = ("entryUUID", "objectGUID")
# inappropriateAuthentication, invalidCredentials, insufficientAccessRights, unwillingToPerform: this password, not this
# server, is refused (a locked or expired account answers so).
_REFUSED: Final = (48, 49, 50, 53)


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """How to reach the directory; ``urls`` are tried in turn, ``filter`` finds one entry by ``{login}``."""

    urls: tuple[str, ...]
    base: str
    filter: str = "(uid={login})"
    attribute: str = "uid"
    match: Match = Match.LOGIN
    bind_dn: str = ""
    bind_password: str = ""
    ca_file: Path | None = None
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class _Server:
    scheme: str
    host: str
    port: int


class LdapDirectory:
    """The directory: a callable that turns login and password into an identity."""

    def __init__(
        self, settings: DirectorySettings, policy: EgressPolicy, *, resolve: Resolve = resolve_host
    ) -> None:
        if PLACE not in settings.filter:
            raise InputRejected("ldap_filter 缺少 {login}", remedy="例如 (sAMAccountName={login})")
        if not settings.base:
            raise InputRejected("ldap_base 未设置", remedy="例如 ou=staff,dc=bank,dc=cn")
        self.settings = settings
        self._servers = tuple(_server(url) for url in settings.urls)
        self._policy = policy
        self._resolve = resolve
        self._context = tls_context(settings.ca_file)

    def __call__(self, login: str, password: str) -> Identity:
        """Return whose login and password these are.

        ``NotAllowed`` where they are wrong, ``Unavailable`` where no server answers.
        """
        if not login.strip() or not password:
            raise wrong_password()
        reasons: list[str] = []
        for server in self._servers:
            try:
                return self._ask(server, login.strip(), password)
            except _Unreached as error:
                reasons.append(f"{server.host}:{server.port} {error}")
                log.warning("directory not reached", extra={"server": server.host, "reason": str(error)})
        raise Unavailable(
            f"员工目录暂时无法连接（{'；'.join(reasons)}）", remedy="稍后再试，或联系系统管理员"
        )

    def _ask(self, server: _Server, login: str, password: str) -> Identity:
        with self._connection(server, self.settings.bind_dn, self.settings.bind_password) as found:
            if not found.bind():
                log.error("directory refuses our own bind", extra={"code": found.result["result"]})
                raise _Unreached("服务账号被拒绝")
            entry = self._entry(found, login)
        # An unknown login is tried too, as an entry that cannot be, so that it takes as long as a known one.
        name = entry[0] if entry else f"cn={secrets.token_hex(8)},{self.settings.base}"
        with self._connection(server, name, password) as bound:
            fits = bound.bind()
            code = int(bound.result["result"])
        if entry is None:
            raise wrong_password()
        if not fits:
            if code in _REFUSED:
                raise wrong_password()
            raise _Unreached(f"代码 {code}")
        return self._identity(entry)

    def _entry(self, connection: Any, login: str) -> tuple[str, dict[str, list[Any]]] | None:
        """Return name and attributes of the one entry of a login; None where there is none, or more than one."""
        from ldap3 import SUBTREE
        from ldap3.utils.conv import escape_filter_chars

        # LDAP strings are UTF-8; what cannot be written in it is nobody's login.
        if "\0" in login or not login.isprintable():
            return None
        connection.search(
            self.settings.base,
            self.settings.filter.replace(PLACE, escape_filter_chars(login)),
            search_scope=SUBTREE,
            attributes=list(_wanted(self.settings.attribute)),
            size_limit=2,
            time_limit=int(max(1, self.settings.timeout_s)),
        )
        entries = [item for item in connection.response or [] if item.get("type") == "searchResEntry"]
        if len(entries) > 1:
            log.error("directory knows a login twice")
        return (entries[0]["dn"], dict(entries[0]["attributes"])) if len(entries) == 1 else None

    def _identity(self, entry: tuple[str, dict[str, list[Any]]]) -> Identity:
        name, attributes = entry
        values = _texts(attributes.get(self.settings.attribute))
        if len(values) != 1 or not values[0].strip():
            raise NotAllowed(
                f"员工目录中您的“{self.settings.attribute}”不是恰好一个",
                remedy="请系统管理员核对 ldap_attribute 与目录",
            )
        lasting = next((texts[0] for key in LASTING if (texts := _texts(attributes.get(key)))), name.lower())
        return Identity(self.settings.match, values[0], lasting)

    @contextmanager
    def _connection(self, server: _Server, name: str, password: str) -> Iterator[Any]:
        """Open a connection over TLS, ready to bind; closed at the end."""
        import ldap3
        from ldap3.core.exceptions import LDAPException, LDAPSASLPrepError

        address = check_host(server.host, server.port, self._policy, resolve=self._resolve)
        plain = server.scheme == "ldap"
        connection = ldap3.Connection(
            ldap3.Server(
                address,
                server.port,
                use_ssl=not plain,
                tls=_tls(self._context, server.host),
                get_info=ldap3.NONE,
                connect_timeout=self.settings.timeout_s,
            ),
            user=name or None,
            password=password or None,
            authentication=ldap3.SIMPLE if name else ldap3.ANONYMOUS,
            # ldap3 packs it into a socket option: whole seconds only.
            receive_timeout=max(1, math.ceil(self.settings.timeout_s)),
            auto_referrals=False,
            read_only=True,
            check_names=False,
        )
        try:
            connection.open()
            if plain:
                connection.start_tls()
            yield connection
        except LDAPSASLPrepError as error:
            # The password has characters that no stored one can have.
            raise wrong_password() from error
        except (LDAPException, OSError) as error:
            raise _Unreached(type(error).__name__) from error
        finally:
            _close(connection)


class _Unreached(Exception):
    """A server did not answer, or not as a directory does; the next one is tried."""


def _close(connection: Any) -> None:
    """Close a connection in whatever state; ldap3 leaves the socket of a failed one open."""
    from ldap3.core.exceptions import LDAPException

    held = connection.socket
    with suppress(LDAPException, OSError):
        connection.unbind()
    if held is not None:
        held.close()
    if connection.socket is not None:
        connection.socket.close()


def _tls(context: ssl.SSLContext, host: str) -> Any:
    import ldap3

    class CheckedTls(ldap3.Tls):
        """TLS whose certificate Python itself checks, for the name in the settings and no other."""

        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ARG002
            """Put TLS on the connection."""
            connection.socket = context.wrap_socket(connection.socket, server_hostname=host)

    return CheckedTls(validate=ssl.CERT_REQUIRED)


def _server(url: str) -> _Server:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputRejected("目录网址无法识别", where=url, remedy="写成 ldaps://主机:端口") from error
    if parts.scheme not in PORTS or not parts.hostname or parts.username or parts.path.strip("/"):
        raise InputRejected(
            "目录网址无法识别", where=url, remedy="写成 ldaps://主机 或 ldap://主机（STARTTLS）"
        )
    return _Server(parts.scheme, parts.hostname, port or PORTS[parts.scheme])


def _wanted(attribute: str) -> Sequence[str]:
    return (attribute, *LASTING)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [item.hex() if isinstance(item, bytes) else str(item) for item in values]
