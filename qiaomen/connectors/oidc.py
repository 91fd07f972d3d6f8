"""Sign-in at the bank's OpenID Connect provider: authorization code with PKCE, the ID token checked here.

Authlib builds the requests and checks the claims, joserfc the signature. The token gives one thing, which user it is;
roles and institutions stay those of this system.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import httpx

from qiaomen.bank import Identity, Match
from qiaomen.connectors.egress import EgressPolicy, Resolve, resolve_host
from qiaomen.connectors.transport import CheckedTransport, tls_context
from qiaomen.vocab import InputRejected, NotAllowed, Unavailable

log = logging.getLogger(__name__)

# Signatures by a private key only: with a shared secret or none, whoever knows the public key could sign.
ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip
LEEWAY_SECONDS: Final = 60
FRESH: Final = timedelta(hours=1)
# After a token with an unknown key the keys are read again, at most this often.
KEYS_AGAIN: Final = timedelta(minutes=1)
LARGEST_DOCUMENT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """How to reach the provider; ``claim`` names the user, each of ``required`` (claim, value) must be in the token."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    claim: str = "preferred_username"
    match: Match = Match.LOGIN
    scopes: tuple[str, ...] = ("openid", "profile")
    required: tuple[tuple[str, str], ...] = ()
    ca_file: Path | None = None
    timeout_s: float = 10.0


@dataclass(slots=True)
class _Read:
    """A document of the provider and when it was read."""

    body: dict[str, Any]
    at: datetime


class OidcProvider:
    """The provider as one process knows it; its two documents are read when first needed and hourly after."""

    def __init__(
        self, settings: OidcSettings, policy: EgressPolicy, *, resolve: Resolve = resolve_host
    ) -> None:
        _check_address(settings.issuer)
        self.settings = settings
        self._policy = policy
        self._resolve = resolve
        self._context = tls_context(settings.ca_file)
        self._lock = threading.Lock()
        self._metadata: _Read | None = None
        self._keys: _Read | None = None

    def authorization_address(self, state: str, nonce: str, verifier: str, now: datetime) -> str:
        """Return where to send the browser."""
        endpoint = self._endpoint("authorization_endpoint", now)
        with self._client() as client:
            address, _ = self._oauth(client).create_authorization_url(
                endpoint, state=state, nonce=nonce, code_verifier=verifier
            )
        return str(address)

    def identity(self, code: str, nonce: str, verifier: str, now: datetime, *, issuer: str = "") -> Identity:
        """Exchange a code and return whom the provider vouches for.

        ``issuer`` is the answer's own ``iss`` (RFC 9207). ``NotAllowed`` where anything does not fit.
        """
        self._check_issuer(issuer, now)
        raw, access_token = self._exchange(code, verifier, now)
        claims = self._checked(raw, access_token, nonce, now)
        for name, value in self.settings.required:
            held = claims.get(name)
            if value not in (held if isinstance(held, list) else [held]):
                raise NotAllowed("您的统一认证账号没有使用本系统的权限", remedy="请在统一认证平台申请开通")
        user = claims.get(self.settings.claim)
        if not isinstance(user, str) or not user.strip():
            log.warning("id token without the claim", extra={"claim": self.settings.claim})
            raise NotAllowed(
                f"统一认证没有给出“{self.settings.claim}”", remedy="请系统管理员核对 oidc_claim 与平台的配置"
            )
        return Identity(self.settings.match, user, f"{claims['iss']} {claims['sub']}")

    def sign_out_address(self, back: str, now: datetime) -> str:
        """Return where the provider's own session is ended; empty where the provider offers none."""
        endpoint = self._document(now).get("end_session_endpoint")
        if not isinstance(endpoint, str) or not endpoint.startswith("https://"):
            return ""
        asked = {"client_id": self.settings.client_id, "post_logout_redirect_uri": back}
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def _client(self) -> httpx.Client:
        transport = CheckedTransport(self._policy, self._context, resolve=self._resolve)
        return httpx.Client(transport=transport, timeout=self.settings.timeout_s, trust_env=False)

    def _oauth(self, client: httpx.Client) -> Any:
        from authlib.oauth2.client import OAuth2Client

        return OAuth2Client(
            client,
            client_id=self.settings.client_id,
            client_secret=self.settings.client_secret,
            scope=" ".join(self.settings.scopes),
            redirect_uri=self.settings.redirect_uri,
            code_challenge_method="S256",
        )

    def _read(self, address: str) -> dict[str, Any]:
        """Read a JSON object of the provider."""
        _check_address(address)
        text = b""
        try:
            with self._client() as client, client.stream("GET", address) as answer:
                for part in answer.iter_bytes():
                    text += part
                    if len(text) > LARGEST_DOCUMENT:
                        raise Unavailable("统一认证平台的应答过大", remedy="核对 oidc_issuer")
            body = json.loads(text) if answer.status_code == httpx.codes.OK else None
        except (httpx.HTTPError, ValueError) as error:
            raise _unreachable(type(error).__name__) from error
        if not isinstance(body, dict):
            raise _unreachable(f"HTTP {answer.status_code}")
        return body

    def _document(self, now: datetime) -> dict[str, Any]:
        """Return the provider's description of itself."""
        with self._lock:
            if self._metadata is None or now - self._metadata.at > FRESH:
                body = self._read(f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration")
                if body.get("issuer") != self.settings.issuer:
                    raise Unavailable(
                        "统一认证平台自报的 issuer 与设置不符", remedy="核对 oidc_issuer，须逐字相同"
                    )
                self._metadata = _Read(body, now)
            return self._metadata.body

    def _endpoint(self, name: str, now: datetime) -> str:
        address = self._document(now).get(name)
        if not isinstance(address, str):
            raise Unavailable(f"统一认证平台没有给出 {name}", remedy="核对 oidc_issuer")
        _check_address(address)
        return address

    def _check_issuer(self, issuer: str, now: datetime) -> None:
        promised = self._document(now).get("authorization_response_iss_parameter_supported") is True
        if (issuer or promised) and issuer != self.settings.issuer:
            raise _refused("iss of the answer")

    def _exchange(self, code: str, verifier: str, now: datetime) -> tuple[str, str]:
        """Return the ID token and the access token for a code."""
        from authlib.common.errors import AuthlibBaseError

        auth = (self.settings.client_id, self.settings.client_secret) if self.settings.client_secret else None
        more = {} if auth else {"client_id": self.settings.client_id}
        endpoint = self._endpoint("token_endpoint", now)
        try:
            with self._client() as client:
                tokens = self._oauth(client).fetch_token(
                    endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=verifier,
                    auth=auth,
                    **more,
                )
        except AuthlibBaseError as error:
            raise _refused(f"token endpoint: {error.error}") from error
        except (httpx.HTTPError, ValueError) as error:
            raise _unreachable(type(error).__name__) from error
        raw, access = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(raw, str):
            raise _refused("no id token")
        return raw, access if isinstance(access, str) else ""

    def _checked(self, raw: str, access_token: str, nonce: str, now: datetime) -> Mapping[str, Any]:
        """Return the claims of an ID token that is the provider's, for us, in time, and of this very sign-in."""
        from authlib.oidc.core import CodeIDToken
        from joserfc.errors import JoseError

        client = self.settings.client_id
        options = {
            "iss": {"essential": True, "value": self.settings.issuer},
            "aud": {"essential": True, "value": client},
            "sub": {"essential": True},
        }
        params = {"nonce": nonce, "client_id": client, "access_token": access_token}
        try:
            token = self._verified(raw, now)
            claims = CodeIDToken(token.claims, token.header, options, params)
            claims.validate(now=int(now.timestamp()), leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError) as error:
            raise _refused(f"{type(error).__name__}: {error}") from error
        return dict(claims)

    def _verified(self, raw: str, now: datetime) -> Any:
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            return jwt.decode(raw, self._key_set(now, FRESH), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            # The provider may have changed its keys since we read them.
            keys = self._key_set(now, KEYS_AGAIN)
            return jwt.decode(raw, keys, algorithms=ALGORITHMS)

    def _key_set(self, now: datetime, fresh: timedelta) -> Any:
        from joserfc.jwk import KeySet

        address = self._endpoint("jwks_uri", now)
        with self._lock:
            if self._keys is None or now - self._keys.at >= fresh:
                self._keys = _Read(self._read(address), now)
            body: Any = self._keys.body
            return KeySet.import_key_set(body)


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
        raise InputRejected("统一认证平台的网址须为 https", where=address, remedy="核对 oidc_issuer")


def _refused(reason: str) -> NotAllowed:
    """Return the one answer to any fault of an answer; the reason goes to the log only."""
    log.warning("sign-in by provider refused", extra={"reason": reason[:200]})
    return NotAllowed("统一认证的应答未通过校验", remedy="回到登录页重试；仍不行请联系系统管理员")


def _unreachable(reason: str) -> Unavailable:
    log.warning("provider not reached", extra={"reason": reason[:200]})
    return Unavailable(f"统一认证平台暂时无法连接（{reason}）", remedy="稍后再试，或改用其他登录方式")
