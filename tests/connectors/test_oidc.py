"""The identity provider: what its answers must be, tried against a real one on the loopback."""

from __future__ import annotations

import base64
import datetime as dt
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from qiaomen.bank import Match
from qiaomen.connectors import EgressPolicy, OidcProvider, OidcSettings
from qiaomen.vocab import InputRejected, NotAllowed, Unavailable
from tests.connectors.authority import make_certificates
from tests.connectors.identity_provider import CLIENT, SECRET, Provider

LOOPBACK = EgressPolicy(("127.0.0.1",), private=True)
BACK = "https://qiaomen.bank.example/login/provider/return"
NONCE, STATE, VERIFIER = "the-nonce", "the-state", "v" * 64


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with Provider(make_certificates(tmp_path / "tls")) as running:
        yield running


def ours(provider: Provider, **more: Any) -> OidcProvider:
    values = {
        "issuer": provider.issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uri": BACK,
        "ca_file": provider.certificates.authority,
        **more,
    }
    return OidcProvider(OidcSettings(**values), LOOPBACK)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def visit(provider: Provider, client: OidcProvider) -> dict[str, str]:
    """Go to the provider as a browser does and return what it sends back."""
    place = client.authorization_address(STATE, NONCE, VERIFIER, now())
    context = ssl.create_default_context(cafile=str(provider.certificates.authority))
    answer = httpx.get(place, verify=context, follow_redirects=False)
    assert answer.status_code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def enter(provider: Provider, client: OidcProvider, **changed: str) -> Any:
    back = visit(provider, client)
    asked = {"nonce": NONCE, "verifier": VERIFIER, **changed}
    return client.identity(back["code"], asked["nonce"], asked["verifier"], now(), issuer=back.get("iss", ""))


def test_the_provider_vouches_for_a_user(provider: Provider) -> None:
    identity = enter(provider, ours(provider))
    assert (identity.match, identity.value) == (Match.LOGIN, "e0005")
    assert identity.subject == f"{provider.issuer} u-1"


def test_another_claim_and_a_required_one(provider: Provider) -> None:
    provider.person |= {"employee_no": "E0005", "groups": ["staff", "qiaomen"]}
    client = ours(provider, claim="employee_no", match=Match.STAFF_NO, required=(("groups", "qiaomen"),))
    assert enter(provider, client).value == "E0005"
    provider.person["groups"] = ["staff"]
    with pytest.raises(NotAllowed, match="没有使用本系统的权限"):
        enter(provider, client)
    with pytest.raises(NotAllowed, match="没有给出"):
        enter(provider, ours(provider, claim="missing"))


STRANGE = [
    ("another issuer", {"claims": {"iss": "https://evil.example"}}),
    ("another audience", {"claims": {"aud": "another-client"}}),
    ("several audiences without azp", {"claims": {"aud": [CLIENT, "another-client"]}}),
    ("issued to another party", {"claims": {"azp": "another-client"}}),
    ("expired", {"claims": {"exp": 1_000_000_000}}),
    ("without an end", {"claims": {"exp": None}}),
    ("an end that is no number", {"claims": {"exp": "tomorrow"}}),
    ("not yet valid", {"claims": {"nbf": 4_000_000_000}}),
    ("another nonce", {"claims": {"nonce": "another"}}),
    ("without nonce", {"claims": {"nonce": None}}),
    ("without subject", {"claims": {"sub": None}}),
    ("without issue time", {"claims": {"iat": None}}),
    ("of another access token", {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}),
]


@pytest.mark.parametrize(("changes"), [case[1] for case in STRANGE], ids=[case[0] for case in STRANGE])
def test_a_token_with_one_wrong_claim_is_refused(provider: Provider, changes: dict[str, Any]) -> None:
    client = ours(provider)
    enter(provider, client)
    for name, value in changes.items():
        setattr(provider, name, value)
    with pytest.raises(NotAllowed, match="未通过校验"):
        enter(provider, client)


def test_a_signature_by_another_key_is_refused(provider: Provider) -> None:
    client = ours(provider)
    provider.signer = RSAKey.generate_key(2048, {"kid": "one"})
    with pytest.raises(NotAllowed, match="未通过校验"):
        enter(provider, client)


def test_a_token_signed_by_the_public_key_as_a_secret_is_refused(provider: Provider) -> None:
    public = provider.key.as_pem(private=False)
    provider.signer = OctKey.import_key(base64.urlsafe_b64encode(public).decode(), {"kid": "one"})
    provider.header = {"alg": "HS256"}
    with pytest.raises(NotAllowed, match="未通过校验"):
        enter(provider, ours(provider))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
def test_a_token_without_signature_is_refused(provider: Provider, algorithm: str) -> None:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {
        "iss": provider.issuer,
        "aud": CLIENT,
        "sub": "u-1",
        "nonce": NONCE,
        "preferred_username": "e0001",
    }
    claims |= {"iat": int(time.time()), "exp": int(time.time()) + 300}
    provider.raw_token = f"{part({'alg': algorithm})}.{part(claims)}."
    with pytest.raises(NotAllowed, match="未通过校验"):
        enter(provider, ours(provider))


@pytest.mark.parametrize("raw", ["", "x", "a.b.c", "....", "é.é.é"])
def test_what_is_no_token_is_refused(provider: Provider, raw: str) -> None:
    provider.raw_token = raw or " "
    with pytest.raises(NotAllowed, match="未通过校验"):
        enter(provider, ours(provider))


def test_a_code_is_good_once_and_for_its_verifier(provider: Provider) -> None:
    client = ours(provider)
    back = visit(provider, client)
    client.identity(back["code"], NONCE, VERIFIER, now())
    with pytest.raises(NotAllowed, match="未通过校验"):
        client.identity(back["code"], NONCE, VERIFIER, now())
    with pytest.raises(NotAllowed, match="未通过校验"):
        enter(provider, client, verifier="w" * 64)
    with pytest.raises(NotAllowed, match="未通过校验"):
        enter(provider, client, nonce="another")


def test_a_new_key_of_the_provider_is_learned_within_a_minute(provider: Provider) -> None:
    client = ours(provider)
    enter(provider, client)
    provider.key = ECKey.generate_key("P-256", {"kid": "two", "use": "sig"})
    back = visit(provider, client)
    later = now() + dt.timedelta(seconds=61)
    assert client.identity(back["code"], NONCE, VERIFIER, later).value == "e0005"
    assert provider.requests.count("/keys") == 2


def test_an_answer_of_another_issuer_is_refused(provider: Provider) -> None:
    provider.supports_iss = True
    client = ours(provider)
    assert enter(provider, client).value == "e0005"
    back = visit(provider, client)
    for issuer in ("https://evil.example", ""):
        with pytest.raises(NotAllowed, match="未通过校验"):
            client.identity(back["code"], NONCE, VERIFIER, now(), issuer=issuer)


def test_a_provider_that_calls_itself_otherwise_is_refused(provider: Provider) -> None:
    provider.claimed_issuer = "https://evil.example"
    with pytest.raises(Unavailable, match="issuer"):
        visit(provider, ours(provider))


def test_an_unknown_authority_and_an_unlisted_host_are_refused(provider: Provider) -> None:
    with pytest.raises(Unavailable, match="无法连接"):
        visit(provider, ours(provider, ca_file=None))
    settings = ours(provider).settings
    with pytest.raises(NotAllowed, match="名单"):
        OidcProvider(settings, EgressPolicy()).authorization_address(STATE, NONCE, VERIFIER, now())
    with pytest.raises(NotAllowed, match="不允许"):
        policy = EgressPolicy(("127.0.0.1",))
        OidcProvider(settings, policy).authorization_address(STATE, NONCE, VERIFIER, now())
    with pytest.raises(InputRejected, match="https"):
        ours(provider, issuer=provider.issuer.replace("https", "http"))


def test_a_wrong_secret_is_not_let_in(provider: Provider) -> None:
    with pytest.raises(NotAllowed, match="未通过校验"):
        enter(provider, ours(provider, client_secret="wrong"))


def test_signing_out_leads_to_the_provider_and_back(provider: Provider) -> None:
    place = ours(provider).sign_out_address("https://qiaomen.bank.example/login", now())
    asked = parse_qs(urlsplit(place).query)
    assert place.startswith(f"{provider.issuer}/end?")
    assert asked["post_logout_redirect_uri"] == ["https://qiaomen.bank.example/login"]
    assert asked["client_id"] == [CLIENT]
