"""What every request passes: where redirects lead, host names, proxies, sizes, rates."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from conftest import Browser, Enter
from entering import changed, submit
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from small_city import City

from qiaomen.vocab import InputRejected
from qiaomen.web.security import is_local_address

ADMINISTRATOR, ANALYST, MANAGER = "e0002", "e0001", "e0005"


# --- redirects and hosts -----------------------------------------------------------------------------------------

FOREIGN = [
    "//evil.example",
    "///evil.example",
    "https://evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "/" + "a" * 3000,
    "",
]


@pytest.mark.parametrize("target", FOREIGN)
def test_nobody_is_sent_to_another_site_after_signing_in(app: FastAPI, city: City, target: str) -> None:
    assert not is_local_address(target)
    browser = Browser(app)
    browser.client.follow_redirects = False
    answer = submit(browser, MANAGER, city.passwords[MANAGER], next=target)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@given(st.text(max_size=40), st.text(st.sampled_from("/\\:@.?#%\t\r\n evilhtps"), max_size=30))
def test_a_local_address_resolves_to_this_site(head: str, tail: str) -> None:
    from urllib.parse import urljoin

    for target in (head + tail, f"/{tail}", f"/{head}{tail}"):
        if is_local_address(target):
            # As a browser reads it: a backslash is a slash, tabs and line ends are nothing.
            read = target.replace("\\", "/").translate({9: None, 10: None, 13: None}).strip()
            assert (
                urlsplit(urljoin("https://qiaomen.bank.example/login", read)).netloc == "qiaomen.bank.example"
            )


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "", "a b", "[::1"]
)
def test_a_foreign_host_name_is_refused(still_app: FastAPI, host: str) -> None:
    answer = Browser(still_app).get("/login", headers={"Host": host})
    assert answer.status_code == 400
    assert "evil" not in answer.text
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "10.1.2.3"])
def test_addresses_and_localhost_are_known_where_no_name_is_set(still_app: FastAPI, host: str) -> None:
    assert Browser(still_app).get("/login", headers={"Host": host}).status_code == 200


def test_only_the_names_that_are_set_are_known(city: City) -> None:
    app = changed(city, web_hosts=("Qiaomen.bank.example",), public_url="https://front.bank.example/")
    for host, status in [
        ("qiaomen.bank.example", 200),
        ("front.bank.example:443", 200),
        ("127.0.0.1", 400),
        ("other.bank.example", 400),
    ]:
        assert Browser(app).get("/login", headers={"Host": host}).status_code == status


# --- proxies -----------------------------------------------------------------------------------------------------


def test_a_forwarded_address_is_believed_from_our_proxies_only(city: City) -> None:
    from starlette.testclient import TestClient

    def seen(app: FastAPI, client: tuple[str, int], forwarded: str) -> str:
        browser = Browser(app)
        browser.client = TestClient(app, base_url="http://127.0.0.1", client=client)
        browser.client.headers["X-Forwarded-For"] = forwarded
        browser.sign_in(MANAGER, city.passwords[MANAGER])
        return browser.get("/account").text

    closed = changed(city)
    assert "203.0.113.9" not in seen(closed, ("10.9.9.9", 1), "203.0.113.9")
    behind = changed(city, trusted_proxies=("10.9.9.0/24",))
    assert "203.0.113.9 ·" in seen(behind, ("10.9.9.9", 1), "198.51.100.7, 203.0.113.9, 10.9.9.8")
    assert "198.51.100.77" not in seen(behind, ("10.8.8.8", 1), "198.51.100.77")
    assert "<script>" not in seen(behind, ("10.9.9.9", 1), "<script>")


def test_proxies_that_are_no_network_are_refused_at_the_start(city: City) -> None:
    with pytest.raises(InputRejected, match="trusted_proxies"):
        changed(city, trusted_proxies=("the proxy",))


# --- size and rate -----------------------------------------------------------------------------------------------


def test_a_large_body_is_refused_by_its_length_and_by_what_comes(enter: Enter) -> None:
    browser = enter(ANALYST)
    large = b"x" * (2 << 20)

    def in_parts() -> Iterator[bytes]:
        for _ in range(32):
            yield b"x" * (1 << 16)

    for body in (large, in_parts()):
        answer = browser.client.post(
            "/api/v1/screen",
            content=body,
            headers={"X-CSRF-Token": browser.token, "Content-Type": "application/json"},
        )
        assert answer.status_code == 413, answer.text[:300]
        assert answer.json()["status"] == 413
        assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("length", ["-1", "1e9", "abc", "99999999999999999999"])
def test_a_strange_length_is_refused(still_app: FastAPI, length: str) -> None:
    answer = Browser(still_app).client.post("/login", content=b"x", headers={"Content-Length": length})
    assert answer.status_code == 413


def test_api_calls_have_a_rate_and_say_when_to_come_again(city: City) -> None:
    browser = Browser(changed(city, api_calls_per_minute=5)).sign_in(MANAGER, city.passwords[MANAGER])
    statuses = [browser.get("/api/v1/chains").status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    answer = browser.get("/api/v1/chains")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.json()["code"] == "too_many_calls"
    assert browser.get("/today").status_code == 200, "pages are not calls of the API"


def test_guessing_tokens_is_slowed_down_for_the_address(app: FastAPI) -> None:
    browser = Browser(app)
    answers = [
        browser.get("/api/v1/tasks", headers={"Authorization": f"Bearer qm_{n:043d}"}).status_code
        for n in range(40)
    ]
    assert answers[:30] == [401] * 30
    assert set(answers[30:]) == {429}
