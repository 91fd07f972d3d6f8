"""Confirmation on SQLite and PostgreSQL: what is refused and why, once per request, and never another thing than shown."""

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
    audit_rows,
    create_user,
    create_users_for_staff,
    sync_institutions,
    viewer_by_login,
)
from qiaomen.customers import CUSTOMERS
from qiaomen.dispatch import (
    ALLOCATIONS,
    LEADS,
    BatchRequest,
    LakeFacts,
    Planned,
    Target,
    TaskEvent,
    TaskFilter,
    advance,
    batch_of_request,
    claim,
    confirm_dispatch,
    create_tasks,
    get_batch,
    list_batches,
    list_tasks,
    load_admission_rules,
    load_allocation_rules,
    lock_tasks,
    plan_dispatch,
    record_visit,
    refresh_tasks,
    sent_leads,
    task_history,
    task_words,
)
from qiaomen.reach import INTRODUCTIONS
from qiaomen.store import outbox, portable, reading, writing
from qiaomen.vocab import Conflict, InputRejected, NotFound, Role, Table

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
AS_OF = date(2026, 3, 2)
STAFF = [("M1", "manager", "S1"), ("M2", "manager", "S1"), ("M3", "manager", "S3"), ("A1", "sub_branch_admin", "S1"),
         ("A2", "branch_admin", "B1"), ("H1", "analyst", "HQ")]  # fmt: skip
RULES = load_allocation_rules()


def free_firms(count: int) -> list[int]:
    """Numbers of companies that are not in the control group."""
    numbers = (n for n in range(1, 10_000) if portable.share_of(f"control:{n}") >= RULES.hold_out_share)
    return [next(numbers) for _ in range(count)]


FIRMS = free_firms(40)
CONTROL = next(n for n in range(1, 10_000) if portable.share_of(f"control:{n}") < RULES.hold_out_share)


def rows(table: Table, *given: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(
        [{name: row.get(name) for name in table.names} for row in given], schema=table.schema
    )


def lead(number: int, origin: str = "opportunity", **more: Any) -> dict[str, Any]:
    return dict.fromkeys(LEADS.names) | {
        "lead_id": f"{origin}{number}", "company_id": number, "origin": origin, "tier": "prime", "product": "kqd",
        "is_customer": False, "priority": float(number % 97), "why_now": f"中标{number}（2026-02-20，来源：feed）",
        "admitted": True,
    } | more  # fmt: skip


def placed(
    number: int, sub_branch: str | None = "S1", manager: str | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "lead_id": f"opportunity{number}", "company_id": number, "branch_code": "B2" if sub_branch == "S3" else "B1",
        "sub_branch_code": sub_branch, "manager_no": manager, "rule": "region", "reason": "覆盖该地区",
        "hold_out": False, "rank": number,
    } | more  # fmt: skip


WORDS = task_words({n: f"企业{n}公司" for n in range(1, 400)}, {"kqd": "科企贷"})


@pytest.fixture
def bank(sql: sa.Engine) -> Iterator[sa.Engine]:
    units = [("HQ", "head_office", None), ("B1", "branch", "HQ"), ("B2", "branch", "HQ"),
             ("S1", "sub_branch", "B1"), ("S2", "sub_branch", "B1"), ("S3", "sub_branch", "B2")]  # fmt: skip
    with writing(sql) as connection:
        sync_institutions(
            connection,
            rows(INSTITUTION_RECORDS, *({"institution_code": code, "name": f"{code}机构", "unit_type": kind,
                                         "parent_code": parent} for code, kind, parent in units)),
            rows(STAFF_RECORDS, *({"staff_no": no, "name": f"员工{no}", "role": role, "institution_code": code,
                                   "capacity": 3 if no == "M2" else None} for no, role, code in STAFF)),
        )  # fmt: skip
        create_users_for_staff(connection, now=NOW)
        create_user(connection, "root", "管理员", role=Role.ADMINISTRATOR, now=NOW)
    yield sql


def who(sql: sa.Engine, login: str) -> Viewer:
    with reading(sql) as connection:
        return viewer_by_login(connection, login, NOW)


def plan(
    viewer: Viewer,
    connection: sa.Connection,
    leads: list[dict[str, Any]],
    allocations: list[dict[str, Any]] = (),  # type: ignore[assignment]
    *,
    target: Target | None = None,
    facts: LakeFacts | None = None,
) -> list[Planned]:
    return plan_dispatch(
        viewer,
        connection,
        leads,
        {row["lead_id"]: row for row in allocations},
        facts=facts or LakeFacts(),
        rules=RULES,
        admission=load_admission_rules(),
        as_of=AS_OF,
        target=target,
    )


def confirm(
    viewer: Viewer,
    connection: sa.Connection,
    planned: list[Planned],
    key: str,
    *,
    seen: dict[str, str] | None = None,
    note: str = "",
    dropped: frozenset[str] = frozenset(),
) -> int:
    marks = {each.lead_id: each.mark for each in planned} if seen is None else seen
    return confirm_dispatch(
        viewer,
        connection,
        planned,
        BatchRequest(key, "rule", marks, note, dropped=dropped),
        words=WORDS,
        introductions=INTRODUCTIONS.empty(),
        customers=CUSTOMERS.empty(),
        generation=7,
        now=NOW,
    )


def refused(planned: list[Planned]) -> dict[int, str]:
    return {each.company_id: each.rule for each in planned if each.outcome == "refused"}


def test_a_confirmation_makes_tasks_history_messages_record_and_audit(bank: sa.Engine) -> None:
    admin = who(bank, "a1")
    leads = [lead(n) for n in FIRMS[:3]]
    with writing(bank) as connection:
        planned = plan(admin, connection, leads, [placed(FIRMS[0], manager="M1"), *map(placed, FIRMS[1:3])])
        number = confirm(admin, connection, planned, "k1", note="本周重点")
    with reading(bank) as connection:
        tasks = {task.company_id: task for task in list_tasks(admin, connection).tasks}
        assert tasks[FIRMS[0]].manager_no == "M1"
        assert [tasks[n].manager_no for n in FIRMS[1:3]] == [None, None]
        first = task_history(admin, connection, tasks[FIRMS[0]].task_id)
        assert [(row.actor, row.event, row.reason) for row in first] == [
            ("a1", "create", "员工A1确认下发：本周重点")
        ]
        assert outbox.counts(connection) == {"waiting": 3}
        batch, items = get_batch(admin, connection, number)
        assert (batch.created, batch.joined, batch.refused, batch.generation) == (3, 0, 0, 7)
        assert {item.task_id for item in items} == {task.task_id for task in tasks.values()}
        assert [row["action"] for row in audit_rows(who(bank, "root"), connection, limit=1)] == ["dispatch"]


def test_a_repeated_request_is_the_same_batch_and_nobody_elses(bank: sa.Engine) -> None:
    admin = who(bank, "a1")
    with writing(bank) as connection:
        planned = plan(admin, connection, [lead(FIRMS[0])], [placed(FIRMS[0])])
        number = confirm(admin, connection, planned, "k1")
    with reading(bank) as connection:
        assert batch_of_request(admin, connection, "k1") == number
        assert batch_of_request(admin, connection, "k2") is None
        with pytest.raises(Conflict):
            batch_of_request(who(bank, "a2"), connection, "k1")
        again = plan(admin, connection, [lead(FIRMS[0])], [placed(FIRMS[0])])
        assert refused(again) == {FIRMS[0]: "already"}


def test_what_has_changed_since_the_preview_is_named_and_nothing_is_made(bank: sa.Engine) -> None:
    admin = who(bank, "a1")
    leads, allocations = [lead(n) for n in FIRMS[:2]], [placed(n, manager="M1") for n in FIRMS[:2]]
    with reading(bank) as connection:
        seen = {each.lead_id: each.mark for each in plan(admin, connection, leads, allocations)}
    with writing(bank) as connection:
        other = [lead(FIRMS[0], lead_id="other", product="zcd")]
        confirm(admin, connection, plan(admin, connection, other, [placed(FIRMS[0], lead_id="other")]), "k0")
    told = rf"企业{FIRMS[0]}公司（预览时归S1机构员工M1.*号任务正在营销"
    with pytest.raises(Conflict, match=told), writing(bank) as connection:
        confirm(admin, connection, plan(admin, connection, leads, allocations), "k1", seen=seen)
    with pytest.raises(Conflict, match="1条线索已不在"), writing(bank) as connection:
        confirm(admin, connection, plan(admin, connection, leads[1:], allocations), "k1", seen=seen)
    with reading(bank) as connection:
        assert list_tasks(admin, connection).items == 1
        assert len(list_batches(admin, connection)) == 1


def test_a_firm_taken_out_is_recorded_and_gives_its_room_to_nobody_else(bank: sa.Engine) -> None:
    branch = who(bank, "a2")
    leads = [lead(n, "hand") for n in FIRMS[:4]]
    with writing(bank) as connection:
        planned = plan(branch, connection, leads, target=Target("S1", "M2"))
        out = next(each for each in planned if each.outcome == "created")
        number = confirm(branch, connection, planned, "k1", dropped=frozenset({out.lead_id}))
        batch, items = get_batch(branch, connection, number)
        assert (batch.created, batch.refused) == (2, 2)
        assert {item.rule for item in items if item.outcome == "refused"} == {"dropped", "capacity"}
        assert sent_leads(branch, connection) == {
            each.lead_id for each in planned if each.outcome == "created" and each is not out
        }


def test_each_rule_refuses_with_its_ground(bank: sa.Engine) -> None:
    branch = who(bank, "a2")
    one, two, three, four, five, six, seven = FIRMS[:7]
    m1 = who(bank, "m1")
    with writing(bank) as connection:
        confirm(
            branch,
            connection,
            plan(branch, connection, [lead(one), lead(two)], [placed(n, manager="M1") for n in (one, two)]),
            "k0",
        )
        ours = {task.company_id: task for task in list_tasks(branch, connection).tasks}
        claim(m1, connection, ours[one].task_id, now=NOW)
        claimed = claim(m1, connection, ours[two].task_id, now=NOW)
        record_visit(
            m1,
            connection,
            claimed.task_id,
            visited_at=NOW,
            channel="电话",
            note="不需要",
            refused=True,
            now=NOW,
        )
        advance(m1, connection, claimed.task_id, TaskEvent.LOSE, expected_version=2, now=NOW, reason="无需求")
    hand = [lead(n, "hand") for n in (one, two, four, five, CONTROL)] + [
        lead(six, "hand", rules="blacklist", grounds="黑名单：行内黑名单"),
        lead(seven, "hand", is_customer=True),
    ]
    facts = LakeFacts(
        keepers={seven: ("S3", "M3")},
        contacts={four: [AS_OF - timedelta(days=3), AS_OF - timedelta(days=9)], three: [AS_OF]},
    )
    with reading(bank) as connection:
        found = plan(branch, connection, hand, target=Target("S1", "M1"), facts=facts)
        assert refused(found) == {
            one: "open_task",
            two: "recently_closed",
            four: "recent_contact",
            CONTROL: "hold_out",
            six: "blacklist",
            seven: "kept",
        }
        by_company = {each.company_id: each for each in found}
        assert by_company[seven].reason == "S3机构客户（需申请转介）", (
            "a keeper elsewhere is not told by name"
        )
        assert (by_company[five].outcome, by_company[five].manager_no) == ("created", "M1")
        other = plan(branch, connection, [lead(two, "hand", product="zcd")], target=Target("S1"))
        assert refused(other) == {two: "refused_contact"}
        run = [lead(three), lead(five, lead_id="twin"), lead(five), lead(six), lead(four, "retention")]
        allocations = [
            placed(three, hold_out=True),
            placed(five),
            placed(five, lead_id="twin"),
            placed(six, sub_branch=None, branch_code=None, rule="no_branch", reason="没有分行覆盖"),
            placed(four, lead_id=f"retention{four}"),
        ]
        analyst = who(bank, "h1")
        assert refused(plan(analyst, connection, run, allocations, facts=facts)) == {
            three: "hold_out",
            five: "one_firm",
            six: "no_branch",
        }, "retention is served whatever the contacts"


def test_a_customer_goes_to_its_keeper_or_nowhere(bank: sa.Engine) -> None:
    branch, firm = who(bank, "a2"), FIRMS[0]
    customer = [lead(firm, "hand", is_customer=True)]
    facts = LakeFacts(keepers={firm: ("S1", "M2")})
    with reading(bank) as connection:
        for target in (Target("S1"), Target("B1"), Target("S1", "M2")):
            (found,) = plan(branch, connection, customer, target=target, facts=facts)
            assert (found.outcome, found.manager_no, found.rule) == ("created", "M2", "customer_manager")
        (found,) = plan(branch, connection, customer, target=Target("S1", "M1"), facts=facts)
        assert (found.outcome, found.reason) == ("refused", "主办：S1机构，客户经理员工M2")
        (found,) = plan(branch, connection, customer, target=Target("S2"), facts=facts)
        assert found.rule == "kept"


def test_a_target_or_a_lead_outside_the_scope_does_not_exist(bank: sa.Engine) -> None:
    admin = who(bank, "a1")
    with reading(bank) as connection:
        for target in (Target("S2"), Target("B1"), Target("XX")):
            with pytest.raises(NotFound):
                plan(admin, connection, [lead(FIRMS[0], "hand")], target=target)
        with pytest.raises(InputRejected, match="客户经理"):
            plan(admin, connection, [lead(FIRMS[0], "hand")], target=Target("S1", "M3"))
        with pytest.raises(NotFound):
            plan(admin, connection, [lead(FIRMS[0])], [placed(FIRMS[0], "S3")])
        with pytest.raises(InputRejected, match="不承接"):
            plan(who(bank, "h1"), connection, [lead(FIRMS[0], "hand")], target=Target("HQ"))


def test_capacity_holds_by_hand_by_load_and_as_allocated(bank: sa.Engine) -> None:
    branch = who(bank, "a2")
    with reading(bank) as connection:
        by_hand = plan(branch, connection, [lead(n, "hand") for n in FIRMS[:5]], target=Target("S1", "M2"))
        assert sorted(each.rule for each in by_hand) == ["capacity"] * 2 + ["hand"] * 3
        spread = plan(
            branch,
            connection,
            [lead(n, "hand") for n in FIRMS[:6]],
            target=Target("S1", share="managers"),
        )
        assert {each.manager_no for each in spread} == {"M1", "M2"}
        pool = plan(branch, connection, [lead(n, "hand") for n in FIRMS[:40]], target=Target("S2"))
        assert {each.manager_no for each in pool} == {None}
        allocated = plan(
            branch,
            connection,
            [lead(n) for n in FIRMS[:5]],
            [placed(n, manager="M2") for n in FIRMS[:5]],
        )
        assert [each.manager_no for each in allocated].count("M2") == 3
        deferred = [placed(FIRMS[0], rule="deferred", reason="留待下次")]
        (found,) = plan(branch, connection, [lead(FIRMS[0])], deferred)
        assert found.manager_no in {"M1", "M2"}
        ended = [placed(FIRMS[0], manager="M1", rule="open_task", reason="并入进行中的9号任务")]
        (found,) = plan(branch, connection, [lead(FIRMS[0])], ended)
        assert (found.manager_no, found.reason) == ("M1", "原任务已结束，按原去向下发")


def test_in_confirm_mode_a_run_makes_no_task_and_keeps_the_open_ones_true(bank: sa.Engine) -> None:
    admin = who(bank, "a1")
    leads = [lead(n) for n in FIRMS[:3]]
    allocations = [placed(FIRMS[0]), placed(FIRMS[1]), placed(FIRMS[2], hold_out=True)]
    given = {
        "words": WORDS,
        "introductions": INTRODUCTIONS.empty(),
        "customers": CUSTOMERS.empty(),
        "now": NOW,
    }
    tables = rows(LEADS, *leads), rows(ALLOCATIONS, *allocations)
    with writing(bank) as connection:
        result = refresh_tasks(connection, *tables, generation=1, **given)  # type: ignore[arg-type]
        assert (result.created, result.prepared, result.held_out) == (0, 2, 1)
        assert list_tasks(admin, connection).items == 0
        confirm(admin, connection, plan(admin, connection, leads[:1], allocations), "k1")
        fresher = rows(LEADS, *(row | {"priority": 99.0} for row in leads)), tables[1]
        result = refresh_tasks(connection, *fresher, generation=2, **given)  # type: ignore[arg-type]
        assert (result.updated, result.prepared) == (1, 1)
        assert [task.priority for task in list_tasks(admin, connection).tasks] == [99.0]
        result = create_tasks(connection, *fresher, generation=3, **given)  # type: ignore[arg-type]
        assert (result.created, result.unchanged) == (1, 1), "automatic again: the rest follows"


def test_of_two_who_confirm_the_same_firm_one_wins(bank: sa.Engine) -> None:
    viewers = [who(bank, "a1"), who(bank, "a2")]
    with reading(bank) as connection:
        seen = {
            each.lead_id: each.mark
            for each in plan(viewers[0], connection, [lead(FIRMS[0])], [placed(FIRMS[0])])
        }
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def press(viewer: Viewer) -> None:
        start.wait()
        try:
            with writing(bank) as connection:
                lock_tasks(connection)
                planned = plan(viewer, connection, [lead(FIRMS[0])], [placed(FIRMS[0])])
                confirm(viewer, connection, planned, f"k-{viewer.login}", seen=seen)
            outcomes.append("made")
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=press, args=(viewer,)) for viewer in viewers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict", "made"]
    with reading(bank) as connection:
        assert list_tasks(viewers[1], connection, TaskFilter(company_id=FIRMS[0])).items == 1
