"""Monotone binning and weight of evidence (WOE): our own, small, exact about ties and missing values.

The bins of an indicator follow its direction: neighbours that break it are pooled (pool adjacent violators), then
small ones are joined, then the least different ones until few are left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FINE_BINS: Final = 40
SMOOTHING: Final = 0.5


@dataclass(frozen=True, slots=True)
class Binned:
    """Edges (value < edge), WOE per bin, WOE of a missing value, information value, rows per bin (missing last)."""

    edges: tuple[float, ...]
    woe: tuple[float, ...]
    missing_woe: float
    information_value: float
    rows: tuple[int, ...]

    def apply(self, values: Floats) -> Floats:
        """Return the WOE of each value."""
        places = np.searchsorted(np.array(self.edges), values, side="right")
        places[np.isnan(values)] = len(self.woe)
        found: Floats = np.array([*self.woe, self.missing_woe])[places]
        return found


@dataclass(slots=True)
class _Pool:
    start: float
    rows: float
    positives: float

    @property
    def rate(self) -> float:
        return self.positives / self.rows

    def join(self, other: _Pool) -> None:
        self.rows += other.rows
        self.positives += other.positives


def _fine_pools(values: Floats, answers: Floats) -> list[_Pool]:
    starts = np.unique(values)
    if len(starts) > FINE_BINS:
        starts = np.unique(np.quantile(values, np.linspace(0, 1, FINE_BINS + 1)[:-1], method="lower"))
    places = np.searchsorted(starts, values, side="right") - 1
    rows = np.bincount(places, minlength=len(starts))
    positives = np.bincount(places, weights=answers, minlength=len(starts))
    return [
        _Pool(float(starts[i]), float(rows[i]), float(positives[i])) for i in range(len(starts)) if rows[i]
    ]


def _pool_violators(pools: list[_Pool], sign: int) -> list[_Pool]:
    kept: list[_Pool] = []
    for pool in pools:
        kept.append(pool)
        while len(kept) > 1 and sign * kept[-1].rate <= sign * kept[-2].rate:
            last = kept.pop()
            kept[-1].join(last)
    return kept


def _join_at(pools: list[_Pool], place: int) -> None:
    """Join pool ``place`` with the one after it."""
    pools[place].join(pools.pop(place + 1))


def _nearest(pools: list[_Pool], place: int) -> int:
    """Return the join (position of its left side) that brings a pool to its nearer neighbour by rate."""
    if place == 0:
        return 0
    if place == len(pools) - 1:
        return place - 1
    left = abs(pools[place].rate - pools[place - 1].rate)
    right = abs(pools[place + 1].rate - pools[place].rate)
    return place - 1 if left <= right else place


def _coarsen(pools: list[_Pool], least_rows: float, most_bins: int) -> list[_Pool]:
    while len(pools) > 1:
        smallest = min(range(len(pools)), key=lambda place: pools[place].rows)
        if pools[smallest].rows >= least_rows:
            break
        _join_at(pools, _nearest(pools, smallest))
    while len(pools) > most_bins:
        gaps = [abs(pools[i + 1].rate - pools[i].rate) for i in range(len(pools) - 1)]
        _join_at(pools, int(np.argmin(gaps)))
    return pools


def _woe(positives: float, rows: float, all_positives: float, all_rows: float) -> float:
    hits = (positives + SMOOTHING) / (all_positives + SMOOTHING)
    misses = (rows - positives + SMOOTHING) / (all_rows - all_positives + SMOOTHING)
    return float(np.log(hits / misses))


def bin_monotone(
    values: Floats, answers: Floats, direction: str, *, least_share: float = 0.05, most_bins: int = 6
) -> Binned:
    """Bin one indicator so that the response rate moves in ``direction`` (``up`` or ``down``) from bin to bin.

    A missing value is a bin of its own where it is frequent enough, else neutral (WOE 0).
    """
    known = ~np.isnan(values)
    all_rows, all_positives = float(len(values)), float(answers.sum())
    least_rows = max(20.0, least_share * all_rows)
    sign = 1 if direction == "up" else -1
    pools = _fine_pools(values[known], answers[known]) if known.any() else []
    pools = _coarsen(_pool_violators(pools, sign), least_rows, most_bins)
    woe = [_woe(pool.positives, pool.rows, all_positives, all_rows) for pool in pools]
    # Smoothing may turn a thin bin against the direction; the card must not.
    woe = (sign * np.maximum.accumulate(sign * np.array(woe))).tolist() if woe else []
    absent = float((~known).sum())
    absent_positives = float(answers[~known].sum())
    frequent = absent >= least_rows
    missing_woe = _woe(absent_positives, absent, all_positives, all_rows) if frequent else 0.0
    groups = [(pool.positives, pool.rows, weight) for pool, weight in zip(pools, woe, strict=True)]
    groups += [(absent_positives, absent, missing_woe)] if frequent else []
    negatives = max(all_rows - all_positives, 1.0)
    information = sum(
        (positives / max(all_positives, 1.0) - (rows - positives) / negatives) * weight
        for positives, rows, weight in groups
    )
    return Binned(
        tuple(pool.start for pool in pools[1:]),
        tuple(woe) or (0.0,),
        missing_woe,
        float(information),
        (*(int(pool.rows) for pool in pools), int(absent)),
    )
