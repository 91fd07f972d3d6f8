"""Signed webhooks: JSON, an idempotency key, and HMAC-SHA256 over time and body.

``X-Qiaomen-Signature`` holds ``sha256=<hex>`` over ``<X-Qiaomen-Timestamp>.<body>``, one for each key in force, separated
by commas: while keys change there are two, and a receiver takes either. Redirects are not followed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.connectors.egress import EgressPolicy, Resolve, resolve_host
from qiaomen.connectors.guarded import guarded_client
from qiaomen.connectors.schema import INBOUND_SIGNATURES
from qiaomen.store import insert_missing, outbox
from qiaomen.vocab import NotAllowed, Unavailable

TIME_HEADER: Final = "X-Qiaomen-Timestamp"
SIGNATURE_HEADER: Final = "X-Qiaomen-Signature"
KEY_HEADER: Final = "Idempotency-Key"
TOLERANCE: Final = timedelta(minutes=5)
SHORTEST_SECRET: Final = 16
LONGEST_PAUSE: Final = timedelta(days=1)
_MOST_SIGNATURES: Final = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said: the status, and how long it wants to be left alone."""

    status: int
    retry_after: timedelta | None


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a body sent at ``timestamp`` (whole seconds since 1970)."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


def usable_secrets(secrets: Sequence[str]) -> tuple[str, ...]:
    """Return the keys in force, the newest first; ``NotAllowed`` where there is none or one is too short."""
    given = tuple(secret for secret in secrets if secret)
    if not given or any(len(secret) < SHORTEST_SECRET for secret in given):
        raise NotAllowed(f"签名密钥未设置或不足 {SHORTEST_SECRET} 个字符", remedy="设置 webhook_secret")
    return given


def verify_signature(
    secrets: Sequence[str], timestamp: str, body: bytes, signature: str, now: datetime
) -> None:
    """Raise ``NotAllowed`` unless one of the signatures is right by one of the keys, and at most five minutes off."""
    keys = usable_secrets(secrets)
    fresh = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    if not fresh or abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        raise NotAllowed("签名时间无效或已过期", remedy="检查双方时钟与时间戳")
    expected = [sign(key, timestamp, body).encode() for key in keys]
    given = [part.strip().encode("utf-8", "replace") for part in signature.split(",")[:_MOST_SIGNATURES]]
    # Every pair is compared, so that the time taken tells nothing.
    right = [hmac.compare_digest(one, other) for one in expected for other in given]
    if not any(right):
        raise NotAllowed("签名不正确", remedy="检查签名密钥与签名内容")


def accept_webhook(
    connection: Connection,
    secrets: Sequence[str],
    *,
    timestamp: str,
    body: bytes,
    signature: str,
    now: datetime,
) -> None:
    """Check a signed request and note it; ``NotAllowed`` where it was taken before within its window.

    A sender that tries again signs anew with the time of the new attempt; the idempotency key then makes it harmless.
    """
    verify_signature(secrets, timestamp, body, signature, now)
    seen = hashlib.sha256(timestamp.encode() + b"." + body).hexdigest()
    connection.execute(
        sa.delete(INBOUND_SIGNATURES).where(INBOUND_SIGNATURES.c.seen_at < now - 3 * TOLERANCE)
    )
    row = {"signature": seen, "seen_at": now}
    if not insert_missing(connection, INBOUND_SIGNATURES, [row], unique=("signature",)):
        raise NotAllowed("同一签名的请求已收到过", remedy="重试时用新的时间戳重新签名")


def encode(message: outbox.Message) -> bytes:
    """Return the body: the same bytes for the same message, however often it is sent.

    ``sequence`` rises with every message; a receiver that has a later one of the same ``order`` drops an earlier one.
    """
    whole = {
        "topic": message.topic,
        "key": message.key,
        "order": message.order_key,
        "sequence": message.message_id,
        "payload": dict(message.payload),
    }
    return json.dumps(whole, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def post_webhook(
    url: str,
    secrets: Sequence[str],
    message: outbox.Message,
    *,
    policy: EgressPolicy,
    now: datetime,
    timeout_s: float = 10.0,
    resolve: Resolve = resolve_host,
) -> Answer:
    """Send one message and return the answer; ``NotAllowed`` or ``Unavailable`` says why there is none."""
    import httpx

    keys = usable_secrets(secrets)
    body, timestamp = encode(message), str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        KEY_HEADER: f"{message.topic}:{message.key}",
        TIME_HEADER: timestamp,
        SIGNATURE_HEADER: ",".join(sign(key, timestamp, body) for key in keys),
    }
    try:
        with (
            guarded_client(policy, timeout_s=timeout_s, resolve=resolve) as client,
            client.stream("POST", url, content=body, headers=headers) as response,
        ):
            return Answer(response.status_code, _pause(response.headers.get("retry-after", ""), now))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(f"回调未送达：{type(error).__name__}", remedy="检查对方服务与网络") from error


def _pause(text: str, now: datetime) -> timedelta | None:
    """Read Retry-After: seconds or a date; nonsense is no pause, a long one is cut to a day."""
    try:
        seconds = float(text) if text.strip().isascii() and text.strip().isdigit() else None
        if seconds is None:
            seconds = (parsedate_to_datetime(text).astimezone(UTC) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return timedelta(seconds=min(max(seconds, 0.0), LONGEST_PAUSE.total_seconds()))
