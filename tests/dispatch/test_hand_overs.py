"""Hand-over on SQLite and PostgreSQL: everything of one manager moves in one transaction, or nothing does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.bank import (
    INSTITUTION_RECORDS,
    STAFF_RECORDS,
    audit_rows,
    create_users_for_staff,
    delegate,
    sync_institutions,
    today_of,
)
from qiaomen.customers import (
    CUSTOMER_RECORDS,
    CUSTOMERS,
    REFERRAL_ASKS,
    answer_ask,
    ask_referral,
    read_keepers,
    waiting_asks,
    with_keepers,
)
from qiaomen.dispatch import (
    HandOver,
    TaskEvent,
    advance,
    claim,
    get_task,
    hand_over,
    hand_overs_of,
    list_tasks,
    preview_hand_over,
    task_history,
)
from qiaomen.store import outbox, reading, writing
from qiaomen.vocab import Conflict, InputRejected, NotAllowed, NotFound
from tests.dispatch.test_tasks import NOW, STAFF, create, lead, placed, rows, task_of, viewer

# Companies 1 to 4 are M1's customers, 7 is M2's; company 4 has two numbers; C90 is not matched to a company.
BOOK = [
    {"company_id": n, "customer_no": f"C{n}", "customer_numbers": f"C{n}" + (";C4b" if n == 4 else ""),
     "institution_code": "S1", "manager_no": "M2" if n == 7 else "M1"}
    for n in (1, 2, 3, 4, 7)
]  # fmt: skip
LIST = [
    {"customer_no": no, "institution_code": "S1", "manager_no": "M1", "source": "c", "record_key": no}
    for no in ("C1", "C2", "C3", "C4", "C4b", "C90")
]


UNITS = [("HQ", "head_office", None), ("B1", "branch", "HQ"), ("B2", "branch", "HQ"), ("S1", "sub_branch", "B1"),
         ("S3", "sub_branch", "B2")]  # fmt: skip


@pytest.fixture
def bank(sql: sa.Engine) -> Iterator[sa.Engine]:
    units = [
        {"institution_code": code, "name": code, "unit_type": kind, "parent_code": above}
        for code, kind, above in UNITS
    ]
    people = [
        {"staff_no": no, "name": no, "role": role, "institution_code": code} for no, role, code in STAFF
    ]
    with writing(sql) as connection:
        sync_institutions(connection, rows(INSTITUTION_RECORDS, *units), rows(STAFF_RECORDS, *people))
        create_users_for_staff(connection, now=NOW)
    yield sql


def tables(sql: sa.Engine) -> tuple[pa.Table, pa.Table]:
    with reading(sql) as connection:
        keepers = read_keepers(connection)
    return with_keepers(rows(CUSTOMERS, *BOOK), keepers), with_keepers(rows(CUSTOMER_RECORDS, *LIST), keepers)


def with_tasks(sql: sa.Engine) -> None:
    """M1 has one task of each customer 1 to 3 (the first two begun) and one of prospect 20; M2 has one."""
    with writing(sql) as connection:
        create(
            connection,
            [lead(n) for n in (1, 2, 3, 7, 20)],
            [placed(n, manager="M2" if n == 7 else "M1") for n in (1, 2, 3, 7, 20)],
        )
    manager = viewer(sql, "m1")
    for number in (1, 2):
        with writing(sql) as connection:
            claim(manager, connection, task_of(sql, number), now=NOW)


def make(sql: sa.Engine, by: str, giver: str, *receivers: str, reason: str = "调岗") -> HandOver:
    customers, records = tables(sql)
    who = viewer(sql, by)
    with writing(sql) as connection:
        return hand_over(
            who, connection, giver, receivers, customers=customers, records=records, reason=reason, now=NOW
        )


def preview(sql: sa.Engine, by: str, giver: str, *receivers: str) -> HandOver:
    customers, records = tables(sql)
    who = viewer(sql, by)
    with reading(sql) as connection:
        return preview_hand_over(
            who, connection, giver, receivers, customers=customers, records=records, now=NOW
        )


def managers(sql: sa.Engine) -> dict[int, str | None]:
    """Manager of each open task by company, as head office sees it."""
    with reading(sql) as connection:
        return {task.company_id: task.manager_no for task in list_tasks(viewer(sql, "h1"), connection).tasks}


def count(sql: sa.Engine, table: str) -> int:
    with reading(sql) as connection:
        return int(connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_a_preview_counts_and_changes_nothing(bank: sa.Engine) -> None:
    with_tasks(bank)
    before = managers(bank), count(bank, "task_history"), count(bank, "audit_log"), count(bank, "outbox")
    seen = preview(bank, "a1", "M1", "M2")
    assert (seen.customers, seen.unmatched, seen.tasks, seen.asks) == (4, 2, 4, 0)
    assert seen.hand_over_id is None
    assert [
        (share.manager_no, share.customers, share.tasks, share.open_tasks_before) for share in seen.shares
    ] == [("M2", 4, 4, 1)]
    assert before == (
        managers(bank),
        count(bank, "task_history"),
        count(bank, "audit_log"),
        count(bank, "outbox"),
    )
    assert count(bank, "customer_keepers") == count(bank, "hand_overs") == 0


def test_everything_moves_at_once_with_history_audit_and_outbox(bank: sa.Engine) -> None:
    with_tasks(bank)
    seen = preview(bank, "a1", "M1", "M2")
    done = make(bank, "a1", "M1", "M2")
    assert (done.customers, done.tasks, done.shares) == (seen.customers, seen.tasks, seen.shares)
    assert set(managers(bank).values()) == {"M2"}
    customers, records = tables(bank)
    assert set(customers["manager_no"].to_pylist()) == {"M2"}
    assert set(records["manager_no"].to_pylist()) == {"M2"}
    with reading(bank) as connection:
        boss = viewer(bank, "a1")
        history = task_history(boss, connection, task_of(bank, 1))
        assert (history[-1].event, history[-1].from_manager_no, history[-1].to_manager_no, history[-1].reason) == (
            "transfer", "M1", "M2", "交接：调岗",
        )  # fmt: skip
        assert task_history(boss, connection, task_of(bank, 3))[-1].event == "assign"
        noted = next(
            row for row in audit_rows(viewer(bank, "z1"), connection) if row["action"] == "hand_over"
        )
        assert noted["object"] == f"hand_over:{done.hand_over_id}"
        topics = connection.execute(sa.select(outbox.OUTBOX.c.topic, outbox.OUTBOX.c.payload)).all()
        listed = hand_overs_of(boss, connection, "M2", today_of(NOW))
    told = [payload for topic, payload in topics if topic == "customers.handed_over"]
    assert [len(payload["customers"]) for payload in told] == [6]
    assert [(row["customers"], row["tasks"], row["reason"]) for row in listed] == [(4, 4, "调岗")]


def test_hand_overs_of_staff_elsewhere_are_not_told(bank: sa.Engine) -> None:
    with_tasks(bank)
    make(bank, "h1", "M1", "M2")
    told: dict[str, int | str] = {}
    for login in ("z1", "h1", "a1", "a2", "a9", "m1"):
        with reading(bank) as connection:
            try:
                told[login] = len(hand_overs_of(viewer(bank, login), connection, "M2", today_of(NOW)))
            except (NotFound, NotAllowed) as error:
                told[login] = type(error).__name__
    assert told == {"z1": 1, "h1": 1, "a1": 1, "a2": 1, "a9": "NotFound", "m1": "NotAllowed"}


def test_several_receivers_share_and_a_company_is_not_torn_apart(bank: sa.Engine) -> None:
    with_tasks(bank)
    with writing(bank) as connection:
        create(connection, [lead(30, company_id=1, product="zcd")], [placed(30, manager="M1")], generation=2)
    done = make(bank, "h1", "M1", "M2", "M3")
    assert {share.manager_no: share.customers for share in done.shares} == {"M2": 2, "M3": 2}
    customers, _ = tables(bank)
    keeper = dict(zip(customers["company_id"].to_pylist(), customers["manager_no"].to_pylist(), strict=True))
    with reading(bank) as connection:
        for task in list_tasks(viewer(bank, "h1"), connection).tasks:
            if task.company_id in keeper:
                assert task.manager_no == keeper[task.company_id]
    # M3 sits in another branch: what he gets moves there.
    place = dict(
        zip(customers["manager_no"].to_pylist(), customers["institution_code"].to_pylist(), strict=True)
    )
    assert place == {"M2": "S1", "M3": "S3"}
    assert next(share for share in done.shares if share.manager_no == "M3").moved_customers == 2


def test_access_follows_the_hand_over(bank: sa.Engine) -> None:
    with_tasks(bank)
    number = task_of(bank, 1)
    make(bank, "h1", "M1", "M3")
    with reading(bank) as connection:
        assert get_task(viewer(bank, "m3"), connection, number).manager_no == "M3"
        for login in ("m1", "a1", "a2"):
            with pytest.raises(NotFound):
                get_task(viewer(bank, login), connection, number)


def test_a_conflict_leaves_everything_as_it_was(bank: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with_tasks(bank)
    last = task_of(bank, 20)
    before = managers(bank), count(bank, "task_history"), count(bank, "audit_log"), count(bank, "outbox")
    import qiaomen.dispatch.hand_overs as module

    original = module.apply_step

    def somebody_is_faster(who: Any, connection: Any, task: Any, *rest: Any, **more: Any) -> Any:
        if task.task_id == last:
            connection.execute(
                sa.text("UPDATE tasks SET version = version + 1 WHERE task_id = :n"), {"n": last}
            )
        return original(who, connection, task, *rest, **more)

    monkeypatch.setattr(module, "apply_step", somebody_is_faster)
    with pytest.raises(Conflict):
        make(bank, "a1", "M1", "M2")
    assert before == (
        managers(bank),
        count(bank, "task_history"),
        count(bank, "audit_log"),
        count(bank, "outbox"),
    )
    assert count(bank, "customer_keepers") == count(bank, "hand_overs") == 0


@pytest.mark.parametrize(
    ("by", "giver", "receivers", "error"),
    [
        ("m1", "M1", ("M2",), NotAllowed),
        ("z1", "M1", ("M2",), NotAllowed),
        ("a9", "M1", ("M3",), NotFound),
        ("a1", "M3", ("M2",), NotFound),
        ("a1", "N9", ("M2",), NotFound),
        ("h1", "N9", ("M2",), NotFound),
        ("a1", "M1", ("M3",), InputRejected),
        ("a1", "M1", ("M1",), InputRejected),
        ("a1", "M1", (), InputRejected),
        ("a1", "M1", ("A1",), InputRejected),
        ("h1", "M3", ("M2",), Conflict),
    ],
)
def test_who_may_hand_over_to_whom(
    bank: sa.Engine, by: str, giver: str, receivers: tuple[str, ...], error: type[Exception]
) -> None:
    with_tasks(bank)
    with pytest.raises(error):
        make(bank, by, giver, *receivers)
    assert managers(bank)[1] == "M1"


def test_a_reason_is_needed_and_a_second_hand_over_finds_nothing(bank: sa.Engine) -> None:
    with_tasks(bank)
    with pytest.raises(InputRejected):
        make(bank, "a1", "M1", "M2", reason=" ")
    make(bank, "a1", "M1", "M2")
    with pytest.raises(Conflict, match="没有客户"):
        make(bank, "a1", "M1", "M2")
    back = make(bank, "a1", "M2", "M1")
    assert back.customers == 5
    assert set(tables(bank)[0]["manager_no"].to_pylist()) == {"M1"}


def test_waiting_asks_go_to_the_new_manager(bank: sa.Engine) -> None:
    asker = viewer(bank, "m3")
    with writing(bank) as connection:
        number = ask_referral(
            asker, connection, 20, 2, institution_code="S1", manager_no="M1", wording="请引荐", now=NOW
        )
    assert preview(bank, "h1", "M1", "M2").asks == 1
    assert make(bank, "h1", "M1", "M2").asks == 1
    with writing(bank) as connection:
        assert waiting_asks(viewer(bank, "m1"), connection) == []
        assert [ask.ask_id for ask in waiting_asks(viewer(bank, "m2"), connection)] == [number]
        answer_ask(viewer(bank, "m2"), connection, number, agreed=False, consent=False, answer="否", now=NOW)
        assert connection.execute(sa.select(REFERRAL_ASKS.c.state)).scalar_one() == "declined"


def test_a_deputy_works_on_the_principals_tasks_in_his_name(bank: sa.Engine) -> None:
    with_tasks(bank)
    boss = viewer(bank, "a1")
    with writing(bank) as connection:
        delegate(boss, connection, "M1", "M2", since=NOW.date(), until=NOW.date(), reason="出差", now=NOW)
    deputy = viewer(bank, "m2")
    number = task_of(bank, 1)
    with writing(bank) as connection:
        task = get_task(deputy, connection, number)
        advance(deputy, connection, number, TaskEvent.INTEND, expected_version=task.version, now=NOW)
        own = claim(deputy, connection, task_of(bank, 7), now=NOW)
        theirs = claim(deputy, connection, task_of(bank, 3), now=NOW)
        assert (own.manager_no, theirs.manager_no) == ("M2", "M1")
        assert task_history(deputy, connection, number)[-1].actor == "m2（代 M1）"
        assert task_history(deputy, connection, task_of(bank, 7))[-1].actor == "m2"
        assert task_history(deputy, connection, task_of(bank, 3))[-1].actor == "m2（代 M1）"


NAMES = ["A", "B", "C"]


@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=6),
)
def test_hand_overs_compose(listed: list[str], steps: list[tuple[str, str]]) -> None:
    """Applied in order they give what each giver really held; a list that caught up is left alone."""
    table = rows(
        CUSTOMERS,
        *(
            {"company_id": n, "customer_no": f"C{n}", "manager_no": name, "institution_code": "S1"}
            for n, name in enumerate(listed)
        ),
    )
    now = list(listed)
    keepers: dict[str, list[tuple[str, str, str]]] = {}
    for giver, receiver in steps:
        for at, name in enumerate(now):
            if name == giver:
                keepers.setdefault(f"C{at}", []).append((giver, receiver, "S1"))
                now[at] = receiver
    assert with_keepers(table, keepers)["manager_no"].to_pylist() == now
