"""审计日志 on a page: for administrators only, filtered, paged, with the state of the chain."""

from __future__ import annotations

import datetime as dt
import re

import pytest
import sqlalchemy as sa
from conftest import Enter
from fastapi import FastAPI
from small_city import City

from qiaomen.bank import audit
from qiaomen.store import writing

ADMINISTRATOR, ANALYST, MANAGER = "e0002", "e0001", "e0005"
DAY = dt.datetime(2026, 6, 1, 20, tzinfo=dt.UTC)


@pytest.fixture
def filled(app: FastAPI, city: City) -> FastAPI:
    """The city with a hundred and twenty rows of its own."""
    with writing(city.workspace.sql) as connection:
        for number in range(120):
            audit(connection, None, "change.load", f"load:{number}", {"n": number, "<b>": "<i>"}, now=DAY)
    return app


def objects(text: str) -> list[str]:
    return re.findall(r"load:\d+", text)


@pytest.mark.parametrize("login", [ANALYST, MANAGER])
def test_nobody_else_sees_it(filled: FastAPI, enter: Enter, login: str) -> None:
    browser = enter(login)
    answer = browser.get("/audit")
    assert answer.status_code == 403
    assert not objects(answer.text)
    assert browser.post("/audit/check").status_code == 403
    assert "/audit" not in browser.get("/opportunities").text


def test_rows_are_paged_newest_first(filled: FastAPI, enter: Enter) -> None:
    browser = enter(ADMINISTRATOR)
    address, seen = "/audit?action=change.load", []
    while address:
        text = browser.get(address).text
        seen += objects(text)
        older = re.search(r'href="([^"]+)">更早', text)
        address = older[1].replace("&amp;", "&") if older else ""
    assert seen == [f"load:{number}" for number in range(119, -1, -1)]


def test_filters_narrow_the_list(filled: FastAPI, enter: Enter) -> None:
    browser = enter(ADMINISTRATOR)
    assert objects(browser.get("/audit?object=load:7&actor=&action=&since=&until=").text) == [
        "load:7",
        "load:7",
    ]
    # The day is Shanghai's: 20:00 UTC on 1 June is the 2nd there.
    assert objects(browser.get("/audit?since=2026-06-02&until=2026-06-02").text)
    assert not objects(browser.get("/audit?until=2026-06-01").text)
    assert not objects(browser.get("/audit?actor=nobody").text)
    assert browser.get("/audit?since=x").status_code == 422
    assert browser.get("/audit?before=0").status_code == 422
    assert "<i>" not in browser.get("/audit").text


def test_the_page_checks_the_chain(filled: FastAPI, city: City, enter: Enter) -> None:
    browser = enter(ADMINISTRATOR)
    assert "还没有校验过" in browser.get("/audit").text
    assert "完好" in browser.post("/audit/check").text
    with writing(city.workspace.sql) as connection:
        connection.execute(sa.text("DROP TRIGGER audit_log_no_update"))
        connection.execute(sa.text("UPDATE audit_log SET detail = '{}' WHERE object = 'load:60'"))
    text = browser.post("/audit/check").text
    assert "不符" in text
    assert "内容被改动" in text


def test_a_look_at_the_log_is_in_it(filled: FastAPI, enter: Enter) -> None:
    browser = enter(ADMINISTRATOR)
    browser.get("/audit?object=load:7")
    filled.state.site.read_log.flush()
    assert "查阅审计日志" in browser.get("/audit?action=read").text
