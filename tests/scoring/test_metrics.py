"""Metrics against plain definitions, and monotone binning against its law."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.scoring import drift_word, measure, psi
from qiaomen.scoring.binning import bin_monotone
from qiaomen.scoring.metrics import auc, calibration_error, gains_area, ks, lift

samples = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40)


@settings(max_examples=60, deadline=None)
@given(samples)
def test_auc_is_the_share_of_pairs_in_order(drawn: list[tuple[bool, int]]) -> None:
    answers = np.array([float(a) for a, _ in drawn])
    scores = np.array([float(s) for _, s in drawn])
    hits, misses = scores[answers > 0], scores[answers == 0]
    if len(hits) == 0 or len(misses) == 0:
        assert np.isnan(auc(answers, scores))
        return
    pairs = [(h > m) + 0.5 * (h == m) for h in hits for m in misses]
    assert auc(answers, scores) == pytest.approx(np.mean(pairs))
    distances = [abs((hits <= s).mean() - (misses <= s).mean()) for s in scores]
    assert ks(answers, scores) == pytest.approx(max(distances))


def test_figures_of_a_perfect_and_of_no_ranking() -> None:
    answers = np.array([1.0] * 10 + [0.0] * 90)
    perfect, blind = np.arange(100.0)[::-1], np.zeros(100)
    assert auc(answers, perfect) == 1
    assert lift(answers, perfect) == pytest.approx(10)
    assert gains_area(answers, perfect) == pytest.approx(0.95)
    assert auc(answers, blind) == 0.5
    assert lift(answers, blind) == pytest.approx(1)
    assert gains_area(answers, blind) == pytest.approx(0.5)
    assert calibration_error(answers, np.full(100, 0.1)) == pytest.approx(
        np.mean([abs(answers[i : i + 10].mean() - 0.1) for i in range(0, 100, 10)])
    )
    figures = measure(np.zeros(5), np.arange(5.0), np.full(5, 0.1))
    assert figures["auc"] is None
    assert figures["brier"] == pytest.approx(0.01)


def test_psi_is_zero_without_drift_and_sees_a_shift_and_missing_values() -> None:
    rng = np.random.default_rng(1)
    before = rng.normal(size=4000)
    assert psi(before, before) == pytest.approx(0, abs=1e-9)
    assert psi(before, rng.normal(size=4000)) < 0.02
    assert psi(before, before + 1) > 0.25
    assert psi(before, np.where(rng.random(4000) < 0.5, np.nan, before)) > 0.25
    assert psi(np.full(10, np.nan), before) > 0.25
    assert [drift_word(value) for value in (0.05, 0.2, 0.3)] == ["稳定", "关注", "漂移"]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["up", "down"]), st.booleans())
def test_bins_move_in_their_direction(seed: int, direction: str, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=600)
    values = np.round(values) if whole else values
    answers = (rng.random(600) < 1 / (1 + np.exp(-rng.normal() * values + 2))).astype(float)
    values[rng.random(600) < 0.1] = np.nan
    if answers.sum() in {0, 600}:
        return
    binned = bin_monotone(values, answers, direction)
    steps = np.diff(binned.woe)
    assert (steps >= 0).all() if direction == "up" else (steps <= 0).all()
    assert list(binned.edges) == sorted(set(binned.edges))
    assert len(binned.woe) == len(binned.edges) + 1 <= 6
    assert sum(binned.rows) == 600
    assert set(binned.apply(values)) <= {*binned.woe, binned.missing_woe}


def test_against_the_truth_one_bin_is_left() -> None:
    values = np.arange(1000.0)
    answers = (values > 500).astype(float)
    assert bin_monotone(values, answers, "down").edges == ()
    assert bin_monotone(values, answers, "up").information_value > 1
    assert bin_monotone(np.full(1000, np.nan), answers, "up").woe == (0.0,)
