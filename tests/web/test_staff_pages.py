"""人员与岗位: who is listed for whom, and what is entered there: posts, deputies, hand-overs, accounts."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pytest
import sqlalchemy as sa
import two_branches as city_rows
from conftest import Browser
from fastapi import FastAPI
from small_city import City
from two_branches import KEEPERS, STAFF

from qiaomen.bank import local_analyst, sync_institutions, today_of
from qiaomen.customers import CUSTOMERS
from qiaomen.store import reading, writing
from qiaomen.web import create_app

pytestmark = pytest.mark.xdist_group("staff")
ANALYST, ADMINISTRATOR, BRANCH, SUB, MANAGER, COLLEAGUE = "e0001", "e0002", "e0003", "e0004", "e0005", "e0006"
NAMES = {number: name for number, name, _, _ in STAFF}
UNITS = {number: place for number, _, _, place in STAFF}
BELOW = {SUB: {"S01"}, BRANCH: {"B01", "S01", "S02"}}
Enter = Callable[[str], Browser]


@pytest.fixture
def city(tmp_path: Path) -> City:
    return city_rows.build(tmp_path / "city")


@pytest.fixture
def app(city: City) -> FastAPI:
    return create_app(city.workspace)


@pytest.fixture
def enter(app: FastAPI, city: City) -> Enter:
    return lambda login: Browser(app).sign_in(login, city.passwords[login])


def day(ahead: int = 0) -> str:
    return str(today_of(dt.datetime.now(dt.UTC)) + dt.timedelta(days=ahead))


def listed(page: str) -> set[str]:
    """Staff numbers that a list links to."""
    return set(re.findall(r'href="/staff/(E\d{4})"', page))


def audited(city: City, action: str) -> list[tuple[str, str]]:
    with reading(city.workspace.sql) as connection:
        query = sa.text("SELECT actor, object FROM audit_log WHERE action = :action ORDER BY number")
        return [(row.actor, row.object) for row in connection.execute(query, {"action": action})]


@pytest.mark.parametrize("login", [SUB, BRANCH, ANALYST, ADMINISTRATOR])
def test_the_list_holds_whom_the_viewer_governs(enter: Enter, login: str) -> None:
    page = enter(login).get("/staff").text
    governed = {no for no, place in UNITS.items() if login not in BELOW or place in BELOW[login]}
    assert listed(page) == governed
    body = page.split("<main")[1]
    assert {no for no, name in NAMES.items() if name in body} == governed
    # Tasks are counted for those who may see tasks; a system administrator has no such column.
    assert ("未结束任务" in page) == (login != ADMINISTRATOR)
    assert ("新增员工" in page) == ("非员工账号" in page) == (login == ADMINISTRATOR)


def test_the_list_is_narrowed_by_unit_role_and_name(enter: Enter) -> None:
    browser = enter(ANALYST)
    below_b1 = {no for no, place in UNITS.items() if place in {"B01", "S01", "S02"}}
    assert listed(browser.get("/staff?unit=B01").text) == below_b1
    assert listed(browser.get("/staff", params={"unit": "浦东分行"}).text) == below_b1
    managers = {no for no, _, role, _ in STAFF if role == "manager"}
    assert listed(browser.get("/staff?role=manager").text) == managers
    assert listed(browser.get("/staff", params={"q": "思远"}).text) == {"E0005"}
    assert listed(browser.get("/staff?q=e0006").text) == {"E0006"}
    empty = browser.get("/staff", params={"q": "%"}).text
    assert listed(empty) == set()
    assert "没有符合条件的人员" in empty
    assert listed(browser.get("/staff?unit=nowhere").text) == set()


def test_open_tasks_are_counted_within_the_scope(enter: Enter, city: City) -> None:
    with reading(city.workspace.sql) as connection:
        query = sa.text(
            "SELECT manager_no, count(*) AS n FROM tasks WHERE state <> 'closed' GROUP BY manager_no"
        )
        counted = {row.manager_no: row.n for row in connection.execute(query)}
    page = enter(SUB).get("/staff").text
    for number in ("E0005", "E0006"):
        row = page.split(f'href="/staff/{number}"')[1].split("</tr>")[0]
        assert f'data-title="未结束任务" class="right">{counted[number]}<' in row


def test_a_post_is_given_and_ended_and_ends_the_sessions(enter: Enter, city: City) -> None:
    admin, manager = enter(ADMINISTRATOR), enter(MANAGER)
    form = {"staff_no": "E0005", "role": "manager", "unit": "闵行支行", "since": day(), "capacity": "12"}
    done = admin.post("/staff", form)
    assert (done.status_code, done.url.path) == (200, "/staff/E0005")
    assert "岗位已登记" in done.text
    assert manager.get("/today").url.path == "/login", "rights changed: the password is asked for anew"
    number = re.search(r"/staff/E0005/posts/(\d+)/end[^§]*", done.text.split("闵行支行")[1])
    assert number
    again = admin.post("/staff", form)
    assert again.status_code == 422
    assert "已有任职" in again.text
    assert 'value="闵行支行"' in again.text, "what was typed stays"
    ended = admin.post(f"/staff/E0005/posts/{number[1]}/end", {"last_day": day(-1)})
    assert "岗位已结束" in ended.text
    assert audited(city, "add_post") == audited(city, "end_post") == [("e0002", "staff:E0005")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unit": "不存在的行"}, "没有在用的机构"),
        ({"role": "branch_admin"}, "该角色不能设在这一层级"),
        ({"since": "昨天"}, "无法识别"),
        ({"until": "2001-01-01"}, "止期早于起期"),
        ({"capacity": "很多"}, "任务上限“很多”无法识别"),
        ({"capacity": "0"}, "任务上限应为正数"),
        ({"role": "integrator"}, "系统对接方不是岗位"),
    ],
)
def test_a_wrong_post_is_explained(enter: Enter, change: dict[str, object], said: str) -> None:
    form = {"staff_no": "E0005", "role": "manager", "unit": "S02"} | change
    answer = enter(ADMINISTRATOR).post("/staff", form)
    assert answer.status_code == 422
    assert said in answer.text


def test_a_new_member_of_staff_gets_post_and_account(enter: Enter) -> None:
    admin = enter(ADMINISTRATOR)
    known = {"staff_no": "E0005", "name": "新人", "role": "manager", "unit": "S02"}
    refused = admin.post("/staff", known)
    assert refused.status_code == 422
    assert "已是陈思远" in refused.text
    assert "data-open" in refused.text
    for wrong in ("N/1", "..", " ", "A;B", "N\u202e1", "-1", "工号"):
        assert "不合规" in admin.post("/staff", known | {"staff_no": wrong}).text, wrong
    assert "看不见的字符" in admin.post("/staff", known | {"staff_no": "N-1", "name": "a\u202eb"}).text
    made = admin.post("/staff", known | {"staff_no": "N-1"})
    assert made.url.path.startswith("/staff/N")
    assert "新人" in made.text
    assert "开户" in made.text
    shown = admin.post("/users", {"login": "n1", "name": "新人", "staff_no": "N-1"})
    password = re.search(r"<code>([^<]+)</code>", shown.text)
    assert password
    assert shown.headers["cache-control"] == "no-store"
    fresh = Browser(admin.client.app)  # type: ignore[arg-type]
    fresh.sign_in("n1", password[1])
    assert fresh.get("/today").url.path == "/account", "somebody else's password opens nothing"
    twice = admin.post("/users", {"login": "n2", "name": "新人", "staff_no": "N-1"})
    assert twice.status_code in {404, 422}
    assert "已有账号" in twice.text


def test_deputies_are_named_and_ended_on_the_page_of_a_person(enter: Enter, city: City) -> None:
    browser = enter(SUB)
    form = {"deputy": "E0006", "since": day(), "until": day(3), "reason": "休假"}
    done = browser.post("/staff/E0005/deputies", form)
    assert "代理已登记" in done.text
    assert "林嘉怡（E0006）代 陈思远（E0005）" in done.text
    page = browser.get("/staff").text
    assert "由 林嘉怡 代理" in page
    assert "今日代理中 1 人" in page
    assert "陈思远" in enter(COLLEAGUE).get("/today").text
    again = browser.post("/staff/E0005/deputies", form)
    assert again.status_code == 422
    assert "已有同样的代理" in again.text
    assert 'value="休假"' in again.text
    number = re.search(r"/staff/E0005/deputies/(\d+)/end", done.text)
    assert number
    assert browser.post(f"/staff/E0004/deputies/{number[1]}/end").status_code == 404, "not this person's"
    assert "代理已结束" in browser.post(f"/staff/E0005/deputies/{number[1]}/end").text
    assert "陈思远" not in enter(COLLEAGUE).get("/today").text
    assert browser.post(f"/staff/E0005/deputies/{number[1]}/end").status_code == 409


def test_a_manager_names_his_own_deputy_on_the_account_page(enter: Enter, city: City) -> None:
    browser = enter(MANAGER)
    page = browser.get("/account").text
    assert 'value="E0006"' in page
    assert 'value="E0007"' not in page, "only colleagues of the same institution are offered"
    far = browser.post("/account/deputies", {"deputy": "E0007", "until": day(1), "reason": "休假"})
    assert far.status_code == 422
    assert "不能代理" in far.text
    done = browser.post("/account/deputies", {"deputy": "E0006", "until": day(1), "reason": "休假"})
    assert "代理已登记" in done.text
    assert audited(city, "delegate") == [("e0005", "staff:E0005")]
    number = re.search(r"/account/deputies/(\d+)/end", done.text)
    assert number
    deputy = enter(COLLEAGUE)
    assert f"/account/deputies/{number[1]}/end" in deputy.get("/account").text
    assert "代理已结束" in deputy.post(f"/account/deputies/{number[1]}/end").text
    assert (
        browser.post("/account/deputies", {"deputy": "E0006", "until": "x", "reason": "y"}).status_code == 422
    )


def test_a_hand_over_is_planned_confirmed_and_recorded(enter: Enter, city: City) -> None:
    browser = enter(SUB)
    before = browser.get("/staff/E0005/hand-over").text
    assert 'value="E0006"' in before
    assert "确认交接" not in before
    plan = browser.get("/staff/E0005/hand-over?to=E0006").text
    held = sum(1 for _, manager in KEEPERS.values() if manager == "E0005")
    assert f"共 {held} 户" in plan
    assert browser.get("/staff/E0005/hand-over?others=E0007").status_code == 422, "beyond what she governs"
    refused = browser.post("/staff/E0005/hand-over", {"to": "E0006", "reason": " "})
    assert refused.status_code == 422
    assert "写明原因" in refused.text
    done = browser.post("/staff/E0005/hand-over", {"to": "E0006", "reason": "调岗"})
    assert "交接已完成" in done.text
    assert "E0005 → E0006" in done.text
    kept = city.workspace.lake.snapshot().arrow(CUSTOMERS)
    assert "E0005" not in kept["manager_no"].to_pylist()
    with reading(city.workspace.sql) as connection:
        left = sa.text("SELECT count(*) FROM tasks WHERE manager_no = 'E0005' AND state <> 'closed'")
        assert connection.execute(left).scalar() == 0
    assert audited(city, "hand_over")[0][0] == "e0004"
    empty = browser.get("/staff/E0005/hand-over?to=E0006").text
    assert "无需交接" in empty


def test_accounts_are_locked_unlocked_reset_and_kept_out(enter: Enter, city: City, app: FastAPI) -> None:
    admin, manager = enter(ADMINISTRATOR), enter(MANAGER)
    with writing(city.workspace.sql) as connection:
        connection.execute(sa.text("UPDATE users SET provider_subject = 's1' WHERE login = 'e0005'"))
    on = {"login": "e0005", "staff_no": "E0005"}
    assert "登录已全部退出" in admin.post("/users/sign-out", on).text
    assert manager.get("/today").url.path == "/login"
    assert "绑定已解除" in admin.post("/users/unbind", on).text
    stranger = Browser(app)
    token = re.search(r'name="csrf" value="(\w+)"', stranger.get("/login").text)
    assert token
    for _ in range(6):
        stranger.client.post("/login", data={"login": "e0005", "password": "wrong", "csrf": token[1]})
    assert "已锁定" in admin.get("/staff/E0005").text
    assert "已锁定" in enter(SUB).get("/staff").text, "who governs him sees why he cannot work"
    assert "锁定已解除" in admin.post("/users/unlock", on).text
    assert "账号已停用" in admin.post("/users/disable", on).text
    assert "已停用" in admin.get("/staff").text
    assert "账号已恢复" in admin.post("/users/enable", on).text
    shown = admin.post("/users/reset", on)
    password = re.search(r"<code>([^<]+)</code>", shown.text)
    assert password
    assert password[1] not in admin.get("/staff/E0005").text
    assert Browser(app).sign_in("e0005", password[1]).get("/today").url.path == "/account"


def test_an_administrator_cannot_shut_himself_out(enter: Enter) -> None:
    admin = enter(ADMINISTRATOR)
    answer = admin.post("/users/disable", {"login": "e0002", "staff_no": "E0002"})
    assert answer.status_code == 422
    assert "不能停用自己的账号" in answer.text
    assert admin.get("/staff").status_code == 200


def test_accounts_without_staff_stand_apart(enter: Enter) -> None:
    admin = enter(ADMINISTRATOR)
    assert (
        "没有工号的账号须选角色" in admin.post("/users", {"login": "x", "name": "y", "role": "manager"}).text
    )
    made = admin.post("/users", {"login": "second", "name": "备用管理员", "role": "administrator"})
    assert "<code>" in made.text
    page = admin.get("/users").text
    assert "备用管理员（second）" in page
    assert "陈思远" not in page
    taken = admin.post("/users", {"login": "second", "name": "又一个", "role": "administrator"})
    assert taken.status_code == 422
    assert "已存在" in taken.text
    assert "账号已停用" in admin.post("/users/disable", {"login": "second"}).text


def test_looking_at_staff_is_in_the_audit_log(enter: Enter, app: FastAPI, city: City) -> None:
    browser = enter(SUB)
    browser.get("/staff")
    browser.get("/staff/E0005")
    browser.get("/staff/E0011")
    app.state.site.read_log.flush()
    assert audited(city, "read.staff") == [("e0004", "staff"), ("e0004", "staff:E0005")]
    assert ("e0004", "staff:E0011") in audited(city, "refused.staff")


def test_who_has_moved_away_is_not_watched(enter: Enter) -> None:
    """The former unit sees that he was there; how he signs in, and that he is listed, is the new unit's."""
    admin = enter(ADMINISTRATOR)
    page = admin.get("/staff/E0006").text
    number = re.search(r"/staff/E0006/posts/(\d+)/end", page)
    assert number
    admin.post("/staff", {"staff_no": "E0006", "role": "manager", "unit": "S11"})
    admin.post(f"/staff/E0006/posts/{number[1]}/end", {"last_day": day(-1)})
    browser = enter(SUB)
    assert "E0006" not in listed(browser.get("/staff").text)
    former = browser.get("/staff?everybody=1").text
    assert "E0006" in listed(former)
    there = browser.get("/staff/E0006").text
    assert "登录名 e0006" not in there
    assert "现属其他机构" in there
    assert "还没有登录账号" not in there
    assert "登录名 e0006" in enter(ADMINISTRATOR).get("/staff/E0006").text
    assert "登录名 e0006" in enter("e0009").get("/staff/E0006").text


def test_a_deputy_of_an_administrator_names_no_deputies(enter: Enter) -> None:
    """With her rights he could prolong his own deputyship, or pass it on."""
    enter(ADMINISTRATOR).post(
        "/staff/E0004/deputies", {"deputy": "E0005", "since": day(), "until": day(), "reason": "休假"}
    )
    deputy = enter(MANAGER)
    assert deputy.get("/staff").status_code == 200, "he has her rows today"
    later = {"since": day(1), "until": day(300), "reason": "x"}
    for principal, other in (("E0004", "E0005"), ("E0004", "E0006"), ("E0006", "E0005")):
        answer = deputy.post(f"/staff/{principal}/deputies", {"deputy": other, **later})
        assert answer.status_code == 404, (principal, other)
    assert "登记代理" not in deputy.get("/staff/E0006").text


def test_a_hand_over_by_a_deputy_names_both(enter: Enter, city: City) -> None:
    enter(ADMINISTRATOR).post(
        "/staff/E0004/deputies", {"deputy": "E0005", "since": day(), "until": day(), "reason": "休假"}
    )
    enter(MANAGER).post("/staff/E0006/hand-over", {"to": "E0005", "reason": "离职"})
    assert audited(city, "hand_over")[0][0] == "e0005（代 孙丽）"
    assert "e0005（代 孙丽） 办理" in enter(SUB).get("/staff/E0006").text


def test_who_left_the_list_is_found_and_handed_over(enter: Enter, city: City) -> None:
    left = city_rows.staff().filter(pc.not_equal(city_rows.staff()["staff_no"], "E0006"))
    before = enter(ADMINISTRATOR).get("/staff/E0005").text
    with writing(city.workspace.sql) as connection:
        sync_institutions(connection, city_rows.institutions(), left)
    sub = enter(SUB)
    assert "E0006" not in listed(sub.get("/staff").text)
    assert "E0006" in listed(sub.get("/staff?everybody=1").text)
    page = sub.get("/staff/E0006").text
    assert "无在任岗位" in page
    assert "办理交接" in page
    assert "交接已完成" in sub.post("/staff/E0006/hand-over", {"to": "E0005", "reason": "离职"}).text
    admin = enter(ADMINISTRATOR)
    on = {"login": "e0006", "staff_no": "E0006"}
    assert "账号已停用" in admin.post("/users/disable", on).text
    # A post that is still listed keeps its number: a page that stands open ends no other.
    number = re.search(r"/staff/E0005/posts/(\d+)/end", before)
    assert number
    assert f"/staff/E0005/posts/{number[1]}/end" in admin.get("/staff/E0005").text
    with writing(city.workspace.sql) as connection:
        sync_institutions(connection, city_rows.institutions(), city_rows.staff())
    assert "E0006" in listed(sub.get("/staff").text), "back on the list"


def test_the_last_administrator_keeps_the_post(enter: Enter) -> None:
    admin = enter(ADMINISTRATOR)
    number = re.search(r"/staff/E0002/posts/(\d+)/end", admin.get("/staff/E0002").text)
    assert number
    answer = admin.post(f"/staff/E0002/posts/{number[1]}/end", {"last_day": day(-1)})
    assert answer.status_code == 422
    assert "最后一位系统管理员" in answer.text
    assert admin.get("/staff").status_code == 200
    admin.post("/users", {"login": "second", "name": "备用", "role": "administrator"})
    assert admin.post(f"/staff/E0002/posts/{number[1]}/end", {"last_day": day(-1)}).url.path == "/login"


def test_a_page_that_stood_open_ends_no_other_post(enter: Enter) -> None:
    admin = enter(ADMINISTRATOR)
    number = re.search(r"/staff/E0005/posts/(\d+)/end", admin.get("/staff/E0005").text)
    assert number
    shown = {"role": "manager", "unit": "S02", "last_day": day(-1)}
    assert "刚刚更新过" in admin.post(f"/staff/E0005/posts/{number[1]}/end", shown).text
    assert "在任" in admin.get("/staff/E0005").text


def test_the_account_of_the_command_line_is_nobodys(enter: Enter, city: City) -> None:
    with writing(city.workspace.sql) as connection:
        local_analyst(connection, dt.datetime.now(dt.UTC))
    admin = enter(ADMINISTRATOR)
    assert "local" not in admin.get("/users").text.split("<main")[1]
    for verb in ("reset", "disable", "enable", "unlock", "unbind", "sign-out"):
        assert admin.post(f"/users/{verb}", {"login": " LOCAL "}).status_code == 404
    with writing(city.workspace.sql) as connection:
        assert local_analyst(connection, dt.datetime.now(dt.UTC)).whole_bank


def test_a_login_of_somebody_else_is_not_touched(enter: Enter) -> None:
    admin = enter(ADMINISTRATOR)
    for verb in ("disable", "reset"):
        assert admin.post(f"/users/{verb}", {"login": "e0005", "staff_no": "E0011"}).status_code == 404
    assert enter(MANAGER).get("/today").status_code == 200


def test_a_name_of_two_institutions_is_not_guessed(enter: Enter, city: City) -> None:
    with writing(city.workspace.sql) as connection:
        connection.execute(
            sa.text("UPDATE institutions SET name = '城东支行' WHERE institution_code IN ('S02', 'S11')")
        )
    admin = enter(ADMINISTRATOR)
    form = {"staff_no": "E0005", "role": "manager", "unit": "城东支行"}
    refused = admin.post("/staff", form)
    assert refused.status_code == 422
    assert "S02" in refused.text
    assert "S11" in refused.text
    assert admin.get("/staff", params={"unit": "城东支行"}).status_code == 422
    assert "岗位已登记" in admin.post("/staff", form | {"unit": "S11 城东支行"}).text
    assert listed(admin.get("/staff?unit=S11&q=E0005").text) == {"E0005"}


def test_empty_fields_are_named_in_chinese(enter: Enter) -> None:
    browser = enter(SUB)
    answer = browser.post("/staff/E0005/deputies", {"deputy": "E0006", "reason": "休假"})
    assert answer.status_code == 422
    assert "代理须写明截止日" in answer.text
    assert 'value="休假"' in answer.text
    wrong = enter(ADMINISTRATOR).post("/staff", {"staff_no": "E0005", "role": "king", "unit": "S01"})
    assert "“岗位”不在可选值内" in wrong.text
    assert "Input should" not in wrong.text
