"""The laws of screening: text and JSON round trips, set algebra, and the same answer from Ibis as from bitmaps."""

from __future__ import annotations

import ibis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qiaomen.membership import And, Index, Not, Or, build_index, from_json, parse, to_ibis, to_json, to_text
from tests.membership.examples import (
    EXPRESSIONS,
    FACT_ROWS,
    MEMBERSHIP_ROWS,
    VALUES,
    facts,
    memberships,
    names,
)

CATALOGUE = Index.open(
    build_index(
        memberships([(1, dimension, value) for dimension, values in VALUES.items() for value in values]),
        facts([(1, 1.0, 1, None, None)]),
        names=names(),
    )
).names


@given(EXPRESSIONS)
def test_text_round_trip(expression):
    assert parse(to_text(expression), CATALOGUE) == expression


@given(EXPRESSIONS)
def test_json_round_trip(expression):
    assert from_json(to_json(expression), CATALOGUE) == expression


@pytest.fixture(scope="module")
def connection():
    made = ibis.duckdb.connect(threads=1)
    yield made
    made.disconnect()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FACT_ROWS, MEMBERSHIP_ROWS, st.lists(EXPRESSIONS, min_size=1, max_size=3))
def test_bitmaps_and_ibis_agree(connection, fact_rows, member_rows, expressions):
    fact_table, member_table = facts(fact_rows), memberships(member_rows)
    index = Index.open(build_index(member_table, fact_table, names=names()))
    lake_facts, lake_members = ibis.memtable(fact_table), ibis.memtable(member_table)
    for expression in expressions:
        asked = to_ibis(expression, lake_members, lake_facts, names=index.names)
        answer = connection.to_pyarrow(asked)["company_id"].to_pylist()
        assert sorted(answer) == index.ids(expression).tolist(), to_text(expression)
        assert len(answer) == index.count(expression)


@given(FACT_ROWS, MEMBERSHIP_ROWS, EXPRESSIONS, EXPRESSIONS)
def test_set_algebra(fact_rows, member_rows, left, right):
    index = Index.open(build_index(memberships(member_rows), facts(fact_rows)))
    a, b = index.select(left), index.select(right)
    assert index.select(And((left, right))) == a & b
    assert index.select(Or((left, right))) == a | b
    assert index.select(Not(left)) == index.live - a
    assert index.select(Not(Not(left))) == a
    assert index.select(left).issubset(index.live)


@given(FACT_ROWS, MEMBERSHIP_ROWS, EXPRESSIONS, st.booleans(), st.integers(0, 6), st.integers(0, 6))
def test_page_is_a_slice_of_the_sorted_selection(fact_rows, member_rows, within, descending, offset, limit):
    index = Index.open(build_index(memberships(member_rows), facts(fact_rows)))
    chosen = index.ids(within).tolist()
    amounts = dict(zip(chosen, index.values("capital_cny", chosen), strict=True))
    known = [number for number in chosen if amounts[number] is not None]
    known.sort(key=lambda number: -amounts[number] if descending else amounts[number])
    expected = known + [number for number in chosen if amounts[number] is None]
    page = index.page(within, "capital_cny", descending=descending, offset=offset, limit=limit)
    assert page == expected[offset : offset + limit]
