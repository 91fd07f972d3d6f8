"""Tag rules that are relational work: each family of rules becomes one Ibis expression of tagged rows.

A tagged row is (company_id, tag, position of the rule, since, evidence); ``qiaomen.tags.apply`` joins the families.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from qiaomen.store import portable
from qiaomen.tags.catalogue import SizeStandard
from qiaomen.tags.conditions import COMPARISONS, compile_condition
from qiaomen.tags.rules import (
    SIZE_CLASSES,
    template_parts,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

TAGGED: Final = ("company_id", "tag", "position", "since", "evidence")
SIZE_LABELS: Final = {"micro": "微型", "small": "小型", "medium": "中型", "large": "大型"}
UNKNOWN: Final = "未知"
STRUCT: Final = "struct<tag: string, position: int64, since: date, evidence: string>"

# A placed rule: code of the tag, position among its alternatives, the rule.
Placed = tuple[str, int, Any]


def source_row(table: ir.Table, name: str) -> ir.StringValue:
    """Return ``｜table/source/record_key`` for every row of ``table``."""
    import ibis

    number = table.company_id.cast("string") if "company_id" in table.columns else ibis.literal("")
    if "record_key" in table.columns:
        place = table.source.fill_null("") + ibis.literal("/") + table.record_key.fill_null("")
    elif "sources" in table.columns:
        place = table.sources.fill_null("") + ibis.literal("/") + number
    else:
        place = number
    return ibis.literal(f"｜{name}/") + place


def _number_text(value: Any, digits: int) -> ir.StringValue:
    """Return a number rounded to ``digits``, without a decimal point where it is whole."""
    import ibis

    rounded = portable.round_half_up(value, digits)
    whole = rounded.cast("int64")
    return ibis.ifelse(rounded == whole, whole.cast("string"), rounded.cast("string"))


def _column_text(table: ir.Table, column: str, spec: str) -> ir.StringValue:
    value = table[column]
    if spec == "wan":
        text = _number_text(value / 10_000, 0)
    elif spec == "pct":
        text = _number_text(value * 100, 1) + "%"
    elif value.type().is_floating():
        text = _number_text(value, 2)
    else:
        text = value.cast("string")
    return text.fill_null(UNKNOWN)


def fill_template(template: str, table: ir.Table) -> ir.StringValue:
    """Return the evidence template filled from each row of ``table``."""
    import ibis

    filled: ir.StringValue = ibis.literal("")
    for text, field, spec in template_parts(template):
        if text:
            filled = filled + ibis.literal(text)
        if field is not None:
            filled = filled + _column_text(table, field, spec)
    return filled


def _tagged(condition: Any, code: str, position: int, since: Any, evidence: Any) -> Any:
    import ibis

    found = ibis.struct(
        {
            "tag": ibis.literal(code),
            "position": ibis.literal(position, "int64"),
            "since": since,
            "evidence": evidence,
        }
    )
    return ibis.ifelse(condition, found.cast(STRUCT), ibis.null(STRUCT))


def _unnest(table: ir.Table, found: Sequence[Any]) -> ir.Table:
    import ibis

    rows = table.select("company_id", found=ibis.array(list(found)).unnest())
    rows = rows.filter(rows.found.notnull() & rows.company_id.notnull())
    return rows.select("company_id", **{name: rows.found[name] for name in TAGGED[1:]})


def expression_rows(name: str, table: ir.Table, placed: Sequence[Placed], as_of: date) -> ir.Table:
    """Return the tagged rows of all expression rules over one table."""
    import ibis

    found = []
    source = source_row(table, name)
    for code, position, rule in placed:
        evidence = fill_template(rule.evidence, table)
        if rule.evidence == "{evidence}":
            evidence = ibis.ifelse(evidence.contains("｜"), evidence, evidence + source)
        else:
            evidence = evidence + source
        since = table[rule.since] if rule.since else ibis.null("date")
        found.append(_tagged(compile_condition(rule.where, table, as_of), code, position, since, evidence))
    return _unnest(table, found)


def _class_rank(value: Any, standard: SizeStandard, measure: str) -> Any:
    import ibis

    bounds = [getattr(standard, f"{measure}_{size}") for size in ("small", "medium", "large")]
    if None in bounds:
        return ibis.null("int64")
    rank: Any = ibis.literal(0)
    for bound in bounds:
        rank = rank + (value >= bound).cast("int64")
    return rank


def size_rank(companies: ir.Table, standards: Sequence[SizeStandard]) -> ir.IntegerColumn:
    """Return 0 micro, 1 small, 2 medium, 3 large; null where the trade or both measures are unknown.

    The class is the lowest that the known measures allow (统计上大中小微型企业划分办法: a firm that misses one lower
    bound falls to the next class).
    """
    import ibis

    prefixes = sorted(
        ((prefix, standard) for standard in standards for prefix in standard.prefixes),
        key=lambda pair: (-len(pair[0]), pair[0]),
    )
    by_employees, by_revenue = [], []
    for prefix, standard in prefixes:
        fits = companies.industry_code.startswith(prefix)
        by_employees.append((fits, _class_rank(companies.employees, standard, "employees")))
        by_revenue.append((fits, _class_rank(companies.revenue_cny, standard, "revenue_cny")))
    missing = ibis.null("int64")
    employees = ibis.cases(*by_employees, else_=missing)
    revenue = ibis.cases(*by_revenue, else_=missing)
    return ibis.least(ibis.coalesce(employees, revenue), ibis.coalesce(revenue, employees))


def size_rows(companies: ir.Table, placed: Sequence[Placed], standards: Sequence[SizeStandard]) -> ir.Table:
    """Return the tagged rows of the size rules."""
    import ibis

    table = companies.mutate(size_rank=size_rank(companies, standards))
    known = (
        ibis.literal("按国统划型推定：行业")
        + table.industry_code.fill_null(UNKNOWN)
        + ibis.literal("，从业人员")
        + _column_text(table, "employees", "")
        + ibis.literal("，营业收入")
        + _column_text(table, "revenue_cny", "wan")
        + ibis.literal("万元")
    )
    found = []
    for code, position, rule in placed:
        condition = (table.size_rank == SIZE_CLASSES.index(rule.size_class)).fill_null(False)
        evidence = (
            known + ibis.literal(f"，为{SIZE_LABELS[rule.size_class]}") + source_row(table, "companies")
        )
        found.append(_tagged(condition, code, position, ibis.null("date"), evidence))
    return _unnest(table, found)


def aggregate_rows(table: ir.Table, placed: Placed, as_of: date) -> ir.Table:
    """Return the tagged rows of one aggregate rule."""
    import ibis

    code, position, rule = placed
    rows = table.filter(table[rule.company].notnull())
    if rule.where is not None:
        rows = rows.filter(compile_condition(rule.where, rows, as_of))
    rows = rows.mutate(owner=rows[rule.company], place=source_row(rows, rule.table))
    method = {"count": "count", "distinct": "nunique", "sum": "sum", "max": "max"}[rule.fold]
    measure = getattr(rows[rule.column or rule.company], method)
    totals = rows.group_by("owner").aggregate(value=measure().cast("float64"), place=rows.place.min())
    totals = totals.filter(COMPARISONS[rule.op](totals.value, rule.value).fill_null(False))
    return totals.select(
        company_id=totals.owner,
        tag=ibis.literal(code),
        position=ibis.literal(position, "int64"),
        since=ibis.null("date"),
        evidence=fill_template(rule.evidence, totals) + totals.place,
    )


def years_before(day: date, years: int) -> date:
    """Return the same day ``years`` earlier; 29 February becomes 28 February."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


LIST_RULES: Final = pa.schema(
    [
        ("list_code", pa.string()),
        ("wanted_level", pa.string()),
        ("tag", pa.string()),
        ("position", pa.int64()),
        ("starts_after", pa.date32()),
    ]
)


def list_rows(records: ir.Table, placed: Sequence[Placed], as_of: date) -> ir.Table:
    """Return the tagged rows of all list rules: records in force at as_of."""
    import ibis

    declared = []
    for code, position, rule in placed:
        starts_after = years_before(as_of, rule.valid_years) if rule.valid_years else None
        declared += [
            {
                "list_code": name,
                "wanted_level": level,
                "tag": code,
                "position": position,
                "starts_after": starts_after,
            }
            for name in rule.lists
            for level in (rule.levels or (None,))
        ]
    rules = ibis.memtable(pa.Table.from_pylist(declared, schema=LIST_RULES))
    rows = records.mutate(list_code=records.list_code.strip()).inner_join(rules, "list_code")
    today = ibis.literal(as_of)
    in_force = ibis.ifelse(
        rows.until.notnull(),
        rows.until >= today,
        rows.since.isnull() | rows.starts_after.isnull() | (rows.since > rows.starts_after),
    )
    rows = rows.filter(
        rows.company_id.notnull(),
        rows.since.isnull() | (rows.since <= today),
        in_force,
        rows.wanted_level.isnull() | (rows.level == rows.wanted_level).fill_null(False),
    )
    evidence = (
        ibis.literal("列入“")
        + rows.list_code
        + ibis.literal("”")
        + (ibis.literal("，") + rows.level).fill_null("")
        + (ibis.literal("，") + rows.authority).fill_null("")
        + (ibis.literal("，自") + rows.since.cast("string")).fill_null("")
        + (ibis.literal("至") + rows.until.cast("string")).fill_null("")
        + source_row(rows, "list_tag_records")
    )
    return rows.select("company_id", "tag", "position", "since", evidence=evidence)


WINDOW_RULES: Final = pa.schema(
    [
        ("kind", pa.string()),
        ("wanted_status", pa.string()),
        ("tag", pa.string()),
        ("position", pa.int64()),
        ("first_day", pa.date32()),
        ("days", pa.string()),
        ("at_least", pa.int64()),
        ("least_cny", pa.float64()),
    ]
)


def known_on(opportunities: ir.Table) -> ir.DateColumn:
    """Return when an opportunity became known: publication, else the event itself."""
    import ibis

    return ibis.coalesce(opportunities.published_on, opportunities.occurred_on)


def _window_rules(placed: Sequence[Placed], as_of: date) -> pa.Table:
    declared: list[Mapping[str, Any]] = []
    for code, position, rule in placed:
        declared += [
            {
                "kind": kind,
                "wanted_status": status,
                "tag": code,
                "position": position,
                "first_day": as_of - timedelta(days=rule.within_days),
                "days": str(rule.within_days),
                "at_least": rule.at_least,
                "least_cny": rule.amount_cny or 0.0,
            }
            for kind in rule.kinds
            for status in (rule.statuses or (None,))
        ]
    return pa.Table.from_pylist(declared, schema=WINDOW_RULES)


def window_rows(opportunities: ir.Table, placed: Sequence[Placed], as_of: date) -> ir.Table:
    """Return the tagged rows of all window rules over opportunities known by as_of."""
    import ibis

    rules = ibis.memtable(_window_rules(placed, as_of))
    events = opportunities.select(
        "company_id",
        "kind",
        "status",
        "title",
        "amount_cny",
        known_on=known_on(opportunities),
        place=source_row(opportunities, "opportunities"),
    )
    rows = events.inner_join(rules, "kind")
    rows = rows.filter(
        rows.company_id.notnull(),
        rows.known_on <= ibis.literal(as_of),
        rows.known_on >= rows.first_day,
        rows.wanted_status.isnull() | (rows.status == rows.wanted_status).fill_null(False),
    )
    newest = rows.known_on.cast("string") + ibis.literal(" ") + rows.title.fill_null("") + rows.place
    keys = ("company_id", "tag", "position", "days", "at_least", "least_cny")
    totals = (
        rows.mutate(newest=newest)
        .group_by(list(keys))
        .aggregate(
            since=lambda t: t.known_on.min(),
            number=lambda t: t.count(),
            amount=lambda t: t.amount_cny.sum().fill_null(0.0),
            newest=lambda t: t.newest.max(),
        )
    )
    totals = totals.filter(totals.number >= totals.at_least, totals.amount >= totals.least_cny)
    evidence = (
        ibis.literal("近")
        + totals.days
        + ibis.literal("天")
        + totals.number.cast("string")
        + ibis.literal("条，最近：")
        + totals.newest
    )
    return totals.select("company_id", "tag", "position", "since", evidence=evidence)
