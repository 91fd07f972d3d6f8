"""匹配复核: amounts compared as amounts; a choice is confirmed, can be taken back, and the keyboard is on the next row."""

from __future__ import annotations

import re

import pytest
from conftest import Enter, serve
from small_city import City

from qiaomen.web import create_app
from qiaomen.web.pages.matches import MatchRow, _same, next_open


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("100万元", 1_000_000.0, True),
        ("1000000", 1_000_000.0, True),
        ("100", 1_000_000.0, True),
        ("1,000,000元", 1_000_000.0, True),
        ("100万元", 10_000_000.0, False),
        ("1000", 1_000_000.0, False),
        ("不详", 1_000_000.0, None),
    ],
)
def test_capital_is_compared_as_an_amount(ours: str, theirs: float, same: bool | None) -> None:
    found = _same("capital_text", {"capital_text": ours}, {"capital_cny": theirs}, ours, str(theirs))
    assert found is same


def test_the_next_open_row_comes_after_the_decided_one() -> None:
    rows = [MatchRow("s", str(n), "", "", "", "已选" if n in (1, 3) else "", ()) for n in range(5)]
    assert next_open(rows, "s", "1") == "2"
    assert next_open(rows, "s", "3") == "4"
    assert next_open(rows, "s", "4") == "4"
    assert next_open([rows[1]], "s", "1") == ""


def test_a_choice_is_confirmed_and_taken_back(enter: Enter) -> None:
    browser = enter("e0003")
    form = {"source": "customers", "record_key": "C9000", "outcome": "ambiguous"}
    page = browser.post("/inventory/matches", form | {"choice": "5", "page": "1"}).text
    done = re.search(r'<section[^>]*id="done".*?</section>', page, re.DOTALL)
    assert done
    assert "撤销" in done[0]
    assert "已选：" in done[0]
    assert "还有 0 条未决" in done[0]
    back = browser.post("/inventory/matches", form | {"choice": "undo", "page": "1"}).text
    assert "已撤销选择" in back
    assert "autofocus" in back


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_by_keyboard(browser: object, city: City) -> None:
    with serve(create_app(city.workspace)) as address:
        context = browser.new_context(base_url=address, locale="zh-CN")  # type: ignore[attr-defined]
        page = context.new_page()
        page.goto("/login")
        page.get_by_label("员工编号").fill("e0001")
        page.get_by_label("密码").fill(city.passwords["e0001"])
        page.get_by_role("button", name="登录").click()
        page.wait_for_url(re.compile(r"/cockpit$"))
        page.goto("/inventory/matches")
        page.get_by_role("button", name="就是这家").first.press("Enter")
        page.locator("#done").get_by_role("button", name="撤销").press("Enter")
        page.get_by_text("已撤销选择").wait_for()
        page.wait_for_function("document.activeElement.textContent.includes('就是这家')")
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        context.close()
