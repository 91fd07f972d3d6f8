from __future__ import annotations

from datetime import date

import pytest

from qiaomen.store import Engine
from tests.prospects.city import firm, listed, pair, recipe, relation, sits, tables


@pytest.fixture(scope="module")
def engine():
    with Engine() as opened:
        yield opened


def introduced(engine, **more) -> tuple[int | None, str | None]:
    """Return who introduces prospect 1 and how."""
    opened = tables(
        engine,
        firms=[firm(1), firm(2), firm(20, capital_cny=5.0), firm(21, capital_cny=9.0)],
        customers=[20, 21],
        nodes=[sits(1, "ic.fab")],
        **more,
    )
    (row,) = listed(engine, [recipe("park_trade")], opened)
    return row["introducer_id"], row["introduction"]


def test_nobody_introduces_where_nothing_links(engine):
    assert introduced(engine) == (None, None)


def test_trade_says_which_side_the_customer_is_on(engine):
    assert introduced(engine, pairs=[pair(1, 20, 0.1, 0.1)]) == (20, "引荐客户是其下游客户")
    assert introduced(engine, pairs=[pair(20, 1, 0.1, 0.1)]) == (20, "引荐客户是其供应商")
    assert introduced(engine, pairs=[pair(1, 2, 0.9, 0.9)]) == (None, None)
    assert introduced(engine, pairs=[pair(1, 20, 0.0, 0.0, amount_cny=-5.0)]) == (None, None)


def test_the_strongest_link_wins_and_then_the_lower_number(engine):
    weak = relation("shared_ip", ("company", 20), 1)
    strong = relation("shareholding", ("company", 1), 21)
    assert introduced(engine, relations=[weak, strong]) == (21, "与引荐客户有股权关系")
    same = [relation("guarantee", ("company", 21), 1), relation("guarantee", ("company", 1), 20)]
    assert introduced(engine, relations=same) == (20, "与引荐客户有担保关系")


@pytest.mark.parametrize(
    "more",
    [
        {"proven": False},
        {"until": date(2026, 6, 29)},
        {"since": date(2026, 7, 1)},
        {"kind": "same_phone"},
        {"kind": "same_address"},
    ],
)
def test_suspected_and_ended_relations_introduce_nobody(engine, more):
    row = relation("shareholding", ("company", 20), 1) | more
    assert introduced(engine, relations=[row]) == (None, None)


def test_one_proven_person_in_both_firms(engine):
    rows = [relation("office", ("person", 7), 1), relation("shareholding", ("person", 7), 20)]
    assert introduced(engine, relations=rows) == (20, "与引荐客户有同一任职人或股东")
    rows[0]["proven"] = False
    assert introduced(engine, relations=rows) == (None, None)


def test_the_largest_customer_of_the_park(engine):
    residents = [(1, "P1"), (20, "P1"), (21, "P1"), (2, "P1")]
    assert introduced(engine, residents=residents) == (21, "与引荐客户同在一个园区")
