"""HTTP to the bank's own services: every request passes the egress list and goes to the address that was checked.

No proxy of the environment, no redirect; certificates are checked against the system's authorities and the bank's own.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx

from qiaomen.connectors.egress import EgressPolicy, Resolve, check_target, resolve_host
from qiaomen.vocab import InputRejected


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a client's TLS context: names and certificates checked; ``ca_file`` adds the bank's own authorities."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise InputRejected(
                "根证书文件无法读取", where=str(ca_file), remedy="检查 identity_ca_file，文件须为 PEM 格式"
            ) from error
    return context


class CheckedTransport(httpx.BaseTransport):
    """Sends a request only where the egress list allows it."""

    def __init__(
        self, policy: EgressPolicy, context: ssl.SSLContext, *, resolve: Resolve = resolve_host
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._inner = httpx.HTTPTransport(verify=context, trust_env=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Check the address of a request and send it there; the Host header and the certificate's name stay."""
        target = check_target(str(request.url), self._policy, resolve=self._resolve)
        request.extensions = {**request.extensions, "sni_hostname": target.host}
        *others, last = target.addresses
        for address in others:
            request.url = request.url.copy_with(host=address)
            try:
                return self._inner.handle_request(request)
            except httpx.ConnectError:
                continue
        request.url = request.url.copy_with(host=last)
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()
