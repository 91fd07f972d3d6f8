"""Marketing priority and tier of every scored company: 响应度 × 价值 × 资质风险 × 战略导向, by a declared rule.

Reads SCORES and the wide indicator table; writes TIERS and the memberships of dimension ``tier``. A tier orders
marketing; it is no credit rating.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.membership import MEMBERSHIPS
from qiaomen.scoring.catalogue import Strategy, TierCut, TierRule
from qiaomen.scoring.scorecards import Scorecard, card_points, linear_index, total_points
from qiaomen.scoring.tables import TIERS
from qiaomen.vocab import TIER_LABELS, Tier

Floats = npt.NDArray[np.float64]

# Without outcomes, the prior rate holds in the middle of the index and moves by half of itself to either end.
PRIOR_AT_ZERO: Final = 0.5


def best_rows(scores: pa.Table, strategies: Mapping[str, Strategy]) -> pa.Table:
    """Return each company's best marketing score: highest response index, then strategy by code."""
    marketing = [code for code, strategy in strategies.items() if strategy.purpose == "marketing"]
    rows = scores.filter(pc.is_in(scores.column("strategy"), pa.array(marketing, pa.string())))
    rows = rows.sort_by(
        [("company_id", "ascending"), ("response_index", "descending"), ("strategy", "ascending")]
    )
    companies = rows.column("company_id").to_numpy()
    first = np.ones(len(companies), dtype=bool)
    first[1:] = companies[1:] != companies[:-1]
    return rows.filter(pa.array(first))


def expected_conversion(best: pa.Table, strategies: Mapping[str, Strategy]) -> Floats:
    """Return the calibrated probability, or the strategy's prior rate moved by the index where none is learned."""
    codes = best.column("strategy").combine_chunks().dictionary_encode()
    priors = np.array([strategies[code].prior_rate for code in codes.dictionary.to_pylist()] or [0.0])
    index = best.column("response_index").to_numpy() / 100.0
    places = codes.indices.to_numpy(zero_copy_only=False)
    prior = priors[places] * (PRIOR_AT_ZERO + index) if len(places) else np.empty(0)
    learned = pc.fill_null(best.column("probability"), float("nan")).to_numpy()
    rate: Floats = np.clip(np.where(np.isnan(learned), prior, learned), 0.0, 1.0)
    return rate


def index_of(card: Scorecard, indicators: pa.Table) -> Floats:
    """Return a card's score as an index from 0 to 1."""
    points, _ = card_points(card, indicators)
    index: Floats = linear_index(card, total_points(card, points))
    return index


def priority_of(rule: TierRule, response: Floats, value: Floats, risk: Floats, policy: Floats) -> Floats:
    """Return 0 to 100: the weighted geometric mean of the four indices (0 to 1), none below the rule's floor."""
    weights = (rule.response_weight, rule.value_weight, rule.risk_weight, rule.policy_weight)
    total = sum(weights)
    logs = [
        weight * np.log(np.maximum(index, rule.floor))
        for weight, index in zip(weights, (response, value, risk, policy), strict=True)
    ]
    priority: Floats = np.round(100.0 * np.exp(np.sum(logs, axis=0) / total), 4)
    return priority


def _within(
    cut: TierCut, places: npt.NDArray[np.int64], priority: Floats, risk: Floats
) -> npt.NDArray[np.bool_]:
    best = places < np.ceil(cut.share * len(places))
    inside: npt.NDArray[np.bool_] = best & (priority >= cut.min_priority) & (risk >= cut.min_risk_index)
    return inside


def cut_tiers(rule: TierRule, companies: npt.NDArray[np.int64], priority: Floats, risk: Floats) -> list[str]:
    """Return the tier of each company; equal priorities are ordered by company number."""
    order = np.lexsort((companies, -priority))
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    tiers = np.full(len(order), Tier.FAIR.value, dtype=object)
    tiers[_within(rule.sound, places, priority, risk)] = Tier.SOUND.value
    tiers[_within(rule.prime, places, priority, risk)] = Tier.PRIME.value
    return [str(tier) for tier in tiers]


def tier(
    scores: pa.Table,
    indicators: pa.Table,
    strategies: Mapping[str, Strategy],
    cards: Mapping[str, Scorecard],
    rule: TierRule,
) -> pa.Table:
    """Return TIERS: one row per company with at least one marketing score, by company number."""
    best = best_rows(scores, strategies)
    places = pc.index_in(best.column("company_id"), indicators.column("company_id").combine_chunks())
    own = indicators.take(places)
    response = best.column("response_index").to_numpy() / 100.0
    value, risk, policy = (
        index_of(cards[code], own) for code in (rule.value_card, rule.risk_card, rule.policy_card)
    )
    priority = priority_of(rule, response, value, risk, policy)
    companies = best.column("company_id").to_numpy()
    products = [strategies[code].product or None for code in best.column("strategy").to_pylist()]
    return TIERS.conform(
        pa.table(
            {
                "company_id": best.column("company_id"),
                "tier": pa.array(cut_tiers(rule, companies, priority, risk), pa.string()),
                "priority": pa.array(priority),
                "response_index": best.column("response_index"),
                "value_index": pa.array(np.round(value, 4)),
                "risk_index": pa.array(np.round(risk, 4)),
                "policy_index": pa.array(np.round(policy, 4)),
                "strategy": best.column("strategy"),
                "product": pa.array(products, pa.string()),
                "expected_conversion": pa.array(np.round(expected_conversion(best, strategies), 6)),
            }
        )
    )


def tier_reason(row: Mapping[str, Any]) -> str:
    """Return a row of TIERS in Chinese words."""
    return (
        f"营销分层：{TIER_LABELS[row['tier']]}，优先级 {row['priority']:.0f}"
        f"（响应度 {row['response_index']:.0f}，价值 {row['value_index']:.2f}，"
        f"资质风险 {row['risk_index']:.2f}，战略导向 {row['policy_index']:.2f}）"
    )


def tier_memberships(tiers: pa.Table, as_of: date) -> pa.Table:
    """Return the MEMBERSHIPS rows of dimension ``tier``."""
    reasons = [tier_reason(row) for row in tiers.to_pylist()]
    rows = MEMBERSHIPS.conform(
        pa.table(
            {
                "company_id": tiers.column("company_id"),
                "dimension": pa.array(["tier"] * tiers.num_rows, pa.string()),
                "value": tiers.column("tier"),
                "since": pa.array([as_of] * tiers.num_rows, pa.date32()),
                "evidence": pa.array(reasons, pa.string()),
            }
        )
    )
    return rows.sort_by([("value", "ascending"), ("company_id", "ascending")])
