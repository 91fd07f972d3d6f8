"""How well scores rank and how true probabilities are: AUC, KS, lift, Brier, ECE; and how far two samples drifted."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SMALLEST_SHARE: Final = 1e-4
STABLE_PSI: Final = 0.1
DRIFTED_PSI: Final = 0.25


def _mean_ranks(scores: Floats) -> Floats:
    """Return ranks from 1, ties at their mean."""
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2.0)[places]
    return ranks


def auc(answers: Floats, scores: Floats) -> float:
    """Return the chance that a responder is ranked above another; ties count half. NaN without both sorts."""
    positives = answers.sum()
    negatives = len(answers) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = _mean_ranks(scores)
    return float((ranks[answers > 0].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def ks(answers: Floats, scores: Floats) -> float:
    """Return the largest distance between the two cumulative distributions."""
    levels, places = np.unique(scores, return_inverse=True)
    positives = np.bincount(places, weights=answers, minlength=len(levels))
    negatives = np.bincount(places, weights=1 - answers, minlength=len(levels))
    if positives.sum() == 0 or negatives.sum() == 0:
        return float("nan")
    gap = np.cumsum(positives) / positives.sum() - np.cumsum(negatives) / negatives.sum()
    return float(np.abs(gap).max())


def _best_first(answers: Floats, scores: Floats) -> Floats:
    """Return the answers, best scores first; within a tie every row counts the tie's mean."""
    levels, places = np.unique(-scores, return_inverse=True)
    mean = np.bincount(places, weights=answers, minlength=len(levels)) / np.bincount(places)
    ordered: Floats = mean[np.sort(places)]
    return ordered


def lift(answers: Floats, scores: Floats, share: float = 0.1) -> float:
    """Return the response rate of the best ``share`` over the mean rate."""
    if answers.sum() == 0:
        return float("nan")
    best = _best_first(answers, scores)[: max(1, round(len(answers) * share))]
    return float(best.mean() / answers.mean())


def gains_area(answers: Floats, scores: Floats) -> float:
    """Return the area under the cumulative gains curve (ALIFT); 0.5 is chance."""
    if answers.sum() == 0:
        return float("nan")
    gains = np.concatenate([[0.0], np.cumsum(_best_first(answers, scores)) / answers.sum()])
    return float((gains[1:] + gains[:-1]).sum() / 2 / len(answers))


def calibration_error(answers: Floats, likely: Floats, groups: int = 10) -> float:
    """Return the ECE over groups of equal count, in order of probability."""
    order = np.argsort(likely, kind="stable")
    parts = np.array_split(order, min(groups, len(order)))
    gaps = [abs(answers[part].mean() - likely[part].mean()) * len(part) for part in parts if len(part)]
    return float(sum(gaps) / len(answers))


def measure(answers: Floats, scores: Floats, likely: Floats) -> dict[str, Any]:
    """Return all figures on one sample; a figure that cannot be given (one sort of answer only) is None."""
    half = _best_first(answers, scores)[: len(answers) // 2].sum()
    figures = {
        "rows": len(answers),
        "positives": int(answers.sum()),
        "auc": auc(answers, scores),
        "ks": ks(answers, scores),
        "gains_area": gains_area(answers, scores),
        "top_decile_lift": lift(answers, scores),
        "responders_in_top_half": float(half / answers.sum()) if answers.sum() else float("nan"),
        "brier": float(np.mean((likely - answers) ** 2)),
        "ece": calibration_error(answers, likely),
        "mean_probability": float(likely.mean()),
        "response_rate": float(answers.mean()),
    }
    return {name: None if value != value else value for name, value in figures.items()}


def psi(expected: Floats, actual: Floats, bins: int = 10) -> float:
    """Return the population stability index of ``actual`` against ``expected``; missing values are a group.

    Groups are the quantiles of ``expected``. Below 0.1 is stable, above 0.25 has drifted.
    """
    known = expected[~np.isnan(expected)]
    inner = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])) if len(known) else np.empty(0)

    def shares(values: Floats) -> Floats:
        places = np.searchsorted(inner, values, side="right")
        places[np.isnan(values)] = len(inner) + 1
        counts = np.bincount(places, minlength=len(inner) + 2)
        share: Floats = np.maximum(counts / max(1, len(values)), SMALLEST_SHARE)
        return share

    before, after = shares(expected), shares(actual)
    return float(((after - before) * np.log(after / before)).sum())


def drift_word(value: float) -> str:
    """Return the reading of a PSI in Chinese."""
    if value < STABLE_PSI:
        return "稳定"
    return "关注" if value <= DRIFTED_PSI else "漂移"
