"""Amounts in Chinese text: finds them with exact spans and turns them into yuan.

A range counts by its lower end. What is written counts as the registry reads it: declared rates of exchange and
declared factors for 数千万, 近亿 and the like (catalogues ``currencies`` and ``amount_words``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from qiaomen.registry import MoneyReader

# Full-width letters, digits and signs to half width, one character for one, so that spans stay exact.
FLAT: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0xA0: 0x20}
LARGEST_CNY: Final = 9e13

_SCALES: Final = {
    "": 1.0,
    "百": 1e2,
    "千": 1e3,
    "万": 1e4,
    "十万": 1e5,
    "百万": 1e6,
    "千万": 1e7,
    "亿": 1e8,
    "十亿": 1e9,
    "百亿": 1e10,
    "千亿": 1e11,
    "万亿": 1e12,
}
_DIGITS: Final = {
    digit: value
    for value, row in enumerate(zip("零一二三四五六七八九", "〇壹贰叁肆伍陆柒捌玖", strict=True))
    for digit in row
} | {"两": 2}
_TENS: Final = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_MYRIADS: Final = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}

_NUMBER: Final = r"(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,6})?"
_SCALE: Final = r"万亿|千亿|百亿|十亿|亿|千万|百万|十万|万|千|百"
_CURRENCY: Final = r"人民币|美元|美金|港元|港币|欧元|英镑|日元|新加坡元|元|圆|RMB|CNY|USD|HKD|EUR|GBP|JPY"
_MODIFIER: Final = r"约|近|逾|超过|超|不超过|不低于|不少于|不高于|至少|最多|至多|最高|上限为|高达|过|上|数|几"
_PATTERN: Final = re.compile(
    rf"(?P<modifier>{_MODIFIER})?\s*(?P<prefix>人民币|美元|港币|US\$|HK\$|[¥￥$€£])?\s*"
    rf"(?:(?P<low>{_NUMBER})(?:\s*(?P<low_scale>{_SCALE})?\s*元?\s*[-~—–至到]{{1,2}}\s*(?P<high>{_NUMBER}))?"
    rf"|(?P<words>[零〇一二两三四五六七八九十百千万亿壹贰叁肆伍陆柒捌玖拾佰仟萬億]{{1,20}}))"
    rf"\s*(?P<scale>{_SCALE})?\s*(?P<currency>元?(?:{_CURRENCY}))?"
)
_VAGUE: Final = re.compile(
    rf"(?P<modifier>数|几|近|超|过|上|逾)\s*(?P<scale>{_SCALE})(?:级)?\s*(?P<currency>元?(?:{_CURRENCY}))?"
    rf"|(?P<grade>百万|千万|亿)元?级(?P<grade_currency>{_CURRENCY})?"
)
_MONEY_FOLLOWS: Final = re.compile(r"\s*(?:$|[,。;、)\]!?:，；）]|融资|投资|的|人民币)")


@dataclass(frozen=True, slots=True)
class Amount:
    """One amount: yuan, whether it is only approximate, and its span."""

    cny: float
    approximate: bool
    start: int
    end: int


def flatten(text: str) -> str:
    """Return ``text`` in half width, of the same length, so that offsets hold in both."""
    return text.translate(FLAT)


def _spelled(words: str) -> float | None:
    """Return the value of a number in Chinese characters; ``None`` where it is none."""
    total = section = digit = 0
    seen_digit = False
    for word in words:
        if word in _DIGITS:
            digit, seen_digit = _DIGITS[word], True
        elif word in _TENS:
            section += (digit or 1) * _TENS[word]
            digit, seen_digit = 0, True
        else:
            section += digit
            total = (total + (section or (0 if seen_digit else 1))) * _MYRIADS[word]
            section = digit = 0
    return float(total + section + digit) if seen_digit else None


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _yuan(match: re.Match[str], money: MoneyReader) -> float | None:
    """Return yuan of a match: ranges by the lower end, all else as the registry reads it."""
    text = match.group()
    if match["words"]:
        base = _spelled(match["words"])
        return None if base is None else _converted(base * _SCALES[match["scale"] or ""], text, money)
    if match["high"]:
        own = match["low_scale"] or match["scale"] or ""
        return _converted(_number(match["low"]) * _SCALES[own], text, money)
    return _read(text, money)


def _read(text: str, money: MoneyReader) -> float | None:
    try:
        return money.read(text)
    except ValueError:
        return None


def _converted(number: float, text: str, money: MoneyReader) -> float | None:
    upper = text.upper()
    rate = next((rate for word, rate in money.rates if rate != 1.0 and word in upper), 1.0)
    cny = round(number * rate, 2)
    return cny if cny <= LARGEST_CNY else None


def _plain(match: re.Match[str], flat: str, money: MoneyReader, bare: bool) -> Amount | None:
    if not (match["currency"] or match["prefix"]):
        large = any(unit in (match["scale"] or match["words"] or "") for unit in "万亿")
        if not large or not (bare or _MONEY_FOLLOWS.match(flat, match.end())):
            return None
    cny = _yuan(match, money)
    if cny is None:
        return None
    start = match.start() + len(match.group()) - len(match.group().lstrip())
    return Amount(cny, bool(match["modifier"] or match["high"]), start, match.end())


def _vague(match: re.Match[str], money: MoneyReader) -> Amount | None:
    scale = match["scale"] or match["grade"]
    if _SCALES[scale] < 1e4:
        return None
    text = match.group()
    cny = _read(text if match["modifier"] else f"1{text}", money)
    return None if cny is None else Amount(cny, True, match.start(), match.end())


def _scan(flat: str, money: MoneyReader, bare: bool) -> list[Amount]:
    found = [
        amount
        for match in _VAGUE.finditer(flat)
        if (bare or match["currency"] or match["grade_currency"] or _MONEY_FOLLOWS.match(flat, match.end()))
        and (amount := _vague(match, money))
    ]
    taken = [(amount.start, amount.end) for amount in found]
    for match in _PATTERN.finditer(flat):
        if any(match.start() < end and start < match.end() for start, end in taken):
            continue
        amount = _plain(match, flat, money, bare)
        if amount is not None:
            found.append(amount)
    return sorted(found, key=lambda amount: amount.start)


def find_amounts(flat: str, money: MoneyReader) -> list[Amount]:
    """Return the amounts of money in ``flat`` (see ``flatten``) in order; counts such as 3850万股 are left out."""
    return _scan(flat, money, bare=False)


def parse_amount(text: str | None, money: MoneyReader) -> Amount | None:
    """Return the first amount of a field that holds only money (``1000万``, ``数千万人民币``); ``None`` for none."""
    if not text:
        return None
    amounts = _scan(flatten(text), money, bare=True)
    return amounts[0] if amounts else None


def word_amount(cny: float | None) -> str:
    """Return an amount in words: 元 below ten thousand, then 万元 and 亿元; 金额不详 where it is unknown."""
    if cny is None:
        return "金额不详"
    size = abs(cny)
    if size >= 1e8:
        return f"{cny / 1e8:,.2f}亿元"
    return f"{cny / 1e4:,.2f}万元" if size >= 1e4 else f"{cny:,.2f}元"
