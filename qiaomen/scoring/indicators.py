"""The wide indicator table: one number per company and indicator, as known at ``as_of``, each traceable to its rows.

Reads whatever tables the views need (see ``bank_views.VIEWS``); writes ``indicators`` (``wide_table``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qiaomen.scoring.bank_views import VIEWS
from qiaomen.scoring.catalogue import Indicator, order_indicators
from qiaomen.scoring.views import Facts
from qiaomen.store import portable
from qiaomen.supply import CoreRule
from qiaomen.tags import Tag, compile_condition, load_tags

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa


def _rows_that_count(indicator: Indicator, view: ir.Table, facts: Facts) -> Any:
    """Return the condition under which a row of the view counts; None where every row does."""
    condition = None
    if indicator.where is not None:
        condition = compile_condition(indicator.where, view, facts.as_of)
    if indicator.window_days is not None:
        recent = (facts.days_ago(view.known_on) < indicator.window_days).fill_null(False)
        condition = recent if condition is None else condition & recent
    return condition


def _folded(indicator: Indicator, view: ir.Table, facts: Facts) -> Any:
    where = _rows_that_count(indicator, view, facts)
    fold, column = indicator.fold, view[indicator.column] if indicator.column else None
    if fold == "count":
        value: Any = view.count(where=where)
    elif fold == "any":
        value = (view.count(where=where) > 0).cast("int64")
    elif fold == "days_since":
        value = portable.days_between(view.known_on.max(where=where), facts.today)
    elif fold == "decayed":
        age = facts.days_ago(view.known_on).cast("float64")
        weight = (age * (-math.log(2) / float(indicator.half_life_days or 1))).exp()
        value = (weight if column is None else weight * column.cast("float64")).sum(where=where)
    elif fold == "sum" and str(indicator.column).endswith("_cny"):
        value = portable.money_sum(column, where)
    else:
        method = {"distinct": "nunique", "sum": "sum", "mean": "mean", "max": "max", "min": "min"}[str(fold)]
        value = getattr(column, method)(where=where)
    return value.cast("float64")


def _formula(indicator: Indicator, table: ir.Table) -> Any:
    import ibis

    operands = [table[code] for code in indicator.of]
    formula = indicator.formula
    if formula == "ratio":
        return portable.divide(operands[0], operands[1])
    if formula == "growth":
        return portable.divide(operands[0] - operands[1], operands[1].abs())
    if formula == "difference":
        return operands[0] - operands[1]
    if formula == "log1p":
        positive = ibis.ifelse(operands[0] > -1, operands[0], ibis.null("float64"))
        return (positive + 1.0).ln()
    if formula == "rank_in_trade":
        return _rank_in_trade(operands[0], table)
    if formula == "sum":
        return sum((operand.fill_null(0.0) for operand in operands), start=ibis.literal(0.0))
    known = sum((operand.notnull().cast("float64") for operand in operands), start=ibis.literal(0.0))
    return known / float(len(operands))


def _rank_in_trade(value: Any, table: ir.Table) -> Any:
    """Return the share of companies of the same two-digit trade that are not above; null where trade or value is."""
    import ibis

    trade = ibis.window(group_by=["trade_code"])
    below = ibis.range_window(group_by=["trade_code"], order_by=[value], following=0)
    number = value.count().over(trade).cast("float64")
    at_most = value.count().over(below).cast("float64")
    return ibis.ifelse(value.notnull() & table.trade_code.notnull(), at_most / number, ibis.null("float64"))


def _by_view(indicators: Mapping[str, Indicator]) -> dict[str, list[Indicator]]:
    by_view: dict[str, list[Indicator]] = defaultdict(list)
    for indicator in indicators.values():
        if indicator.view is not None:
            by_view[indicator.view].append(indicator)
    return by_view


def columns_read(declared: Iterable[Indicator]) -> list[str]:
    """Return the columns of a view that its indicators read, beside company_id and known_on."""
    named = {row.column for row in declared if row.column}
    named |= {str(leaf.column) for row in declared if row.where for leaf in row.where.leaves()}
    return sorted(named - {"company_id", "known_on"})


def wanted_tags(indicators: Mapping[str, Indicator]) -> set[str]:
    """Return the codes of the tags that indicators ask for."""
    leaves = [
        leaf for row in indicators.values() if row.view == "tags" and row.where for leaf in row.where.leaves()
    ]
    return {code for leaf in leaves for code in ([leaf.value] if isinstance(leaf.value, str) else leaf.value)}


def compute_indicators(
    indicators: Mapping[str, Indicator],
    tables: Mapping[str, ir.Table],
    as_of: date,
    *,
    tags: Mapping[str, Tag] | None = None,
    only: ir.Table | None = None,
    keep: Callable[[ir.Table], ir.Table] = lambda table: table,
    overlay: Path | None = None,
    core_rule: CoreRule | None = None,
) -> ir.Table:
    """Return (company_id, one float64 column per indicator in declared order), one row per company.

    ``tables`` are by lake name: ``companies`` always; loaded ones with ``company_id`` (``supply_records`` with
    ``supplier_id`` and ``buyer_id``) beside the reference. An indicator whose table was not given is null.
    Supply is read from ``supply_records`` by ``core_rule``, or without them from ``supply_pairs`` as already judged.
    ``tags`` defaults to the shipped ones; ``only`` (company_id) limits the rows; ``keep`` may compute a shared
    expression once (``Engine.keep``); ``overlay`` is where the bank's size standards and core rules stand.
    """
    asked = wanted_tags(indicators)
    known_tags = (load_tags(overlay) if tags is None else tags) if asked else {}
    used_tags = {code: tag for code, tag in known_tags.items() if code in asked}
    facts = Facts(tables, as_of, keep, used_tags, overlay, core_rule)
    companies = tables["companies"]
    wide = companies.select("company_id", trade_code=companies.industry_code.substr(0, 3))
    if only is not None:
        only = keep(only.select("company_id").distinct())
        wide = wide.semi_join(only, "company_id")
    for name, declared in _by_view(indicators).items():
        view = VIEWS[name](facts)
        if view is None:
            continue
        view = view.select("company_id", "known_on", *columns_read(declared))
        if only is not None:
            view = view.semi_join(only, "company_id")
        folds = {indicator.code: _folded(indicator, view, facts) for indicator in declared}
        folded = keep(view.group_by(**{f"{name}_id": view.company_id}).agg(**folds))
        wide = wide.left_join(folded, wide.company_id == folded[f"{name}_id"])
    wide = wide.select(
        "company_id",
        "trade_code",
        **{code: _filled(row, wide) for code, row in indicators.items() if row.formula is None},
    )
    return _with_formulas(indicators, wide).select("company_id", *indicators)


def _filled(indicator: Indicator, wide: ir.Table) -> Any:
    import ibis

    if indicator.code not in wide.columns:
        return ibis.null("float64")
    value = wide[indicator.code]
    return _clipped(indicator, value if indicator.missing is None else value.fill_null(indicator.missing))


def _with_formulas(indicators: Mapping[str, Indicator], wide: ir.Table) -> ir.Table:
    """Add the formulas, all that are ready at once, so that the expression stays shallow."""
    waiting = [row for row in order_indicators(indicators) if row.formula is not None]
    while waiting:
        ready = [row for row in waiting if set(row.of) <= set(wide.columns)]
        wide = wide.mutate(**{row.code: _clipped(row, _formula(row, wide)) for row in ready})
        waiting = [row for row in waiting if row not in ready]
    return wide


def _clipped(indicator: Indicator, value: Any) -> Any:
    if indicator.clip is not None:
        value = value.clip(indicator.clip[0], indicator.clip[1])
    return value.cast("float64")


def trace(
    indicators: Mapping[str, Indicator],
    code: str,
    tables: Mapping[str, ir.Table],
    as_of: date,
    company_id: int,
    *,
    overlay: Path | None = None,
    core_rule: CoreRule | None = None,
) -> dict[str, pa.Table]:
    """Return the source rows that one indicator counts for one company, by the code of each fold behind it.

    An indicator without rows (its table was not given) has no entry.
    """
    facts = Facts(tables, as_of, tags=load_tags(overlay), overlay=overlay, core_rule=core_rule)
    found: dict[str, pa.Table] = {}
    waiting = [code]
    while waiting:
        indicator = indicators[waiting.pop()]
        waiting += indicator.of
        view = VIEWS[indicator.view](facts) if indicator.view else None
        if view is None or indicator.code in found:
            continue
        view = view.filter(view.company_id == company_id)
        condition = _rows_that_count(indicator, view, facts)
        rows = view if condition is None else view.filter(condition)
        found[indicator.code] = rows.to_pyarrow()
    return found


def is_dated(indicators: Mapping[str, Indicator], code: str) -> bool:
    """Tell whether an indicator is known for a past day: every fold behind it is over dated facts."""
    indicator = indicators[code]
    if indicator.formula is None:
        return indicator.dated
    if indicator.formula == "rank_in_trade":
        return False
    return all(is_dated(indicators, of) for of in indicator.of)
