"""No page, call or export shows a person, a telephone, an identity number or an amount to a role that may not read it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import pytest
import two_branches as city_rows
from conftest import Browser
from fastapi import FastAPI
from fastapi.testclient import TestClient
from small_city import City
from test_access import ROUTES, text_of
from two_branches import LOGINS

from qiaomen.bank import Action, create_token, viewer_by_login
from qiaomen.store import writing
from qiaomen.web import create_app

pytestmark = pytest.mark.xdist_group("access")

PERSONAL = re.compile(r"王海峰|王海\d|021-?55550000|13812345678|wang@example\.com|310115199001011234")
AMOUNT = re.compile(r"765\.4|7654321|7,654,321|345\.7|3456789|3,456,789")
ADDRESSES = [case.address for key, route in ROUTES.items() if key.startswith("GET") for case in route.cases]
ADDRESSES += ["/companies/5", "/api/v1/companies/5", "/reach/1?mode=diverse"]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FastAPI, City]]:
    city = city_rows.build(tmp_path_factory.mktemp("masking") / "city")
    yield create_app(city.workspace), city
    city.workspace.sql.dispose()


@pytest.fixture(scope="module")
def clients(bank: tuple[FastAPI, City]) -> dict[str, TestClient]:
    """Everybody signed in, and a machine whose token may do all that machines may."""
    app, city = bank
    found = {
        role: Browser(app).sign_in(login, city.passwords[login]).client for role, login in LOGINS.items()
    }
    now = dt.datetime.now(dt.UTC)
    with writing(city.workspace.sql) as connection:
        made = create_token(
            viewer_by_login(connection, LOGINS["administrator"], now),
            connection,
            "crm",
            actions=[Action.SEE_COMPANIES, Action.SEE_CUSTOMERS, Action.SEE_TASKS],
            institution_code=None,
            expires_at=now + dt.timedelta(days=1),
            now=now,
        )
    token = made.secret
    found["integrator"] = TestClient(
        app, base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {token}"}
    )
    return found


@pytest.mark.parametrize("role", ["analyst", "integrator", "administrator"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_persons_and_telephones_are_masked(clients: dict[str, TestClient], address: str, role: str) -> None:
    if role == "integrator" and not address.startswith("/api/"):
        return
    text = text_of(clients[role].get(address))
    assert PERSONAL.findall(text) == []
    if role != "analyst":
        assert AMOUNT.findall(text) == []


def test_those_who_keep_the_customer_read_them(clients: dict[str, TestClient]) -> None:
    """The test above could not fail if nobody saw anything."""
    seen = text_of(clients["manager"].get("/companies/5")) + text_of(clients["manager"].get("/reach/1"))
    seen += text_of(clients["manager"].get("/opportunities?days=0"))
    found = set(PERSONAL.findall(seen))
    assert {"王海峰", "13812345678", "310115199001011234"} <= found
    assert any(re.fullmatch(r"王海\d", match) for match in found)
    assert AMOUNT.search(text_of(clients["manager"].get("/companies/5")))
    assert AMOUNT.search(text_of(clients["analyst"].get("/companies/5")))


def test_a_machine_gets_tasks_without_amounts(clients: dict[str, TestClient]) -> None:
    tasks = clients["integrator"].get("/api/v1/tasks?limit=500").json()["items"]
    assert tasks
    assert all(item["landed_amount_fen"] is None for item in tasks)
