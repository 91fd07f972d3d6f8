"""What other systems push: by token or signature, checked row by row, stored before the answer."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import Browser, Enter
from fastapi import FastAPI
from small_city import City

from qiaomen.bank import Action, create_token, viewer_by_login
from qiaomen.connectors import SIGNATURE_HEADER, TIME_HEADER, sign
from qiaomen.store import reading, writing
from qiaomen.web import create_app

NEW, OLD = "a-new-secret-of-tests", "an-old-secret-of-tests"
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "delivery.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
ADDRESS = "/api/v1/inbound/opportunities"


@pytest.fixture
def signed_app(city: City) -> FastAPI:
    changed = {"webhook_secret": NEW, "webhook_secret_previous": OLD}
    city.workspace.settings = city.workspace.settings.model_copy(update=changed)
    return create_app(city.workspace)


def example() -> dict[str, Any]:
    assert EXAMPLE is not None
    return dict(json.loads(EXAMPLE[1]))


def token_of(city: City, *actions: Action) -> dict[str, str]:
    now = dt.datetime.now(dt.UTC)
    with writing(city.workspace.sql) as connection:
        made = create_token(
            viewer_by_login(connection, "e0002", now), connection, "events", actions=actions,
            institution_code=None, expires_at=now + dt.timedelta(days=1), now=now,
        )  # fmt: skip
    return {"Authorization": f"Bearer {made.secret}"}


def seconds() -> int:
    return int(dt.datetime.now(dt.UTC).timestamp())


def signed(
    app: FastAPI, body: bytes, key: str, *, late: int = 0, at: int | None = None, address: str = ADDRESS
) -> Any:
    time = str((seconds() if at is None else at) - late)
    headers = {TIME_HEADER: time, SIGNATURE_HEADER: sign(key, time, body), "Content-Type": "application/json"}
    return Browser(app).client.post(address, content=body, headers=headers)


def stored(city: City) -> list[tuple[str, str, str]]:
    with reading(city.workspace.sql) as connection:
        rows = connection.execute(
            sa.text("SELECT source, message_key, state FROM inbound_messages ORDER BY 2")
        )
        return [(row.source, row.message_key, row.state) for row in rows]


def test_the_example_of_the_page_is_taken(app: FastAPI, city: City) -> None:
    headers = token_of(city, Action.PUSH_EVENTS)
    answer = Browser(app).client.post(ADDRESS, json=example(), headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"accepted": 1, "repeated": 0, "superseded": 0, "refused": []}
    assert stored(city) == [("token:events", "opportunities:bid-2026-0001:1", "current")]
    assert Browser(app).client.post(ADDRESS, json=example(), headers=headers).json()["repeated"] == 1


def test_either_key_signs_and_each_request_counts_once(signed_app: FastAPI, city: City) -> None:
    body = json.dumps(example()).encode()
    at = seconds()
    assert signed(signed_app, body, NEW, at=at).status_code == 202
    assert signed(signed_app, body, OLD, at=at - 60).json()["repeated"] == 1
    assert signed(signed_app, body, OLD, at=at - 60).status_code == 403, "the same signed request again"
    assert signed(signed_app, body, NEW, late=301).status_code == 403
    assert signed(signed_app, body, "another-secret-of-tests", late=2).status_code == 403
    time = str(int(dt.datetime.now(dt.UTC).timestamp()) - 3)
    headers = {TIME_HEADER: time, SIGNATURE_HEADER: sign(NEW, time, body), "Content-Type": "application/json"}
    assert Browser(signed_app).client.post(ADDRESS, content=body + b" ", headers=headers).status_code == 403
    assert stored(city) == [("webhook", "opportunities:bid-2026-0001:1", "current")]


def test_without_a_key_no_signature_counts(app: FastAPI, city: City) -> None:
    assert signed(app, json.dumps(example()).encode(), NEW).status_code == 403
    assert stored(city) == []


def test_bad_rows_are_named_and_do_not_hold_back_the_good(app: FastAPI, city: City) -> None:
    headers = token_of(city, Action.PUSH_EVENTS)
    good = example()["messages"][0]
    bad = {"event_no": "b", "sequence": 1, "record": {**good["record"], "occurred_on": "昨天"}}
    answer = Browser(app).client.post(ADDRESS, json={"messages": [bad, good]}, headers=headers)
    assert answer.status_code == 202
    assert [(row["row"], row["event_no"]) for row in answer.json()["refused"]] == [(1, "b")]
    assert "occurred_on" in answer.json()["refused"][0]["reason"]
    none = Browser(app).client.post(ADDRESS, json={"messages": [bad]}, headers=headers)
    assert (none.status_code, none.json()["code"]) == (422, "input_rejected")
    assert none.json()["refused"][0]["row"] == 1
    for wrong in (
        {"messages": []},
        {"messages": [{**good, "event_no": "空 格"}]},
        {"messages": [good] * 501},
    ):
        assert Browser(app).client.post(ADDRESS, json=wrong, headers=headers).status_code == 422
    huge = {"messages": [{**good, "record": {**good["record"], "text": "字" * 400_000}}]}
    assert Browser(app).client.post(ADDRESS, json=huge, headers=headers).status_code == 413
    assert (
        Browser(app).client.post("/api/v1/inbound/weather", json=example(), headers=headers).status_code
        == 404
    )
    assert len(stored(city)) == 1


def test_a_token_needs_the_scope_of_the_channel(app: FastAPI, city: City) -> None:
    other = token_of(city, Action.SCREEN)
    assert Browser(app).client.post(ADDRESS, json=example(), headers=other).status_code == 403
    pusher = token_of(city, Action.PUSH_EVENTS)
    tasks = {"messages": [{"event_no": "u1", "sequence": 1, "record": {"task_id": 1, "event": "reject"}}]}
    assert Browser(app).client.post("/api/v1/inbound/tasks", json=tasks, headers=pusher).status_code == 403
    assert Browser(app).client.post(ADDRESS, json=example()).status_code == 401
    assert stored(city) == []


def test_updates_of_tasks_come_in_any_order(signed_app: FastAPI, enter: Enter) -> None:
    browser = enter("e0001")
    listed = browser.get("/api/v1/tasks?state=unclaimed").json()["items"]
    task = next(item["task_id"] for item in listed if item["manager_no"] is None)

    def body(*messages: tuple[str, int, str]) -> bytes:
        rows = [
            {
                "event_no": number,
                "sequence": place,
                "record": {"task_id": task, "event": event, "reason": "外部"},
            }
            for number, place, event in messages
        ]
        return json.dumps({"messages": rows}).encode()

    late = signed(signed_app, body(("b", 2, "reject")), NEW, address="/api/v1/inbound/tasks")
    assert late.json()["accepted"] == 1, late.text
    both = signed(
        signed_app, body(("a", 1, "return_to_pool"), ("b", 2, "reject")), NEW, address="/api/v1/inbound/tasks"
    )
    assert both.status_code == 202, both.text
    assert (both.json()["accepted"], both.json()["repeated"]) == (1, 1)
    assert browser.get(f"/api/v1/tasks/{task}").json()["state"] == "closed"
    odd = signed(signed_app, body(("c", 3, "explode")), NEW, address="/api/v1/inbound/tasks")
    assert odd.status_code == 422
    assert odd.json()["refused"][0]["column"] == "event"


def test_a_token_reports_on_a_task_but_does_not_assign_it(app: FastAPI, city: City, enter: Enter) -> None:
    listed = enter("e0001").get("/api/v1/tasks?state=unclaimed").json()["items"]
    task = next(item["task_id"] for item in listed if item["manager_no"] is None)
    headers = token_of(city, Action.WORK_TASKS, Action.SEE_TASKS)
    client = Browser(app).client
    address = f"/api/v1/tasks/{task}/updates"
    withdraw = {"idempotency_key": "w", "event": "withdraw", "reason": "x"}
    assert client.post(address, json=withdraw, headers=headers).status_code == 403
    reject = {"idempotency_key": "r", "event": "reject", "reason": "不准入"}
    assert client.post(address, json=reject, headers=headers).json()["state"] == "closed"
