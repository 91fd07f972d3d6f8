"""Coming in: by password, by provider, by token; what is refused on the way, and the page of one's own account."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from conftest import TOKEN, Browser
from entering import changed, form, submit
from fastapi import FastAPI
from small_city import City

from qiaomen.bank import reset_password, viewer_by_login
from qiaomen.store import writing
from qiaomen.vocab import InputRejected
from qiaomen.web.security import SESSION_COOKIE, VISITOR_COOKIE
from tests.connectors.authority import make_certificates
from tests.connectors.identity_provider import CLIENT, SECRET, Provider

ADMINISTRATOR, ANALYST, MANAGER = "e0002", "e0001", "e0005"
GOOD = "violet tractor monsoon"


# --- sessions ----------------------------------------------------------------------------------------------------


def test_a_planted_session_is_not_taken_over(app: FastAPI, city: City) -> None:
    browser = Browser(app)
    browser.client.cookies.set(SESSION_COOKIE, "planted-by-somebody-else")
    browser.sign_in(MANAGER, city.passwords[MANAGER])
    values = [cookie.value for cookie in browser.client.cookies.jar if cookie.name == SESSION_COOKIE]
    assert "planted-by-somebody-else" not in values[-1:]
    with Browser(app).client as stranger:
        stranger.cookies.set(SESSION_COOKIE, "planted-by-somebody-else")
        assert stranger.get("/today").url.path == "/login"


def test_signing_in_anew_ends_the_session_that_was_there(app: FastAPI, city: City) -> None:
    browser = Browser(app).sign_in(MANAGER, city.passwords[MANAGER])
    former = browser.client.cookies[SESSION_COOKIE]
    visitor = Browser(app)
    csrf = form(visitor)
    visitor.client.cookies.set(SESSION_COOKIE, former)
    data = {"login": ANALYST, "password": city.passwords[ANALYST], "csrf": csrf}
    answer = visitor.client.post("/login", data=data, follow_redirects=False)
    assert SESSION_COOKIE in answer.headers["set-cookie"]
    stranger = Browser(app)
    stranger.client.cookies.set(SESSION_COOKIE, former)
    assert stranger.get("/today").url.path == "/login"


def test_cookies_on_https_are_bound_to_the_host(city: City) -> None:
    browser = Browser(changed(city, secure_cookies=True))
    browser.client.base_url = httpx.URL("https://127.0.0.1")
    browser.client.follow_redirects = False
    answer = submit(browser, MANAGER, city.passwords[MANAGER])
    cookies = answer.headers.get_list("set-cookie")
    session = next(cookie for cookie in cookies if cookie.startswith(f"__Host-{SESSION_COOKIE}="))
    for part in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert part in session
    assert "Domain" not in session
    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert browser.get("/today").status_code == 200


def test_without_https_there_is_no_promise_of_it(still_app: FastAPI) -> None:
    assert "strict-transport-security" not in Browser(still_app).get("/login").headers


# --- the provider ------------------------------------------------------------------------------------------------


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    with Provider(make_certificates(tmp_path / "tls")) as running:
        yield running


def with_provider(city: City, provider: Provider, **more: Any) -> Browser:
    app = changed(
        city,
        public_url="http://127.0.0.1",
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
        egress_hosts=("127.0.0.1",),
        egress_private=True,
        identity_ca_file=str(provider.certificates.authority),
        **more,
    )
    return Browser(app)


def at_provider(provider: Provider, place: str) -> str:
    """Do what a browser does at the provider; return the path that it is sent back to."""
    context = ssl.create_default_context(cafile=str(provider.certificates.authority))
    back = httpx.get(place, verify=context, follow_redirects=False).headers["location"]
    parts = urlsplit(back)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "http://127.0.0.1/login/provider/return"
    return f"{parts.path}?{parts.query}"


def begin(browser: Browser, provider: Provider, address: str = "/login/provider") -> str:
    answer = browser.client.get(address, follow_redirects=False)
    assert answer.status_code == 303, answer.text[:300]
    return at_provider(provider, answer.headers["location"])


def test_somebody_comes_in_by_the_provider_and_leaves_by_it(city: City, provider: Provider) -> None:
    browser = with_provider(city, provider)
    assert "统一身份认证" in browser.get("/login").text
    page = browser.get(begin(browser, provider, "/login/provider?next=/tasks"))
    assert (page.status_code, page.url.path) == (200, "/tasks")
    account = browser.get("/account").text
    assert "统一认证" in account
    assert 'name="old"' not in account, "no local password to change"
    found = TOKEN.search(account)
    assert found
    left = browser.client.post("/logout", data={"csrf": found[1]})
    assert left.url.path == "/login/left"
    assert f"{provider.issuer}/end?client_id={CLIENT}" in left.text
    assert browser.get("/tasks").url.path == "/login"


def test_an_answer_of_the_provider_is_good_once_and_for_one_browser(city: City, provider: Provider) -> None:
    browser = with_provider(city, provider)
    back = begin(browser, provider)
    thief = Browser(browser.client.app)  # type: ignore[arg-type]
    thief.get("/login")
    for stranger in (thief, Browser(browser.client.app)):  # type: ignore[arg-type]
        answer = stranger.get(back)
        assert answer.status_code == 403
        assert "已失效或已使用过" in answer.text
    assert browser.get(back).url.path == "/today"
    browser.client.cookies.clear()
    assert browser.get(back).status_code == 403


def test_somebody_whom_we_do_not_know_is_told_so(city: City, provider: Provider) -> None:
    provider.person["preferred_username"] = "stranger"
    browser = with_provider(city, provider)
    answer = browser.get(begin(browser, provider))
    assert answer.status_code == 403
    assert "没有与之对应的用户" in answer.text
    assert "请系统管理员按您的工号建立用户" in answer.text


def test_roles_that_a_token_claims_are_not_taken(city: City, provider: Provider) -> None:
    provider.person |= {"roles": ["administrator"], "groups": ["administrator"], "role": "administrator"}
    browser = with_provider(city, provider)
    browser.get(begin(browser, provider))
    assert browser.get("/system").status_code == 403


@pytest.mark.parametrize(
    "spoilt",
    [
        {"nonce": "another"},
        {"aud": "another"},
        {"exp": 1},
        {"iss": "https://evil.example"},
    ],
    ids=lambda value: next(iter(value)),
)
def test_a_spoilt_token_gives_no_session(city: City, provider: Provider, spoilt: dict[str, Any]) -> None:
    provider.claims = spoilt
    browser = with_provider(city, provider)
    answer = browser.get(begin(browser, provider))
    assert answer.status_code == 403
    assert "未通过校验" in answer.text
    assert SESSION_COOKIE not in browser.client.cookies


def test_a_refusal_by_the_provider_shows_none_of_its_words(city: City, provider: Provider) -> None:
    browser = with_provider(city, provider)
    state = parse_qs(urlsplit(begin(browser, provider)).query)["state"][0]
    answer = browser.get(f"/login/provider/return?state={state}&error=<b>access_denied</b>")
    assert answer.status_code == 403
    assert "access_denied" not in answer.text


def test_a_provider_out_of_reach_leaves_the_form(city: City, provider: Provider) -> None:
    browser = with_provider(city, provider)
    provider.__exit__()
    answer = browser.get("/login/provider")
    assert answer.status_code == 503
    assert "暂时无法连接" in answer.text
    assert 'name="password"' in answer.text


def test_the_page_offers_only_the_ways_that_there_are(city: City, provider: Provider) -> None:
    assert Browser(changed(city)).get("/login/provider").status_code == 404
    browser = with_provider(city, provider, local_sign_in="nobody")
    assert 'name="password"' not in browser.get("/login").text
    with pytest.raises(InputRejected, match="没有任何登录方式"):
        changed(city, oidc_issuer="", local_sign_in="nobody")
    with pytest.raises(InputRejected, match="public_url"):
        changed(city, oidc_issuer=provider.issuer, public_url="", local_sign_in="everyone")
    with pytest.raises(InputRejected, match="public_url"):
        changed(city, public_url="http://qiaomen.bank.example")


# --- one's own account -------------------------------------------------------------------------------------------


def given_password(city: City, login: str) -> str:
    now = dt.datetime.now(dt.UTC)
    with writing(city.workspace.sql) as connection:
        return reset_password(viewer_by_login(connection, ADMINISTRATOR, now), connection, login, now=now)


def test_a_given_password_opens_nothing_but_the_page_that_changes_it(app: FastAPI, city: City) -> None:
    password = given_password(city, MANAGER)
    browser = Browser(app).sign_in(MANAGER, password)
    for address in ("/", "/today", "/tasks", "/companies/3", "/login"):
        assert browser.get(address).url.path == "/account"
    assert browser.get("/api/v1/tasks").json()["code"] == "password_due"
    assert (
        browser.get("/search/suggest?q=a", headers={"HX-Request": "true"}).headers["hx-redirect"]
        == "/account"
    )
    assert browser.post("/tasks/1/claim").url.path == "/account"
    for new, again, words in [
        (GOOD, "other", "不一致"),
        ("short", "short", "12"),
        (password, password, "用过"),
    ]:
        answer = browser.post("/account/password", {"old": password, "new": new, "again": again})
        assert answer.status_code == 422
        assert words in answer.text
    assert "不正确" in browser.post("/account/password", {"old": "wrong", "new": GOOD, "again": GOOD}).text
    former = browser.client.cookies[SESSION_COOKIE]
    answer = browser.post("/account/password", {"old": password, "new": GOOD, "again": GOOD})
    assert "密码已修改" in answer.text
    assert browser.client.cookies[SESSION_COOKIE] != former
    assert browser.get("/today").status_code == 200
    assert Browser(app).sign_in(MANAGER, GOOD).get("/today").status_code == 200


def test_people_end_their_other_sessions(app: FastAPI, city: City) -> None:
    here, there, elsewhere = (Browser(app).sign_in(MANAGER, city.passwords[MANAGER]) for _ in range(3))
    page = here.get("/account").text
    keys = [part.split('"')[0] for part in page.split('action="/account/sessions/')[1:]]
    assert len(keys) == 2
    assert "该登录已退出" in here.post(f"/account/sessions/{keys[0]}").text
    left = [browser for browser in (there, elsewhere) if browser.get("/today").url.path == "/today"]
    assert len(left) == 1
    assert "其他登录已全部退出" in here.post("/account/sessions").text
    assert left[0].get("/today").url.path == "/login"
    assert here.get("/today").url.path == "/today"
    assert here.post("/account/sessions/0123456789abcdef").status_code == 404


def test_the_visitor_secret_is_gone_after_signing_in(app: FastAPI, city: City) -> None:
    browser = Browser(app).sign_in(MANAGER, city.passwords[MANAGER])
    assert VISITOR_COOKIE not in browser.client.cookies
