"""A manager's room for tasks: the page says the limit, and why there can be more; the refusal names numbers and remedy."""

from __future__ import annotations

import sqlalchemy as sa
from conftest import Enter
from fastapi import FastAPI
from small_city import City

from qiaomen.dispatch import Room
from qiaomen.store import writing
from qiaomen.web.pages.today import limit_words


def test_the_words_of_a_limit() -> None:
    assert limit_words(Room(held=5, customers=2, capacity=31)) == "上限 31 条"
    assert limit_words(Room(held=37, customers=33, capacity=31)) == (
        "超出上限 31 条（存量客户 33 条归主办，不受上限）"
    )


def test_a_full_manager_reads_why_nothing_can_be_claimed(app: FastAPI, city: City, enter: Enter) -> None:
    browser = enter("e0005")
    listed = browser.get("/api/v1/tasks?state=unclaimed").json()["items"]
    pool = next(item["task_id"] for item in listed if item["manager_no"] is None)
    others = [item["task_id"] for item in listed if item["task_id"] != pool][:2]
    with writing(city.workspace.sql) as connection:
        connection.execute(sa.text("UPDATE posts SET capacity = 1 WHERE staff_no = 'E0005'"))
        connection.execute(
            sa.text(
                "UPDATE tasks SET manager_no = 'E0005', is_customer = :yes WHERE task_id IN (:one, :two)"
            ),
            {"yes": True, "one": others[0], "two": others[1]},
        )
    page = browser.get("/today").text
    assert "超出上限 1 条" in page
    assert "已到任务上限" in page
    answer = browser.client.post(
        f"/api/v1/tasks/{pool}/steps",
        json={"event": "claim", "version": 1},
        headers={"X-CSRF-Token": browser.token},
    )
    assert answer.status_code == 409
    assert "上限 1 条" in answer.json()["detail"]
    assert "先办结、退回或转交" in answer.json()["remedy"]
