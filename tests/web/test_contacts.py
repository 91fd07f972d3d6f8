"""联系方式 on the company page: a refusal noted there hides number and person on every surface at once."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from conftest import Browser, Enter
from fastapi import FastAPI
from small_city import City

from qiaomen.customers import CONTACTS, CUSTOMERS
from qiaomen.reports import FileReads, company_profile
from qiaomen.web import create_app

BRANCH, ADMINISTRATOR = "e0003", "e0002"
PHONE, PERSON, OTHER = "13800138000", "周全信", "021-55550000"


@pytest.fixture
def app(city: City) -> FastAPI:
    """The city with contacts of company 1, a prospect, and of company 5, a customer."""
    rows = [
        {"company_id": company, "kind": "phone", "value": value, "person_name": person, "post": post,
         "origin": origin, "lawful_basis": basis, "collected_on": dt.date(2026, 1, 2), "opted_out": False,
         "source": source, "record_key": f"{company}{origin}", "load_id": "L1"}
        for company in (1, 5)
        for value, person, post, origin, basis, source in (
            (PHONE, PERSON, "财务总监", "contacts", "consent", "contacts"),
            (OTHER, None, None, "registry", "disclosed", "companies"),
        )
    ]  # fmt: skip
    with city.workspace.lake.stage() as stage:
        stage.write(CONTACTS, CONTACTS.conform(pa.Table.from_pylist(rows)))
        stage.publish(stage.note)
    return create_app(city.workspace)


def number(city: City) -> int:
    return city.workspace.lake.snapshot().number


def surfaces(browser: Browser) -> str:
    addresses = (
        "/companies/1", "/api/v1/companies/1", "/tasks", "/opportunities", "/search?q=上海", "/reach/1",
        "/inventory/screen?q=!customer", "/inventory/screen.csv?q=!customer", "/inventory/matches", "/dispatch",
        "/api/v1/tasks", "/api/v1/opportunities", "/api/v1/screen?q=!customer",
    )  # fmt: skip
    found = []
    for address in addresses:
        answer = browser.get(address)
        assert answer.status_code == 200, address
        found.append(answer.text)
    return "\n".join(found)


def test_each_contact_says_where_it_is_from(app: FastAPI, enter: Enter) -> None:
    page = enter(BRANCH).get("/companies/1").text
    for words in (PHONE, PERSON, "财务总监", "取得个人的同意", "其他已经合法公开", "2026"):
        assert words in page, words


def test_a_refusal_hides_number_and_person_everywhere(app: FastAPI, city: City, enter: Enter) -> None:
    browser = enter(BRANCH)
    assert PHONE in surfaces(browser)
    form = {"position": 0, "generation": number(city), "reason": "不愿接听"}
    answer = browser.post("/companies/1/opt-outs", form)
    assert answer.status_code == 200
    assert "已拒绝联系" in answer.text
    text = surfaces(browser)
    assert PHONE not in text
    assert PERSON not in text
    # The number is refused wherever it comes from: company 5 has it too.
    assert PHONE not in browser.get("/companies/5").text
    assert OTHER in browser.get("/companies/1").text
    form = {"position": 1, "generation": number(city)}
    assert OTHER not in browser.post("/companies/1/opt-outs", form).text
    assert browser.get("/api/v1/companies/1").json()["head"]["phone"] is None


def test_a_refusal_is_lifted_with_a_reason(app: FastAPI, city: City, enter: Enter) -> None:
    browser = enter(BRANCH)
    browser.post("/companies/1/opt-outs", {"position": 0, "generation": number(city)})
    for opt_out in (1, 2):
        answer = browser.post(f"/companies/1/opt-outs/{opt_out}/withdraw", {"reason": "本人同意"})
        assert answer.status_code == 200
    assert PHONE in browser.get("/companies/1").text


def test_a_stale_or_foreign_form_changes_nothing(app: FastAPI, city: City, enter: Enter) -> None:
    browser = enter(BRANCH)
    held = {"position": 0, "generation": number(city)}
    assert browser.post("/companies/1/opt-outs", held | {"generation": 0}).status_code == 409
    assert browser.post("/companies/1/opt-outs", held | {"position": 99}).status_code == 404
    assert browser.post("/companies/999/opt-outs", held).status_code == 404
    assert browser.client.post("/companies/1/opt-outs", data=held).status_code == 403
    assert enter(ADMINISTRATOR).post("/companies/1/opt-outs", held).status_code == 403
    assert PHONE in browser.get("/companies/1").text


def test_contacts_of_another_managers_customer_stay_hidden(app: FastAPI, city: City, enter: Enter) -> None:
    snapshot = city.workspace.lake.snapshot()
    keepers = {row["company_id"]: row["manager_no"] for row in snapshot.arrow(CUSTOMERS).to_pylist()}
    managers = [login for login in city.passwords if login.startswith("e00")]
    for login in managers:
        if login.upper() == keepers[5] or login in (BRANCH, ADMINISTRATOR):
            continue
        browser = enter(login)
        profile = browser.get("/api/v1/companies/5")
        if profile.status_code != 200 or profile.json()["head"]["customer"]["in_scope"]:
            continue
        assert PHONE not in profile.text
        assert PHONE not in browser.get("/companies/5").text
        return
    pytest.fail("the city has no manager outside")


def test_without_the_store_no_contact_is_shown(app: FastAPI, city: City) -> None:
    from qiaomen.bank import Viewer
    from qiaomen.reports import Words
    from qiaomen.vocab import Role

    viewer = Viewer(1, "ana", "分析师", frozenset({Role.ANALYST}), whole_bank=True)
    profile = company_profile(viewer, FileReads(city.workspace.lake.snapshot()), 1, Words({}, {}, {}, {}, {}))
    assert profile.contacts == ()
    assert profile.head.phone is None
