"""Reads dates as people and spreadsheets write them; refuses impossible and unbelievable ones."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, timedelta
from typing import Final

FIRST: Final = date(1800, 1, 1)
LAST: Final = date(2100, 12, 31)
_OPEN: Final = frozenset({"长期", "永久", "无固定期限", "至今", "9999-12-31", "9999/12/31", "99991231"})
_CLOCK: Final = r"(?:[T ]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_DATE: Final = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + _CLOCK)
_HAN: Final = re.compile(r"(\d{4}) ?年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?[日号]?" + _CLOCK)
_COMPACT: Final = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\.0)?")
_SERIAL: Final = re.compile(r"(\d{5})(?:\.\d+)?")
_MONTH: Final = re.compile(r"(\d{4})(?:[-/.年]?)(\d{1,2})月?")
_EPOCH: Final = date(1899, 12, 30)


def _believable(year: int, month: int, day: int) -> date:
    try:
        value = date(year, month, day)
    except ValueError as error:
        raise ValueError("不存在的日期") from error
    if not FIRST <= value <= LAST:
        raise ValueError("日期不可信（应在 1800 年至 2100 年之间）")
    return value


def read_date(text: str) -> date | None:
    """Return the date; None where the text says that there is no end; ``ValueError`` otherwise.

    Takes 2019-06-03, 2019/6/3, 2019.6.3, 20190603, 2019年6月3日, each with a time of day, and Excel day numbers.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain in _OPEN:
        return None
    if match := _DATE.fullmatch(plain):
        return _believable(int(match[1]), int(match[3]), int(match[4]))
    if match := _HAN.fullmatch(plain) or _COMPACT.fullmatch(plain):
        return _believable(int(match[1]), int(match[2]), int(match[3]))
    if match := _SERIAL.fullmatch(plain):
        value = _EPOCH + timedelta(days=int(match[1]))
        return _believable(value.year, value.month, value.day)
    raise ValueError("日期写法无法识别，请写成 2025-06-30")


def read_month(text: str) -> date | None:
    """Return the first day of the month; takes 2025-06, 2025年6月, 202506 and every full date."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if match := _MONTH.fullmatch(plain):
        return _believable(int(match[1]), int(match[2]), 1)
    value = read_date(plain)
    return value.replace(day=1) if value else None
