"""How figures are written for staff: 万元 and 亿元, 户 and 条, dates, shares. A missing value is never a zero."""

from __future__ import annotations

import datetime as dt
import math
from typing import Final

NONE: Final = "—"
_WAN: Final = 1e4
_YI: Final = 1e8


def _missing(value: float | None) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def money(value_cny: float | None) -> str:
    """Write yuan as 元, 万元 or 亿元, at most two decimals."""
    if value_cny is None or _missing(value_cny):
        return NONE
    size = abs(value_cny)
    # 9,999.996 万 would round to 10,000 万: the unit is chosen after rounding.
    if round(size / _WAN, 1) >= _WAN:
        return f"{trim(value_cny / _YI, 2)} 亿元"
    if round(size) >= _WAN:
        return f"{trim(value_cny / _WAN, 1 if size < 1000 * _WAN else 0)} 万元"
    return f"{trim(value_cny, 0 if size >= 1 else 2)} 元"


def money_parts(value_cny: float | None) -> tuple[str, str]:
    """Split ``money`` into the number and its unit, for large figures."""
    number, _, unit = money(value_cny).partition(" ")
    return number, unit


def trim(value: float, digits: int) -> str:
    """Write a number with thousands separators and without trailing zeros."""
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: int | None) -> str:
    """Write a whole number."""
    return NONE if value is None else f"{value:,}"


def households(value: int | None) -> str:
    """Write a number of distinct firms."""
    return NONE if value is None else f"{value:,} 户"


def items(value: int | None) -> str:
    """Write a number of opportunities or tasks."""
    return NONE if value is None else f"{value:,} 条"


def percent(value: float | None, digits: int = 1) -> str:
    """Write a share between 0 and 1 as a percentage."""
    return NONE if value is None or _missing(value) else f"{trim(value * 100, digits)}%"


def score(value: float | None) -> str:
    """Write an index between 0 and 100 as a whole number."""
    return NONE if value is None or _missing(value) else f"{value:.0f}"


def share(part: int, whole: int) -> float | None:
    """Return part of whole; nothing where there is no whole."""
    return part / whole if whole else None


def day(value: dt.date | None) -> str:
    """Write a date."""
    return NONE if value is None else f"{value:%Y-%m-%d}"


def short_day(value: dt.date | None) -> str:
    """Write month and day."""
    return NONE if value is None else f"{value:%m-%d}"


def moment(value: dt.datetime | None) -> str:
    """Write a moment in the time of Shanghai."""
    if value is None:
        return NONE
    local = value.astimezone(dt.timezone(dt.timedelta(hours=8)))
    return f"{local:%Y-%m-%d %H:%M}"


def remaining(due: dt.date | None, as_of: dt.date) -> str:
    """Say how long is left, or by how much it is late."""
    if due is None:
        return NONE
    days = (due - as_of).days
    if days < 0:
        return f"超期 {-days} 天"
    return "今天到期" if days == 0 else f"剩 {days} 天"


def distance(metres: float) -> str:
    """Write a distance."""
    return f"{metres:.0f} 米" if metres < 1000 else f"{metres / 1000:.1f} 公里"


def shortened(text: str, size: int) -> str:
    """Cut a long text for a cell, with an ellipsis."""
    return text if len(text) <= size else f"{text[: size - 1]}…"


def split(text: str | None) -> tuple[str, ...]:
    """Split a multi-valued column."""
    return tuple(part for part in (text or "").split(";") if part)


def statement(evidence: str | None) -> tuple[str, str]:
    """Split evidence into the words for staff and the source row that it ends with."""
    words, _, origin = (evidence or "").partition("｜")
    return words.strip(), origin.strip()
