"""A deputy's day: the principal's customers and tasks stand beside the own, marked, counted, and gone when it ends."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
import two_branches as city_rows
from conftest import Browser
from small_city import City
from two_branches import KEEPERS, LOGINS, desk_of

from qiaomen.bank import delegate, end_delegation, today_of, viewer_by_login
from qiaomen.store import reading, writing
from qiaomen.web import create_app

pytestmark = pytest.mark.xdist_group("deputies")
NUMBER = re.compile(r'class="figure-value">([\d,]+)<small>')


@pytest.fixture
def city(tmp_path: Path) -> City:
    """The city of two branches, to be changed."""
    return city_rows.build(tmp_path / "city")


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def stand_in(city: City, by: str, principal: str, deputy: str) -> int:
    """Let the second stand in for the first from today, ordered by an administrator."""
    day = today_of(now())
    with writing(city.workspace.sql) as connection:
        viewer = viewer_by_login(connection, by, now())
        return delegate(
            viewer,
            connection,
            principal,
            deputy,
            since=day,
            until=day + dt.timedelta(days=3),
            reason="休假",
            now=now(),
        )


def entering(city: City) -> Callable[[str], Browser]:
    app = create_app(city.workspace)
    return lambda login: Browser(app).sign_in(login, city.passwords[login])


def tasks_of(city: City, *managers: str) -> set[int]:
    """Open tasks of managers, from the table itself."""
    with reading(city.workspace.sql) as connection:
        query = sa.text("SELECT task_id, manager_no FROM tasks WHERE state <> 'closed'")
        return {row.task_id for row in connection.execute(query) if row.manager_no in managers}


def kept_by(*managers: str) -> int:
    return sum(1 for _, manager in KEEPERS.values() if manager in managers)


def figure(page: str, label: str) -> int:
    """The number of one figure at the head of a page."""
    found = NUMBER.search(page.split(f'class="figure-label">{label}<')[1])
    assert found, label
    return int(found[1].replace(",", ""))


def cards_on(page: str) -> set[int]:
    return {int(number) for number in re.findall(r'data-task="(\d+)"', page)}


def test_a_deputy_has_both_days_on_one_page(city: City) -> None:
    enter = entering(city)
    alone = enter("e0006").get("/today").text
    assert figure(alone, "名下客户") == kept_by("E0006")
    assert "代 陈思远" not in alone
    number = stand_in(city, "e0004", "E0005", "E0006")
    deputy = enter("e0006")
    page = deputy.get("/today").text
    assert figure(page, "名下客户") == kept_by("E0005", "E0006")
    assert figure(page, "进行中任务") == len(tasks_of(city, "E0005", "E0006"))
    assert f"其中代 陈思远 {kept_by('E0005')} 户" in page
    assert re.search(r"本人 \d+ 条，上限 \d+ 条；代 陈思远 \d+ 条，上限 \d+ 条", page)
    assert "代 陈思远 至" in page
    board = deputy.get("/tasks?scope=mine").text
    assert cards_on(board) == tasks_of(city, "E0005", "E0006")
    assert "我的（含代理）" in board
    assert board.count('title="您代 陈思远 办理"') == len(tasks_of(city, "E0005"))
    listed = deputy.get("/api/v1/tasks?mine=true&limit=500").json()
    assert {item["task_id"] for item in listed["items"]} == tasks_of(city, "E0005", "E0006")
    with writing(city.workspace.sql) as connection:
        end_delegation(viewer_by_login(connection, "e0004", now()), connection, number, now=now())
    assert figure(deputy.get("/today").text, "名下客户") == kept_by("E0006")
    assert cards_on(deputy.get("/tasks?scope=mine").text) == tasks_of(city, "E0006")


def test_what_falls_due_says_for_whom(city: City) -> None:
    stand_in(city, "e0004", "E0005", "E0006")
    page = entering(city)("e0006").get("/today").text
    due = page.split('id="expiry"')[1].split('id="fresh"')[0]
    assert due.count("<small>代 陈思远</small>") == kept_by("E0005")


def test_a_step_from_the_deputys_page_names_both(city: City) -> None:
    stand_in(city, "e0004", "E0005", "E0006")
    deputy = entering(city)("e0006")
    task = min(tasks_of(city, "E0005"))
    assert deputy.post(f"/tasks/{task}/claim", {"next": "/today"}).url.path == "/today"
    with reading(city.workspace.sql) as connection:
        row = connection.execute(
            sa.text("SELECT manager_no, state FROM tasks WHERE task_id = :task"), {"task": task}
        ).one()
        actor = connection.execute(
            sa.text("SELECT actor FROM task_history WHERE task_id = :task ORDER BY history_id DESC"),
            {"task": task},
        ).scalar()
    assert tuple(row) == ("E0005", "following")
    assert actor == "e0006（代 陈思远）"


def test_an_administrator_who_stands_in_keeps_the_cockpit_and_gets_today(city: City) -> None:
    stand_in(city, "e0002", "E0011", "E0003")
    deputy = entering(city)("e0003")
    first = deputy.get("/")
    assert first.url.path == "/cockpit"
    assert 'href="/today"' in first.text
    page = deputy.get("/today").text
    assert figure(page, "名下客户") == kept_by("E0011")
    assert figure(page, "进行中任务") == len(tasks_of(city, "E0011"))
    assert cards_on(deputy.get("/tasks?scope=mine").text) == tasks_of(city, "E0011")


def test_who_stands_in_for_nobody_has_no_list_of_his_own(city: City) -> None:
    """A list of "mine" for who has no such tasks is empty, not everything in his scope."""
    assert tasks_of(city, "E0005")
    for role in ("sub", "branch", "analyst"):
        browser = entering(city)(LOGINS[role])
        assert browser.get("/api/v1/tasks?mine=true").json()["items"] == []
        assert cards_on(browser.get("/tasks?scope=mine").text) == set()
        assert browser.get("/api/v1/tasks").json()["items"] != []


def test_the_desks_of_the_city_give_each_manager_tasks(city: City) -> None:
    """The expectations above would be empty otherwise."""
    assert {desk_of(n)[2] for n in range(4)} == {"E0005", "E0006", "E0007", "E0011"}
    assert all(tasks_of(city, manager) for manager in ("E0005", "E0006", "E0011"))
