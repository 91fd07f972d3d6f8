"""Learning: recovers a known model, honest about time, a JSON card that cannot be tampered with unseen."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from qiaomen.scoring import (
    Model,
    load_indicators,
    load_scorecards,
    load_strategies,
    read_model,
    score,
    train,
    training_set,
)
from qiaomen.scoring.metrics import auc
from qiaomen.vocab import InputRejected

from .city import AS_OF, as_tables, lend, make_rows

INDICATORS = load_indicators()
STRATEGY = load_strategies()["kqd_resp"]
TRUE_WEIGHTS = {"qual_hightech": 1.3, "qual_tech_sme": 0.7, "evt_total_90d": 1.4, "val_capital_log": 0.45}


def contacts(
    number: int, seed: int = 5, base: float = -3.1
) -> tuple[pa.Table, np.ndarray[Any, np.dtype[np.float64]]]:
    """Draw contacts whose answers follow a known model; the other candidates are noise. Returns rows and true log-odds."""
    rng = np.random.default_rng(seed)
    values = {code: rng.random(number) for code in STRATEGY.candidates}
    values["qual_hightech"] = (rng.random(number) < 0.2).astype(float)
    values["qual_tech_sme"] = (rng.random(number) < 0.2).astype(float)
    values["evt_total_90d"] = rng.poisson(0.4, number).clip(0, 1).astype(float)
    values["val_capital_log"] = rng.normal(15.6, 1.3, number)
    logit = base + sum(
        weight * (values[code] - (13.8 if code == "val_capital_log" else 0))
        for code, weight in TRUE_WEIGHTS.items()
    )
    answers = (rng.random(number) < 1 / (1 + np.exp(-logit))).astype(float)
    days = sorted(AS_OF - timedelta(days=int(day)) for day in rng.integers(100, 275, number))
    table = pa.table(
        {
            "company_id": pa.array(np.arange(number)),
            "contacted_on": pa.array(days, pa.date32()),
            "answered": pa.array(answers),
            **{code: pa.array(column) for code, column in values.items()},
        }
    )
    return table, logit


@pytest.fixture(scope="module")
def learned() -> Model:
    training = train(STRATEGY, contacts(6000)[0], INDICATORS, AS_OF)
    assert training.model is not None
    assert "仅用于营销排序" in training.statement
    return training.model


def test_the_known_model_is_recovered(learned: Model) -> None:
    figures = learned.facts["figures_on_newest"]
    fresh, logit = contacts(6000, seed=77)
    best = auc(fresh.column("answered").to_numpy(), logit)
    assert figures["auc"] > best - 0.04
    assert figures["ece"] < 0.05
    used = {row["indicator"]: row["weight"] for row in learned.facts["inputs"]}
    assert set(TRUE_WEIGHTS) <= set(used)
    assert all(weight > 0 for weight in used.values())
    strongest = [row["indicator"] for row in learned.facts["inputs"]][:4]
    assert {"qual_hightech", "evt_total_90d"} <= set(strongest)


def test_the_parts_follow_each_other_in_time(learned: Model) -> None:
    facts = learned.facts
    marks = [facts[name] for name in ("first_contact", "calibration_from", "test_from", "last_contact")]
    assert marks == sorted(marks)
    assert facts["figures_on_newest"]["rows"] < 0.25 * facts["rows"]


def test_a_learned_card_runs_like_an_expert_card(learned: Model) -> None:
    fresh, _ = contacts(500, seed=9)
    number = fresh.num_rows
    columns = {
        code: fresh.column(code) if code in fresh.column_names else pa.nulls(number, pa.float64())
        for code in INDICATORS
    }
    columns["qual_tech_cnt"] = pa.chunked_array([pa.array(np.ones(number))])
    columns["risk_veto_1095d"] = pa.chunked_array([pa.array(np.zeros(number))])
    wide = pa.table({"company_id": fresh.column("company_id"), **columns})
    rows = score(
        {"kqd_resp": STRATEGY}, load_scorecards() | {learned.card.code: learned.card}, wide
    ).to_pylist()
    assert len(rows) == number
    for row in rows:
        assert 0 < row["probability"] < 1
        assert sum(reason["points"] for reason in json.loads(row["reasons"])) == pytest.approx(
            row["points"], abs=1e-6
        )
    ranked = sorted(rows, key=lambda row: row["points"])
    assert [row["probability"] for row in ranked] == sorted(row["probability"] for row in rows)


def test_the_file_is_json_and_tampering_is_seen(learned: Model) -> None:
    text = learned.to_json()
    again = read_model(text)
    assert again == learned
    assert json.loads(text)["sha256"] == learned.sha256 == again.sha256
    assert train(STRATEGY, contacts(6000)[0], INDICATORS, AS_OF).model == learned
    changed = json.loads(text)
    changed["card"]["base"] += 1
    for broken in (json.dumps(changed), "{}", "[]", "3", "no json", b"\x80\x04K\x01.".decode("latin-1")):
        with pytest.raises(InputRejected):
            read_model(broken)


@pytest.mark.parametrize(("number", "base"), [(150, -1.0), (600, -9.0)])
def test_too_few_outcomes_leave_the_expert_card(number: int, base: float) -> None:
    training = train(STRATEGY, contacts(number, base=base)[0], INDICATORS, AS_OF)
    assert training.model is None
    assert "沿用专家评分卡" in training.statement
    assert str(number) in training.statement


def test_all_contacts_on_one_day_cannot_be_split() -> None:
    rows = contacts(500, base=-1.0)[0]
    day = pa.array([AS_OF] * rows.num_rows, pa.date32())
    training = train(STRATEGY, rows.set_column(1, "contacted_on", day), INDICATORS, AS_OF)
    assert training.model is None
    assert "时间切分" in training.statement


def test_noise_teaches_nothing() -> None:
    rows = contacts(3000, base=0.0)[0]
    for code in STRATEGY.candidates:
        place = rows.column_names.index(code)
        rows = rows.set_column(place, code, pa.array(np.full(rows.num_rows, 2.0)))
    training = train(STRATEGY, rows, INDICATORS, AS_OF)
    assert training.model is None
    assert "没有指标" in training.statement


def test_training_rows_know_nothing_later_than_the_contact() -> None:
    rows = make_rows()
    before = training_set(STRATEGY, INDICATORS, lend(as_tables(rows)), AS_OF)
    rows["opportunities"] += [
        {"opportunity_id": f"late{n}", "company_id": n, "kind": "gov_bid_won", "polarity": "marketing",
         "published_on": date(2026, 6, 1), "occurred_on": date(2026, 6, 1)} for n in range(60)
    ]  # fmt: skip
    after = training_set(STRATEGY, INDICATORS, lend(as_tables(rows)), AS_OF)
    assert before.num_rows > 100
    assert after.equals(before)
    assert max(before.column("contacted_on").to_pylist()) <= AS_OF - timedelta(days=STRATEGY.horizon_days)
    assert {"answered", *STRATEGY.candidates} <= set(before.column_names)


def test_no_outcomes_at_all() -> None:
    rows = make_rows() | {"outcomes": []}
    empty = training_set(STRATEGY, INDICATORS, lend(as_tables(rows)), AS_OF)
    assert empty.num_rows == 0
    assert train(STRATEGY, empty, INDICATORS, AS_OF).model is None
