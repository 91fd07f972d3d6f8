"""Operations that DuckDB and Spark do differently, written once so that both give the same answer.

Dates, rounding, division, regular expressions, JSON, hashing, newest rows and as-of joins go through here; a lint
test forbids them elsewhere. Every function takes and returns Ibis expressions and is compared on both engines by
``tests/store/test_portable.py``. Months count from the calendar in whole numbers: no interval arithmetic on months.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ibis.expr.types as ir

EARTH_RADIUS_M: Final = 6_371_008.8
# Between the parts of a hashed key, and in the place of a missing part.
_BETWEEN: Final = "\x1f"
_MISSING: Final = "\x1e"
# Far below a fen: lifts binary fractions such as 1.005 to what was written.
_NUDGE: Final = 1e-6
_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNPORTABLE: Final = re.compile(r"\(\?(?!:)|\\[1-9bBAzZGkKpPQERXhHvVsS]|[*+?}][+]|\[\[:")


def add_days(date: ir.DateValue, days: int | ir.IntegerValue) -> ir.DateValue:
    """Return the date ``days`` later (earlier when negative)."""
    import ibis

    if isinstance(days, int):
        return (date + ibis.interval(days=days)).cast("date")
    return (date + days.cast("int64").as_interval("D")).cast("date")


def days_between(earlier: ir.DateValue, later: ir.DateValue) -> ir.IntegerValue:
    """Return the days from ``earlier`` to ``later``; negative where they are the other way round."""
    return later.delta(earlier, unit="day").cast("int64")


def month_number(date: ir.DateValue) -> ir.IntegerValue:
    """Return the months since year 0: consecutive months differ by 1."""
    return (date.year().cast("int64") * 12 + date.month().cast("int64") - 1).cast("int64")


def month_start(date: ir.DateValue) -> ir.DateValue:
    """Return the first day of the month."""
    return add_days(date, (1 - date.day().cast("int64")).cast("int64"))


def _days_in_month(year: ir.IntegerValue, month: ir.IntegerValue) -> ir.IntegerValue:
    import ibis

    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    return ibis.cases(
        (month.isin([4, 6, 9, 11]), 30), ((month == 2) & leap, 29), (month == 2, 28), else_=31
    ).cast("int64")


def add_months(date: ir.DateValue, months: int | ir.IntegerValue) -> ir.DateValue:
    """Return the same day ``months`` later, the month's last day where it has no such day (31 Jan + 1 = 28 Feb)."""
    import ibis

    total = month_number(date) + (
        ibis.literal(months, "int64") if isinstance(months, int) else months.cast("int64")
    )
    month = (total % 12 + 1).cast("int64")
    year = ((total - (month - 1)) / 12).cast("int64")
    last = _days_in_month(year, month)
    day = ibis.ifelse(date.day() > last, last, date.day().cast("int64"))
    text = (
        year.cast("string").lpad(4, "0")
        + "-"
        + month.cast("string").lpad(2, "0")
        + "-"
        + day.cast("string").lpad(2, "0")
    )
    return text.cast("date")


def months_between(earlier: ir.DateValue, later: ir.DateValue) -> ir.IntegerValue:
    """Return the whole months from ``earlier`` to ``later`` (31 Jan to 28 Feb is 0); symmetric when negative."""
    import ibis

    def whole(a: ir.DateValue, b: ir.DateValue) -> ir.IntegerValue:
        return month_number(b) - month_number(a) - ibis.ifelse(b.day() < a.day(), 1, 0).cast("int64")

    return ibis.ifelse(later >= earlier, whole(earlier, later), -whole(later, earlier)).cast("int64")


def round_half_up(value: ir.NumericValue, digits: int = 2) -> ir.FloatingValue:
    """Round a number as money is rounded: halves away from zero, in the decimals as written."""
    import ibis

    scale = float(10**digits)
    number = value.cast("float64")
    size = (number.abs() * scale + 0.5 + _NUDGE).floor().cast("float64") / scale
    return ibis.ifelse(number < 0, -size, size).cast("float64")


def fen(value_cny: ir.NumericValue) -> ir.IntegerValue:
    """Return whole fen of an amount in yuan."""
    import ibis

    number = value_cny.cast("float64")
    size = (number.abs() * 100.0 + 0.5 + _NUDGE).floor().cast("int64")
    return ibis.ifelse(number < 0, -size, size).cast("int64")


def money_sum(value_cny: ir.NumericColumn, where: ir.BooleanValue | None = None) -> ir.FloatingScalar:
    """Add amounts in yuan exactly (in fen), whatever the order of the rows; null where there is none."""
    return fen(value_cny).sum(where=where).cast("int64").cast("float64") / 100.0


def divide(dividend: ir.NumericValue, divisor: ir.NumericValue) -> ir.FloatingValue:
    """Divide; null where the divisor is 0 or missing."""
    return dividend.cast("float64") / divisor.cast("float64").nullif(0.0)


def not_nan(value: ir.FloatingValue) -> ir.FloatingValue:
    """Return null for NaN: the engines order and compare NaN differently."""
    import ibis

    return ibis.ifelse(value.isnan(), ibis.null("float64"), value)


def ascending(value: ir.Value) -> ir.Value:
    """Order upwards, missing values last."""
    return value.asc(nulls_first=False)


def descending(value: ir.Value) -> ir.Value:
    """Order downwards, missing values last."""
    return value.desc(nulls_first=False)


def newest(table: ir.Table, by: Sequence[str], order: Sequence[str], ties: Sequence[str] = ()) -> ir.Table:
    """Return one row per group: the highest by ``order``, missing values last, ties by the lowest ``ties``."""
    import ibis

    place = ibis.row_number().over(
        group_by=list(by),
        order_by=[descending(table[name]) for name in order] + [ascending(table[name]) for name in ties],
    )
    marked = table.mutate(newest_place=place)
    return marked.filter(marked.newest_place == 0).drop("newest_place")


def as_of_join(
    left: ir.Table,
    right: ir.Table,
    *,
    key: Sequence[str],
    by: Sequence[str],
    dates: tuple[str, str],
    ties: Sequence[str] = (),
) -> ir.Table:
    """Join to each row of ``left`` (unique by ``key``) the newest row of ``right`` not later than it.

    ``by`` are equal columns, ``dates`` the date column of each side. Rows without a partner keep nulls. Columns of
    ``right`` that ``left`` has too end in ``_right``.
    """
    left_date, right_date = dates
    renamed = right.rename({f"{name}_right": name for name in right.columns if name in left.columns})
    name_of = {name: f"{name}_right" if name in left.columns else name for name in right.columns}
    joined = left.left_join(
        renamed,
        [left[name] == renamed[name_of[name]] for name in by]
        + [renamed[name_of[right_date]] <= left[left_date]],
    )
    return newest(joined, key, [name_of[right_date]], [name_of[name] for name in ties])


def contains_any(text: ir.StringValue, words: Iterable[str]) -> ir.BooleanValue:
    """Whether the text contains one of the words; false where it is missing."""
    import ibis

    hits = [text.contains(word) for word in words]
    if not hits:
        return ibis.literal(False)
    return reduce(lambda a, b: a | b, hits).fill_null(False)


def _checked(pattern: str) -> str:
    """Return a pattern that RE2 and Java read alike; ``ValueError`` names what they read differently."""
    unportable = _UNPORTABLE.search(pattern.replace(r"\\", ""))
    bare = re.sub(r"\[[^\]]*\]|\\.", "", pattern)
    if unportable or "." in bare or "$" in bare[:-1]:
        found = unportable.group() if unportable else ("." if "." in bare else "$")
        raise ValueError(f"pattern {pattern!r}: {found!r} is read differently by the engines")
    re.compile(pattern)
    return f"{pattern[:-1]}\\z" if bare.endswith("$") else pattern


def matches(text: ir.StringValue, pattern: str) -> ir.BooleanValue:
    """Whether the pattern is found in the text; false where it is missing.

    Patterns are literals, classes, groups, alternatives, repeats, ``^`` and a last ``$``; no dot, white-space
    class, word boundary, back reference, look-around or flag.
    """
    return text.re_search(_checked(pattern)).fill_null(False)


def extract(text: ir.StringValue, pattern: str, group: int = 0) -> ir.StringValue:
    """Return what a group of the pattern found; null where it found nothing."""
    return text.re_extract(_checked(pattern), group).nullif("")


def replace_pattern(text: ir.StringValue, pattern: str, by: str) -> ir.StringValue:
    """Replace every match of the pattern by a fixed text (no group references)."""
    if "\\" in by or "$" in by:
        raise ValueError("group references are written differently by the engines")
    return text.re_replace(_checked(pattern), by)


def _on_spark(value: ir.Value) -> bool:
    from ibis.common.exceptions import IbisError

    try:
        return bool(value.get_backend().name == "pyspark")
    except IbisError:  # a table in memory has no backend yet; it runs on DuckDB
        return False


def _json_scalar(document: ir.StringValue, field: str) -> ir.StringValue:
    import ibis

    if not _FIELD.fullmatch(field):
        raise ValueError(f"not a field name: {field!r}")

    @ibis.udf.scalar.builtin(name="get_json_object" if _on_spark(document) else "json_extract_string")
    def extract_json(document: str, path: str) -> str:
        raise NotImplementedError  # a declaration of the engine's own function

    return extract_json(document, f"$.{field}")


def json_text(document: ir.StringValue, field: str) -> ir.StringValue:
    """Return a top-level field of a JSON object as text; null where it is absent or null.

    Documents must be valid JSON: they are checked at intake.
    """
    return _json_scalar(document, field)


def json_number(document: ir.StringValue, field: str) -> ir.FloatingValue:
    """Return a top-level number field of a JSON object; null where it is absent or null."""
    return _json_scalar(document, field).cast("float64")


def hash_text(*parts: ir.Value) -> ir.StringValue:
    """Return a stable 32-digit hash of the parts; ``hash_of`` gives the same in Python."""
    texts = [part.cast("string").fill_null(_MISSING) for part in parts]
    return reduce(lambda a, b: a + _BETWEEN + b, texts).hexdigest("md5")


def hash_of(*parts: str | int | None) -> str:
    """Return the hash that ``hash_text`` computes on an engine."""
    text = _BETWEEN.join(_MISSING if part is None else str(part) for part in parts)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def share_of(text: str) -> float:
    """Return a stable number in [0, 1) for a text: for samples and control groups that never change."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def join_words(values: ir.StringColumn, separator: str = ";") -> ir.StringScalar:
    """Join the distinct values of a group in order; null where there is none."""
    return values.collect(distinct=True).sort().join(separator).nullif("")


def split_words(table: ir.Table, column: str, separator: str = ";", *, to: str | None = None) -> ir.Table:
    """Return one row per word of a separated text column; rows without words are left out."""
    name = to or column
    rows = table.mutate(**{name: table[column].split(separator).unnest()})
    rows = rows.mutate(**{name: rows[name].strip()})
    return rows.filter(rows[name] != "")


def distance_m(
    lon_a: ir.NumericValue, lat_a: ir.NumericValue, lon_b: ir.NumericValue, lat_b: ir.NumericValue
) -> ir.FloatingValue:
    """Return the great-circle distance in metres (haversine; degrees in)."""
    import ibis

    rise = (lat_b - lat_a).radians() / 2
    turn = (lon_b - lon_a).radians() / 2
    part = rise.sin() * rise.sin() + lat_a.radians().cos() * lat_b.radians().cos() * turn.sin() * turn.sin()
    # least() skips missing values on one engine; a missing coordinate has no distance.
    return ibis.ifelse(part > 1.0, 1.0, part).sqrt().asin() * (2 * EARTH_RADIUS_M)
