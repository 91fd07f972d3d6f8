"""Allocation: who gets which lead and by which rule; laws that hold for any bank and any leads."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.bank import Institution, Post
from qiaomen.dispatch import LEADS, OPEN_TASKS, PLACES, Trait, allocate, lead_places, load_allocation_rules
from qiaomen.dispatch.rules import AllocationRules
from qiaomen.store import Engine
from qiaomen.vocab import Role, Table, UnitType

AS_OF = date(2026, 3, 1)


def rules(**changes: Any) -> AllocationRules:
    from dataclasses import replace

    return replace(load_allocation_rules(), **({"hold_out_share": 0.0} | changes))


def unit(code: str, kind: UnitType, parent: str | None, **more: Any) -> Institution:
    values: dict[str, Any] = {
        "region_codes": (), "traits": frozenset(), "park_codes": frozenset(), "lon": None, "lat": None
    }  # fmt: skip
    return Institution(code, f"{code}行", kind, parent, **(values | more))


def manager(no: str, code: str, capacity: int | None = 10, **more: Any) -> Post:
    values = {"specialities": frozenset(), "since": None, "until": None} | more
    return Post(no, no, Role.MANAGER, code, capacity, **values)


BANK = [
    unit("HQ", UnitType.HEAD_OFFICE, None),
    unit("B1", UnitType.BRANCH, "HQ", region_codes=("31",)),
    unit("B2", UnitType.BRANCH, "HQ", region_codes=("32", "3101")),
    unit(
        "S1",
        UnitType.SUB_BRANCH,
        "B1",
        region_codes=("310115",),
        traits=frozenset({"科技"}),
        lon=121.5,
        lat=31.2,
    ),
    unit("S2", UnitType.SUB_BRANCH, "B1", park_codes=frozenset({"P9"}), lon=121.4, lat=31.1),
    unit("S3", UnitType.SUB_BRANCH, "B2", region_codes=("3205",)),
]
POSTS = [
    manager("M1", "S1"),
    manager("M2", "S1", specialities=frozenset({"集成电路"})),
    manager("M3", "S2"),
    manager("M4", "S3"),
    manager("M9", "S1", until=date(2025, 1, 1)),
]


def rows(table: Table, *given: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(
        [{name: row.get(name) for name in table.names} for row in given], schema=table.schema
    )


def lead(number: int, **more: Any) -> dict[str, Any]:
    return {
        "lead_id": f"lead{number}", "company_id": number, "origin": "opportunity", "product": "kqd",
        "is_customer": False, "priority": 50.0, "admitted": True,
    } | more  # fmt: skip


def run(
    leads: list[dict[str, Any]],
    places: list[dict[str, Any]],
    tasks: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> dict[int, dict[str, Any]]:
    found = allocate(
        rows(LEADS, *leads),
        rows(PLACES, *places),
        institutions=changes.pop("institutions", BANK),
        posts=changes.pop("posts", POSTS),
        open_tasks=rows(OPEN_TASKS, *(tasks or [])),
        rules=rules(**changes),
        as_of=AS_OF,
    )
    return {row["company_id"]: row for row in found.to_pylist()}


def test_customers_go_to_their_manager_or_their_unit() -> None:
    found = run(
        [lead(1, is_customer=True), lead(2, is_customer=True), lead(3, is_customer=True)],
        [
            {"company_id": 1, "region_code": "440106", "manager_no": "M4", "institution_code": "S3"},
            {"company_id": 2, "manager_no": "M9", "institution_code": "S1"},
            {"company_id": 3, "region_code": "310115"},
        ],
    )
    assert (found[1]["branch_code"], found[1]["sub_branch_code"], found[1]["manager_no"]) == (
        "B2",
        "S3",
        "M4",
    )
    assert found[1]["rule"] == "customer_manager"
    assert (found[2]["sub_branch_code"], found[2]["manager_no"], found[2]["rule"]) == (
        "S1",
        None,
        "customer_unit",
    )
    assert found[3]["sub_branch_code"] == "S1", "a customer without a keeper is routed like a prospect"


def test_prospects_go_by_region_park_trait_and_distance() -> None:
    found = run(
        [lead(n) for n in range(1, 8)],
        [
            {"company_id": 1, "region_code": "310115"},
            {"company_id": 2, "region_code": "310115", "park_codes": "P9", "traits": "科技"},
            {"company_id": 3, "region_code": "310200", "traits": "科技;普惠"},
            {"company_id": 4, "region_code": "310200", "lon": 121.41, "lat": 31.11},
            {"company_id": 5, "region_code": "310101"},
            {"company_id": 6, "region_code": "440106"},
            {"company_id": 7, "region_code": "310115", "chain_codes": "集成电路"},
        ],
    )
    assert {n: (row["branch_code"], row["sub_branch_code"], row["rule"]) for n, row in found.items()} == {
        1: ("B1", "S1", "region"),
        2: ("B1", "S2", "park"),
        3: ("B1", "S1", "trait"),
        4: ("B1", "S2", "distance"),
        5: ("B2", "S3", "even"),
        6: (None, None, "no_branch"),
        7: ("B1", "S1", "region"),
    }
    assert found[7]["manager_no"] == "M2", "a manager's speciality comes first"
    assert "440106" in found[6]["reason"]
    assert all(row["reason"] for row in found.values())


def test_an_unknown_region_waits_for_dispatch_by_hand_and_is_no_control() -> None:
    found = run(
        [lead(n) for n in range(1, 101)], [{"company_id": n} for n in range(1, 101)], hold_out_share=0.4
    )
    assert {(row["rule"], row["branch_code"], row["hold_out"]) for row in found.values()} == {
        ("no_branch", None, False)
    }
    assert found[1]["reason"] == "地区不详，请手工指定机构"


def test_whole_codes_of_divisions_cover_what_is_below_them() -> None:
    institutions = [
        BANK[0],
        unit("B1", UnitType.BRANCH, "HQ", region_codes=("440000",)),
        unit("B2", UnitType.BRANCH, "HQ", region_codes=("440300",)),
    ]
    places = [{"company_id": 1, "region_code": "440304"}, {"company_id": 2, "region_code": "440106"}]
    found = run([lead(1), lead(2)], places, institutions=institutions, posts=[])
    assert {n: row["branch_code"] for n, row in found.items()} == {1: "B2", 2: "B1"}, "the closest division"


def test_full_managers_leave_leads_to_be_claimed_and_a_full_pool_defers() -> None:
    posts = [manager("M1", "S1", 2)]
    places = [{"company_id": n, "region_code": "310115"} for n in range(1, 8)]
    busy = [{"task_id": 1, "company_id": 99, "product": "x", "state": "following", "manager_no": "M1"}]
    found = run([lead(n, priority=100.0 - n) for n in range(1, 8)], places, busy, posts=posts, pool_limit=3)
    assert [found[n]["manager_no"] for n in range(1, 8)] == ["M1"] + [None] * 6
    assert [found[n]["rule"] for n in range(1, 8)] == ["region"] * 4 + ["deferred"] * 3
    assert [found[n]["rank"] for n in range(1, 8)] == list(range(1, 8))


def test_customers_take_their_managers_room_before_prospects() -> None:
    posts = [manager("M1", "S1", 3)]
    kept = {"is_customer": True, "origin": "expiry"}
    home = {"region_code": "310115", "institution_code": "S1", "manager_no": "M1"}
    # Prospects have the higher priority; two customers leave them one place of three.
    leads = [lead(n, priority=90.0 - n) for n in (1, 2, 3)] + [
        lead(n, priority=10.0 - n, **kept) for n in (4, 5)
    ]
    places = [{"company_id": n, "region_code": "310115"} for n in (1, 2, 3)]
    found = run(leads, [*places, *({"company_id": n} | home for n in (4, 5))], posts=posts)
    assert [found[n]["manager_no"] for n in range(1, 6)] == ["M1", None, None, "M1", "M1"]
    assert [found[n]["rank"] for n in range(1, 6)] == [1, 2, 3, 4, 5]
    # More customers than room: all stay with their manager, and no prospect comes on top.
    many = [lead(n, priority=1.0, **kept) for n in range(4, 9)]
    found = run([lead(1), *many], [*places, *({"company_id": n} | home for n in range(4, 9))], posts=posts)
    assert [found[n]["manager_no"] for n in (1, *range(4, 9))] == [None, *["M1"] * 5]


def test_an_open_task_keeps_its_place() -> None:
    task = {"task_id": 7, "company_id": 1, "product": "kqd", "state": "following", "manager_no": "M3",
            "branch_code": "B1", "sub_branch_code": "S2"}  # fmt: skip
    found = run([lead(1)], [{"company_id": 1, "region_code": "310115"}], [task], hold_out_share=0.49)
    assert (found[1]["manager_no"], found[1]["rule"], found[1]["hold_out"]) == ("M3", "open_task", False)


def test_controls_are_stable_and_never_from_what_must_be_served() -> None:
    leads = [lead(n) for n in range(1, 401)] + [lead(n, origin="expiry") for n in range(401, 801)]
    places = [{"company_id": n, "region_code": "310115"} for n in range(1, 801)]
    found = run(leads, places, hold_out_share=0.2, pool_limit=9999)
    held = {n for n, row in found.items() if row["hold_out"]}
    assert 50 < len(held) < 110
    assert max(held) <= 400
    assert all(found[n]["manager_no"] is None and found[n]["branch_code"] == "B1" for n in held)
    again = run(leads[200:400], places, hold_out_share=0.2)
    assert {n for n, row in again.items() if row["hold_out"]} == {n for n in held if n > 200}


def test_a_bank_without_sub_branches_or_staff_still_answers() -> None:
    found = run([lead(1)], [{"company_id": 1, "region_code": "310115"}], institutions=BANK[:2], posts=[])
    assert (found[1]["branch_code"], found[1]["sub_branch_code"], found[1]["rule"]) == ("B1", None, "branch")
    assert run([lead(1)], [], institutions=[], posts=[])[1]["rule"] == "no_branch"
    assert run([lead(1, admitted=False)], []) == {}


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    number = draw(st.integers(1, 25))
    leads = [
        lead(
            n,
            priority=float(draw(st.integers(0, 3))),
            is_customer=draw(st.booleans()),
            origin=draw(st.sampled_from(["opportunity", "long_list", "expiry", "retention"])),
        )
        for n in range(1, number + 1)
    ]
    places = [
        {
            "company_id": n,
            "region_code": draw(st.sampled_from([None, "310115", "310101", "320505", "990000"])),
            "park_codes": draw(st.sampled_from([None, "P9"])),
            "traits": draw(st.sampled_from([None, "科技"])),
            "manager_no": draw(st.sampled_from([None, "M1", "M9", "??"])),
            "institution_code": draw(st.sampled_from([None, "S1", "HQ", "??"])),
        }
        for n in range(1, number + 1)
    ]
    return leads, places


@settings(max_examples=60, deadline=None)
@given(worlds(), st.randoms(), st.integers(0, 3))
def test_the_order_of_the_input_changes_nothing_and_no_manager_is_overloaded(
    world: tuple[list[dict[str, Any]], list[dict[str, Any]]], random: Any, capacity: int
) -> None:
    leads, places = world
    posts = [manager(post.staff_no, post.institution_code, capacity, until=post.until) for post in POSTS]
    found = run(leads, places, posts=posts, hold_out_share=0.2, pool_limit=2)
    shuffled, moved = list(leads), list(places)
    random.shuffle(shuffled)
    random.shuffle(moved)
    turned = [posts[-1], *posts[:-1]]
    assert (
        run(shuffled, moved, posts=turned, hold_out_share=0.2, pool_limit=2, institutions=BANK[::-1]) == found
    )
    assert sorted(found) == [row["company_id"] for row in leads], "each admitted lead once"
    prospects: dict[str, int] = {}
    for row in found.values():
        assert row["manager_no"] is None or row["manager_no"] != "M9"
        if row["manager_no"] and row["rule"] != "customer_manager":
            prospects[row["manager_no"]] = prospects.get(row["manager_no"], 0) + 1
    assert all(number <= capacity for number in prospects.values())


def test_places_gather_parks_traits_chains_and_the_keeper() -> None:
    from qiaomen.chains import COMPANY_NODES
    from qiaomen.customers import CUSTOMERS
    from qiaomen.parks import PARK_RESIDENTS
    from qiaomen.registry import COMPANIES
    from qiaomen.tags import COMPANY_TAGS

    with Engine(threads=1) as engine:
        places = lead_places(
            engine.memory(rows(LEADS, lead(1), lead(2), lead(3, admitted=False))),
            companies=engine.memory(
                rows(
                    COMPANIES,
                    *({"company_id": n, "region_code": "310115", "industry_code": "A0111"} for n in (1, 3)),
                    {"company_id": 2, "lon": 121.0, "lat": 31.0},
                )
            ),
            customers=engine.memory(
                rows(
                    CUSTOMERS,
                    {"company_id": 1, "institution_code": "S1", "manager_no": "M1"},
                    {"company_id": 2, "institution_code": "S1", "manager_no": "M1", "status": "销户"},
                )
            ),
            park_residents=engine.memory(
                rows(
                    PARK_RESIDENTS, {"company_id": 1, "park_code": "P2"}, {"company_id": 1, "park_code": "P1"}
                )
            ),
            company_tags=engine.memory(rows(COMPANY_TAGS, {"company_id": 1, "tag": "high_tech"})),
            company_nodes=engine.memory(
                rows(
                    COMPANY_NODES,
                    {"company_id": 1, "node_code": "ic.a", "chain_code": "ic"},
                    {"company_id": 1, "node_code": "ic.b", "chain_code": "ic"},
                )
            ),
            traits=[
                Trait(code="t", name="科技", tags=("high_tech",)),
                Trait(code="a", name="涉农", industries=("A",)),
            ],
        )
        found = engine.arrow(places.order_by("company_id"), PLACES).to_pylist()
    assert found == [
        {"company_id": 1, "region_code": "310115", "lon": None, "lat": None, "park_codes": "P1;P2",
         "traits": "涉农;科技", "chain_codes": "ic", "institution_code": "S1", "manager_no": "M1"},
        {"company_id": 2, "region_code": None, "lon": 121.0, "lat": 31.0, "park_codes": None, "traits": None,
         "chain_codes": None, "institution_code": None, "manager_no": None},
    ]  # fmt: skip
