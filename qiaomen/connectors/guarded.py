"""HTTP through the egress rules: every request, a redirected one too, is checked and goes to a checked address.

The name stays in the Host header and in TLS (SNI and certificate); proxies of the environment are not used.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from qiaomen.connectors.egress import EgressPolicy, Resolve, check_target, resolve_host

if TYPE_CHECKING:
    import ssl

    import httpx


@cache
def _authorities() -> ssl.SSLContext:
    """Read the usual certificate authorities once: for each message anew it takes longer than the message."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


def guarded_client(
    policy: EgressPolicy,
    *,
    timeout_s: float = 10.0,
    resolve: Resolve = resolve_host,
    verify: ssl.SSLContext | None = None,
) -> httpx.Client:
    """Return a client that raises ``NotAllowed`` for what the policy forbids; redirects are not followed by itself.

    ``verify`` is a context with the bank's own certificate authority; without it the usual authorities are trusted.
    """
    import httpx

    class Guarded(httpx.BaseTransport):
        """One connection per request: one made for a host is never used for another at the same address."""

        def __init__(self) -> None:
            self._inner = httpx.HTTPTransport(
                verify=verify or _authorities(),
                trust_env=False,
                limits=httpx.Limits(max_keepalive_connections=0),
            )

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            target = check_target(str(request.url), policy, resolve=resolve)
            request.headers["Host"] = httpx.URL(target.url).netloc.decode("ascii")
            request.extensions = {**request.extensions, "sni_hostname": target.host}
            original = request.url
            for left, address in enumerate(target.addresses, 1 - len(target.addresses)):
                request.url = original.copy_with(host=address, port=target.port)
                try:
                    return self._inner.handle_request(request)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    if left == 0:
                        raise
                finally:
                    request.url = original
            raise httpx.ConnectError("no address")

        def close(self) -> None:
            self._inner.close()

    return httpx.Client(transport=Guarded(), timeout=timeout_s, trust_env=False, follow_redirects=False)
