"""Steps of tasks from the board and from 今日, asks for introductions, decisions on matches, uploads."""

from __future__ import annotations

import io

import pytest
from conftest import Browser, Enter
from small_city import City

from qiaomen.customers import CUSTOMER_RECORDS, match_decisions
from qiaomen.store import reading

MANAGER, OTHER, BRANCH, ANALYST = "e0005", "e0006", "e0003", "e0001"


def first_task(browser: Browser, **query: object) -> dict[str, object]:
    answer = browser.get("/api/v1/tasks", params=query)
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert items
    return dict(items[0])


def test_a_card_goes_from_unclaimed_to_closed(enter: Enter) -> None:
    browser = enter(MANAGER)
    task = first_task(browser, state="unclaimed")
    place = f"/tasks/{task['task_id']}/move"
    version = task["version"]
    for to, more in (("following", {}), ("landed", {"amount_cny": "500万"}), ("closed", {})):
        answer = browser.script(place, {"to": to, "version": version, **more})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        version = int(body["card"].split('data-version="')[1].split('"')[0])
    after = browser.get(f"/api/v1/tasks/{task['task_id']}").json()
    assert (after["state"], after["result"], after["landed_amount_fen"]) == ("closed", "won", 500_000_000)


def test_a_step_that_the_flow_forbids_is_explained(enter: Enter) -> None:
    browser = enter(MANAGER)
    task = first_task(browser, state="unclaimed")
    answer = browser.script(f"/tasks/{task['task_id']}/move", {"to": "landed", "version": task["version"]})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert "不能直接移到" in answer.json()["detail"]


def test_closing_without_a_reason_is_refused(enter: Enter) -> None:
    browser = enter(MANAGER)
    task = first_task(browser, state="unclaimed")
    browser.script(f"/tasks/{task['task_id']}/move", {"to": "following", "version": task["version"]})
    answer = browser.script(
        f"/tasks/{task['task_id']}/move", {"to": "closed", "version": 2, "result": "lost"}
    )
    assert answer.status_code == 422


def test_of_two_claims_one_wins(enter: Enter) -> None:
    first, second = enter(MANAGER), enter(OTHER)
    pool = [
        item
        for item in first.get("/api/v1/tasks?state=unclaimed").json()["items"]
        if item["manager_no"] is None
    ]
    place = f"/tasks/{pool[0]['task_id']}/move"
    assert first.script(place, {"to": "following", "version": 1}).status_code == 200
    assert second.script(place, {"to": "following", "version": 1}).status_code in {404, 409}


def test_a_form_without_its_token_changes_nothing(enter: Enter) -> None:
    browser = enter(MANAGER)
    task = first_task(browser, state="unclaimed")
    answer = browser.client.post(f"/tasks/{task['task_id']}/claim", data={"csrf": "wrong"})
    assert answer.status_code == 403
    assert browser.get(f"/api/v1/tasks/{task['task_id']}").json()["state"] == "unclaimed"


def test_a_form_from_another_site_changes_nothing(enter: Enter) -> None:
    browser = enter(MANAGER)
    task = first_task(browser, state="unclaimed")
    answer = browser.post(f"/tasks/{task['task_id']}/claim", headers={"Origin": "http://elsewhere.example"})
    assert answer.status_code == 403


def test_today_claims_visits_returns_and_dismisses(enter: Enter) -> None:
    browser = enter(MANAGER)
    mine = [
        item
        for item in browser.get("/api/v1/tasks?state=unclaimed").json()["items"]
        if item["manager_no"] == "E0005"
    ]
    one, two = mine[0]["task_id"], mine[1]["task_id"]
    for number in (one, two):
        assert browser.post(f"/tasks/{number}/claim", {"next": "/today"}).url.path == "/today"
    noted = browser.post(
        f"/tasks/{one}/visit",
        {"channel": "电话", "note": "约下周见面", "next_on": "2026-07-01", "next": "/today"},
    )
    assert noted.status_code == 200, noted.text[:300]
    assert "待回访" in noted.text
    browser.post(f"/tasks/{one}/return", {"version": 2, "reason": "不在我的服务范围"})
    browser.post(f"/tasks/{two}/dismiss", {"version": 2, "reason": "信息有误"})
    assert browser.get(f"/api/v1/tasks/{one}").json()["state"] == "unclaimed"
    assert browser.get(f"/api/v1/tasks/{two}").json()["result"] == "lost"


def test_an_ask_reaches_the_keeper_and_needs_consent(enter: Enter) -> None:
    asker, keeper = enter("e0007"), enter(MANAGER)
    assert "转介请求已发出" in asker.post("/reach/3/ask", {"number": 0, "mode": "best"}).text
    assert asker.post("/reach/3/ask", {"number": 0, "mode": "best"}).status_code == 409
    today = keeper.get("/today").text
    assert "赵启航" in today
    number = today.split('action="/referrals/')[1].split('"')[0]
    assert keeper.post(f"/referrals/{number}", {"agreed": "1"}).status_code == 422
    assert keeper.post(f"/referrals/{number}", {"agreed": "1", "consent": "1"}).status_code == 200
    assert "赵启航" not in keeper.get("/today").text


def test_a_doubtful_match_is_decided_and_taken_back(enter: Enter, city: City) -> None:
    browser = enter(BRANCH)
    form = {"source": "customers", "record_key": "C9000", "outcome": "ambiguous"}
    assert "下一次运行生效" in browser.post("/inventory/matches", form | {"choice": "5"}).text
    with reading(city.workspace.sql) as connection:
        assert match_decisions(connection).column("company_id").to_pylist() == [5]
    assert "都不是，下一次运行生效" in browser.post("/inventory/matches", form | {"choice": "none"}).text
    browser.post("/inventory/matches", form | {"choice": "undo"})
    with reading(city.workspace.sql) as connection:
        assert match_decisions(connection).num_rows == 0


def test_a_list_is_tried_applied_and_undone(enter: Enter, city: City) -> None:
    browser = enter(BRANCH)
    lines = (
        "客户编号,企业名称,开户日期,机构代码",
        "C8001,上海澜微新客有限公司,2026-01-02,S01",
        ",缺编号有限公司,2026-01-03,S01",
    )
    content = "\n".join(lines).encode("gb18030")
    tried = browser.post("/inventory/upload", files={"file": ("名单.csv", io.BytesIO(content), "text/csv")})
    assert tried.status_code == 200, tried.text[:400]
    assert "尚未写入" in tried.text
    assert "退回的行" in tried.text
    number = tried.url.path.rsplit("/", 1)[1]
    assert "缺编号有限公司" in browser.get(f"/inventory/upload/{number}/errors.csv").text
    mapping = {
        "column_customer_no": "客户编号",
        "column_name": "企业名称",
        "column_opened_on": "开户日期",
        "column_institution_code": "机构代码",
    }
    applied = browser.post(f"/inventory/upload/{number}", mapping | {"step": "apply"})
    assert "已入库：新增 1 户" in applied.text
    load_id = applied.text.split("/inventory/upload/undo/")[1].split('"')[0]
    assert "移除 1 户" in browser.post(f"/inventory/upload/undo/{load_id}").text
    names = city.workspace.lake.snapshot().arrow(CUSTOMER_RECORDS).column("name").to_pylist()
    assert "上海澜微新客有限公司" not in names


@pytest.mark.parametrize("place", ["H00", ""])
def test_a_list_of_others_customers_is_refused(enter: Enter, place: str) -> None:
    content = f"客户编号,企业名称,机构代码\nC8001,上海澜微新客有限公司,{place}\n".encode()
    browser = enter(BRANCH)
    tried = browser.post("/inventory/upload", files={"file": ("名单.csv", io.BytesIO(content), "text/csv")})
    assert "不属于您管辖" in tried.text, tried.text[-800:]
    number = tried.url.path.rsplit("/", 1)[1]
    mapping = {
        "column_customer_no": "客户编号",
        "column_name": "企业名称",
        "column_institution_code": "机构代码",
    }
    assert browser.post(f"/inventory/upload/{number}", mapping | {"step": "apply"}).status_code == 422


def test_a_corrected_mapping_stays_with_the_list(enter: Enter) -> None:
    browser = enter(ANALYST)
    lines = ("甲列,乙列,丙列", "C8101,上海澜微新客有限公司,2026-13-45", f"C8102,,{'长' * 300}")
    content = "\n".join(lines).encode()
    tried = browser.post("/inventory/upload", files={"file": ("名单.csv", io.BytesIO(content), "text/csv")})
    assert "必填的列没有对应" in tried.text
    assert "长" * 100 not in tried.text
    where = tried.url.path
    mapping = {"column_customer_no": "甲列", "column_name": "乙列", "column_opened_on": "丙列"}
    again = browser.post(where, mapping | {"step": "try"}).text
    assert "退回的行" in again
    assert "丙列：" in again
    wrong = browser.get(f"{where}/errors.csv").text
    assert "C8102" in wrong
    assert "C8101" not in wrong
    assert '<option value="甲列" selected>' in browser.get(where).text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("空.csv", b"", "文件是空的"),
        ("坏.xlsx", b"PK\x03\x04 nothing", "XLSX 文件损坏"),
        ("乱.csv", "客户号,客户名称\n".encode() + b"A,\xff\xfe\xff\n", "编码"),
        ("名单.exe", b"MZ", "不支持"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_on_its_own_page(
    enter: Enter, name: str, content: bytes, words: str
) -> None:
    answer = enter(ANALYST).post("/inventory/upload", files={"file": (name, io.BytesIO(content), "text/csv")})
    assert answer.status_code == 422
    assert words in answer.text
    assert name in answer.text or name == "名单.exe"
    assert "上传并试算" in answer.text


def test_a_file_of_another_kind_is_refused(enter: Enter) -> None:
    answer = enter(BRANCH).post("/inventory/upload", files={"file": ("a.exe", io.BytesIO(b"MZ"), "x/y")})
    assert answer.status_code == 422
    assert "不支持" in answer.text
