"""Scorecards, declared by experts or learned: bins with points and a Chinese reason, and the one runtime for both.

Reads the wide indicator table; the points of a row's bins and the base add up to its score.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, model_validator

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.scoring.catalogue import load_indicators
from qiaomen.vocab import CatalogInvalid

if TYPE_CHECKING:
    import ibis.expr.types as ir

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

REASONS_SHOWN: Final = 5
POINT_DIGITS: Final = 2
VALUE_FORMS: Final = ("{value}", "{value:wan}", "{value:pct}")


class Bin(BaseModel):
    """Values under ``below`` (and not under the bin before); the last bin has no ``below``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    below: float | None = None
    points: float
    label: str = Field(min_length=2)

    @model_validator(mode="after")
    def _check(self) -> Bin:
        rest = self.label
        for form in VALUE_FORMS:
            rest = rest.replace(form, "", 1)
        if "{" in rest or "}" in rest:
            raise ValueError(f"理由模板“{self.label}”只可写一个 {'、'.join(VALUE_FORMS)}")
        return self


class Characteristic(BaseModel):
    """One indicator on a card. ``direction`` is this card's own: points rise (``up``), fall (``down``) or may turn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    indicator: str
    direction: Literal["up", "down", "free"]
    bins: tuple[Bin, ...] = Field(min_length=1)
    missing: Bin

    @model_validator(mode="after")
    def _check(self) -> Characteristic:
        edges = [step.below for step in self.bins[:-1]]
        if None in edges or self.bins[-1].below is not None or self.missing.below is not None:
            raise ValueError(f"指标“{self.indicator}”：除末档外每档须写 below，末档与 missing 不写")
        if any(float(a or 0) >= float(b or 0) for a, b in pairwise(edges)):
            raise ValueError(f"指标“{self.indicator}”：below 须递增")
        points = [step.points for step in self.bins]
        if self.direction != "free" and points != sorted(points, reverse=self.direction == "down"):
            raise ValueError(f"指标“{self.indicator}”：各档分数须按 {self.direction} 单调")
        return self

    @property
    def edges(self) -> Floats:
        """Upper bounds of the bins but the last."""
        return np.array([step.below for step in self.bins[:-1]], dtype=np.float64)

    @property
    def steps(self) -> tuple[Bin, ...]:
        """The bins in order, the one for a missing value last."""
        return (*self.bins, self.missing)


class Scorecard(CatalogRow):
    """A card: ``base`` plus the points of its characteristics. ``calibration`` maps points to a probability:
    1 / (1 + exp(−(intercept + slope × points))); an expert card has none. ``middle`` and ``spread`` (in points) shape
    the response index.
    """

    name_zh: str
    version: str
    origin: Literal["expert", "learned"] = "expert"
    basis: str = Field(min_length=2)
    base: float = 0.0
    characteristics: tuple[Characteristic, ...] = Field(min_length=1)
    calibration: tuple[float, float] | None = None
    middle: float | None = None
    spread: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Scorecard:
        codes = [part.indicator for part in self.characteristics]
        if len(set(codes)) != len(codes):
            raise ValueError("同一指标在一张卡上只能出现一次")
        if self.calibration is not None and self.calibration[1] < 0:
            raise ValueError("校准斜率不能为负")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest score that the card can give."""
        sides = [
            (min(step.points for step in part.steps), max(step.points for step in part.steps))
            for part in self.characteristics
        ]
        return self.base + sum(low for low, _ in sides), self.base + sum(high for _, high in sides)

    @property
    def curve(self) -> tuple[float, float]:
        """The middle and the spread of the response index; undeclared, half and a sixth of the highest score."""
        highest = max(self.bounds[1], 1.0)
        middle = highest / 2 if self.middle is None else self.middle
        return middle, highest / 6 if self.spread is None else self.spread


def load_scorecards(overlay: Path | None = None) -> dict[str, Scorecard]:
    """Return the expert cards by code; a card that names an unknown indicator is refused."""
    cards = {card.code: card for card in read_rows("scorecards", Scorecard, overlay=overlay)}
    known = load_indicators(overlay)
    for card in cards.values():
        unknown = [part.indicator for part in card.characteristics if part.indicator not in known]
        if unknown:
            raise CatalogInvalid(
                f"评分卡“{card.code}”用了不存在的指标 {unknown}", where="scorecards", remedy="检查指标代码"
            )
    return cards


def column_values(indicators: pa.Table, code: str) -> Floats:
    """Return one indicator as floats, NaN where it is null."""
    column = pc.fill_null(indicators.column(code).cast(pa.float64()), float("nan"))
    values: Floats = column.to_numpy()
    return values


def bin_places(part: Characteristic, values: Floats) -> Places:
    """Return for each value the position of its bin in ``steps``; NaN takes the last, the missing one."""
    places = np.searchsorted(part.edges, values, side="right").astype(np.int64)
    places[np.isnan(values)] = len(part.bins)
    return places


def card_points(card: Scorecard, indicators: pa.Table) -> tuple[Floats, list[Places]]:
    """Return the points (one column per characteristic) and the bin positions of each row."""
    points = np.empty((indicators.num_rows, len(card.characteristics)))
    places = []
    for column, part in enumerate(card.characteristics):
        found = bin_places(part, column_values(indicators, part.indicator))
        points[:, column] = np.array([step.points for step in part.steps])[found]
        places.append(found)
    return points, places


def total_points(card: Scorecard, points: Floats) -> Floats:
    """Return the score: base plus points, to two decimals as the reasons are written."""
    total: Floats = np.round(card.base + points.sum(axis=1), POINT_DIGITS)
    return total


def linear_index(card: Scorecard, total: Floats) -> Floats:
    """Return 0 to 1: where the score lies between the lowest and the highest that the card can give."""
    low, high = card.bounds
    if high <= low:
        return np.full(len(total), 0.5)
    index: Floats = np.clip((total - low) / (high - low), 0.0, 1.0)
    return index


def response_index(card: Scorecard, total: Floats) -> Floats:
    """Return 0 to 100, rising with the points: 50 at the card's middle, 73 one spread above it.

    A fixed curve and no rank among companies: one company alone gets the same index as in a batch.
    """
    middle, spread = card.curve
    index: Floats = 100.0 / (1.0 + np.exp(-np.clip((total - middle) / spread, -40.0, 40.0)))
    return index


def probability(card: Scorecard, total: Floats) -> Floats | None:
    """Return the calibrated probability; None for a card without calibration."""
    if card.calibration is None:
        return None
    intercept, slope = card.calibration
    result: Floats = 1.0 / (1.0 + np.exp(-np.clip(intercept + slope * total, -40.0, 40.0)))
    return result


def points_expression(card: Scorecard, table: ir.Table) -> ir.FloatingValue:
    """Return the score as an Ibis expression over the indicator table: the same answer inside the engine."""
    import ibis

    total: Any = ibis.literal(card.base)
    for part in card.characteristics:
        value = table[part.indicator]
        branches = [(value.isnull(), part.missing.points)]
        branches += [(value < float(step.below or 0), step.points) for step in part.bins[:-1]]
        total = total + ibis.cases(*branches, else_=part.bins[-1].points).cast("float64")
    return total


def _value_text(values: Floats, form: str) -> pa.Array:
    if form == "{value:wan}":
        numbers, unit = np.round(values / 10_000, 0), "万元"
    elif form == "{value:pct}":
        numbers, unit = np.round(values * 100, 1), "%"
    else:
        numbers, unit = np.round(values, 2), ""
    text = pc.fill_null(pc.cast(pa.array(numbers, from_pandas=True), pa.string()), "未知")
    # Arrow writes large whole numbers as 1e+08; those are rounded and far below 2**53.
    large = np.nan_to_num(np.abs(numbers)) >= 1e6
    if large.any():
        whole = pa.array(np.where(large, np.nan_to_num(numbers), 0).astype(np.int64))
        text = pc.if_else(pa.array(large), pc.cast(whole, pa.string()), text)
    return pc.binary_join_element_wise(text, unit, "")


def _split_label(label: str) -> tuple[str, str, str]:
    for form in VALUE_FORMS:
        if form in label:
            before, after = label.split(form)
            return before, form, after
    return label, "", ""


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _fragments(part: Characteristic, values: Floats, places: Places) -> pa.Array:
    """Return one JSON object per row: indicator, label, value, points."""
    pieces = [_split_label(step.label) for step in part.steps]
    taken = pa.array(places)
    before = pa.array([f'{{"indicator":"{part.indicator}","label":"{_escaped(piece[0])}' for piece in pieces])
    after = pa.array([f'{_escaped(piece[2])}","value":' for piece in pieces])
    ending = pa.array([f',"points":{round(step.points, POINT_DIGITS):g}}}' for step in part.steps])
    shown: Any = pa.array([""] * len(values))
    for form in {piece[1] for piece in pieces} - {""}:
        wanted = np.array([piece[1] == form for piece in pieces])[places]
        shown = pc.if_else(pa.array(wanted), _value_text(values, form), shown)
    plain = pc.fill_null(pc.cast(pa.array(np.round(values, 6), from_pandas=True), pa.string()), "null")
    return pc.binary_join_element_wise(
        before.take(taken), shown, after.take(taken), plain, ending.take(taken), ""
    )


def reasons_json(card: Scorecard, indicators: pa.Table, points: Floats, places: Sequence[Places]) -> pa.Array:
    """Return per row the JSON list of the weightiest bins, the base and the rest; their points add up to the score."""
    number = indicators.num_rows
    fragments = [
        _fragments(part, column_values(indicators, part.indicator), found)
        for part, found in zip(card.characteristics, places, strict=True)
    ]
    order = np.argsort(-np.abs(points), axis=1, kind="stable")[:, :REASONS_SHOWN]
    shown = [pc.choose(pa.array(order[:, rank]), *fragments) for rank in range(order.shape[1])]
    if card.base:
        base = f'{{"indicator":"base","label":"基础分","value":null,"points":{round(card.base, POINT_DIGITS):g}}}'
        shown.append(pa.array([base] * number))
    left = len(card.characteristics) - order.shape[1]
    if left > 0:
        rest = np.round(
            points.sum(axis=1) - np.take_along_axis(points, order, axis=1).sum(axis=1), POINT_DIGITS
        )
        text = pc.cast(pa.array(rest + 0.0), pa.string())
        head = f'{{"indicator":"rest","label":"其余{left}项合计","value":null,"points":'
        shown.append(pc.binary_join_element_wise(head, text, "}", ""))
    return pc.binary_join_element_wise("[", pc.binary_join_element_wise(*shown, ","), "]", "")


def card_indicators(cards: Mapping[str, Scorecard]) -> set[str]:
    """Return the indicators that the cards read."""
    return {part.indicator for card in cards.values() for part in card.characteristics}
