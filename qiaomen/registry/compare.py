"""How alike a customer's row and a registered company are, fact by fact, and the probability that they are one.

The probability is a conditional logit over the candidates of a row and the answer "none of them"; its weights stand in
the catalogue ``match_model`` and are fitted by ``scripts/fit_match_model.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.registry.match_index import index_text
from qiaomen.registry.names import NameParts, parse_name
from qiaomen.registry.places import load_gazetteer

NAME_FEATURES: Final = (
    "exact",
    "text_equal",
    "core_equal",
    "text_ratio",
    "core_ratio",
    "trade_name_equal",
    "trade_name_ratio",
    "trade_equal",
    "trade_ratio",
    "trade_missing",
    "region_agrees",
    "region_conflicts",
    "region_missing",
    "form_equal",
    "form_conflicts",
    "form_missing",
    "subsequence",
    "coverage",
    "edits_one",
    "edits_two",
    "edits_more",
    "former_name",
    "short_name",
    "branch_differs",
    "shared",
    "lost_mine",
    "lost_theirs",
    "cosine",
)
FACT_FEATURES: Final = (
    "code_agrees",
    "code_repaired",
    "code_conflicts",
    "phone_agrees",
    "person_agrees",
    "person_conflicts",
    "address_agrees",
    "place_agrees",
    "place_conflicts",
)
NONE_FEATURES: Final = ("none", "none_without_region", "none_without_trade", "none_without_form")
FEATURES: Final = NAME_FEATURES + FACT_FEATURES


class ModelWeight(CatalogRow):
    """One weight of the match model: ``code`` is a feature or a threshold."""

    weight: float
    doc: str = ""


@dataclass(frozen=True)
class MatchModel:
    """Weights per feature, weights of the answer "none", and the probabilities that decide."""

    weights: npt.NDArray[np.float64]
    none: npt.NDArray[np.float64]
    automatic: float
    verified: float
    doubtful: float
    version: str


@dataclass(frozen=True, slots=True)
class Side:
    """One name in a comparison, taken apart once."""

    name: str
    parts: NameParts
    text: str


@dataclass(frozen=True, slots=True)
class Overlap:
    """Weight of the character pairs that two names share, and of all pairs of either."""

    shared: float
    mine: float
    theirs: float

    def features(self) -> list[float]:
        """Return what is shared and what is lost on either side (in hundreds), and the cosine."""
        lost_mine, lost_theirs = max(self.mine - self.shared, 0.0), max(self.theirs - self.shared, 0.0)
        cosine = self.shared / max((self.mine * self.theirs) ** 0.5, 1e-9)
        return [self.shared / 100, lost_mine / 100, lost_theirs / 100, cosine]


@lru_cache(maxsize=200_000)
def side_of(name: str) -> Side:
    """Return a normalised name ready to be compared."""
    parts = parse_name(name)
    return Side(name, parts, index_text(name, parts))


@lru_cache(maxsize=4)
def load_match_model(overlay: Path | None = None) -> MatchModel:
    """Read the weights; a feature without a row weighs nothing."""
    rows = {row.code: row.weight for row in read_rows("match_model", ModelWeight, overlay=overlay)}
    return MatchModel(
        weights=np.array([rows.get(name, 0.0) for name in FEATURES]),
        none=np.array([rows.get(name, 0.0) for name in NONE_FEATURES]),
        automatic=rows["threshold_automatic"],
        verified=rows["threshold_verified"],
        doubtful=rows["threshold_doubtful"],
        version=f"match_model v{rows['version']:g}",
    )


def name_features(mine: Side, theirs: Side, kind: int, overlap: Overlap) -> list[float]:
    """Return the values of NAME_FEATURES; ``kind`` is 0 for a legal, 1 for a former and 2 for a short name."""
    from rapidfuzz.distance import OSA
    from rapidfuzz.fuzz import ratio

    a, b = mine.parts, theirs.parts
    agrees, conflicts = _regions(a, b)
    edits = OSA.distance(mine.text, theirs.text, score_cutoff=3)
    missing_trade = not a.trade and bool(b.trade)
    shorter, longer = sorted((mine.text, theirs.text), key=len)
    return [
        float(mine.name == theirs.name),
        float(mine.text == theirs.text),
        float(bool(a.core) and a.core == b.core),
        ratio(mine.text, theirs.text) / 100,
        ratio(a.core, b.core) / 100,
        float(bool(a.trade_name) and a.trade_name == b.trade_name),
        ratio(a.trade_name, b.trade_name) / 100,
        float(bool(a.trade) and a.trade == b.trade),
        0.0 if not (a.trade and b.trade) else ratio(a.trade, b.trade) / 100,
        float(missing_trade),
        float(agrees),
        float(conflicts),
        float(bool(a.region_code) != bool(b.region_code)),
        float(a.form == b.form),
        float(bool(a.form_group and b.form_group) and a.form_group != b.form_group),
        float(not a.form),
        float(is_subsequence(shorter, longer)),
        len(shorter) / max(len(longer), 1),
        float(edits == 1),
        float(edits == 2),
        float(edits > 2),
        float(kind == 1),
        float(kind == 2),
        float(a.branch != b.branch),
        *overlap.features(),
    ]


def is_subsequence(short: str, long: str) -> bool:
    """Return whether all characters of ``short`` stand in ``long`` in the same order."""
    position = -1
    for character in short:
        position = long.find(character, position + 1)
        if position < 0:
            return False
    return True


def _regions(a: NameParts, b: NameParts) -> tuple[bool, bool]:
    if not (a.region_code and b.region_code):
        return False, False
    gazetteer = load_gazetteer()
    within = gazetteer.lies_in(a.region_code, b.region_code) or gazetteer.lies_in(
        b.region_code, a.region_code
    )
    return within, not within


def none_features(mine: Side) -> list[float]:
    """Return the values of NONE_FEATURES: a name with less in it fits more companies that are not in the registry."""
    parts = mine.parts
    return [1.0, float(not parts.region_code), float(not parts.trade), float(not parts.form)]


def probabilities(scores: npt.NDArray[np.float64], none: float) -> npt.NDArray[np.float64]:
    """Return the probability of each candidate; what is missing to one is the probability of none of them."""
    top = max(float(scores.max()) if len(scores) else none, none)
    odds = np.exp(scores - top)
    return np.asarray(odds / (odds.sum() + np.exp(none - top)))
