"""Learns a WOE scorecard from outcomes, point-in-time, split by time, calibrated; refuses where too little is known.

Reads OUTCOMES and whatever the indicators need; gives a ``Model``: JSON with its SHA-256, never a pickle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.scoring.binning import Binned, bin_monotone
from qiaomen.scoring.catalogue import Indicator, Strategy
from qiaomen.scoring.indicators import compute_indicators, is_dated
from qiaomen.scoring.metrics import auc, measure
from qiaomen.scoring.models import Model, Training
from qiaomen.scoring.score import MARKETING_ONLY
from qiaomen.scoring.scorecards import (
    POINT_DIGITS,
    Bin,
    Characteristic,
    Scorecard,
    card_points,
    column_values,
    probability,
    total_points,
)
from qiaomen.supply import CoreRule
from qiaomen.tags import Tag

if TYPE_CHECKING:
    import ibis.expr.types as ir

Floats = npt.NDArray[np.float64]

LEAST_ROWS: Final = 200
LEAST_POSITIVES: Final = 30
POINTS_TO_DOUBLE: Final = 20.0
FACTOR: Final = POINTS_TO_DOUBLE / math.log(2)
LEAST_INFORMATION: Final = 0.01
MOST_INPUTS: Final = 20
MOST_ALIKE: Final = 0.75
FIT_SHARE: Final = 0.6
CALIBRATE_SHARE: Final = 0.8


def training_set(
    strategy: Strategy,
    indicators: Mapping[str, Indicator],
    tables: Mapping[str, ir.Table],
    as_of: date,
    *,
    tags: Mapping[str, Tag] | None = None,
    keep: Callable[[ir.Table], ir.Table] = lambda table: table,
    overlay: Path | None = None,
    core_rule: CoreRule | None = None,
) -> pa.Table:
    """Return one row per contact whose answer is known: contacted_on, answered, the candidates as known then.

    Indicators are computed at the first day of the contact's month, so nothing later than the contact is used.
    Contacts younger than the strategy's horizon at ``as_of`` are not in it: their answer may still come.
    """
    outcomes = tables["outcomes"]
    ripe = as_of - timedelta(days=strategy.horizon_days)
    known = outcomes.filter(
        outcomes.company_id.notnull(),
        outcomes["product"] == str(strategy.learn_from),
        outcomes.contacted_on <= ripe,
        outcomes.responded.notnull(),
    )
    contacts = known.select(
        "company_id", "contacted_on", answered=known.responded.cast("float64")
    ).to_pyarrow()
    contacts = contacts.sort_by([("contacted_on", "ascending"), ("company_id", "ascending")])
    months = pa.array(
        [day.replace(day=1) for day in contacts.column("contacted_on").to_pylist()], pa.date32()
    )
    needed = _needed(indicators, strategy.candidates)
    parts = []
    for month in pc.unique(months).to_pylist():
        part = contacts.filter(pc.equal(months, pa.scalar(month, pa.date32())))
        last = part.column("contacted_on")[-1].as_py()
        only = known.filter(known.contacted_on >= month, known.contacted_on <= last).select("company_id")
        wide = compute_indicators(
            needed, tables, month, tags=tags, only=only, keep=keep, overlay=overlay, core_rule=core_rule
        ).to_pyarrow()
        parts.append(_placed(part, wide, list(strategy.candidates)))
    if not parts:
        empty = {code: pa.nulls(0, pa.float64()) for code in strategy.candidates}
        return pa.table({**{name: contacts.column(name) for name in contacts.column_names}, **empty})
    return pa.concat_tables(parts)


def _placed(part: pa.Table, wide: pa.Table, codes: Sequence[str]) -> pa.Table:
    places = pc.index_in(part.column("company_id"), wide.column("company_id").combine_chunks())
    for code in codes:
        part = part.append_column(code, wide.column(code).cast(pa.float64()).take(places))
    return part


def _needed(indicators: Mapping[str, Indicator], codes: Mapping[str, str]) -> dict[str, Indicator]:
    needed: dict[str, Indicator] = {}
    waiting = list(codes)
    while waiting:
        code = waiting.pop()
        needed[code] = indicators[code]
        waiting += indicators[code].of
    return needed


def _split(days: Sequence[date]) -> tuple[int, int]:
    """Return where calibration and test begin (rows are in order of date; a day is never cut)."""
    starts = []
    for share in (FIT_SHARE, CALIBRATE_SHARE):
        place = min(int(len(days) * share), len(days) - 1)
        while place < len(days) and place > 0 and days[place] == days[place - 1]:
            place += 1
        starts.append(place)
    return starts[0], starts[1]


@dataclass(frozen=True, slots=True)
class _Fit:
    codes: tuple[str, ...]
    binned: dict[str, Binned]
    intercept: float
    weights: tuple[float, ...]


def _chosen(binned: Mapping[str, Binned], rows: pa.Table) -> list[str]:
    """Return the informative indicators, strongest first, without those that only repeat a stronger one."""
    strong = [code for code in binned if binned[code].information_value >= LEAST_INFORMATION]
    strong.sort(key=lambda code: (-binned[code].information_value, code))
    chosen: list[str] = []
    taken: list[Floats] = []
    for code in strong:
        woe = binned[code].apply(column_values(rows, code))
        spread = woe - woe.mean()
        size = float(np.sqrt((spread**2).sum()))
        if size == 0 or any(abs(float(spread @ other)) / size > MOST_ALIKE for other in taken):
            continue
        chosen.append(code)
        taken.append(spread / size)
    return chosen[:MOST_INPUTS]


def _fit(rows: pa.Table, directions: Mapping[str, str], later: pa.Table | None = None) -> _Fit:
    """Bin, choose, fit; an indicator whose weight turns negative contradicts its WOE and is dropped.

    With ``later`` rows, an indicator that orders their answers the wrong way round does not last and is dropped too.
    """
    from sklearn.linear_model import LogisticRegression

    answers = column_values(rows, "answered")
    binned = {
        code: bin_monotone(column_values(rows, code), answers, direction)
        for code, direction in directions.items()
    }
    if later is not None:
        after = column_values(later, "answered")
        binned = {
            code: bins
            for code, bins in binned.items()
            if auc(after, bins.apply(column_values(later, code))) >= 0.5
        }
    chosen = _chosen(binned, rows)
    while chosen:
        matrix = np.column_stack([binned[code].apply(column_values(rows, code)) for code in chosen])
        fitted = LogisticRegression(C=1.0, max_iter=500).fit(matrix, answers)
        weights = fitted.coef_[0]
        if (weights > 0).all():
            return _Fit(tuple(chosen), binned, float(fitted.intercept_[0]), tuple(map(float, weights)))
        chosen.pop(int(np.argmin(weights)))
    rate = float(answers.mean())
    return _Fit((), binned, math.log(rate / (1 - rate)), ())


def _number_label(name: str, low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return f"{name}：{{value}}"
    if low is None:
        return f"{name}低于{high:g}（{{value}}）"
    return (
        f"{name}不低于{low:g}（{{value}}）" if high is None else f"{name}在{low:g}至{high:g}之间（{{value}}）"
    )


def _characteristic(code: str, name: str, direction: str, binned: Binned, weight: float) -> Characteristic:
    points = [round(FACTOR * weight * woe, POINT_DIGITS) for woe in binned.woe]
    bounds = [None, *binned.edges, None]
    bins = tuple(
        Bin(
            below=bounds[place + 1], points=value, label=_number_label(name, bounds[place], bounds[place + 1])
        )
        for place, value in enumerate(points)
    )
    absent = Bin(points=round(FACTOR * weight * binned.missing_woe, POINT_DIGITS), label=f"{name}未知")
    return Characteristic.model_validate(
        {"indicator": code, "direction": direction, "bins": bins, "missing": absent}
    )


def _card(fit: _Fit, strategy: Strategy, names: Mapping[str, str], version: str) -> Scorecard:
    parts = tuple(
        _characteristic(code, names[code], strategy.candidates[code], fit.binned[code], weight)
        for code, weight in zip(fit.codes, fit.weights, strict=True)
    )
    return Scorecard(
        code=strategy.card,
        name_zh=f"{strategy.name_zh}（学习）",
        version=version,
        origin="learned",
        basis=f"由{strategy.learn_from}营销结果学习的 WOE 评分卡",
        base=round(FACTOR * fit.intercept, POINT_DIGITS),
        characteristics=parts,
        calibration=(0.0, 1.0 / FACTOR),
    )


def _scores(card: Scorecard, rows: pa.Table) -> Floats:
    points, _ = card_points(card, rows)
    return total_points(card, points)


def _calibrate(scores: Floats, answers: Floats) -> tuple[float, float]:
    """Return (intercept, slope) over points by Platt's method; the slope is never negative."""
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(answers)) < 2:
        return 0.0, 1.0 / FACTOR
    centre = float(scores.mean())
    fitted = LogisticRegression(C=1e6, max_iter=500).fit(((scores - centre) / FACTOR)[:, None], answers)
    slope = float(fitted.coef_[0][0]) / FACTOR
    if slope <= 0:
        rate = (answers.sum() + 1) / (len(answers) + 2)
        return float(np.log(rate / (1 - rate))), 0.0
    return float(fitted.intercept_[0]) - slope * centre, slope


def train(
    strategy: Strategy,
    rows: pa.Table,
    indicators: Mapping[str, Indicator],
    as_of: date,
    *,
    least_rows: int = LEAST_ROWS,
    least_positives: int = LEAST_POSITIVES,
) -> Training:
    """Learn a card from a training set (``training_set``: contacted_on, answered, the candidates).

    The first 60 % by date fit a card that the next 20 % calibrate; the shipped card is fitted on both and measured on
    the last 20 %. Too few rows or answers give no model: the expert card stays in force, and the statement says so.
    """
    rows = rows.sort_by([("contacted_on", "ascending"), ("company_id", "ascending")])
    answers = column_values(rows, "answered")
    positives = int(answers.sum())
    if len(answers) < least_rows or positives < least_positives or positives == len(answers):
        return Training(
            None,
            f"营销结果不足，沿用专家评分卡“{strategy.card}”：已知 {len(answers)} 条、响应 {positives} 条，"
            f"学习至少需要 {least_rows} 条且响应不少于 {least_positives} 条",
        )
    days = rows["contacted_on"].to_pylist()
    calibrate_at, test_at = _split(days)
    spans = (answers[:calibrate_at], answers[calibrate_at:test_at], answers[test_at:])
    if any(len(span) == 0 or span.sum() == 0 or span.sum() == len(span) for span in spans):
        return Training(
            None,
            f"营销结果的日期过于集中，不能按时间切分，沿用专家评分卡“{strategy.card}”：共 {len(answers)} 条",
        )
    names = {code: indicators[code].name_zh if code in indicators else code for code in strategy.candidates}
    middle = rows.slice(calibrate_at, test_at - calibrate_at)
    early = _fit(rows.slice(0, calibrate_at), strategy.candidates, middle)
    lasting = {code: strategy.candidates[code] for code in early.binned}
    fit = _fit(rows.slice(0, test_at), lasting)
    if not fit.codes or not early.codes:
        return Training(
            None, f"没有指标能区分响应与否，沿用专家评分卡“{strategy.card}”：共 {len(answers)} 条"
        )
    calibration = _calibrate(_scores(_card(early, strategy, names, as_of.isoformat()), middle), spans[1])
    card = _curved(_card(fit, strategy, names, as_of.isoformat()), rows.slice(0, test_at), calibration)
    scores = _scores(card, rows.slice(test_at))
    likely = probability(card, scores)
    figures = measure(spans[2], scores, scores if likely is None else likely)
    facts = _facts(strategy, fit, indicators, days, (calibrate_at, test_at), positives, figures)
    return Training(
        Model(strategy.code, card, as_of, facts),
        f"由 {len(answers)} 条营销结果（响应 {positives} 条）学得，最近一段 AUC {figures['auc']:.3f}；{MARKETING_ONLY}",
    )


def _curved(card: Scorecard, rows: pa.Table, calibration: tuple[float, float]) -> Scorecard:
    """Return the card with its calibration and the curve of its index, set by the scores that it was fitted on."""
    known = _scores(card, rows)
    curve = {"middle": float(known.mean() + known.std()), "spread": max(float(known.std()), 1.0)}
    return card.model_copy(update={"calibration": calibration, **curve})


def _facts(
    strategy: Strategy,
    fit: _Fit,
    indicators: Mapping[str, Indicator],
    days: Sequence[date],
    starts: tuple[int, int],
    positives: int,
    figures: dict[str, Any],
) -> dict[str, Any]:
    return {
        "learn_from": strategy.learn_from,
        "rows": len(days),
        "positives": positives,
        "first_contact": days[0].isoformat(),
        "calibration_from": days[starts[0]].isoformat(),
        "test_from": days[starts[1]].isoformat(),
        "last_contact": days[-1].isoformat(),
        "figures_on_newest": figures,
        "inputs": [
            {
                "indicator": code,
                "direction": strategy.candidates[code],
                "information_value": round(fit.binned[code].information_value, 4),
                "weight": round(weight, 4),
                "point_in_time": code in indicators and is_dated(indicators, code),
                "edges": list(fit.binned[code].edges),
                "woe": [round(value, 6) for value in fit.binned[code].woe],
                "rows": list(fit.binned[code].rows),
            }
            for code, weight in zip(fit.codes, fit.weights, strict=True)
        ],
    }
