"""Every page and list answers on PostgreSQL as it does on SQLite; odd texts and days make no fault on either."""

from __future__ import annotations

import itertools
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import Browser
from fastapi.routing import iter_route_contexts
from small_city import build_city

from qiaomen.web import create_app

GIVEN = {
    "company_id": "55",
    "task_id": "1",
    "code": "ic",
    "chain": "ic",
    "park": "PK1",
    "key": "55",
    "staff_no": "E0005",
}
ABROAD = ("/login/provider", "/login/provider/return", "/metrics", "/static")


@pytest.mark.postgres
def test_every_page_answers_on_both_stores(tmp_path: Path, postgres_url: str) -> None:
    answers: dict[str, dict[tuple[str, str], int]] = {}
    for store, more in (("sqlite", {}), ("postgres", {"database_url": postgres_url})):
        city = build_city(tmp_path / store, **more)
        assert city.workspace.sql.dialect.name == ("postgresql" if store == "postgres" else "sqlite")
        app = create_app(city.workspace)
        addresses = sorted(
            {
                path.format(**{name: GIVEN.get(name, "1") for name in _names(path)})
                for route in iter_route_contexts(app.routes)
                if "GET" in (getattr(route, "methods", None) or ()) and (path := str(route.path))
            }
        )
        asked = [address for address in addresses if not address.startswith(ABROAD)]
        assert len(asked) > 30
        seen = answers[store] = {}
        for login in ("e0001", "e0002", "e0003", "e0005"):
            browser = Browser(app).sign_in(login, city.passwords[login])
            for address in asked:
                seen[login, address] = browser.get(address).status_code
    assert answers["postgres"] == answers["sqlite"]
    assert max(answers["sqlite"].values()) < 500
    assert sum(status == 200 for status in answers["sqlite"].values()) > 40


def odd_requests(odd: str, day: str) -> list[tuple[str, str, dict[str, str] | None]]:
    """Requests with an odd text, or an odd day, wherever a person may type one: who, address, form (none: a look)."""
    return [
        ("e0002", f"/staff?q={quote(odd)}&unit={quote(odd)}", None),
        ("e0002", f"/staff/{quote(odd, safe='')}", None),
        ("e0002", f"/audit?actor={quote(odd)}&object={quote(odd)}", None),
        ("e0003", f"/staff/E0005/hand-over?to={quote(odd)}&others={quote(odd)}", None),
        ("e0005", f"/tasks?q={quote(odd)}", None),
        ("e0005", f"/search?q={quote(odd)}", None),
        ("e0005", f"/opportunities?q={quote(odd)}&kind={quote(odd)}", None),
        ("e0005", f"/inventory/screen?q={quote(odd)}", None),
        ("e0002", "/staff", {"staff_no": f"E9{odd}", "name": f"新{odd}", "role": "manager", "unit": "S01"}),
        ("e0002", "/staff", {"staff_no": "E0005", "role": "manager", "unit": odd, "since": day}),
        ("e0002", "/staff", {"staff_no": "E0005", "role": "manager", "unit": "S02", "until": day, "capacity": odd}),
        ("e0002", "/staff", {"staff_no": "E0006", "role": "manager", "unit": "S02", "capacity": "9" * 6}),
        ("e0002", "/staff/E0007/posts/1/end", {"last_day": day}),
        ("e0002", f"/staff/E0007/posts/{'9' * 30}/end", {}),
        ("e0002", "/users", {"login": f"l{odd}", "name": odd, "role": "administrator"}),
        ("e0002", "/users/unlock", {"login": odd}),
        ("e0002", "/users/reset", {"login": odd, "staff_no": odd}),
        ("e0003", "/staff/E0005/deputies", {"deputy": odd, "until": day, "reason": odd}),
        ("e0003", "/staff/E0005/deputies", {"deputy": "E0006", "since": day, "until": "9999-12-31", "reason": odd}),
        ("e0003", "/staff/E0005/hand-over", {"to": odd, "reason": odd}),
        ("e0005", "/account/deputies", {"deputy": odd, "until": day, "reason": odd}),
        ("e0005", "/tasks/1/move", {"to": "closed", "version": "1", "reason": odd}),
        ("e0005", "/tasks/1/visit", {"channel": odd, "note": odd, "next_on": day}),
        ("e0005", "/companies/1/opt-outs", {"position": "0", "generation": "1", "reason": odd}),
    ]  # fmt: skip


@pytest.mark.postgres
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_odd_texts_and_days_are_refused_or_kept_but_no_fault(
    tmp_path: Path, request: pytest.FixtureRequest, store: str
) -> None:
    more = {"database_url": request.getfixturevalue("postgres_url")} if store == "postgres" else {}
    city = build_city(tmp_path / "city", **more)
    app = create_app(city.workspace)
    browsers = {
        login: Browser(app).sign_in(login, city.passwords[login]) for login in ("e0002", "e0003", "e0005")
    }
    odd = ("\x00", "甲\x00乙", "\ud800", "x" * 20_000, "𠮷", "' OR 1=1 --", "%", "\r\n", "../..")
    days = ("9999-12-31", "0001-01-01", "2026-02-30", "-1", "２０２６-01-01")
    for text, day in itertools.product(odd, days):
        if day != days[0] and text != odd[0]:
            continue
        for login, address, form in odd_requests(text.encode("utf-8", "replace").decode(), day):
            browser = browsers[login]
            answer = browser.get(address) if form is None else browser.post(address, form)
            assert answer.status_code < 500, (address, form, answer.text[:300])
            if "\x00" in text and (text in str(form) or "%00" in address):
                assert answer.status_code == 422, (address, form)


def test_every_number_in_an_address_is_bounded(tmp_path: Path) -> None:
    """A number that no store can hold is refused or unknown, at every route that takes one."""
    city = build_city(tmp_path / "city")
    app = create_app(city.workspace)
    browsers = [Browser(app).sign_in(login, city.passwords[login]) for login in ("e0001", "e0002", "e0005")]
    body = {"event": "recycle", "version": 1, "idempotency_key": "k", "to": "closed", "reason": "x"}
    asked = 0
    for route in iter_route_contexts(app.routes):
        path = str(getattr(route, "path", ""))
        numbers = [name for name in _names(path) if name.endswith(("_id", "number"))]
        if not numbers or path.startswith(ABROAD):
            continue
        given = {name: GIVEN.get(name, "1") for name in _names(path)} | dict.fromkeys(numbers, "9" * 29)
        address = path.replace(":path", "").format(**given)
        for browser in browsers:
            for method in sorted(set(getattr(route, "methods", None) or ()) - {"HEAD"}):
                headers = {"X-CSRF-Token": browser.token}
                more = (
                    {"json": body} if path.startswith("/api/") else {"data": body | {"csrf": browser.token}}
                )
                sent = {} if method == "GET" else more
                answer = browser.client.request(method, address, headers=headers, **sent)
                assert answer.status_code < 500, (method, address, answer.text[:300])
                asked += 1
    assert asked > 40


def _names(path: str) -> list[str]:
    return [part.partition("}")[0].partition(":")[0] for part in path.split("{")[1:]]
