"""What the site knows about signing in: the rules, the directory, the provider, the cookies; and the step inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from qiaomen.bank import (
    LocalSignIn,
    LockRules,
    Match,
    PasswordRules,
    SignedIn,
    SignInRules,
    close_session,
    open_session,
)
from qiaomen.connectors import DirectorySettings, EgressPolicy, LdapDirectory, OidcProvider, OidcSettings
from qiaomen.settings import Settings
from qiaomen.store import writing
from qiaomen.vocab import InputRejected
from qiaomen.web.rates import Buckets
from qiaomen.web.security import Cookies

if TYPE_CHECKING:
    import sqlalchemy as sa

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
RETURN_PATH: Final = "/login/provider/return"
# Wrong API tokens and sign-ins begun at the provider, per address and minute.
STRANGERS_PER_MINUTE: Final = 30


@dataclass(frozen=True, slots=True)
class Entrance:
    """How people and machines come in."""

    rules: SignInRules
    cookies: Cookies
    life: timedelta
    idle: timedelta
    directory: LdapDirectory | None
    provider: OidcProvider | None
    provider_name: str
    public_url: str
    hosts: tuple[str, ...]
    calls: Buckets
    strangers: Buckets = field(default_factory=lambda: Buckets(STRANGERS_PER_MINUTE))

    @property
    def takes_passwords(self) -> bool:
        """Whether the login page has a form for login and password."""
        return self.directory is not None or self.rules.local is not LocalSignIn.NOBODY


def open_entrance(settings: Settings, root: Path) -> Entrance:
    """Read the settings of signing in; ``InputRejected`` names the one that is missing."""
    policy = EgressPolicy(settings.egress_hosts, settings.egress_private, settings.egress_networks)
    public = settings.public_url.rstrip("/")
    ca_file = root / settings.identity_ca_file if settings.identity_ca_file else None
    provider = OidcProvider(_oidc(settings, public, ca_file), policy) if settings.oidc_issuer else None
    directory = LdapDirectory(_ldap(settings, ca_file), policy) if settings.ldap_urls else None
    if provider is None and directory is None and settings.local_sign_in == "nobody":
        raise InputRejected("没有任何登录方式", remedy="设置 oidc_issuer 或 ldap_urls，或放开 local_sign_in")
    return Entrance(
        rules=sign_in_rules(settings),
        cookies=Cookies(settings.secure_cookies),
        life=settings.session_life,
        idle=settings.session_idle,
        directory=directory,
        provider=provider,
        provider_name=settings.oidc_name,
        public_url=public,
        hosts=_hosts(settings, public),
        calls=Buckets(settings.api_calls_per_minute),
    )


def sign_in_rules(settings: Settings) -> SignInRules:
    """Return the rules of passwords and locks."""
    return SignInRules(
        locks=LockRules(
            settings.lock_failures, settings.lock_address_failures, timedelta(minutes=settings.lock_minutes)
        ),
        passwords=PasswordRules(
            shortest=settings.password_length,
            kinds=settings.password_kinds,
            max_age=timedelta(days=settings.password_days) if settings.password_days else None,
            remembered=settings.password_history,
            first_life=timedelta(hours=settings.first_password_hours),
            words=(settings.bank_name,),
        ),
        local=LocalSignIn(settings.local_sign_in),
    )


def _hosts(settings: Settings, public: str) -> tuple[str, ...]:
    named = urlsplit(public).hostname
    return (*settings.web_hosts, *((named,) if named else ()))


def _oidc(settings: Settings, public: str, ca_file: Path | None) -> OidcSettings:
    parts = urlsplit(public)
    if not parts.hostname or (parts.scheme != "https" and parts.hostname not in LOOPBACK):
        raise InputRejected("启用统一认证须设置 https 的 public_url", remedy="例如 https://qiaomen.bank.cn")
    if not settings.oidc_client_id:
        raise InputRejected("oidc_client_id 未设置", remedy="填写在认证平台登记的 client_id")
    required = tuple(pair.partition("=")[::2] for pair in settings.oidc_require)
    return OidcSettings(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        redirect_uri=f"{public}{RETURN_PATH}",
        claim=settings.oidc_claim,
        match=Match(settings.oidc_match),
        scopes=settings.oidc_scopes,
        required=required,
        ca_file=ca_file,
        timeout_s=settings.identity_timeout_s,
    )


def _ldap(settings: Settings, ca_file: Path | None) -> DirectorySettings:
    return DirectorySettings(
        urls=settings.ldap_urls,
        base=settings.ldap_base,
        filter=settings.ldap_filter,
        attribute=settings.ldap_attribute,
        match=Match(settings.ldap_match),
        bind_dn=settings.ldap_bind_dn,
        bind_password=settings.ldap_bind_password,
        ca_file=ca_file,
        timeout_s=settings.identity_timeout_s,
    )


def address_of(request: Request) -> str:
    """Return the network address of the caller, behind our own proxies."""
    return request.client.host if request.client else ""


def step_inside(
    request: Request, entrance: Entrance, sql: sa.Engine, signed: SignedIn, target: str, moment: datetime
) -> Response:
    """Begin a session under a new token, end the one that the browser had, and lead on."""
    with writing(sql) as connection:
        if former := request.cookies.get(entrance.cookies.session):
            close_session(connection, former)
        token = open_session(
            connection,
            signed.viewer,
            moment,
            life=entrance.life,
            idle=entrance.idle,
            way=signed.way,
            password_due_at=signed.password_due_at,
            address=address_of(request),
            agent=request.headers.get("user-agent", ""),
        )
    answer = RedirectResponse(target, HTTPStatus.SEE_OTHER)
    entrance.cookies.give(answer, entrance.cookies.session, token, max_age=int(entrance.life.total_seconds()))
    entrance.cookies.take(answer, entrance.cookies.visitor)
    return answer
