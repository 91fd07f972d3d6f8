"""A real browser on every page: nothing that the content security policy forbids is tried, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from conftest import serve
from fastapi.routing import iter_route_contexts
from small_city import City
from test_pages_guarded import filled

from qiaomen.web import create_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# Runs before the page's own scripts and is no part of the page, so the policy does not touch it.
LISTEN = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


@pytest.fixture
def site(city: City) -> Iterator[str]:
    with serve(create_app(city.workspace)) as base:
        yield base


def sign_in(page: Page, city: City, login: str) -> None:
    page.goto("/login")
    page.get_by_label("员工编号").fill(login)
    page.get_by_label("密码").fill(city.passwords[login])
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(re.compile(r"/(today|cockpit)$"))


def addresses(city: City) -> list[str]:
    """Every page of the application with its parts filled in; files and single answers of the API are no pages."""
    found = []
    for context in iter_route_contexts(create_app(city.workspace).routes):
        path, methods = str(getattr(context, "path", "")), getattr(context, "methods", None) or set()
        page = "GET" in methods and not path.startswith(("/api/", "/static", "/login/provider"))
        if page and not path.endswith((".csv", "{kind}")) and "/suggest" not in path:
            found.append(filled(path))
    return found


def test_the_walk_knows_the_pages(city: City) -> None:
    assert {"/account", "/cockpit", "/companies/3", "/tasks", "/today"} <= set(addresses(city))


def violations(page: Page, address: str) -> list[str]:
    answer = page.goto(address)
    page.wait_for_load_state("networkidle")
    assert answer is not None
    tried: list[Any] = page.evaluate("window.violations")
    return [f"{address}: {one}" for one in tried]


@pytest.mark.parametrize("login", ["e0001", "e0005"])
def test_no_page_tries_what_the_policy_forbids(browser: Browser, site: str, city: City, login: str) -> None:
    context = browser.new_context(base_url=site, locale="zh-CN", viewport={"width": 1440, "height": 900})
    context.add_init_script(LISTEN)
    page = context.new_page()
    refused: list[str] = []
    page.on(
        "console",
        lambda message: refused.append(message.text) if "Content Security" in message.text else None,
    )
    found = violations(page, "/login")
    sign_in(page, city, login)
    places = addresses(city) if login == "e0001" else ["/today", "/tasks"]
    assert len(places) >= 2
    for address in places:
        found += violations(page, address)
    context.close()
    assert found == []
    assert refused == []


def test_the_listener_hears_a_violation(browser: Browser, site: str) -> None:
    context = browser.new_context(base_url=site)
    context.add_init_script(LISTEN)
    page = context.new_page()
    page.goto("/login")
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\" onclick=\"x()\">x</p>')"
    )
    page.wait_for_function("window.violations.length > 0")
    context.close()
