"""Posts and deputies: several posts per person with dates, who may enter them, and what a deputy sees and when."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from qiaomen.bank import (
    INSTITUTION_RECORDS,
    STAFF_RECORDS,
    Action,
    Viewer,
    acting_on,
    add_post,
    add_user,
    audit_rows,
    create_user,
    create_users_for_staff,
    delegate,
    end_delegation,
    end_post,
    list_delegations,
    list_staff,
    may,
    open_session,
    own_pool,
    pool_institutions,
    posts_held,
    scope_of,
    session_of,
    show_staff,
    sync_institutions,
    viewer_by_login,
)
from qiaomen.store import reading, writing
from qiaomen.vocab import Conflict, InputRejected, NotAllowed, NotFound, Role, Table, UnitType

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
TODAY = date(2026, 3, 2)
UNITS = [("HQ", "head_office", None), ("B1", "branch", "HQ"), ("S1", "sub_branch", "B1"), ("S2", "sub_branch", "B1"),
         ("B2", "branch", "HQ"), ("S3", "sub_branch", "B2")]  # fmt: skip
STAFF = [("M1", "manager", "S1"), ("M2", "manager", "S1"), ("M3", "manager", "S3"), ("A1", "sub_branch_admin", "S1"),
         ("A2", "branch_admin", "B1"), ("A9", "branch_admin", "B2"), ("H1", "analyst", "HQ"),
         ("Z1", "administrator", "HQ")]  # fmt: skip


def rows(table: Table, given: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([{n: row.get(n) for n in table.names} for row in given], schema=table.schema)


def lists(*more: dict[str, Any]) -> tuple[pa.Table, pa.Table]:
    units = [
        {"institution_code": code, "name": f"{code}行", "unit_type": kind, "parent_code": above}
        for code, kind, above in UNITS
    ]
    people = [
        {"staff_no": no, "name": f"员工{no}", "role": role, "institution_code": code}
        for no, role, code in STAFF
    ]
    return rows(INSTITUTION_RECORDS, units), rows(STAFF_RECORDS, [*people, *more])


@pytest.fixture
def bank(sql: sa.Engine) -> Iterator[sa.Engine]:
    with writing(sql) as connection:
        sync_institutions(connection, *lists())
        create_users_for_staff(connection, now=NOW)
    yield sql


def who(bank: sa.Engine, login: str, now: datetime = NOW) -> Viewer:
    with reading(bank) as connection:
        return viewer_by_login(connection, login, now)


def stand_in(
    bank: sa.Engine,
    by: str,
    principal: str,
    deputy: str,
    *,
    since: date = TODAY,
    until: date = TODAY + timedelta(days=6),
    reason: str = "休假",
) -> int:
    viewer = who(bank, by)
    with writing(bank) as connection:
        return delegate(
            viewer, connection, principal, deputy, since=since, until=until, reason=reason, now=NOW
        )


def test_the_tree_has_a_head_office_branches_and_sub_branches(bank: sa.Engine) -> None:
    assert {unit.value for unit in UnitType} == {"head_office", "branch", "sub_branch"}
    assert who(bank, "a2").below == {"B1", "S1", "S2"}
    assert who(bank, "h1").whole_bank


def test_posts_are_held_from_their_first_to_their_last_day(bank: sa.Engine) -> None:
    admin = who(bank, "z1")
    with writing(bank) as connection:
        add_post(
            admin,
            connection,
            "M1",
            Role.MANAGER,
            "S2",
            since=date(2026, 3, 10),
            until=date(2026, 3, 12),
            now=NOW,
        )
    seen = {day: who(bank, "m1", datetime(2026, 3, day, 2, tzinfo=UTC)).homes for day in (9, 10, 12, 13)}
    assert seen == {9: {"S1"}, 10: {"S1", "S2"}, 12: {"S1", "S2"}, 13: {"S1"}}
    # The day is that of Shanghai: 16:30 UTC of the 9th is the 10th already.
    assert who(bank, "m1", datetime(2026, 3, 9, 16, 30, tzinfo=UTC)).homes == {"S1", "S2"}


def test_each_post_gives_only_what_its_own_role_allows(bank: sa.Engine) -> None:
    admin = who(bank, "z1")
    with writing(bank) as connection:
        add_post(admin, connection, "M1", Role.SUB_BRANCH_ADMIN, "S2", since=TODAY, now=NOW)
    both = who(bank, "m1")
    assert scope_of(both).institutions == {"S2"}
    assert scope_of(both).manager_nos == {"M1"}
    assert may(both, Action.EXPORT)
    exported = scope_of(both, Action.EXPORT)
    assert exported.covers("S2", "M9")
    assert not exported.covers("S1", "M1")
    assert pool_institutions(both) == {"S1"}


def test_the_list_does_not_undo_what_was_entered_by_hand(bank: sa.Engine) -> None:
    admin = who(bank, "z1")
    with writing(bank) as connection:
        number = add_post(admin, connection, "N1", Role.MANAGER, "S3", since=TODAY, name="新人", now=NOW)
        listed = next(post for post in show_staff(admin, connection, "M2", TODAY).posts)
        end_post(admin, connection, listed.post_id, date(2026, 2, 28), now=NOW)
    with writing(bank) as connection:
        sync_institutions(connection, *lists())
        held = {post.staff_no for post in posts_held(connection, TODAY)}
        assert "N1" in held
        assert "M2" not in held
        assert show_staff(admin, connection, "N1", TODAY).posts[0].post_id == number


def test_a_changed_post_ends_the_session(bank: sa.Engine) -> None:
    admin, manager = who(bank, "z1"), who(bank, "m1")
    with writing(bank) as connection:
        token = open_session(connection, manager, NOW, life=timedelta(hours=1))
        assert session_of(connection, token, NOW).viewer.homes == {"S1"}
        post = show_staff(admin, connection, "M1", TODAY).posts[0]
        end_post(admin, connection, post.post_id, date(2026, 3, 1), now=NOW)
    with reading(bank) as connection, pytest.raises(NotAllowed):
        session_of(connection, token, NOW)
    assert not may(who(bank, "m1"), Action.SEE_COMPANIES)


@pytest.mark.parametrize("login", ["m1", "a1", "a2", "h1"])
def test_only_the_administrator_enters_posts(bank: sa.Engine, login: str) -> None:
    viewer = who(bank, login)
    with writing(bank) as connection, pytest.raises(NotAllowed):
        add_post(viewer, connection, "M1", Role.BRANCH_ADMIN, "B1", since=TODAY, now=NOW)
    with writing(bank) as connection, pytest.raises(NotAllowed):
        end_post(viewer, connection, 1, TODAY, now=NOW)


@pytest.mark.parametrize(
    ("role", "place", "staff_no", "error"),
    [
        (Role.ANALYST, "S1", "M1", InputRejected),
        (Role.BRANCH_ADMIN, "S1", "M1", InputRejected),
        (Role.MANAGER, "HQ", "M1", InputRejected),
        (Role.MANAGER, "XX", "M1", InputRejected),
        (Role.INTEGRATOR, "S1", "M1", InputRejected),
        (Role.MANAGER, "S2", "N9", NotFound),
        (Role.MANAGER, "S1", "M1", Conflict),
    ],
)
def test_wrong_posts_are_refused(
    bank: sa.Engine, role: Role, place: str, staff_no: str, error: type[Exception]
) -> None:
    admin = who(bank, "z1")
    with writing(bank) as connection, pytest.raises(error):
        add_post(admin, connection, staff_no, role, place, since=TODAY, now=NOW)


def test_whom_each_sees_in_the_list_of_staff(bank: sa.Engine) -> None:
    def listed(login: str) -> set[str]:
        viewer = who(bank, login)
        with reading(bank) as connection:
            return {row.staff_no for row in list_staff(viewer, connection, TODAY)}

    everybody = {no for no, _, _ in STAFF}
    assert listed("z1") == listed("h1") == everybody
    assert listed("a1") == {"M1", "M2", "A1"}
    assert listed("a2") == {"M1", "M2", "A1", "A2"}
    with reading(bank) as connection:
        with pytest.raises(NotAllowed):
            list_staff(who(bank, "m1"), connection, TODAY)
        with pytest.raises(NotFound) as hidden:
            show_staff(who(bank, "a1"), connection, "M3", TODAY)
        with pytest.raises(NotFound) as missing:
            show_staff(who(bank, "a1"), connection, "M8", TODAY)
    assert str(hidden.value).replace("M3", "M8") == str(missing.value)


def test_a_deputy_has_the_principals_rows_on_those_days_and_only_then(bank: sa.Engine) -> None:
    until = date(2026, 3, 8)
    stand_in(bank, "a2", "M1", "M2", since=date(2026, 3, 3), until=until)
    days = {
        day: scope_of(who(bank, "m2", datetime(2026, 3, day, 2, tzinfo=UTC))).manager_nos
        for day in range(2, 10)
    }
    inside = {day for day, managers in days.items() if managers == {"M1", "M2"}}
    assert inside == set(range(3, 9))
    assert all(days[day] == {"M2"} for day in (2, 9))
    assert scope_of(who(bank, "m1")).manager_nos == {"M1"}


def test_a_deputy_of_an_administrator_may_act_there_and_not_elsewhere(bank: sa.Engine) -> None:
    stand_in(bank, "z1", "A1", "M3")
    deputy = who(bank, "m3")
    assert may(deputy, Action.EXPORT)
    assert scope_of(deputy, Action.EXPORT).covers("S1", "M1")
    assert not scope_of(deputy, Action.EXPORT).covers("S3", "M3")
    assert scope_of(deputy).covers("S3", "M3")
    assert not scope_of(deputy).covers("S2", "M9")


def test_a_deputy_acts_in_the_principals_name(bank: sa.Engine) -> None:
    stand_in(bank, "m1", "M1", "M2")
    deputy = who(bank, "m2")
    assert acting_on(deputy, "S1", "M1").actor == "m2（代 员工M1）"
    assert acting_on(deputy, "S1", "M2").actor == "m2"
    assert acting_on(deputy, "S1", None).actor == "m2"


def test_deputising_does_not_pass_on(bank: sa.Engine) -> None:
    stand_in(bank, "z1", "M1", "M2")
    stand_in(bank, "z1", "M2", "M3")
    third = who(bank, "m3")
    assert scope_of(third).manager_nos == {"M2", "M3"}
    assert own_pool(third) == {"S3"}
    assert pool_institutions(third) == {"S1", "S3"}


def test_what_a_deputy_has_ends_with_the_principals_post(bank: sa.Engine) -> None:
    stand_in(bank, "z1", "M1", "M2")
    admin = who(bank, "z1")
    with writing(bank) as connection:
        post = show_staff(admin, connection, "M1", TODAY).posts[0]
        end_post(admin, connection, post.post_id, date(2026, 3, 3), now=NOW)
    assert scope_of(who(bank, "m2", NOW + timedelta(days=1))).manager_nos == {"M1", "M2"}
    assert scope_of(who(bank, "m2", NOW + timedelta(days=2))).manager_nos == {"M2"}


@pytest.mark.parametrize(
    ("by", "principal", "deputy", "error"),
    [
        ("m1", "M1", "M2", None),
        ("a1", "M1", "M2", None),
        ("a2", "A1", "M2", None),
        ("z1", "M1", "M3", None),
        ("h1", "M1", "M3", None),
        ("m1", "M2", "M1", NotFound),
        ("m1", "M1", "M3", InputRejected),
        ("m1", "M1", "M1", InputRejected),
        ("a1", "A2", "A1", NotFound),
        ("a1", "M3", "M1", NotFound),
        ("a9", "M3", "M1", InputRejected),
        ("z1", "H1", "M1", InputRejected),
        ("z1", "Z1", "M1", InputRejected),
        ("z1", "M1", "N9", InputRejected),
        ("z1", "N9", "M1", NotFound),
    ],
)
def test_who_may_name_a_deputy(
    bank: sa.Engine, by: str, principal: str, deputy: str, error: type[Exception] | None
) -> None:
    if error is None:
        assert stand_in(bank, by, principal, deputy) > 0
        return
    with pytest.raises(error):
        stand_in(bank, by, principal, deputy)


@pytest.mark.parametrize(
    "change",
    [
        {"until": TODAY - timedelta(days=1)},
        {"since": TODAY + timedelta(days=9), "until": TODAY + timedelta(days=8)},
        {"until": TODAY + timedelta(days=400)},
        {"reason": "  "},
    ],
)
def test_a_delegation_needs_dates_and_a_reason(bank: sa.Engine, change: dict[str, Any]) -> None:
    with pytest.raises(InputRejected):
        stand_in(bank, "z1", "M1", "M2", **change)


def test_who_sees_a_delegation_can_end_it_after_its_principal_left(bank: sa.Engine) -> None:
    number = stand_in(bank, "m1", "M1", "M2")
    admin = who(bank, "z1")
    with writing(bank) as connection:
        post = show_staff(admin, connection, "M1", TODAY).posts[0]
        end_post(admin, connection, post.post_id, TODAY, now=NOW)
    later = NOW + timedelta(days=2)
    with writing(bank) as connection:
        near, far = (viewer_by_login(connection, login, later) for login in ("a1", "a9"))
        day = later.date()
        assert [row.delegation_id for row in list_delegations(near, connection, day)] == [number]
        assert list_delegations(far, connection, day) == []
        with pytest.raises(NotFound):
            end_delegation(far, connection, number, now=later)
        end_delegation(near, connection, number, now=later)
        assert [row.in_force for row in list_delegations(near, connection, day)] == [False]


def test_a_delegation_is_ended_by_those_concerned_and_is_in_the_audit_log(bank: sa.Engine) -> None:
    number = stand_in(bank, "m1", "M1", "M2")
    with pytest.raises(Conflict):
        stand_in(bank, "m1", "M1", "M2")
    stranger = who(bank, "m3")
    with writing(bank) as connection, pytest.raises(NotFound):
        end_delegation(stranger, connection, number, now=NOW)
    deputy = who(bank, "m2")
    with writing(bank) as connection:
        assert [row.in_force for row in list_delegations(deputy, connection, TODAY)] == [True]
        assert list_delegations(stranger, connection, TODAY) == []
        end_delegation(deputy, connection, number, now=NOW)
        with pytest.raises(Conflict):
            end_delegation(deputy, connection, number, now=NOW)
    assert scope_of(who(bank, "m2")).manager_nos == {"M2"}
    with reading(bank) as connection:
        noted = [row["action"] for row in audit_rows(who(bank, "z1"), connection)]
    assert noted[:2] == ["end_delegation", "delegate"]


def test_a_person_without_staff_number_deputises_for_nobody(bank: sa.Engine) -> None:
    with writing(bank) as connection:
        create_user(connection, "extern", "外部", role=Role.ADMINISTRATOR, now=NOW)
    viewer = who(bank, "extern")
    assert viewer.stand_ins == ()
    assert replace(viewer, roles=frozenset()).manager_nos == frozenset()


def at_once(bank: sa.Engine, work: Callable[[sa.Connection], object], threads: int = 4) -> list[str]:
    """Do the same from several threads in transactions of their own; return how each ended."""
    ready = threading.Barrier(threads)

    def one(_: int) -> str:
        ready.wait()
        try:
            with writing(bank) as connection:
                work(connection)
        except Conflict:
            return "conflict"
        return "done"

    with ThreadPoolExecutor(threads) as pool:
        return sorted(pool.map(one, range(threads)))


def test_of_several_at_once_one_is_entered(bank: sa.Engine) -> None:
    admin, until = who(bank, "z1"), TODAY + timedelta(days=3)
    only_one = ["conflict"] * 3 + ["done"]
    assert (
        at_once(bank, lambda c: add_post(admin, c, "M1", Role.MANAGER, "S2", since=TODAY, now=NOW))
        == only_one
    )
    assert (
        at_once(
            bank, lambda c: add_post(admin, c, "N5", Role.MANAGER, "S3", since=TODAY, name="新人", now=NOW)
        )
        == only_one
    )
    assert (
        at_once(
            bank,
            lambda c: delegate(admin, c, "M1", "M2", since=TODAY, until=until, reason="休假", now=NOW),
        )
        == only_one
    )
    logins = itertools.count()
    assert (
        at_once(
            bank,
            lambda c: add_user(admin, c, f"n5-{next(logins)}", "新人", role=None, staff_no="N5", now=NOW),
        )
        == only_one
    )
