"""Sign-ins that have left for the identity provider: kept here, used once. Table ``sign_in_starts``."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.identity_schema import SIGN_IN_STARTS
from qiaomen.vocab import NotAllowed

LIFE: Final = timedelta(minutes=10)
LONGEST_TARGET: Final = 2000


@dataclass(frozen=True, slots=True)
class ProviderStart:
    """What a sign-in took along (``state``, ``nonce``, the verifier of PKCE) and where it leads afterwards."""

    state: str
    nonce: str
    verifier: str
    target: str


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def begin_provider(connection: Connection, visitor: str, target: str, now: datetime) -> ProviderStart:
    """Begin a sign-in for the browser that holds the secret ``visitor``."""
    start = ProviderStart(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(64),
        target=target if len(target) <= LONGEST_TARGET else "/",
    )
    connection.execute(
        sa.insert(SIGN_IN_STARTS).values(
            state_hash=_hashed(start.state),
            visitor_hash=_hashed(visitor),
            nonce=start.nonce,
            verifier=start.verifier,
            target=start.target,
            expires_at=now + LIFE,
        )
    )
    return start


def take_provider_start(connection: Connection, state: str, visitor: str, now: datetime) -> ProviderStart:
    """Return and remove what a state began; ``NotAllowed`` where it is unknown, used, too old or of another browser."""
    taken = connection.execute(
        sa.delete(SIGN_IN_STARTS)
        .where(
            SIGN_IN_STARTS.c.state_hash == _hashed(state),
            SIGN_IN_STARTS.c.visitor_hash == _hashed(visitor),
            SIGN_IN_STARTS.c.expires_at > now,
        )
        .returning(SIGN_IN_STARTS.c.nonce, SIGN_IN_STARTS.c.verifier, SIGN_IN_STARTS.c.target)
    ).first()
    if taken is None or not visitor:
        raise NotAllowed("这次统一认证已失效或已使用过", remedy="回到登录页重新登录")
    return ProviderStart(state, taken.nonce, taken.verifier, taken.target)


def drop_old_starts(connection: Connection, now: datetime) -> int:
    """Remove sign-ins that never came back and return their number."""
    return connection.execute(sa.delete(SIGN_IN_STARTS).where(SIGN_IN_STARTS.c.expires_at <= now)).rowcount
