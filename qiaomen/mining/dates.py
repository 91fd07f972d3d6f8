"""Dates in Chinese text, absolute and relative to the date of publication, with exact spans."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final

_ABSOLUTE: Final = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d{2})\s*(?P<mark>[年\-/.])\s*(?P<month>\d{1,2})(?!\d)"
    r"(?:\s*[月\-/.]\s*(?P<day>\d{1,2})(?!\d)\s*日?)?"
)
_MONTH_DAY: Final = re.compile(r"(?<![\d年])(?P<month>\d{1,2})\s*月\s*(?P<day>\d{1,2})\s*日")
_RELATIVE: Final = re.compile(
    r"今日|今天|当日|日前|近日|近期|昨日|昨天|前日|前天|明日|明天|本月|本周|上月|上个月|去年|今年|年内"
)
_OFFSET_DAYS: Final = {"昨日": -1, "昨天": -1, "前日": -2, "前天": -2, "明日": 1, "明天": 1}
_AHEAD: Final = dt.timedelta(days=60)


@dataclass(frozen=True, slots=True)
class DateMention:
    """One date with its span; ``precise`` is false for months, years and words such as 近日."""

    on: dt.date
    precise: bool
    start: int
    end: int


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def _absolute(match: re.Match[str]) -> DateMention | None:
    day = match["day"]
    if day is None and match["mark"] != "年":
        return None  # 2019-12 or 12.5 alone is more often a number than a month.
    on = _date(int(match["year"]), int(match["month"]), int(day or 1))
    return DateMention(on, day is not None, match.start(), match.end()) if on else None


def _month_day(match: re.Match[str], published_on: dt.date) -> DateMention | None:
    """Take the year of publication, or the one before where that would lie well ahead."""
    for year in (published_on.year, published_on.year - 1):
        on = _date(year, int(match["month"]), int(match["day"]))
        if on and on <= published_on + _AHEAD:
            return DateMention(on, True, match.start(), match.end())
    return None


def _relative(match: re.Match[str], published_on: dt.date) -> DateMention:
    word = match.group()
    if word in _OFFSET_DAYS:
        on, precise = published_on + dt.timedelta(days=_OFFSET_DAYS[word]), True
    elif word in ("上月", "上个月"):
        on, precise = published_on.replace(day=1) - dt.timedelta(days=1), False
    elif word == "去年":
        on, precise = dt.date(published_on.year - 1, 12, 31), False
    else:
        on, precise = published_on, word in ("今日", "今天", "当日")
    return DateMention(on, precise, match.start(), match.end())


def find_dates(flat: str, published_on: dt.date) -> list[DateMention]:
    """Return the dates in ``flat`` in order; impossible ones are left out."""
    found = [date for match in _ABSOLUTE.finditer(flat) if (date := _absolute(match))]
    found += [date for match in _MONTH_DAY.finditer(flat) if (date := _month_day(match, published_on))]
    found += [_relative(match, published_on) for match in _RELATIVE.finditer(flat)]
    return sorted(found, key=lambda date: (date.start, date.end))
