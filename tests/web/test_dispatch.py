"""下发页: lists, the plan, confirming once, conflicts, by hand, by radius and screening; runs from the page."""

from __future__ import annotations

import html
import json
import re

import pytest
import sqlalchemy as sa
from conftest import Browser, Enter
from fastapi import FastAPI
from small_city import City, write_tasks
from small_city_rows import company

from qiaomen.bank import viewer_by_login
from qiaomen.dispatch import TaskFilter, list_tasks
from qiaomen.jobs.working import work_once
from qiaomen.store import jobs, reading, writing
from qiaomen.web import create_app

MANAGER, SUB_BRANCH, BRANCH, ANALYST, ADMINISTRATOR = "e0005", "e0004", "e0003", "e0001", "e0002"


@pytest.fixture
def quiet(city: City) -> City:
    """The city before any task: as a run leaves it where the bank wants to confirm first."""
    with writing(city.workspace.sql) as connection:
        for name in ("task_leads", "task_history", "outbox", "tasks"):
            connection.execute(sa.text(f"DELETE FROM {name}"))
    city.workspace.settings = city.workspace.settings.model_copy(update={"dispatch_mode": "confirm"})
    return city


@pytest.fixture
def at(quiet: City) -> Enter:
    app: FastAPI = create_app(quiet.workspace)
    return lambda login: Browser(app).sign_in(login, quiet.passwords[login])


def fields(page: str) -> dict[str, object]:
    """What the form of the confirmation carries."""
    form = page.split('<form id="confirm"')[1].split("</form>", maxsplit=1)[0]
    found: dict[str, object] = {
        name: html.unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
    }
    found["company"] = re.findall(r'name="company" value="(\d+)"', form)
    found["keep"] = re.findall(r'name="keep" value="([^"]+)"[^>]* checked', page)
    return found


def tasks(city: City, login: str = ANALYST, **more: object) -> int:
    with reading(city.workspace.sql) as connection:
        viewer = viewer_by_login(connection, login, city.workspace.moment)
        return list_tasks(viewer, connection, TaskFilter(**more)).items  # type: ignore[arg-type]


def test_a_run_that_waits_for_confirmation_makes_no_task(quiet: City, at: Enter) -> None:
    page = at(BRANCH).get("/dispatch").text
    assert "先确认后下发" in page
    assert "预览全部 32 条" in page
    assert tasks(quiet) == 0


def test_leads_are_planned_confirmed_once_and_recorded(quiet: City, at: Enter) -> None:
    browser = at(BRANCH)
    planned = browser.post("/dispatch/plan", {"lead": ["L001", "L002", "L003"]})
    assert planned.status_code == 200, planned.text[:300]
    form = fields(planned.text)
    assert set(json.loads(str(form["seen"]))) == {"L001", "L002", "L003"}
    assert tasks(quiet) == 0, "a plan makes nothing"
    done = browser.post("/dispatch/confirm", form | {"note": "本周拜访"})
    assert done.url.path.startswith("/dispatch/batches/")
    assert "本周拜访" in done.text
    assert done.text.count("已生成任务") == 3
    again = browser.post("/dispatch/confirm", form | {"note": "本周拜访"})
    assert again.url.path == done.url.path, "sent twice, it is the same batch"
    assert tasks(quiet) == 3
    records = browser.get("/dispatch?view=records").text
    assert records.count("/dispatch/batches/") == 1
    assert at(SUB_BRANCH).get(done.url.path).status_code == 404, "the branch's record is not the sub-branch's"


def test_what_has_changed_is_shown_and_nothing_is_dispatched(quiet: City, at: Enter) -> None:
    first, second = at(BRANCH), at(ANALYST)
    form = fields(first.post("/dispatch/plan", {"lead": ["L001", "L002"]}).text)
    second.post("/dispatch/confirm", fields(second.post("/dispatch/plan", {"lead": ["L001"]}).text))
    answer = first.post("/dispatch/confirm", form)
    assert answer.status_code == 409
    assert company(1)["name"] in html.unescape(answer.text).split("预览之后情况有变")[1][:200]
    assert tasks(quiet) == 1
    fresh = fields(answer.text)
    assert first.post("/dispatch/confirm", fresh).url.path.startswith("/dispatch/batches/")
    assert tasks(quiet) == 2


def test_firms_taken_out_are_not_dispatched(quiet: City, at: Enter) -> None:
    browser = at(BRANCH)
    form = fields(browser.post("/dispatch/plan", {"lead": ["L001", "L002"]}).text)
    done = browser.post("/dispatch/confirm", form | {"keep": ["L002"]})
    assert "人工去除" in done.text
    assert tasks(quiet) == 1


def test_leads_can_be_sent_elsewhere_and_only_inside_the_scope(quiet: City, at: Enter) -> None:
    browser = at(BRANCH)
    planned = browser.post("/dispatch/plan", {"lead": ["L001", "L007"], "target": "S02|@E0007"})
    assert "闵行支行" in planned.text
    browser.post("/dispatch/confirm", fields(planned.text))
    assert tasks(quiet, sub_branch_code="S02", manager_nos={"E0007"}) == 2
    local = at(SUB_BRANCH)
    assert "闵行支行" not in local.get("/dispatch/hand").text
    assert local.post("/dispatch/plan", {"lead": ["L002"], "target": "S02|pool"}).status_code == 404
    assert local.post("/dispatch/plan", {"lead": ["L002"], "target": "nonsense"}).status_code == 422
    assert at(MANAGER).get("/dispatch").status_code == 403


def test_firms_are_sent_by_hand_with_every_rule_kept(quiet: City, at: Enter) -> None:
    browser = at(BRANCH)
    assert company(31)["name"] in browser.get("/dispatch/hand?company=31&company=40").text
    page = browser.get("/dispatch/hand?company=31&company=40").text
    key = page.split('name="key" value="')[1].split('"')[0]
    asked = {"company": ["31", "40", "44"], "key": key, "target": "S01|@E0006", "reason": "招商办推荐"}
    assert browser.post("/dispatch/hand", asked | {"reason": " "}).status_code == 422
    assert browser.post("/dispatch/hand", asked | {"target": ""}).status_code == 422
    planned = browser.post("/dispatch/hand", asked)
    assert planned.status_code == 200, planned.text[:400]
    done = browser.post("/dispatch/confirm", fields(planned.text))
    assert done.url.path.startswith("/dispatch/batches/"), done.text[:400]
    browser.post("/dispatch/confirm", fields(planned.text))
    made = tasks(quiet, origins=("hand",))
    assert 0 < made <= 3
    assert done.text.count("已生成任务") == made
    card = at("e0006").get("/api/v1/tasks?state=unclaimed").json()["items"][0]
    assert card["why_now"].startswith("招商办推荐（")


def test_the_map_and_the_screening_bring_their_firms(quiet: City, at: Enter) -> None:
    browser = at(BRANCH)
    inside = browser.get("/map/inside?lon=121.6&lat=31.2&radius_m=5000").text
    address = html.unescape(re.search(r'href="(/dispatch/hand\?lon=[^"]+)"', inside)[1])  # type: ignore[index]
    assert browser.get(address).text.count('form="hand" checked') > 3
    screen = browser.get("/inventory/screen?q=tag:high_tech").text
    assert "/dispatch/hand?q=tag%3Ahigh_tech" in screen
    assert browser.get("/dispatch/hand?q=tag:high_tech").text.count('form="hand" checked') == 20
    assert "/dispatch/hand" not in at(MANAGER).get("/map/inside?lon=121.6&lat=31.2&radius_m=5000").text
    hits = browser.get("/dispatch/hand?find=shlw").text
    assert 'type="checkbox" name="company" value="0" checked' in hits


def test_forms_without_token_or_with_spoilt_content_change_nothing(quiet: City, at: Enter) -> None:
    browser = at(BRANCH)
    form = fields(browser.post("/dispatch/plan", {"lead": ["L001"]}).text)
    assert browser.post("/dispatch/confirm", form | {"csrf": "wrong"}).status_code == 403
    for spoilt in ({"seen": "{"}, {"seen": "[1]"}, {"key": "x"}, {"source": "other"}, {"target": "S01|x"}):
        assert browser.post("/dispatch/confirm", form | spoilt).status_code == 422, spoilt
    assert browser.post("/dispatch/confirm", form | {"seen": "{}"}).status_code == 422
    assert tasks(quiet) == 0


def test_automatic_mode_shows_what_was_dispatched(enter: Enter, city: City) -> None:
    write_tasks(city.workspace)
    page = enter(BRANCH).get("/dispatch").text
    assert "先确认后下发" not in page
    assert "已下发" in page
    assert "没有待确认的线索" in enter(BRANCH).get("/dispatch?state=waiting").text


def test_groups_of_one_controller_collide(look: Enter) -> None:
    page = look(BRANCH).get("/dispatch?view=conflicts&kind=group").text
    assert "同一集团" in page


def test_a_run_is_asked_for_once_watched_and_explained(city: City, app: FastAPI, enter: Enter) -> None:
    browser = enter(ADMINISTRATOR)
    assert "还没有运行过" in browser.get("/system").text
    assert browser.post("/system/run").url.path == "/system"
    browser.script("/system/run", {})
    with reading(city.workspace.sql) as connection:
        assert [job.state for job in jobs.recent(connection, kind="run")] == ["waiting"]
    waiting = browser.get("/system/runs?was=active")
    assert "排队中" in waiting.text
    assert "hx-refresh" not in waiting.headers
    assert work_once(city.workspace), "the city has no company records, so this run fails"
    ended = browser.get("/system/runs?was=active")
    assert ended.headers["hx-refresh"] == "true"
    assert "hx-trigger" not in ended.text, "an idle page asks for nothing"
    page = browser.get("/system").text
    assert "上次运行失败：还没有企业数据" in page
    assert "先执行 qiaomen load" in page
    assert enter(BRANCH).get("/system").status_code == 403
    assert enter(BRANCH).post("/system/run").status_code == 403
