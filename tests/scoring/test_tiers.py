"""Tiers and offers: the declared rule, reasons on every row, both directions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.opportunities import OPPORTUNITIES, OPPORTUNITY_SIGNALS
from qiaomen.scoring import (
    OFFERS,
    SCORES,
    TIERS,
    Grounds,
    best_companies,
    compute_indicators,
    load_indicators,
    load_products,
    load_scorecards,
    load_strategies,
    load_tier_rules,
    offer,
    score,
    tier,
    tier_memberships,
    wide_table,
)
from qiaomen.scoring.tiers import cut_tiers, priority_of
from qiaomen.tags import COMPANY_TAGS, apply_tags, load_tags
from qiaomen.vocab import Tier

from .city import AS_OF, as_tables, lend, make_rows

INDICATORS, STRATEGIES, CARDS = load_indicators(), load_strategies(), load_scorecards()
PRODUCTS, TAGS, RULE = load_products(), load_tags(), load_tier_rules()["default"]


@pytest.fixture(scope="module")
def wide() -> pa.Table:
    computed = compute_indicators(INDICATORS, lend(as_tables(make_rows())), AS_OF, tags=TAGS).to_pyarrow()
    return wide_table(INDICATORS).conform(computed)


@pytest.fixture(scope="module")
def scores(wide: pa.Table) -> pa.Table:
    return score(STRATEGIES, CARDS, wide)


@pytest.fixture(scope="module")
def tiers(wide: pa.Table, scores: pa.Table) -> pa.Table:
    return tier(scores, wide, STRATEGIES, CARDS, RULE)


@pytest.fixture(scope="module")
def grounds(scores: pa.Table) -> Grounds:
    rows = make_rows()
    tables = as_tables(rows)
    customers = np.array([row["company_id"] for row in rows["customers"]])
    tagged = apply_tags(TAGS, lend(tables), AS_OF)
    return Grounds(scores, tables["opportunities"], tables["opportunity_signals"], tagged, customers)


def test_each_scored_company_has_one_tier(scores: pa.Table, tiers: pa.Table) -> None:
    assert tiers.schema == TIERS.schema
    marketing = [row for row in scores.to_pylist() if STRATEGIES[row["strategy"]].purpose == "marketing"]
    assert tiers.column("company_id").to_pylist() == sorted({row["company_id"] for row in marketing})
    for row in tiers.to_pylist():
        best = max(own["response_index"] for own in marketing if own["company_id"] == row["company_id"])
        assert row["response_index"] == best
        assert row["product"] == STRATEGIES[row["strategy"]].product
        assert 0 < row["expected_conversion"] < 1
        assert all(0 <= row[name] <= 1 for name in ("value_index", "risk_index", "policy_index"))


def test_the_better_tier_has_the_higher_priority(tiers: pa.Table) -> None:
    rows = tiers.to_pylist()
    means = {}
    for name in Tier:
        own = [row["priority"] for row in rows if row["tier"] == name]
        means[name] = float(np.mean(own)) if own else None
    found = [mean for mean in means.values() if mean is not None]
    assert found == sorted(found, reverse=True)
    assert len(found) >= 2


def test_the_order_of_rows_changes_no_tier(wide: pa.Table, scores: pa.Table, tiers: pa.Table) -> None:
    shuffled = scores.take(pa.array(np.random.default_rng(2).permutation(scores.num_rows)))
    assert tier(shuffled, wide.sort_by([("company_id", "descending")]), STRATEGIES, CARDS, RULE).equals(tiers)


unit = st.floats(0, 1)


@settings(max_examples=80, deadline=None)
@given(st.tuples(unit, unit, unit, unit), st.integers(0, 3), unit)
def test_priority_rises_with_each_index(indices: tuple[float, ...], place: int, raised: float) -> None:
    lower = [np.array([value]) for value in indices]
    higher = [column.copy() for column in lower]
    higher[place] = np.maximum(higher[place], raised)
    before, after = priority_of(RULE, *lower)[0], priority_of(RULE, *higher)[0]
    assert 0 <= before <= after <= 100


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 100), unit), min_size=1, max_size=60))
def test_tiers_keep_shares_and_floors(drawn: list[tuple[float, float]]) -> None:
    priority, risk = np.array([row[0] for row in drawn]), np.array([row[1] for row in drawn])
    found = cut_tiers(RULE, np.arange(len(drawn)), priority, risk)
    assert found.count("prime") <= np.ceil(RULE.prime.share * len(drawn))
    for name, value, safe in zip(found, priority, risk, strict=True):
        if name == "prime":
            assert value >= RULE.prime.min_priority
            assert safe >= RULE.prime.min_risk_index
        if name == "sound":
            assert safe >= RULE.sound.min_risk_index


def test_memberships_explain_the_tier(tiers: pa.Table) -> None:
    rows = tier_memberships(tiers, AS_OF).to_pylist()
    assert len(rows) == tiers.num_rows
    assert {row["dimension"] for row in rows} == {"tier"}
    assert all(row["evidence"].startswith("营销分层：") for row in rows)


def test_offers_are_ranked_and_reasoned(grounds: Grounds) -> None:
    rows = offer(grounds, PRODUCTS, STRATEGIES, TAGS, AS_OF)
    assert rows.schema == OFFERS.schema
    by_company: dict[int, list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        by_company.setdefault(row["company_id"], []).append(row)
        assert row["reason"]
        assert (row["opportunity_id"] is not None) == (row["basis"] == "opportunity")
        assert row["basis"] != "score" or row["response_index"] is not None
    for own in by_company.values():
        assert sorted(row["rank"] for row in own) == list(range(1, len(own) + 1))
        assert len(own) <= 6
        assert len({row["product"] for row in own}) == len(own)
    assert {row["basis"] for row in rows.to_pylist()} == {"score", "opportunity", "tag"}


def test_a_products_own_limits_hold(grounds: Grounds) -> None:
    rows = offer(grounds, PRODUCTS, STRATEGIES, TAGS, AS_OF, each=50).to_pylist()
    carried = {(row["company_id"], row["tag"]) for row in grounds.company_tags.to_pylist()}
    for row in rows:
        product = PRODUCTS[row["product"]]
        if product.needs_tag:
            assert any((row["company_id"], tag) in carried for tag in product.tags)
        if product.customers_only:
            assert row["company_id"] in grounds.customers
    unlicensed = offer(grounds, PRODUCTS, STRATEGIES, TAGS, AS_OF, licences=frozenset(), each=50).to_pylist()
    assert not [row for row in unlicensed if PRODUCTS[row["product"]].bank_licence]


def _event(**more: Any) -> dict[str, Any]:
    row = {
        "opportunity_id": "o1", "company_id": 4, "kind": "gov_bid_won", "polarity": "marketing", "title": "中标校服项目",
        "occurred_on": AS_OF - timedelta(days=5), "published_on": AS_OF - timedelta(days=4), "amount_cny": 3.2e6,
        "status": "active",
    }  # fmt: skip
    return {**row, **more}


def _of_events(*events: dict[str, Any]) -> Grounds:
    signals = [
        {
            "opportunity_id": e["opportunity_id"],
            "company_id": 4,
            "signal": "credit",
            "products": "zcd; nothing;bh",
        }
        for e in events
    ]
    return Grounds(
        SCORES.empty(),
        pa.Table.from_pylist(list(events), schema=OPPORTUNITIES.schema),
        pa.Table.from_pylist(signals, schema=OPPORTUNITY_SIGNALS.schema),
        COMPANY_TAGS.empty(),
    )


def test_the_newest_opportunity_gives_the_reason() -> None:
    older = _event(opportunity_id="o0", published_on=AS_OF - timedelta(days=90), title="旧项目")
    rows = offer(_of_events(_event(), older), PRODUCTS, STRATEGIES, TAGS, AS_OF).to_pylist()
    assert [row["product"] for row in rows] == ["bh", "zcd"]
    assert {row["opportunity_id"] for row in rows} == {"o1"}
    assert rows[1]["reason"] == "2026-06-25 中标校服项目，320万元→政采贷"


@pytest.mark.parametrize(
    "change",
    [
        {"status": "ended"},
        {"polarity": "veto"},
        {"published_on": AS_OF + timedelta(days=1)},
        {"published_on": AS_OF - timedelta(days=181)},
    ],
)
def test_old_ended_future_and_adverse_events_offer_nothing(change: dict[str, Any]) -> None:
    assert offer(_of_events(_event(**change)), PRODUCTS, STRATEGIES, TAGS, AS_OF).num_rows == 0


def test_no_grounds_give_no_offers() -> None:
    assert offer(_of_events(), PRODUCTS, STRATEGIES, TAGS, AS_OF).num_rows == 0


def test_best_companies_for_a_product(grounds: Grounds) -> None:
    offers = offer(grounds, PRODUCTS, STRATEGIES, TAGS, AS_OF, each=50)
    best = best_companies("kqd", grounds.scores, offers, STRATEGIES, limit=10).to_pylist()
    indices = [row["response_index"] for row in best if row["response_index"] is not None]
    assert indices == sorted(indices, reverse=True)
    own = [row["response_index"] for row in grounds.scores.to_pylist() if row["strategy"] == "kqd_resp"]
    assert indices[0] == max(own)
    unscored = best_companies("gdd", grounds.scores, offers, STRATEGIES).to_pylist()
    assert {row["basis"] for row in unscored} <= {"opportunity", "tag"}
    fewer = replace(grounds, scores=SCORES.empty())
    assert best_companies("kqd", fewer.scores, offers.slice(0, 0), STRATEGIES).num_rows == 0
