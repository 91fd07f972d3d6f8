"""Every look at rows of companies, people and tasks is one row of the audit log, noted before it is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import Browser, Enter
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from small_city import City

from qiaomen.bank import verify_audit, viewer_by_login
from qiaomen.store import reading, writing
from qiaomen.web.rates import Buckets
from qiaomen.web.reads import READS, SILENT, endpoint_name, harmless
from qiaomen.web.refusals import PER_MINUTE, RefusalBound

ANALYST, MANAGER, ADMINISTRATOR = "e0001", "e0005", "e0002"


def noted(app: FastAPI, city: City) -> list[dict[str, Any]]:
    """Return what the log says of reads and exports, oldest first."""
    app.state.site.read_log.flush()
    with reading(city.workspace.sql) as connection:
        assert verify_audit(connection).broken_at is None
        rows = connection.execute(
            sa.text(
                "SELECT actor, action, object, detail FROM audit_log "
                "WHERE action LIKE 'read.%' OR action LIKE 'refused.%' OR action LIKE 'export.%' ORDER BY number"
            )
        ).mappings()
        return [{**row, "detail": json.loads(row["detail"])} for row in rows]


def looked(app: FastAPI, city: City, browser: Browser, address: str) -> dict[str, Any]:
    before = len(noted(app, city))
    answer = browser.get(address)
    rows = noted(app, city)[before:]
    assert len(rows) == 1, (address, answer.status_code, rows)
    assert rows[0]["detail"]["status"] == answer.status_code
    return rows[0]


def test_each_look_is_one_row(app: FastAPI, city: City, enter: Enter) -> None:
    browser = enter(ANALYST)
    for address, action, thing in (
        ("/companies/1", "read.company", "company:1"),
        ("/api/v1/companies/1", "read.company", "company:1"),
        ("/reach/1", "read.reach", "company:1"),
        ("/api/v1/reach/1", "read.reach", "company:1"),
        ("/tasks", "read.tasks", "tasks"),
        ("/api/v1/tasks?limit=5", "read.tasks", "tasks"),
        ("/inventory/screen?q=customer", "read.screen", "screen"),
        ("/api/v1/screen?q=customer", "read.screen", "screen"),
        ("/opportunities", "read.opportunities", "opportunities"),
        ("/dispatch", "read.leads", "leads"),
        ("/inventory/matches", "read.matches", "matches"),
        ("/inventory/upload", "read.uploads", "uploads"),
        ("/search?q=上海", "read.search", "search"),
    ):
        row = looked(app, city, browser, address)
        assert (row["action"], row["object"], row["actor"]) == (action, thing, ANALYST), address
        assert row["detail"]["status"] == 200, address
        assert row["detail"]["generation"] == city.workspace.lake.snapshot().number


def test_a_look_at_a_company_by_name_says_its_number(app: FastAPI, city: City, enter: Enter) -> None:
    browser = enter(ANALYST)
    name = browser.get("/api/v1/companies/1").json()["head"]["name"]
    row = looked(app, city, browser, f"/api/v1/companies/{name}")
    assert row["object"] == "company:1"
    assert name not in json.dumps(row, ensure_ascii=False)


def test_an_attempt_that_was_refused_is_noted(app: FastAPI, city: City, enter: Enter) -> None:
    for login, address, status in ((ANALYST, "/companies/999999", 404), (ADMINISTRATOR, "/companies/1", 403)):
        row = looked(app, city, enter(login), address)
        assert (row["actor"], row["action"]) == (login, "refused.company")
        assert row["object"] == f"company:{address.rpartition('/')[2]}"
        assert (row["detail"]["status"], row["detail"]["path"]) == (status, address)


def test_a_refused_change_is_noted_once(app: FastAPI, city: City, enter: Enter) -> None:
    browser = enter(MANAGER)
    before = len(noted(app, city))
    assert (
        browser.client.post("/tasks/999999/claim", headers={"X-CSRF-Token": browser.token}).status_code == 404
    )
    assert browser.client.post("/tasks/1/claim", headers={"X-CSRF-Token": "forged"}).status_code == 403
    rows = noted(app, city)[before:]
    assert [
        (row["action"], row["object"], row["detail"]["status"], row["detail"]["method"]) for row in rows
    ] == [
        ("refused.other", "/tasks/999999/claim", 404, "POST"),
        ("refused.other", "/tasks/1/claim", 403, "POST"),
    ]


def test_a_scanner_cannot_flood_the_log(app: FastAPI, city: City, enter: Enter) -> None:
    browser, other = enter(ANALYST), enter(ADMINISTRATOR)
    before = len(noted(app, city))
    for number in range(PER_MINUTE + 40):
        assert browser.get(f"/api/v1/tasks/{900_000 + number}").status_code == 404
    rows = noted(app, city)[before:]
    # The bucket refills by one a second while the calls are made.
    assert PER_MINUTE <= len(rows) < PER_MINUTE + 40
    assert looked(app, city, other, "/companies/1")["action"] == "refused.company"


def test_what_was_left_out_is_counted(city: City) -> None:
    with reading(city.workspace.sql) as connection:
        viewer = viewer_by_login(connection, ANALYST, datetime.now(UTC))
    seconds = [0.0]
    bound = RefusalBound(Buckets(2, lambda: seconds[0]))
    assert [bound.admit(viewer) for _ in range(5)] == [{}, {}, None, None, None]
    seconds[0] = 31.0
    assert bound.admit(viewer) == {"left_out": 3}
    assert bound.admit(viewer) is None
    assert bound.rest() == [(viewer, 1)]
    assert bound.rest() == []


def test_typed_words_stay_out_of_the_log(app: FastAPI, city: City, enter: Enter) -> None:
    browser = enter(ANALYST)
    for address in (
        "/search?q=张三13800138000",
        "/search/suggest?q=13800138000",
        '/inventory/screen?q=name ~ "张三"',
        "/api/v1/companies/13800138000",
        "/api/v1/companies/张三",
        "/tasks?text=张三",
        "/opportunities?text=13800138000",
    ):
        text = json.dumps(looked(app, city, browser, address), ensure_ascii=False)
        assert "张三" not in text, address
        assert "138001" not in text, address


def test_nobody_signed_in_leaves_no_row(app: FastAPI, city: City) -> None:
    Browser(app).get("/companies/1")
    assert noted(app, city) == []


def test_every_endpoint_is_noted_or_says_why_not(still_app: FastAPI) -> None:
    """A page that nobody listed is noted as read.other; a name in the lists that no page has is a mistake."""
    names = {
        endpoint_name(context.endpoint)
        for context in iter_route_contexts(still_app.routes)
        if getattr(context, "endpoint", None) is not None
    }
    ours = {name for name in names if name.startswith(("pages.", "api.", "monitoring."))}
    assert set(SILENT) <= ours
    assert set(READS) <= ours, sorted(set(READS) - ours)
    assert not set(READS) & set(SILENT)


def test_a_page_that_nobody_listed_is_noted(
    app: FastAPI, city: City, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(READS, "pages.company.show")  # type: ignore[arg-type]
    row = looked(app, city, enter(ANALYST), "/companies/1")
    assert (row["action"], row["object"]) == ("read.other", "/companies/1")


@pytest.fixture
def full_log(app: FastAPI, city: City, enter: Enter) -> Iterator[Browser]:
    """A signed-in browser of an application whose log can be written no more."""
    browser = enter(ANALYST)
    log = app.state.site.read_log
    log.flush()
    log.close()
    with writing(city.workspace.sql) as connection:
        connection.execute(sa.text("ALTER TABLE audit_head RENAME TO away"))
    yield browser
    with writing(city.workspace.sql) as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO audit_head"))


def test_what_cannot_be_noted_is_not_shown(full_log: Browser) -> None:
    answer = full_log.get("/companies/1")
    assert answer.status_code == 503
    assert "审计日志" in answer.text
    assert "company" not in answer.text.split("<main", 1)[-1]
    answer = full_log.get("/api/v1/companies/1")
    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable"


def test_stopping_the_page_writes_what_waits(app: FastAPI, city: City, enter: Enter) -> None:
    browser = enter(MANAGER)
    with browser.client:
        browser.get("/today")
    with reading(city.workspace.sql) as connection:
        count = sa.text("SELECT count(*) FROM audit_log WHERE action = 'read.today'")
        assert connection.execute(count).scalar() == 2


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("tag:high_tech & !customer", "tag:high_tech & !customer"),
        ('name ~ "Zhang San" | x', 'name ~ "…" | x'),
        ("张三", "…"),
        ("phone 13800138000", "phone #"),
        ('tag:a "Zhang', "tag:a "),
    ],
)
def test_harmless(text: str, kept: str) -> None:
    assert harmless(text) == kept
