"""Every page in light and dark, wide and narrow, in a real browser: no visible text below the contrast that WCAG AA asks
for, and nothing wider than the window."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import serve
from fastapi import FastAPI
from small_city import City

from qiaomen.bank import open_session, viewer_by_login
from qiaomen.store import writing
from qiaomen.web.security import SESSION_COOKIE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
MEASURE = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8").split("\n", 2)[2]
MANAGER, SUB_BRANCH, BRANCH, ANALYST, ADMINISTRATOR = "e0005", "e0004", "e0003", "e0001", "e0002"
# Everything a person can open; sheets and evidence are opened before measuring.
PAGES = {
    "": ("/login",),
    MANAGER: (
        "/today",
        "/tasks",
        "/account",
        "/companies/3",
        "/companies/5",
        "/reach/3",
        "/map",
        "/nowhere",
        "/nothing",
    ),
    SUB_BRANCH: (
        "/cockpit",
        "/tasks",
        "/dispatch",
        "/companies/3",
        "/map",
        "/staff",
        "/staff/E0005/hand-over?to=E0006",
    ),
    ADMINISTRATOR: ("/system", "/audit", "/account", "/staff", "/staff/E0005", "/users"),
    BRANCH: (
        "/cockpit",
        "/tasks?scope=all",
        "/dispatch",
        "/dispatch?view=preview",
        "/dispatch?view=conflicts",
        "/dispatch?view=rejected",
        "/dispatch?view=records",
        "/dispatch/hand?company=31&company=3",
        "/inventory/upload",
        "/inventory/matches",
    ),
    ANALYST: (
        "/opportunities",
        "/inventory/screen?q=tag:high_tech",
        "/inventory/screen?q=tag:",
        "/chains",
        "/chains/ic",
        "/parks",
        "/parks/PK01",
        "/reach",
        "/search?q=shlw",
        "/system",
    ),
}
OPEN_ALL = """() => {
  document.querySelectorAll("details").forEach((part) => (part.open = true));
  document.querySelectorAll("dialog").forEach((sheet) => sheet.show());
}"""


@pytest.fixture(scope="module")
def address(still_app: FastAPI) -> Iterator[str]:
    with serve(still_app) as address:
        yield address


def visitor(browser: Browser, city: City, address: str, login: str) -> Page:
    """A page of somebody who has signed in; nobody where the login is empty."""
    context = browser.new_context(base_url=address, locale="zh-CN", viewport={"width": 1440, "height": 900})
    if login:
        now = dt.datetime.now(dt.UTC)
        with writing(city.workspace.sql) as connection:
            viewer = viewer_by_login(connection, login, now)
            token = open_session(connection, viewer, now, life=dt.timedelta(hours=1))
        context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": address}])
    return context.new_page()


@pytest.mark.parametrize("login", PAGES, ids=lambda login: login or "nobody")
def test_text_stands_out_and_fits_the_window(
    browser: Browser, still_city: City, address: str, login: str
) -> None:
    page = visitor(browser, still_city, address, login)
    short: list[str] = []
    for path in PAGES[login]:
        answer = page.goto(path)
        assert answer
        assert answer.status == (404 if path == "/nowhere" else 200), path
        page.evaluate(OPEN_ALL)
        for width, theme in product((1440, 390), ("light", "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate("(theme) => { document.documentElement.dataset.bsTheme = theme; }", theme)
            result = page.evaluate(MEASURE)
            assert result["measured"] > 3, f"{path}: hardly any text was seen"
            if page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
                short.append(f"{path} at {width} px: wider than the window")
            short += [f"{path} at {width} px, {theme}: {line}" for line in result["found"]]
    page.context.close()
    assert not short, "\n".join(short)


def test_the_measure_finds_what_is_too_faint(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(
        """<body style="background: white">
        <p style="color: #777777">fails at 4.48</p><p style="color: #767676">passes at 4.54</p>
        <p style="color: #949494; font-size: 24px">large passes at 3.03</p>
        <div style="background: rgb(0 0 0 / 50%)"><p style="color: black">5.28 on the half grey</p>
        <p style="color: white">3.98 on it</p></div><p style="opacity: .5">4.00: black at half strength</p>
        <input placeholder="faint" style="color: black"><button disabled style="color: #eee">disabled</button></body>"""
    )
    found = page.evaluate(MEASURE)["found"]
    assert sorted(line.split(" ")[0] for line in found) == ["3.98", "4.00", "4.48"]
    page.close()
