"""How warm a hop is: the declared table kind × strength × recency × proof, hub penalties, fatigue.

Catalogue ``warmth``; the definition stands in ``docs/reach.md``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, model_validator

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.graph import KINDS
from qiaomen.vocab import CatalogInvalid

NAME: Final = "warmth"
Part = Literal["kind", "strength", "role", "recency", "proof", "hub", "fatigue", "diverse"]
Measure = Literal["", "ratio", "amount", "count", "observed", "event", "asks", "status"]
MEASURES: Final = {
    "strength": ("ratio", "amount", "count"),
    "recency": ("observed", "event"),
    "fatigue": ("asks", "status"),
}


class WarmthRow(CatalogRow):
    """One declared factor; which columns it needs follows from its part."""

    part: Part
    kind: str = ""
    measure: Measure = ""
    at_least: float | None = Field(None, ge=0)
    words: tuple[str, ...] = ()
    factor: float = Field(ge=0, le=1)
    tier: int = Field(0, ge=0, le=2)
    half_life_years: float | None = Field(None, gt=0)
    missing: float | None = Field(None, ge=0, le=1)
    note: str = ""

    @model_validator(mode="after")
    def _complete(self) -> WarmthRow:
        allowed = MEASURES.get(self.part, ("",))
        if self.measure not in allowed:
            raise ValueError(f"measure 应为 {'、'.join(allowed) or '空'}")
        needed = {
            "strength": self.at_least is not None,
            "recency": self.half_life_years is not None and self.missing is not None,
            "hub": self.at_least is not None,
        }
        if not needed.get(self.part, True):
            raise ValueError("strength、hub 要有 at_least，recency 要有 half_life_years 与 missing")
        if self.part in {"kind", "strength", "recency", "role"} and self.kind not in KINDS:
            raise ValueError(f"没有名为“{self.kind}”的关系种类")
        return self


@dataclass(frozen=True)
class Warmth:
    """The declared factors in file order."""

    rows: tuple[WarmthRow, ...]

    def of(self, part: Part, kind: str = "", measure: str = "") -> tuple[WarmthRow, ...]:
        """Return the rows of a part, kind and measure."""
        return tuple(row for row in self.rows if (row.part, row.kind, row.measure) == (part, kind, measure))

    @cached_property
    def _by_code(self) -> dict[str, WarmthRow]:
        return {row.code: row for row in self.rows}

    def row(self, code: str) -> WarmthRow:
        """Return one row by its code."""
        return self._by_code[code]

    def status_factor(self, status: str | None) -> float:
        """Return the fatigue of a customer by its status; 0 where it is no customer any more."""
        for row in self.of("fatigue", measure="status"):
            if status in row.words:
                return row.factor
        return 1.0


def load_warmth(overlay: Path | None = None) -> Warmth:
    """Read the catalogue. Raises ``CatalogInvalid`` where a kind or a needed row is missing."""
    warmth = Warmth(read_rows(NAME, WarmthRow, overlay=overlay))
    needed: Iterable[str] = (
        *(f"kind.{kind}" for kind in KINDS),
        *(f"recency.{kind}" for kind in KINDS),
        *("proof.proven", "proof.unproven", "hub.company", "hub.person", "hub.node"),
        *("fatigue.ask", "diverse.overlap"),
    )
    have = {row.code for row in warmth.rows}
    missing = [code for code in needed if code not in have]
    if missing:
        raise CatalogInvalid(
            f"缺少 {'、'.join(missing)}", where=NAME, remedy="不要停用必需的行，改它的 factor 即可"
        )
    return warmth
