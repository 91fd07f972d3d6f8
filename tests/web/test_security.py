"""Headers, sessions, tokens, problems, and the API's answers to machines."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from conftest import Browser, Enter
from fastapi import FastAPI
from small_city import City

from qiaomen.bank import Action, create_token, session_of, viewer_by_login
from qiaomen.store import reading, writing
from qiaomen.web import create_app
from qiaomen.web.security import SESSION_COOKIE, is_local_address

ADMINISTRATOR, ANALYST, MANAGER = "e0002", "e0001", "e0005"


def token_of(city: City, *actions: Action) -> str:
    now = dt.datetime.now(dt.UTC)
    with writing(city.workspace.sql) as connection:
        viewer = viewer_by_login(connection, ADMINISTRATOR, now)
        until = now + dt.timedelta(days=1)
        made = create_token(
            viewer, connection, "crm", actions=actions, institution_code="S01", expires_at=until, now=now
        )
    return made.secret


def test_every_answer_carries_the_headers(still_app: FastAPI) -> None:
    for address in ("/login", "/nowhere", "/api/v1/chains"):
        headers = Browser(still_app).get(address).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_the_session_cookie_is_out_of_reach_of_scripts(still_app: FastAPI, still_city: City) -> None:
    browser = Browser(still_app)
    browser.client.follow_redirects = False
    page = browser.get("/login").text
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    answer = browser.client.post(
        "/login", data={"login": MANAGER, "password": still_city.passwords[MANAGER], "csrf": csrf}
    )
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_one_setting_governs_the_cookie_and_the_session(city: City) -> None:
    city.workspace.settings = city.workspace.settings.model_copy(update={"session_hours": 5})
    browser = Browser(create_app(city.workspace))
    browser.client.follow_redirects = False
    csrf = browser.get("/login").text.split('name="csrf" value="')[1].split('"')[0]
    began = dt.datetime.now(dt.UTC)
    answer = browser.client.post(
        "/login", data={"login": MANAGER, "password": city.passwords[MANAGER], "csrf": csrf}
    )
    assert "max-age=18000" in answer.headers["set-cookie"].lower()
    secret = browser.client.cookies[SESSION_COOKIE]
    with reading(city.workspace.sql) as connection:
        ends = session_of(connection, secret, began).expires_at
    assert abs(ends - began - dt.timedelta(hours=5)) < dt.timedelta(minutes=5)


def test_a_wrong_password_says_no_more_than_that(still_app: FastAPI) -> None:
    for login in (ANALYST, "nobody"):
        browser = Browser(still_app)
        csrf = browser.get("/login").text.split('name="csrf" value="')[1].split('"')[0]
        answer = browser.client.post("/login", data={"login": login, "password": "wrong", "csrf": csrf})
        assert answer.status_code == 403
        assert "登录名或密码不正确" in answer.text


def test_who_is_not_signed_in_is_led_to_the_login_and_back(still_app: FastAPI) -> None:
    browser = Browser(still_app)
    browser.client.follow_redirects = False
    answer = browser.get("/companies/3")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/companies/3")


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_a_redirect_never_leaves_the_site(target: str) -> None:
    assert not is_local_address(target)


def test_signing_out_ends_the_session(enter: Enter) -> None:
    browser = enter(MANAGER)
    left = browser.client.post("/logout", data={"csrf": browser.token}, follow_redirects=False)
    assert left.headers["clear-site-data"] == '"cache", "storage"'
    assert browser.get("/today").url.path == "/login"


def test_a_problem_is_a_document_for_machines_and_a_page_for_people(look: Enter) -> None:
    browser = look(ANALYST)
    answer = browser.get("/api/v1/companies/999999")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code"} <= answer.json().keys()
    assert "<!doctype html>" in browser.get("/companies/999999").text
    assert browser.get("/opportunities?days=-1").status_code == 422


def test_an_unforeseen_error_shows_a_number_only(city: City, app: FastAPI) -> None:
    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("secret detail")

    answer = Browser(app).get("/broken")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "编号" in answer.text


def test_the_api_answers_a_token_within_its_actions(app: FastAPI, city: City) -> None:
    token = token_of(city, Action.SEE_COMPANIES, Action.SEE_TASKS)
    client = Browser(app).client
    client.headers["Authorization"] = f"Bearer {token}"
    assert client.get("/api/v1/companies/3").json()["head"]["company_id"] == 3
    assert client.get("/api/v1/tasks").json()["count"] > 0
    assert client.get("/api/v1/screen?q=customer").status_code == 403
    client.headers["Authorization"] = "Bearer wrong"
    assert client.get("/api/v1/tasks").status_code == 401


def test_the_api_gives_the_data_of_the_pages(look: Enter) -> None:
    browser = look(ANALYST)
    assert browser.get("/api/v1/search?q=shlw").json()[0]["company_id"] == 0
    screened = browser.get("/api/v1/screen?q=tag:high_tech&limit=5").json()
    assert (screened["count"], len(screened["items"])) == (20, 5)
    asked = {"expression": screened["expression"]}
    assert browser.client.post("/api/v1/screen", json=asked).status_code == 403
    proof = {"X-CSRF-Token": browser.token}
    again = browser.client.post("/api/v1/screen", json=asked, headers=proof).json()
    assert again["count"] == 20
    assert browser.get("/api/v1/opportunities?days=0").json()["count"] == 120
    assert browser.get("/api/v1/chains").json()[0]["companies"] == 60
    assert browser.get("/api/v1/chains/ic").json()["count"]["customers"] == 12
    assert browser.get("/api/v1/parks?q=集成电路").json()[0]["park_code"] == "PK01"
    assert browser.get("/api/v1/parks/PK01").json()["residents"] == 30
    assert browser.get("/api/v1/reach/3").json()[0]["path"]["hops"]


def test_a_step_by_session_needs_the_form_token(enter: Enter) -> None:
    browser = enter(MANAGER)
    task = browser.get("/api/v1/tasks?state=unclaimed").json()["items"][0]
    step = {"event": "claim", "version": task["version"]}
    place = f"/api/v1/tasks/{task['task_id']}/steps"
    assert browser.client.post(place, json=step).status_code == 403
    answer = browser.client.post(place, json=step, headers={"X-CSRF-Token": browser.token})
    assert answer.json()["state"] == "following"


def test_the_openapi_document_describes_every_call(look: Enter) -> None:
    document = look(ANALYST).get("/api/v1/openapi.json").json()
    assert json.dumps(document)
    assert {
        "/api/v1/companies/{key}",
        "/api/v1/screen",
        "/api/v1/tasks/{task_id}/steps",
        "/api/v1/reach/{key}",
    } <= document["paths"].keys()
    assert all(call.get("summary") for calls in document["paths"].values() for call in calls.values())
