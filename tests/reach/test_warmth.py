"""The declared warmth: the shipped table, what it refuses, and what the factors do to costs."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pytest

from qiaomen.graph import KINDS
from qiaomen.reach import load_warmth, prepare
from qiaomen.reach.pricing import (
    MAX_HOP_COST,
    MAX_NODE_COST,
    TIER,
    TIER_COSTS,
    edge_costs,
    tiers_of,
    warmth_of,
)
from qiaomen.vocab import CatalogInvalid, RelationKind
from tests.reach.examples import AS_OF, customers, graph, relation, tables


def _warmth_of_edges(relations: list[dict], kind: str) -> list[float]:
    made = graph(tables(relations))
    costs = edge_costs(made, load_warmth(), AS_OF)
    return [float(warmth_of(costs[edge])) for edge in made.edge_numbers(kind)]


def test_every_kind_has_its_rows():
    warmth = load_warmth()
    for kind in RelationKind:
        assert warmth.row(f"kind.{kind}").factor > 0
        assert warmth.row(f"recency.{kind}").half_life_years
    assert set(KINDS) == {kind.value for kind in RelationKind}


def test_no_path_can_cost_a_tier_and_no_count_of_tiers_the_next():
    most = 6 * MAX_HOP_COST + 5 * MAX_NODE_COST + MAX_NODE_COST
    assert most < TIER
    assert 6 * TIER_COSTS[1] + most < TIER_COSTS[2]
    assert 6 * (TIER_COSTS[2] + MAX_HOP_COST) + 6 * MAX_NODE_COST < 2_000_000_000


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("kind.office,kind,office,,,,1.5,0,,,", "factor"),
        ("kind.friend,kind,friend,,,,0.5,0,,,", "friend"),
        ("recency.office,recency,office,observed,,,0.5,,,,", "half_life_years"),
        ("strength.supply.x,strength,supply,ratio,,,0.5,,,,", "at_least"),
        ("strength.supply.x,strength,supply,asks,1,,0.5,,,,", "measure"),
    ],
)
def test_a_wrong_row_of_the_bank_is_refused(tmp_path, line, where):
    header = "code,part,kind,measure,at_least,words,factor,tier,half_life_years,missing,note"
    (tmp_path / "warmth.csv").write_text(f"{header}\n{line}\n", encoding="utf-8")
    with pytest.raises(CatalogInvalid) as refused:
        load_warmth(tmp_path)
    assert where in str(refused.value)
    assert "第 2 行" in str(refused.value)


def test_a_needed_row_cannot_be_retired(tmp_path):
    (tmp_path / "warmth.csv").write_text("code,retired\nkind.office,true\n", encoding="utf-8")
    with pytest.raises(CatalogInvalid, match=r"kind\.office"):
        load_warmth(tmp_path)


def test_the_bank_may_change_a_factor(tmp_path):
    (tmp_path / "warmth.csv").write_text(
        "code,part,kind,factor,tier\nkind.office,kind,office,0.42,0\n", encoding="utf-8"
    )
    assert load_warmth(tmp_path).row("kind.office").factor == 0.42


def test_more_shares_trade_and_facts_are_warmer():
    shares = [relation("shareholding", f"c{n}", "c10", ratio=r) for n, r in enumerate([0.02, 0.2, 0.7], 1)]
    found = _warmth_of_edges(shares, "shareholding")
    assert found == sorted(found)
    assert len(set(found)) == 3
    supply = [
        relation("supply", "c1", "c10", amount_cny=1e4, count=1),
        relation("supply", "c2", "c10", amount_cny=1e4, count=30),
        relation("supply", "c3", "c10", amount_cny=5e8, count=30),
    ]
    found = _warmth_of_edges(supply, "supply")
    assert found == sorted(found)
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("监事", "董事"),
        ("独立董事", "董事"),
        ("董事", "董事长"),
        ("副总经理", "总经理"),
        (None, "财务负责人"),
    ],
)
def test_offices(weaker, stronger):
    one, other = _warmth_of_edges(
        [relation("office", "p1", "c1", role=weaker), relation("office", "p2", "c2", role=stronger)], "office"
    )
    assert one < other


def test_the_best_of_several_offices_counts():
    both, single = _warmth_of_edges(
        [
            relation("office", "p1", "c1", role="监事", record_key="1"),
            relation("office", "p1", "c1", role="董事长", record_key="2"),
            relation("office", "p2", "c2", role="董事/总经理"),
        ],
        "office",
    )
    assert both == single


def test_old_trade_fades_to_the_floor_and_unproven_is_colder():
    day = dt.date(2015, 1, 1)
    fresh, old = _warmth_of_edges(
        [relation("transaction", "c1", "c10"), relation("transaction", "c2", "c10", observed_on=day)],
        "transaction",
    )
    assert old == pytest.approx(fresh * 0.2 / 0.5 ** (29 / 365.25 / 1.5), rel=1e-4)
    made = graph(tables([relation("office", "p1", "c1", proven=False, confidence=0.5)]))
    cost = int(edge_costs(made, load_warmth(), AS_OF)[made.edge_numbers("office")[0]])
    assert tiers_of(cost) == (0, 1)


def test_hubs_cost_and_customers_tire():
    relations = [relation("guarantee", "c1", f"c{number}") for number in range(2, 15)]
    made = graph(tables([*relations, relation("office", "p1", "c2")]))
    asks = pa.table(
        {
            "company_id": [10, 10, 11],
            "asked_on": [AS_OF, AS_OF - dt.timedelta(90), AS_OF - dt.timedelta(91)],
        }
    )
    given = customers(
        [
            {"company_id": 10},
            {"company_id": 11},
            {"company_id": 12, "status": "睡眠"},
            {"company_id": 13, "status": "销户"},
        ]
    )
    ways = prepare(made, given, AS_OF, load_warmth(), asks=asks).priced.ways
    hub, plain = made.company_nodes([1, 2])
    assert math.exp(-ways.inner_cost[hub] * 1e-5) == pytest.approx((12 / 13) ** 0.35, rel=1e-4)
    assert ways.inner_cost[plain] == 0
    targets = ways.target_cost[made.company_nodes([10, 11, 12, 13])]
    np.testing.assert_allclose(np.exp(-targets[:3] * 1e-5), [0.36, 1.0, 0.6], rtol=1e-4)
    assert targets[3] == -1
