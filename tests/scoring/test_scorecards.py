"""Scorecards: points add up, the index rises with them, Arrow and Ibis agree, broken cards are refused."""

from __future__ import annotations

import json
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from qiaomen.scoring import MARKETING_ONLY, SCORES, load_indicators, load_scorecards, load_strategies, score
from qiaomen.scoring.score import fulfils
from qiaomen.scoring.scorecards import (
    Scorecard,
    card_points,
    linear_index,
    points_expression,
    reasons_json,
    response_index,
    total_points,
)
from qiaomen.tags import Condition, holds
from qiaomen.vocab import CatalogInvalid

CARDS = load_scorecards()
STRATEGIES = load_strategies()
CODES = list(load_indicators())


def random_indicators(seed: int, number: int) -> pa.Table:
    """Draw indicators around the edges of the cards, a quarter of them missing."""
    rng = np.random.default_rng(seed)
    edges: dict[str, list[float]] = {}
    for card in CARDS.values():
        for part in card.characteristics:
            edges.setdefault(part.indicator, [0.0, 1.0]).extend(part.edges.tolist())
    columns: dict[str, Any] = {"company_id": pa.array(np.arange(number))}
    for code in CODES:
        pool = np.array(edges.get(code, [0.0, 1.0, 3.0]))
        values = rng.choice(np.concatenate([pool, pool + 0.37, pool - 0.2]), number)
        columns[code] = pa.array(np.where(rng.random(number) < 0.25, np.nan, values), from_pandas=True)
    return pa.table(columns)


@pytest.fixture(scope="module")
def wide() -> pa.Table:
    return random_indicators(3, 400)


@pytest.fixture(scope="module")
def scores(wide: pa.Table) -> pa.Table:
    return score(STRATEGIES, CARDS, wide)


def test_rows_are_as_declared_and_sorted(scores: pa.Table) -> None:
    assert scores.schema == SCORES.schema
    keys = list(
        zip(scores.column("strategy").to_pylist(), scores.column("company_id").to_pylist(), strict=True)
    )
    assert keys == sorted(set(keys))
    assert set(scores.column("strategy").to_pylist()) == set(STRATEGIES)


def test_reasons_add_up_on_every_row(scores: pa.Table) -> None:
    for row in scores.to_pylist():
        reasons = json.loads(row["reasons"])
        assert sum(reason["points"] for reason in reasons) == pytest.approx(row["points"], abs=1e-6)
        assert 1 <= len(reasons) <= 7
        for reason in reasons:
            assert set(reason) == {"indicator", "label", "value", "points"}
            assert "{" not in reason["label"]
        weights = [abs(reason["points"]) for reason in reasons if reason["indicator"] not in {"rest", "base"}]
        assert weights == sorted(weights, reverse=True)


def test_index_rises_with_points(scores: pa.Table) -> None:
    for code in STRATEGIES:
        rows = sorted(
            (row["points"], row["response_index"]) for row in scores.to_pylist() if row["strategy"] == code
        )
        indices = [index for _, index in rows]
        assert indices == sorted(indices)
        assert all(0 <= index <= 100 for index in indices)


@pytest.mark.parametrize("code", sorted(CARDS))
def test_the_engine_gives_the_same_points(code: str, wide: pa.Table) -> None:
    card = CARDS[code]
    points, _ = card_points(card, wide)
    table = ibis.memtable(wide)
    inside = (
        table.select("company_id", points=points_expression(card, table)).order_by("company_id").to_pyarrow()
    )
    assert np.abs(inside.column("points").to_numpy() - total_points(card, points)).max() < 1e-9


def test_one_company_scores_as_in_a_batch(wide: pa.Table, scores: pa.Table) -> None:
    alone = score(STRATEGIES, CARDS, wide.slice(17, 1))
    batch = [row for row in scores.to_pylist() if row["company_id"] == 17]
    assert alone.to_pylist() == batch


def test_directions_hold_over_the_whole_range() -> None:
    """Raising one indicator never moves the score against the card's own direction."""
    for card in CARDS.values():
        for column, part in enumerate(card.characteristics):
            if part.direction == "free":
                continue
            grid = np.sort(np.concatenate([part.edges, part.edges - 1e-6, [-1e9, 1e9]]))
            filled = {code: pa.array(np.zeros(len(grid))) for code in CODES} | {
                part.indicator: pa.array(grid)
            }
            moved = np.diff(card_points(card, pa.table(filled))[0][:, column])
            assert (moved >= 0).all() if part.direction == "up" else (moved <= 0).all()


def test_churn_and_credit_look_at_outflow_each_its_own_way() -> None:
    directions = {
        code: {part.indicator: part.direction for part in card.characteristics}
        for code, card in CARDS.items()
    }
    assert directions["churn_warn"]["bank_outflow_ratio"] == "up"
    assert directions["renewal_loan_resp"]["bank_outflow_ratio"] == "down"


CARD: dict[str, Any] = {
    "code": "c",
    "name_zh": "样卡",
    "version": "1",
    "basis": "样例",
    "base": 3.0,
    "characteristics": [
        {
            "indicator": "val_capital",
            "direction": "up",
            "bins": [
                {"below": 1e6, "points": -2, "label": "资本{value:wan}偏小"},
                {"points": 4.25, "label": "资本{value:wan}"},
            ],
            "missing": {"points": 0, "label": "资本未知"},
        }
    ],
}


def test_labels_carry_the_value_in_its_unit() -> None:
    card = Scorecard.model_validate(CARD)
    table = pa.table({"company_id": [1, 2, 3], "val_capital": pa.array([5e5, 123456789012.0, None])})
    points, places = card_points(card, table)
    read = [json.loads(text) for text in reasons_json(card, table, points, places).to_pylist()]
    assert [reasons[0]["label"] for reasons in read] == ["资本50万元偏小", "资本12345679万元", "资本未知"]
    assert [reasons[0]["value"] for reasons in read] == [5e5, 123456789012.0, None]
    assert [reasons[1] for reasons in read] == [
        {"indicator": "base", "label": "基础分", "value": None, "points": 3}
    ] * 3
    assert total_points(card, points).tolist() == [1.0, 7.25, 3.0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-200, 200), min_size=2, max_size=20))
def test_both_indices_are_monotone(given_points: list[float]) -> None:
    card = Scorecard.model_validate(CARD)
    points = np.sort(np.array(given_points))
    assert (np.diff(response_index(card, points)) >= 0).all()
    assert (np.diff(linear_index(card, points)) >= 0).all()


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("bins", 0, "below"), None, "below"),
        (("bins", 0, "points"), 9, "单调"),
        (("bins", 0, "label"), "资本{__class__}", "理由模板"),
        (("missing", "below"), 3, "below"),
    ],
)
def test_a_broken_card_is_refused(path: tuple[Any, ...], value: Any, said: str) -> None:
    broken = json.loads(json.dumps(CARD))
    place = broken["characteristics"][0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValidationError, match=said):
        Scorecard.model_validate(broken)


def test_a_strategy_without_its_card_is_refused(wide: pa.Table) -> None:
    with pytest.raises(CatalogInvalid, match="kqd_resp"):
        score(STRATEGIES, {code: card for code, card in CARDS.items() if code != "kqd_resp"}, wide)


def test_eligibility_reads_as_conditions_do(wide: pa.Table) -> None:
    rows = wide.to_pylist()
    for strategy in STRATEGIES.values():
        held = fulfils(strategy.eligibility, wide).tolist()
        assert held == [holds(strategy.eligibility, row, None) for row in rows]  # type: ignore[arg-type]


def test_eligibility_knows_every_operator(wide: pa.Table) -> None:
    for op, value in (
        ("in", [0.0, 1.0]),
        ("not_in", [0.0]),
        ("between", [0, 1]),
        ("known", None),
        ("ne", 1.0),
        ("le", 1),
    ):
        condition = Condition(column="size_class", op=op, value=value)  # type: ignore[arg-type]
        held = fulfils(condition, wide).tolist()
        assert held == [holds(condition, row, None) for row in wide.to_pylist()]  # type: ignore[arg-type]


def test_nothing_eligible_gives_no_rows() -> None:
    empty = pa.table({"company_id": pa.array([1]), **{code: pa.nulls(1, pa.float64()) for code in CODES}})
    assert set(score(STRATEGIES, CARDS, empty).column("strategy").to_pylist()) <= {"payroll_resp", "ysd_resp"}
    assert score(STRATEGIES, CARDS, empty.slice(0, 0)).num_rows == 0
    assert "不作授信审批依据" in MARKETING_ONLY
