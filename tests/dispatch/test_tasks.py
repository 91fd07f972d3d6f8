"""Tasks on SQLite and PostgreSQL: creation, scope, claiming, work, deadlines, visits, funnel, controls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from qiaomen.bank import (
    INSTITUTION_RECORDS,
    STAFF_RECORDS,
    Viewer,
    local_analyst,
    sync_institutions,
    viewer_by_login,
)
from qiaomen.customers import CUSTOMERS
from qiaomen.dispatch import (
    ALLOCATIONS,
    LEADS,
    CreateResult,
    TaskEvent,
    TaskFilter,
    advance,
    allowed_events,
    claim,
    compare_controls,
    contacts,
    create_tasks,
    funnel,
    get_task,
    list_tasks,
    may_contact,
    open_tasks,
    overdue,
    record_visit,
    recycle_overdue,
    task_history,
    task_visits,
    task_words,
    transfer,
)
from qiaomen.dispatch.task_rows import task_row
from qiaomen.reach import INTRODUCTIONS
from qiaomen.store import outbox, reading, writing
from qiaomen.vocab import Conflict, InputRejected, NotAllowed, NotFound, Table, TaskResult, TaskState

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
STAFF = [("M1", "manager", "S1"), ("M2", "manager", "S1"), ("M3", "manager", "S3"), ("A1", "sub_branch_admin", "S1"),
         ("A2", "branch_admin", "B1"), ("A9", "branch_admin", "B2"), ("H1", "analyst", "HQ"),
         ("Z1", "administrator", "HQ")]  # fmt: skip


def rows(table: Table, *given: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(
        [{name: row.get(name) for name in table.names} for row in given], schema=table.schema
    )


def lead(number: int, **more: Any) -> dict[str, Any]:
    return {
        "lead_id": f"lead{number}", "company_id": number, "origin": "opportunity", "opportunity_id": f"o{number}",
        "kind": "gov_bid_won", "tier": "prime", "product": "kqd", "is_customer": False, "priority": float(number),
        "why_now": f"中标{number}（2026-02-20，来源：feed）", "admitted": True,
    } | more  # fmt: skip


def placed(
    number: int, sub_branch: str | None = "S1", manager: str | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "lead_id": f"lead{number}", "company_id": number, "branch_code": "B2" if sub_branch == "S3" else "B1",
        "sub_branch_code": sub_branch, "manager_no": manager, "rule": "region", "reason": "覆盖该地区",
        "hold_out": False, "rank": number,
    } | more  # fmt: skip


WORDS = task_words({n: f"企业{n}公司" for n in range(1, 200)}, {"kqd": "科企贷"})


def create(
    connection: sa.Connection,
    leads: list[dict[str, Any]],
    allocations: list[dict[str, Any]],
    *,
    generation: int = 1,
    introductions: tuple[dict[str, Any], ...] = (),
    now: datetime = NOW,
) -> CreateResult:
    return create_tasks(
        connection,
        rows(LEADS, *leads),
        rows(ALLOCATIONS, *allocations),
        words=WORDS,
        introductions=rows(INTRODUCTIONS, *introductions),
        customers=rows(CUSTOMERS, {"company_id": 900, "institution_code": "S3", "manager_no": "M3"}),
        generation=generation,
        now=now,
    )


@pytest.fixture
def bank(sql: sa.Engine) -> Iterator[sa.Engine]:
    units = [("HQ", "head_office", None), ("B1", "branch", "HQ"), ("B2", "branch", "HQ"),
             ("S1", "sub_branch", "B1"), ("S2", "sub_branch", "B1"), ("S3", "sub_branch", "B2")]  # fmt: skip
    with writing(sql) as connection:
        sync_institutions(
            connection,
            rows(INSTITUTION_RECORDS, *({"institution_code": code, "name": f"{code}支行", "unit_type": kind,
                                         "parent_code": parent} for code, kind, parent in units)),
            rows(STAFF_RECORDS, *({"staff_no": no, "name": no, "role": role, "institution_code": code,
                                   "capacity": 3 if no == "M2" else None} for no, role, code in STAFF)),
        )  # fmt: skip
        for no, _, _ in STAFF:
            connection.execute(
                sa.text(
                    "INSERT INTO users (login, name, staff_no, active, created_at) "
                    "VALUES (:login, :login, :no, :yes, :now)"
                ).bindparams(sa.bindparam("now", type_=sa.DateTime(timezone=True))),
                {"login": no.lower(), "no": no, "yes": True, "now": NOW},
            )
    yield sql


def viewer(sql: sa.Engine, login: str) -> Viewer:
    with reading(sql) as connection:
        return viewer_by_login(connection, login, NOW)


def ids(sql: sa.Engine, who: Viewer, filters: TaskFilter | None = None) -> list[int]:
    with reading(sql) as connection:
        return [task.company_id for task in list_tasks(who, connection, filters).tasks]


def task_of(sql: sa.Engine, company_id: int) -> int:
    with reading(sql) as connection:
        return int(
            connection.execute(
                sa.text("SELECT max(task_id) FROM tasks WHERE company_id = :n"), {"n": company_id}
            ).scalar_one()
        )


def test_a_restart_creates_nothing_twice(bank: sa.Engine) -> None:
    leads = [lead(1), lead(2), lead(3), lead(4), lead(5, admitted=False)]
    allocations = [placed(1), placed(2, manager="M1"), placed(3, hold_out=True), placed(4, rule="deferred")]
    with writing(bank) as connection:
        assert create(connection, leads, allocations) == CreateResult(2, 0, 0, 1, 1)
    with writing(bank) as connection:
        assert create(connection, leads, allocations) == CreateResult(0, 0, 2, 1, 1)
    with reading(bank) as connection:
        assert outbox.counts(connection) == {"waiting": 2}
        history = connection.execute(sa.text("SELECT event FROM task_history")).scalars().all()
        assert history == ["create", "create"]
        page = list_tasks(viewer(bank, "h1"), connection)
    assert (page.items, page.firms) == (2, 2)
    task = page.tasks[0]
    assert (task.company_name, task.state, task.due_at) == (
        "企业2公司",
        TaskState.UNCLAIMED,
        NOW + timedelta(hours=48),
    )
    assert (
        task.script == "您好，看到贵司中标2的消息。我行针对这类情形有科企贷，想约时间当面了解一下资金安排。"
    )


def test_the_opener_does_not_tell_the_firm_its_name() -> None:
    words = task_words({2: "甲（上海）有限公司"}, {"kqd": "科企贷"})
    said = {"why_now": "甲（上海）有限公司：中标某项目（2026-02-20，来源：feed）"}
    empty = dict.fromkeys(LEADS.names)
    row = task_row(empty | lead(2) | said, placed(2), words, {}, 1, NOW)
    assert row["script"].startswith("您好，看到贵司中标某项目的消息。")
    assert row["why_now"].startswith("甲（上海）有限公司：中标")


def test_a_lead_that_no_branch_covers_waits_for_dispatch_by_hand(bank: sa.Engine) -> None:
    homeless = placed(2, None, branch_code=None, rule="no_branch", reason="地区不详，请手工指定机构")
    with writing(bank) as connection:
        assert create(connection, [lead(1), lead(2)], [placed(1), homeless]) == CreateResult(
            1, 0, 0, 0, 0, homeless=1
        )
    assert len(ids(bank, viewer(bank, "h1"))) == 1


def test_an_open_task_of_the_same_company_and_product_is_brought_up_to_date(bank: sa.Engine) -> None:
    with writing(bank) as connection:
        create(connection, [lead(1)], [placed(1)])
        newer = lead(1, lead_id="lead1b", why_now="又中标（2026-02-28，来源：feed）", priority=88.0)
        move = placed(1, lead_id="lead1b")
        assert create(connection, [newer], [move], generation=2) == CreateResult(0, 1, 0, 0, 0)
        assert create(connection, [newer], [move], generation=2) == CreateResult(0, 0, 1, 0, 0)
    analyst = viewer(bank, "h1")
    with reading(bank) as connection:
        (task,) = list_tasks(analyst, connection).tasks
        assert (task.priority, task.version, task.lead_id) == (88.0, 1, "lead1")
        assert "又中标" in task.why_now
        assert [row.event for row in task_history(analyst, connection, task.task_id)] == ["create", "refresh"]
    with writing(bank) as connection:
        advance(
            analyst, connection, task.task_id, TaskEvent.WITHDRAW, expected_version=1, reason="无效", now=NOW
        )
        assert create(connection, [newer], [move], generation=3).created == 0, "a lead seen before stays seen"
        other = lead(1, lead_id="lead1c")
        assert create(connection, [other], [placed(1, lead_id="lead1c")], generation=3).created == 1


def test_a_failed_transaction_leaves_nothing(bank: sa.Engine) -> None:
    with pytest.raises(RuntimeError), writing(bank) as connection:
        create(connection, [lead(1)], [placed(1)])
        raise RuntimeError
    with reading(bank) as connection:
        assert outbox.counts(connection) == {}
    assert ids(bank, viewer(bank, "h1")) == []


def test_each_role_sees_its_own_tasks(bank: sa.Engine) -> None:
    with writing(bank) as connection:
        create(
            connection,
            [lead(n) for n in range(1, 7)],
            [
                placed(1, manager="M1"),
                placed(2),
                placed(3, "S2"),
                placed(4, None),
                placed(5, "S3", "M3"),
                placed(6, "S3"),
            ],
        )
    seen = {
        login: sorted(ids(bank, viewer(bank, login)))
        for login in ("m1", "m2", "m3", "a1", "a2", "a9", "h1", "z1")
    }
    assert seen == {
        "m1": [1, 2], "m2": [2], "m3": [5, 6], "a1": [1, 2], "a2": [1, 2, 3, 4], "a9": [5, 6],
        "h1": [1, 2, 3, 4, 5, 6], "z1": [],
    }  # fmt: skip
    hidden = task_of(bank, 5)
    with reading(bank) as connection:
        assert get_task(viewer(bank, "m3"), connection, hidden).company_id == 5
        for login in ("m1", "a2", "z1"):
            with pytest.raises(NotFound):
                get_task(viewer(bank, login), connection, hidden)
            with pytest.raises(NotFound):
                task_history(viewer(bank, login), connection, hidden)


def test_filters_count_items_and_firms_apart(bank: sa.Engine) -> None:
    with writing(bank) as connection:
        create(connection, [lead(1), lead(2), lead(3, origin="expiry")], [placed(n) for n in (1, 2, 3)])
        create(connection, [lead(11, company_id=1, product="zcd")], [placed(11, company_id=1)])
    analyst = viewer(bank, "h1")
    with reading(bank) as connection:
        page = list_tasks(analyst, connection, limit=2)
        assert (len(page.tasks), page.items, page.firms) == (2, 4, 3)
        assert [task.lead_id for task in list_tasks(analyst, connection, limit=1, offset=1).tasks] == [
            "lead3"
        ]
    assert ids(bank, analyst, TaskFilter(origins=["expiry"])) == [3]
    assert ids(bank, analyst, TaskFilter(text="企业2")) == [2]
    assert ids(bank, analyst, TaskFilter(text="%")) == [], "a wildcard is a character"
    assert ids(bank, analyst, TaskFilter(states=[TaskState.LANDED])) == []
    assert len(ids(bank, analyst, TaskFilter(unassigned=True, branch_code="B1"))) == 4


def test_the_filter_of_managers_takes_many_and_none(bank: sa.Engine) -> None:
    with writing(bank) as connection:
        create(
            connection,
            [lead(n) for n in (1, 2, 3, 4)],
            [placed(1, manager="M1"), placed(2, manager="M2"), placed(3, "S3", "M3"), placed(4)],
        )
    analyst, manager = viewer(bank, "h1"), viewer(bank, "m1")
    assert sorted(ids(bank, analyst, TaskFilter(manager_nos={"M1", "M3"}))) == [1, 3]
    assert ids(bank, analyst, TaskFilter(manager_nos=())) == [], "nobody's tasks are none, not all"
    assert len(ids(bank, analyst, TaskFilter())) == 4
    assert ids(bank, manager, TaskFilter(manager_nos={"M1", "M2", "M3"})) == [1], "the scope stays"


def test_who_hides_a_customer_of_another_unit(bank: sa.Engine) -> None:
    introduction = {
        "company_id": 1,
        "rank": 1,
        "customer_id": 900,
        "wording": "丙公司董事长王某兼任该企业监事",
    }
    other = {"company_id": 1, "rank": 2, "customer_id": None, "wording": "园区引荐"}
    with writing(bank) as connection:
        create(
            connection,
            [lead(1), lead(2)],
            [placed(1, manager="M1"), placed(2, sub_branch="S3", manager="M3")],
            introductions=(other, introduction, introduction | {"company_id": 2}),
        )
    with reading(bank) as connection:
        shown = get_task(viewer(bank, "m1"), connection, task_of(bank, 1))
        assert shown.who == "可经S3支行客户（需申请转介）引荐"
        # The customer's own unit reads everything; head office reads no person's name.
        assert get_task(viewer(bank, "m3"), connection, task_of(bank, 2)).who == introduction["wording"]
        analyst = get_task(viewer(bank, "h1"), connection, shown.task_id)
        assert analyst.who == "有引荐人，姓名须由经办机构查看"


def test_fifty_claimers_make_one_winner(bank: sa.Engine) -> None:
    with writing(bank) as connection:
        create(connection, [lead(1)], [placed(1)])
    number = task_of(bank, 1)
    people = [viewer(bank, "m1"), viewer(bank, "m2")]
    won: list[str] = []
    lost: list[str] = []
    ready = threading.Barrier(50)

    def take(who: Viewer) -> None:
        ready.wait()
        try:
            with writing(bank) as connection:
                claim(who, connection, number, now=NOW)
            won.append(who.login)
        except (Conflict, NotFound) as error:
            lost.append(error.code)

    threads = [threading.Thread(target=take, args=(people[n % 2],)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 49)
    with reading(bank) as connection:
        task = get_task(viewer(bank, "h1"), connection, number)
        assert (task.state, task.manager_no, task.version) == (TaskState.FOLLOWING, won[0].upper(), 2)
        events = [row.event for row in task_history(viewer(bank, "h1"), connection, number)]
    assert events == ["create", "claim"]


def test_a_task_goes_from_claim_to_landed_and_closed(bank: sa.Engine) -> None:
    with writing(bank) as connection:
        create(connection, [lead(1)], [placed(1, manager="M1")])
    m1, m2, number = viewer(bank, "m1"), viewer(bank, "m2"), task_of(bank, 1)
    with writing(bank) as connection:
        with pytest.raises(NotFound):
            claim(m2, connection, number, now=NOW)
        task = claim(m1, connection, number, now=NOW)
        assert task == get_task(m1, connection, number)
        assert set(allowed_events(m1, task)) == {
            TaskEvent.INTEND, TaskEvent.LAND, TaskEvent.LOSE, TaskEvent.REJECT, TaskEvent.RETURN_TO_POOL,
            TaskEvent.TRANSFER,
        }  # fmt: skip
        with pytest.raises(Conflict, match="更新"):
            advance(m1, connection, number, TaskEvent.INTEND, expected_version=1, now=NOW)
        task = advance(m1, connection, number, TaskEvent.INTEND, expected_version=2, now=NOW)
        with pytest.raises(InputRejected, match="落地金额"):
            advance(m1, connection, number, TaskEvent.LAND, expected_version=3, landed_amount_fen=-1, now=NOW)
        task = advance(
            m1, connection, number, TaskEvent.LAND, expected_version=3, landed_amount_fen=500_000_00, now=NOW
        )
        assert (task.state, task.landed_amount_fen) == (TaskState.LANDED, 500_000_00)
        with pytest.raises(Conflict, match="不能"):
            advance(m1, connection, number, TaskEvent.LOSE, expected_version=4, reason="x", now=NOW)
        task = advance(m1, connection, number, TaskEvent.FINISH, expected_version=4, now=NOW)
    assert (task.state, task.result, task.due_at) == (TaskState.CLOSED, TaskResult.WON, None)
    assert ids(bank, m1) == []
    assert ids(bank, m1, TaskFilter(with_closed=True)) == [1]
    with reading(bank) as connection:
        assert outbox.counts(connection) == {"waiting": 5}
    with reading(bank) as connection:
        noted = connection.execute(
            sa.text("SELECT action, actor FROM audit_log WHERE object = :task ORDER BY number"),
            {"task": f"task:{number}"},
        ).all()
    assert [row.action for row in noted] == ["task.claim", "task.intend", "task.land", "task.finish"]
    assert {row.actor for row in noted} == {"m1"}


def test_returns_and_losses_need_reasons_and_rights(bank: sa.Engine) -> None:
    with writing(bank) as connection:
        create(connection, [lead(1), lead(2)], [placed(1), placed(2)])
    m1, admin, number = viewer(bank, "m1"), viewer(bank, "a1"), task_of(bank, 1)
    with writing(bank) as connection:
        with pytest.raises(NotAllowed):
            advance(m1, connection, number, TaskEvent.WITHDRAW, expected_version=1, reason="x", now=NOW)
        claim(m1, connection, number, now=NOW)
        with pytest.raises(InputRejected, match="原因"):
            advance(m1, connection, number, TaskEvent.RETURN_TO_POOL, expected_version=2, now=NOW)
        with pytest.raises(NotAllowed):
            advance(m1, connection, number, TaskEvent.RECYCLE, expected_version=2, reason="x", now=NOW)
        with pytest.raises(InputRejected, match="指明"):
            advance(m1, connection, number, TaskEvent.TRANSFER, expected_version=2, reason="x", now=NOW)
        task = advance(
            m1, connection, number, TaskEvent.RETURN_TO_POOL, expected_version=2, reason="联系不上", now=NOW
        )
        assert (task.state, task.manager_no) == (TaskState.UNCLAIMED, None)
        task = advance(
            admin, connection, number, TaskEvent.WITHDRAW, expected_version=3, reason="重复", now=NOW
        )
        assert task.result is TaskResult.WITHDRAWN
    assert ids(bank, m1) == [2]


def test_transfers_stay_within_reach_and_capacity(bank: sa.Engine) -> None:
    with writing(bank) as connection:
        create(connection, [lead(n) for n in range(1, 6)], [placed(n) for n in range(1, 6)])
    m1, admin, analyst = viewer(bank, "m1"), viewer(bank, "a1"), viewer(bank, "h1")
    with writing(bank) as connection:
        assigned = transfer(admin, connection, task_of(bank, 1), "M2", expected_version=1, reason="", now=NOW)
        assert (assigned.state, assigned.manager_no) == (TaskState.UNCLAIMED, "M2")
        claim(m1, connection, task_of(bank, 2), now=NOW)
        for wrong in ("M3", "A1", "??"):
            with pytest.raises(InputRejected, match="客户经理"):
                transfer(m1, connection, task_of(bank, 2), wrong, expected_version=2, reason="转", now=NOW)
        with pytest.raises(InputRejected, match="原因"):
            transfer(m1, connection, task_of(bank, 2), "M2", expected_version=2, reason=" ", now=NOW)
        moved = transfer(
            analyst, connection, task_of(bank, 2), "M3", expected_version=2, reason="集团主办", now=NOW
        )
        assert (moved.sub_branch_code, moved.branch_code, moved.manager_no) == ("S3", "B2", "M3")
        for number in (3, 4):
            transfer(admin, connection, task_of(bank, number), "M2", expected_version=1, reason="", now=NOW)
        with pytest.raises(
            Conflict, match=r"有 3 条（其中存量客户 0 条），上限 3 条.*先办结、退回或转交 1 条"
        ):
            claim(viewer_by_login(connection, "m2", NOW), connection, task_of(bank, 5), now=NOW)
    assert 2 not in ids(bank, m1)
    assert 2 in ids(bank, viewer(bank, "m3"))


def test_deadlines_move_what_nobody_works_on(bank: sa.Engine) -> None:
    with writing(bank) as connection:
        create(
            connection,
            [lead(n) for n in range(1, 5)],
            [placed(1, manager="M1"), placed(2), placed(3), placed(4)],
        )
    with writing(bank) as connection:
        clock = local_analyst(connection, NOW)
        for number in (3, 4):
            claim(viewer_by_login(connection, "m1", NOW), connection, task_of(bank, number), now=NOW)
        record_visit(viewer_by_login(connection, "m1", NOW), connection, task_of(bank, 4), visited_at=NOW,
                     channel="电话", note="约了下周", now=NOW)  # fmt: skip
        assert recycle_overdue(clock, connection, NOW).pooled == 0
        late = NOW + timedelta(hours=49)
        moved = recycle_overdue(clock, connection, late)
        assert (moved.pooled, moved.recycled, moved.escalated) == (1, 0, 1)
        assert recycle_overdue(clock, connection, late).pooled == 0, "once"
        moved = recycle_overdue(clock, connection, NOW + timedelta(hours=121))
        assert (moved.pooled, moved.recycled, moved.escalated) == (0, 1, 1)
        page = overdue(clock, connection, NOW + timedelta(hours=200))
        assert {task.company_id for task in page.tasks} >= {4}
    with reading(bank) as connection:
        escalated = get_task(clock, connection, task_of(bank, 2))
        assert (escalated.branch_code, escalated.sub_branch_code) == ("B1", None)
    admin, m1 = viewer(bank, "a2"), viewer(bank, "m1")
    with writing(bank) as connection:
        task = transfer(admin, connection, escalated.task_id, "M1", expected_version=2, reason="", now=NOW)
        assert task.sub_branch_code == "S1"
        assert claim(m1, connection, task.task_id, now=NOW).state is TaskState.FOLLOWING


def test_visits_are_recorded_once_and_bound_contacts(bank: sa.Engine) -> None:
    with writing(bank) as connection:
        create(connection, [lead(1)], [placed(1)])
    m1, number = viewer(bank, "m1"), task_of(bank, 1)
    noon, night = NOW + timedelta(hours=2), NOW + timedelta(hours=12)

    def visit(connection: sa.Connection, **changes: Any) -> None:
        given: dict[str, Any] = {"visited_at": NOW, "channel": "拜访", "note": "见了财务总监", "now": NOW}
        record_visit(m1, connection, number, **(given | changes))

    with writing(bank) as connection:
        with pytest.raises(NotAllowed):
            visit(connection)
        claim(m1, connection, number, now=NOW)
        visit(connection, request_key="phone-1")
        visit(connection, request_key="phone-1")
        for wrong in ({"channel": "传真"}, {"note": " "}, {"visited_at": night}, {"next_at": NOW}):
            with pytest.raises(InputRejected):
                visit(connection, **wrong)
        assert len(task_visits(m1, connection, number)) == 1
        assert may_contact(connection, 1, noon).allowed
        assert "9:00" in may_contact(connection, 1, night).reason
        visit(connection)
        assert "上限" in may_contact(connection, 1, noon).reason
        visit(connection, refused=True)
        assert "不愿" in may_contact(connection, 1, noon).reason
        clock = local_analyst(connection, NOW)
        found = contacts(clock, connection).to_pylist()
        assert [row["contacted_on"] for row in found] == [date(2026, 3, 2)] * 3
        assert open_tasks(clock, connection).to_pylist()[0]["state"] == "following"
        with pytest.raises(NotAllowed):
            open_tasks(m1, connection)


def test_the_funnel_counts_firms_and_items_and_compares_with_controls(bank: sa.Engine) -> None:
    with writing(bank) as connection:
        create(
            connection,
            [lead(n) for n in range(1, 9)] + [lead(21, company_id=1, product="zcd"), lead(30, origin="expiry")],
            [placed(n, hold_out=n in (7, 8)) for n in range(1, 7)] + [placed(n, hold_out=True) for n in (7, 8)]
            + [placed(21, "S2", company_id=1), placed(30)],
        )  # fmt: skip
    m1, admin = viewer(bank, "m1"), viewer(bank, "a2")
    with writing(bank) as connection:
        for number in (1, 2, 3):
            claim(m1, connection, connection.execute(
                sa.text("SELECT task_id FROM tasks WHERE lead_id = :l"), {"l": f"lead{number}"}).scalar_one(), now=NOW)  # fmt: skip
        landed = connection.execute(sa.text("SELECT task_id FROM tasks WHERE lead_id = 'lead1'")).scalar_one()
        advance(m1, connection, landed, TaskEvent.LAND, expected_version=2, landed_amount_fen=100, now=NOW)
    later = NOW + timedelta(hours=100)
    with reading(bank) as connection:
        (total,) = funnel(admin, connection, now=later)
        assert (total.items, total.firms, total.claimed_firms, total.landed_firms) == (8, 7, 3, 1)
        assert total.landed_rate == pytest.approx(1 / 3)
        assert (total.open_items, total.overdue_items, total.landed_amount_fen) == (8, 5, 100)
        groups = {row.group: row.items for row in funnel(admin, connection, by="sub_branch_code", now=NOW)}
        assert groups == {"S1": 7, "S2": 1}
        assert {row.group for row in funnel(admin, connection, by="origin", now=NOW)} == {
            "opportunity",
            "expiry",
        }
        assert funnel(viewer(bank, "a9"), connection, now=NOW)[0].items == 0
        assert funnel(admin, connection, since=later, now=NOW)[0].items == 0
        with pytest.raises(InputRejected):
            funnel(admin, connection, by="why_now", now=NOW)
        with pytest.raises(NotAllowed):
            funnel(m1, connection, now=NOW)
        responses = pa.table(
            {
                "company_id": [1, 2, 7, 30, None],
                "responded_on": [date(2026, 3, 9), date(2026, 1, 1)] + [date(2026, 3, 9)] * 3,
            }
        )
        compared = compare_controls(admin, connection, responses)
    assert (compared.treated_firms, compared.treated_responses) == (6, 1)
    assert (compared.control_firms, compared.control_responses) == (2, 1)
    assert compared.difference == pytest.approx(1 / 6 - 1 / 2)
    assert compared.low is not None
    assert compared.high is not None
    assert compared.low < compared.difference < compared.high
