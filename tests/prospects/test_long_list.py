from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qiaomen.prospects import build_long_list, load_introducer_links, load_recipes
from qiaomen.store import Engine
from qiaomen.vocab import CatalogInvalid
from tests.prospects.city import AS_OF, LINKS, counted, firm, listed, pair, recipe, sits, tables


@pytest.fixture(scope="module")
def engine():
    with Engine() as opened:
        yield opened


def test_customers_ended_and_merely_mentioned_firms_are_not_listed(engine):
    opened = tables(
        engine,
        firms=[firm(1), firm(2, status="吊销"), firm(3, origin="mention"), firm(4, status=None), firm(20)],
        customers=[20],
        nodes=[sits(number, "ic.fab") for number in (1, 2, 3, 4, 20)],
    )
    assert [row["company_id"] for row in listed(engine, [recipe("park_trade")], opened)] == [1, 4]


def test_limits_per_seed_and_per_recipe_are_counted(engine):
    opened = tables(
        engine,
        firms=[firm(number) for number in range(1, 8)],
        nodes=[sits(number, "ic.fab", 0.9 - number / 100) for number in range(1, 8)],
    )
    recipes = [recipe("park_trade", per_seed=5, limit=3)]
    assert [(row["company_id"], row["rank"]) for row in listed(engine, recipes, opened)] == [
        (1, 1),
        (2, 2),
        (3, 3),
    ]
    assert counted(engine, recipes, opened) == {
        "park_trade": {"found": 7, "over_seed": 2, "over_limit": 2, "listed": 3}
    }


def test_a_prospect_stands_once_per_recipe_with_its_strongest_find(engine):
    opened = tables(engine, firms=[firm(1)], nodes=[sits(1, "ic.fab", 0.6), sits(1, "ic.eda", 0.9)])
    (row,) = listed(engine, [recipe("park_trade")], opened)
    assert row["node_code"] == "ic.eda"


def test_the_shipped_recipes_run_on_an_empty_city(engine):
    assert listed(engine, list(load_recipes()), tables(engine, firms=[])) == []


def test_no_recipes_is_refused(engine):
    with pytest.raises(CatalogInvalid):
        build_long_list([], tables(engine, firms=[]), AS_OF, links=LINKS)


def test_the_shipped_recipes_are_the_agreed_ones():
    names = {recipe.name for recipe in load_recipes()}
    assert {
        "园区重点产业上下游",
        "园区龙头供应链上下游",
        "园区龙头产业链上下游",
        "存量核心企业上下游",
    } <= names
    assert {recipe.method for recipe in load_recipes()} == {
        "park_trade",
        "park_leader_supply",
        "park_leader_chain",
        "customer_core_supply",
        "core_supplier",
        "region_gap",
    }


def test_the_kinds_of_links_are_fixed(tmp_path):
    (tmp_path / "introducer_links.csv").write_text(
        "code,name,strength,note\nfriend,朋友,0.5,\n", encoding="utf-8"
    )
    with pytest.raises(CatalogInvalid, match="friend"):
        load_introducer_links(tmp_path)


SHARES = st.sampled_from([0.1, 0.3, 0.7])
NODES = st.sampled_from(["ic.fab", "ic.resist", "ic.module", "bio.api"])


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["310115", "310104", "320505", None]), min_size=8, max_size=8),
    st.sets(st.integers(0, 7), max_size=3),
    st.lists(st.tuples(st.integers(0, 7), NODES), max_size=10, unique=True),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), SHARES), max_size=8, unique_by=lambda p: p[:2]),
    st.integers(0, 99),
)
def test_the_list_holds_open_prospects_once_ranked_and_whatever_the_order(
    engine, regions, held, placed, trades, seed
):
    given_rows = {
        "firms": [firm(number, region, capital_cny=number * 1e6) for number, region in enumerate(regions)],
        "customers": sorted(held),
        "nodes": [sits(*row) for row in placed],
        "residents": [(number, "P1") for number in range(0, 8, 2)],
        "pairs": [pair(a, b, s, s, core_buyer=s > 0.5) for a, b, s in trades if a != b],
        "core": [(1, 3), (2, 4)],
    }
    recipes = list(load_recipes())
    rows = listed(engine, recipes, tables(engine, **given_rows))
    assert not {row["company_id"] for row in rows} & held
    keys = [(row["recipe"], row["company_id"]) for row in rows]
    assert len(keys) == len(set(keys))
    for code in {row["recipe"] for row in rows}:
        ranked = [row for row in rows if row["recipe"] == code]
        assert [row["rank"] for row in ranked] == list(range(1, len(ranked) + 1))
        strengths = [row["strength"] for row in ranked]
        assert strengths == sorted(strengths, reverse=True)
    assert all(0 <= row["strength"] <= 1 and row["reason"] for row in rows)
    assert all(row["introducer_id"] is None or row["introducer_id"] in held for row in rows)
    for values in given_rows.values():
        random.Random(seed).shuffle(values)
    assert listed(engine, recipes, tables(engine, **given_rows)) == rows
