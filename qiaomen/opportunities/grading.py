"""Value grade of an opportunity: declared base value, halved with each half-life.

value = min(1, base × amount factor × (0.6 + 0.4 × confidence)) × 0.5 ^ (days since known / half-life). A status or a
schedule has no half-life and does not decay. Catalogues ``opportunity_grades`` and ``opportunity_amounts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.mining import OpportunityKind
from qiaomen.vocab import CatalogInvalid, Grade

SPENT: Final = 1 / 16
_UNSURE: Final = 0.6

Floats = np.ndarray[Any, np.dtype[np.float64]]


class GradeRow(CatalogRow):
    """One grade: the value a fresh opportunity of it has, and the least value that still has the grade."""

    base: float
    at_least: float


class AmountRow(CatalogRow):
    """How an amount of at least so many yuan changes the value; an unknown amount changes nothing."""

    at_least_cny: float
    factor: float


@dataclass(frozen=True, slots=True)
class Grading:
    """Declared base values, thresholds and amount factors, highest first."""

    base: Mapping[Grade, float]
    thresholds: tuple[tuple[float, Grade], ...]
    amounts: tuple[tuple[float, float], ...]

    def fresh(self, grades: list[Grade | None], amounts: Floats, confidence: Floats) -> Floats:
        """Return the values before decay; 0 where the kind has no grade. ``amounts`` are NaN where unknown."""
        base = np.array([self.base[grade] if grade else 0.0 for grade in grades], dtype=np.float64)
        factor = np.ones(len(base))
        unset = ~np.isnan(amounts)
        for at_least, value in self.amounts:
            hit = unset & (amounts >= at_least)
            factor[hit] = value
            unset &= ~hit
        return np.minimum(base * factor * (_UNSURE + (1 - _UNSURE) * confidence), 1.0)

    def grade_of(self, value: float) -> Grade:
        """Return the grade of a value."""
        return next(grade for at_least, grade in self.thresholds if value >= at_least)


def load_grading(overlay: Path | None = None) -> Grading:
    """Return the declared grading; ``CatalogInvalid`` where a grade is missing or a threshold out of order."""
    rows = {row.code: row for row in read_rows("opportunity_grades", GradeRow, overlay=overlay)}
    ordered = sorted(rows.values(), key=lambda row: -row.at_least)
    expected = [Grade.HIGH, Grade.MEDIUM, Grade.LOW]
    fits = all(row.base >= row.at_least for row in ordered)
    if [row.code for row in ordered] != expected or not fits or ordered[-1].at_least != 0:
        raise CatalogInvalid(
            "等级须为 high、medium、low，门槛由高到低，low 的门槛为 0，base 不低于门槛",
            where="opportunity_grades",
            remedy="改正 base 与 at_least",
        )
    bands = read_rows("opportunity_amounts", AmountRow, overlay=overlay)
    return Grading(
        {Grade(row.code): row.base for row in ordered},
        tuple((row.at_least, Grade(row.code)) for row in ordered),
        tuple(sorted(((row.at_least_cny, row.factor) for row in bands), reverse=True)),
    )


def decay(age_days: Floats, half_lives: Floats) -> Floats:
    """Return the share of the value that is left; ``half_lives`` are NaN for kinds that do not decay."""
    left = np.power(0.5, np.maximum(age_days, 0.0) / np.where(np.isnan(half_lives), 1.0, half_lives))
    return np.where(np.isnan(half_lives), 1.0, left)


def half_life(kind: OpportunityKind) -> float:
    """Return the half-life in days; NaN for a status or a schedule."""
    return float("nan") if kind.half_life_days is None else float(kind.half_life_days)
