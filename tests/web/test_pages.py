"""Every page is drawn for every role that may open it, keeps the strict policy, and shows its evidence."""

from __future__ import annotations

import csv
import io
import re

import pytest
from conftest import Enter
from small_city_rows import company

ANALYST, ADMINISTRATOR, BRANCH, SUB_BRANCH, MANAGER, OTHER = (
    "e0001",
    "e0002",
    "e0003",
    "e0004",
    "e0005",
    "e0007",
)
EVERYBODY = (ANALYST, BRANCH, SUB_BRANCH, MANAGER)
PAGES = (
    ("/tasks", EVERYBODY),
    ("/tasks?scope=all&late=1", EVERYBODY),
    ("/opportunities", EVERYBODY),
    ("/opportunities?days=0&kind=gov_bid_won&customer=no&region=310000&q=中标", EVERYBODY),
    ("/inventory/screen", EVERYBODY),
    ("/inventory/screen?q=tag:high_tech %26 !customer", EVERYBODY),
    ("/chains", EVERYBODY),
    ("/chains/ic", EVERYBODY),
    ("/chains/ic?node=ic-design&region=310115", EVERYBODY),
    ("/parks", EVERYBODY),
    ("/parks/PK01", EVERYBODY),
    ("/map", EVERYBODY),
    ("/map/inside?lon=121.6&lat=31.2&radius_m=5000", EVERYBODY),
    ("/reach", EVERYBODY),
    ("/reach/3", EVERYBODY),
    ("/reach/3?mode=diverse", EVERYBODY),
    ("/companies/3", EVERYBODY),
    ("/companies/5", EVERYBODY),
    ("/search?q=澜微", EVERYBODY),
    ("/search/suggest?q=lw", EVERYBODY),
    ("/today", (MANAGER,)),
    ("/cockpit", (ANALYST, BRANCH, SUB_BRANCH)),
    ("/cockpit?days=365", (ANALYST, BRANCH)),
    ("/dispatch", (ANALYST, BRANCH, SUB_BRANCH)),
    ("/dispatch?view=preview", (ANALYST, BRANCH)),
    ("/dispatch?view=conflicts", (ANALYST, BRANCH)),
    ("/dispatch?view=homeless", (ANALYST, BRANCH)),
    ("/dispatch?view=rejected", (ANALYST, BRANCH)),
    ("/inventory/matches", (ANALYST, BRANCH)),
    ("/inventory/upload", (ANALYST, BRANCH)),
    ("/system", (ANALYST, ADMINISTRATOR)),
)
REFUSED = (
    ("/companies/3", ADMINISTRATOR),
    ("/tasks", ADMINISTRATOR),
    ("/inventory/screen", ADMINISTRATOR),
    ("/opportunities", ADMINISTRATOR),
    ("/map", ADMINISTRATOR),
    ("/chains", ADMINISTRATOR),
    ("/parks/PK01", ADMINISTRATOR),
    ("/reach/3", ADMINISTRATOR),
    ("/cockpit", MANAGER),
    ("/dispatch", MANAGER),
    ("/inventory/upload", MANAGER),
    ("/inventory/matches", SUB_BRANCH),
    ("/inventory/screen.csv", MANAGER),
    ("/system", BRANCH),
)


@pytest.mark.parametrize(("address", "login"), [(a, login) for a, logins in PAGES for login in logins])
def test_a_page_is_drawn_and_keeps_the_policy(look: Enter, address: str, login: str) -> None:
    answer = look(login).get(address)
    assert answer.status_code == 200, answer.text[:600]
    text = answer.text
    assert "Traceback" not in text
    assert not re.search(r"<[^>]+\sstyle=", text), "a style attribute needs unsafe-inline"
    assert not re.search(r"<[^>]+\son\w+=", text), "a handler attribute needs unsafe-inline"
    for attributes, body in re.findall(r"<script([^>]*)>(.*?)</script>", text, flags=re.DOTALL):
        assert "src=" in attributes or "application/json" in attributes or not body.strip()
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text), "a page may not load from elsewhere"


@pytest.mark.parametrize(("address", "login"), REFUSED)
def test_a_page_is_refused_to_other_roles(look: Enter, address: str, login: str) -> None:
    answer = look(login).get(address)
    assert answer.status_code == 403
    assert "没有权限" in answer.text


def test_every_framed_page_tells_the_date_of_its_data(look: Enter) -> None:
    for address in ("/tasks", "/chains", "/companies/3", "/reach/3", "/map", "/dispatch"):
        assert "数据截至 2026-06-30" in look(BRANCH).get(address).text


def test_the_first_page_follows_the_role(look: Enter) -> None:
    for login, place in (
        (MANAGER, "/today"),
        (BRANCH, "/cockpit"),
        (ANALYST, "/cockpit"),
        (ADMINISTRATOR, "/system"),
    ):
        assert look(login).get("/").url.path == place


def test_a_customer_outside_the_scope_stays_hidden_on_a_path(look: Enter) -> None:
    name = company(0)["name"]
    own, foreign = look(MANAGER).get("/reach/3").text, look(OTHER).get("/reach/3").text
    assert name in own
    assert name not in foreign
    assert "张江科创支行客户（需申请转介）" in foreign


def test_the_map_says_that_it_is_schematic(look: Enter) -> None:
    assert "示意图" in look(BRANCH).get("/map").text


def test_a_wrong_expression_is_explained_where_it_is_wrong(look: Enter) -> None:
    text = look(ANALYST).get("/inventory/screen/count?q=tag:high_tex").text
    assert "<mark>high_tex</mark>" in text
    assert "高新技术企业" in text


def test_the_live_count_counts_distinct_firms(look: Enter) -> None:
    assert ">20</b>" in look(ANALYST).get("/inventory/screen/count?q=tag:high_tech").text


def test_an_unknown_company_is_not_found(look: Enter) -> None:
    answer = look(ANALYST).get("/companies/999999")
    assert answer.status_code == 404
    assert "没有找到" in answer.text


def test_the_exports_hold_the_whole_list(look: Enter) -> None:
    text = look(ANALYST).get("/inventory/screen.csv?q=tag:high_tech").content.decode("utf-8-sig")
    assert len(text.splitlines()) == 21
    book = look(ANALYST).get("/inventory/screen.xlsx?q=tag:high_tech")
    assert book.content.startswith(b"PK")


def test_an_export_has_the_order_and_the_words_of_the_page(look: Enter) -> None:
    def column(title: str, sort: str) -> list[str]:
        text = look(ANALYST).get(f"/inventory/screen.csv?q=tag:high_tech&sort={sort}").content
        return [row[title] for row in csv.DictReader(io.StringIO(text.decode("utf-8-sig")))]

    ranked = [float(value) for value in column("营销优先级", "priority") if value]
    assert ranked == sorted(ranked, reverse=True)
    capital = [float(value) for value in column("注册资本（元）", "capital_cny") if value]
    assert capital == sorted(capital, reverse=True)
    assert column("企业名称", "priority") != column("企业名称", "capital_cny")
    assert set(column("分层", "priority")) <= {"优质", "良好", "一般", ""}


def test_search_knows_initials_and_codes(look: Enter) -> None:
    assert company(3)["name"] in look(MANAGER).get(f"/search/suggest?q={company(3)['uscc']}").text
    assert "companies/" in look(MANAGER).get("/search/suggest?q=shlw").text
