"""Scores per company and strategy: who is eligible, how many points, why. Marketing order only.

Reads the wide indicator table; writes SCORES. Expert and learned cards go through the same runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qiaomen.scoring.catalogue import Strategy
from qiaomen.scoring.scorecards import (
    Scorecard,
    card_points,
    column_values,
    probability,
    reasons_json,
    response_index,
    total_points,
)
from qiaomen.scoring.tables import SCORES
from qiaomen.tags import Condition
from qiaomen.vocab import CatalogInvalid

MARKETING_ONLY: Final = "仅用于营销排序，不作授信审批依据"
BATCH_ROWS: Final = 200_000

Mask = npt.NDArray[np.bool_]


def fulfils(condition: Condition, indicators: pa.Table) -> Mask:
    """Return for each row whether the condition over indicators holds; a missing value compares false."""
    if condition.negated is not None:
        return ~fulfils(condition.negated, indicators)
    if condition.column is None:
        parts = condition.all if condition.all is not None else condition.any
        start = np.full(indicators.num_rows, condition.all is not None)
        for part in parts or ():
            held = fulfils(part, indicators)
            start = start & held if condition.all is not None else start | held
        return start
    values = column_values(indicators, condition.column)
    return ~np.isnan(values) & _compare(condition, values) if condition.op != "missing" else np.isnan(values)


def _compare(condition: Condition, values: npt.NDArray[np.float64]) -> Mask:
    op, value = condition.op, condition.value
    if op == "known":
        return np.full(len(values), True)
    if op in {"in", "not_in"}:
        return np.isin(values, np.array(value, dtype=np.float64), invert=op == "not_in")
    if op == "between":
        inside: Mask = (values >= value[0]) & (values <= value[1])
        return inside
    compared: Mask = {
        "eq": np.equal,
        "ne": np.not_equal,
        "lt": np.less,
        "le": np.less_equal,
        "gt": np.greater,
        "ge": np.greater_equal,
    }[str(op)](values, value)
    return compared


def score_one(strategy: Strategy, card: Scorecard, indicators: pa.Table) -> pa.Table:
    """Return the SCORES rows of one strategy for the eligible rows of ``indicators``."""
    eligible = indicators.filter(pa.array(fulfils(strategy.eligibility, indicators)))
    points, places = card_points(card, eligible)
    total = total_points(card, points)
    likely = probability(card, total)
    number = eligible.num_rows
    return SCORES.conform(
        pa.table(
            {
                "company_id": eligible.column("company_id"),
                "strategy": pa.array([strategy.code] * number, pa.string()),
                "probability": pa.nulls(number, pa.float64()) if likely is None else pa.array(likely),
                "response_index": pa.array(np.round(response_index(card, total), 4)),
                "points": pa.array(total),
                "reasons": reasons_json(card, eligible, points, places)
                if number
                else pa.nulls(0, pa.string()),
                "model": pa.array([f"{card.code} v{card.version}"] * number, pa.string()),
            }
        )
    )


def score(
    strategies: Mapping[str, Strategy], cards: Mapping[str, Scorecard], indicators: pa.Table
) -> pa.Table:
    """Return SCORES for every strategy: one row per eligible company.

    ``cards`` by card code; a learned card stands under the code of the expert card whose place it takes.
    ``indicators`` is the wide table (``compute_indicators``).
    """
    missing = sorted({strategy.card for strategy in strategies.values()} - set(cards))
    if missing:
        raise CatalogInvalid(f"策略引用的评分卡不存在：{missing}", where="strategies", remedy="补上评分卡")
    parts = []
    for strategy in strategies.values():
        for start in range(0, indicators.num_rows, BATCH_ROWS):
            batch = indicators.slice(start, BATCH_ROWS)
            parts.append(score_one(strategy, cards[strategy.card], batch))
    scores = pa.concat_tables(parts) if parts else SCORES.empty()
    return scores.sort_by([("strategy", "ascending"), ("company_id", "ascending")])
