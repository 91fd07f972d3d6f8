"""Every route of the application, from its own table: forms refuse what no page of ours sent; no page carries script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from conftest import Browser, Enter
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from qiaomen.web.security import HEADERS

ANALYST, MANAGER, ADMINISTRATOR, BRANCH = "e0001", "e0005", "e0002", "e0003"
# Values that stand in for the parts of an address in the small city.
PARTS = {
    "company_id": "3",
    "task_id": "1",
    "code": "ic",
    "number": "1",
    "load_id": "x",
    "key": "3",
    "ask_id": "1",
    "kind": "csv",
}
PARK = "PK01"


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path that the application answers."""
    for context in iter_route_contexts(app.routes):
        for method in sorted(getattr(context, "methods", None) or ()):
            yield method, str(context.path)


def filled(path: str) -> str:
    """A path with its parts filled in."""
    address = path.replace("/parks/{code}", f"/parks/{PARK}")
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda part: PARTS.get(part[1], "1"), address)


def test_the_table_of_routes_is_read(still_app: FastAPI) -> None:
    found = list(routes(still_app))
    assert ("POST", "/logout") in found
    assert ("POST", "/tasks/{task_id}/claim") in found
    assert ("POST", "/api/v1/tasks/{task_id}/steps") in found
    assert len([one for one in found if one[0] == "POST"]) >= 15


def changes(app: FastAPI) -> list[tuple[str, str]]:
    return [
        (method, filled(path)) for method, path in routes(app) if method not in ("GET", "HEAD", "OPTIONS")
    ]


@pytest.mark.parametrize("login", [MANAGER, ANALYST, ADMINISTRATOR])
def test_no_change_is_made_without_the_token_of_the_session(
    still_app: FastAPI, look: Enter, login: str
) -> None:
    browser = look(login)
    other = Browser(still_app).get("/login").text.split('name="csrf" value="')[1].split('"')[0]
    for method, address in changes(still_app):
        for token in (None, "", other, "x" * 64, "é"):
            data = {} if token is None else {"csrf": token}
            for sent in (
                {"data": data},
                {"json": data, "headers": {} if token in (None, "é") else {"X-CSRF-Token": str(token)}},
            ):
                answer = browser.client.request(method, address, follow_redirects=False, **sent)  # type: ignore[arg-type]
                assert answer.status_code in (403, 422), f"{method} {address} {token!r}: {answer.status_code}"
                if address != "/login":
                    assert answer.status_code == 403, f"{method} {address} looks at its fields first"
    assert browser.get("/account").status_code == 200, "the session is still there"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=lambda value: "=".join(next(iter(value.items()))),
)
def test_no_change_is_made_for_another_site_even_with_the_token(
    still_app: FastAPI, look: Enter, headers: dict[str, str]
) -> None:
    browser = look(MANAGER)
    for method, address in changes(still_app):
        sent = {**headers, "X-CSRF-Token": browser.token}
        data = {"csrf": browser.token, "login": "x", "password": "x"}
        if address.startswith("/api/"):
            answer = browser.client.request(method, address, json={}, headers=sent, follow_redirects=False)
        else:
            answer = browser.client.request(method, address, data=data, headers=sent, follow_redirects=False)
        assert answer.status_code == 403, f"{method} {address}: {answer.status_code}"
    assert browser.get("/account").status_code == 200


def test_the_own_origin_is_let_through(enter: Enter) -> None:
    browser = enter(MANAGER)
    own = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
    answer = browser.client.post("/logout", data={"csrf": browser.token}, headers=own, follow_redirects=False)
    assert answer.status_code == 303


class Inline(HTMLParser):
    """Finds script and style within a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self._open = tag if tag in ("script", "style") else ""
        if tag == "style":
            self.found.append("<style>")
        if tag == "script" and "src" not in names and names.get("type") != "application/json":
            self.found.append("<script> without src")
        for name, value in attrs:
            if name.startswith(("on", "hx-on")):
                self.found.append(f"{tag} {name}")
            if name == "style":
                self.found.append(f"{tag} style={value}")
            if name in ("href", "src", "action", "formaction") and (value or "").strip().lower().startswith(
                ("javascript:", "data:text", "vbscript:")
            ):
                self.found.append(f"{tag} {name}={value}")
        source = names.get("src") or (names.get("href") if tag == "link" else None)
        if source and not source.startswith(("/", "data:image/")):
            self.found.append(f"{tag} from {source}")


def test_the_finder_of_inline_script_finds_it() -> None:
    page = (
        "<style>a{}</style><script>x</script><p onclick='x' style='x'></p><a href=' JavaScript:x'></a>"
        "<script src='https://cdn.example/x.js'></script><p hx-on:click='x'></p>"
    )
    finder = Inline()
    finder.feed(page)
    assert len(finder.found) == 7


@pytest.mark.parametrize("login", [ANALYST, MANAGER, BRANCH, ADMINISTRATOR, ""])
def test_no_page_has_script_or_style_within(still_app: FastAPI, look: Enter, login: str) -> None:
    browser = look(login) if login else Browser(still_app)
    pages = 0
    for method, path in routes(still_app):
        if method != "GET" or path.startswith("/api/"):
            continue
        answer = browser.get(filled(path))
        assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"], path
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        finder = Inline()
        finder.feed(answer.text)
        assert finder.found == [], f"{path}: {finder.found}"
        pages += 1
    assert pages >= 15


def test_the_policy_allows_nothing_unsafe_and_nothing_foreign() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy
    assert policy.startswith("default-src 'none'")


def test_no_answer_but_a_static_file_is_kept_by_a_cache(still_app: FastAPI, look: Enter) -> None:
    browser = look(ANALYST)
    for method, path in routes(still_app):
        if method == "GET":
            assert browser.get(filled(path)).headers["cache-control"] == "no-store", path
