"""Signed webhooks: JSON, an idempotency key, and HMAC-SHA256 over time and body.

``X-Qiaomen-Signature: sha256=<hex>`` signs ``<X-Qiaomen-Timestamp>.<body>``. Redirects are not followed and proxies
of the environment are not used; the connection goes to the address that egress checked.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from qiaomen.connectors.egress import EgressPolicy, Resolve, Target, check_target, resolve_host
from qiaomen.vocab import NotAllowed, Unavailable

TIME_HEADER: Final = "X-Qiaomen-Timestamp"
SIGNATURE_HEADER: Final = "X-Qiaomen-Signature"
KEY_HEADER: Final = "Idempotency-Key"
TOLERANCE: Final = timedelta(minutes=5)
SHORTEST_SECRET: Final = 16


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a body sent at ``timestamp`` (whole seconds since 1970)."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


def verify_signature(secret: str, timestamp: str, body: bytes, signature: str, now: datetime) -> None:
    """Raise ``NotAllowed`` unless the signature is right and not older or newer than five minutes."""
    fresh = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    if not secret or not fresh or abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        raise NotAllowed("签名时间无效或已过期", remedy="检查双方时钟与时间戳")
    expected = sign(secret, timestamp, body).encode()
    if not hmac.compare_digest(expected, signature.encode("utf-8", "replace")):
        raise NotAllowed("签名不正确", remedy="检查签名密钥与签名内容")


def encode(topic: str, key: str, payload: Mapping[str, Any]) -> bytes:
    """Return the body: the same bytes for the same message."""
    message = {"topic": topic, "key": key, "payload": dict(payload)}
    return json.dumps(message, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _pinned(target: Target) -> tuple[str, str]:
    """Return the URL with the checked address in place of the name, and the Host header."""
    parts = urlsplit(target.url)
    address = f"[{target.address}]" if ":" in target.address else target.address
    usual = 443 if target.scheme == "https" else 80
    host = f"[{target.host}]" if ":" in target.host else target.host
    header = host if target.port == usual else f"{host}:{target.port}"
    url = urlunsplit((parts.scheme, f"{address}:{target.port}", parts.path or "/", parts.query, ""))
    return url, header


def post_webhook(
    url: str,
    secret: str,
    topic: str,
    key: str,
    payload: Mapping[str, Any],
    *,
    policy: EgressPolicy,
    now: datetime,
    timeout_s: float = 10.0,
    resolve: Resolve = resolve_host,
) -> int:
    """Send one message and return the status (2xx); ``NotAllowed`` or ``Unavailable`` says why it did not go."""
    import httpx

    if len(secret) < SHORTEST_SECRET:
        raise NotAllowed(f"签名密钥未设置或不足 {SHORTEST_SECRET} 个字符", remedy="设置 webhook_secret")
    target = check_target(url, policy, resolve=resolve)
    pinned, host = _pinned(target)
    body, timestamp = encode(topic, key, payload), str(int(now.timestamp()))
    headers = {
        "Host": host,
        "Content-Type": "application/json; charset=utf-8",
        KEY_HEADER: f"{topic}:{key}",
        TIME_HEADER: timestamp,
        SIGNATURE_HEADER: sign(secret, timestamp, body),
    }
    try:
        with (
            httpx.Client(trust_env=False, timeout=timeout_s, follow_redirects=False) as client,
            client.stream(
                "POST", pinned, content=body, headers=headers, extensions={"sni_hostname": target.host}
            ) as response,
        ):
            status = response.status_code
    except httpx.HTTPError as error:
        raise Unavailable(f"回调未送达：{type(error).__name__}", remedy="检查对方服务与网络") from error
    if not 200 <= status < 300:
        raise Unavailable(f"对方返回 {status}", remedy="检查对方服务与密钥")
    return status
