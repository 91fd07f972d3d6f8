"""Reads amounts of money as people write them and converts them at declared rates (``currencies``, ``amount_words``)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

from qiaomen.catalog import CatalogRow, read_rows


class Currency(CatalogRow):
    """One currency: how it is written and what a unit is worth in yuan at a date, and who says so."""

    name_zh: str
    words: tuple[str, ...]
    rate_cny: float
    as_of: date
    source: str = ""


class AmountWord(CatalogRow):
    """A vague word before an amount and the factor that it stands for (数千万, 近亿)."""

    factor: float
    note: str = ""


_UNITS: Final = {"十": 10.0, "百": 100.0, "千": 1e3, "万": 1e4, "亿": 1e8, "兆": 1e12}
_PLAIN: Final = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,2})?")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_SEGMENT: Final = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([十百千万亿兆]*)")
_NOISE: Final = re.compile(r"[\s,'_]|&nbsp;")
_TAIL: Final = re.compile(r"(?:元|圆|块|整|正|以上|左右|级)+$")
_HAN: Final = re.compile(r"[零〇一二两三四五六七八九壹贰叁肆伍陆柒捌玖拾佰仟萬億]")
_FORMAL: Final = str.maketrans("拾佰仟萬億", "十百千万亿")
LIMIT: Final = 9e13


@dataclass(frozen=True, slots=True)
class MoneyReader:
    """Reads amounts with one set of currencies and vague words."""

    rates: tuple[tuple[str, float], ...]
    vague: tuple[tuple[str, float], ...]

    def read(self, text: str, unit: float = 1.0) -> float:
        """Return yuan rounded to fen; ``unit`` multiplies a bare number. ``ValueError`` says what is wrong."""
        if _PLAIN.fullmatch(text):
            return _fen(float(text) * unit)
        words = _NOISE.sub("", unicodedata.normalize("NFKC", text))
        negative = words.startswith("-") or (words.startswith("(") and words.endswith(")"))
        words = words.strip("()+-")
        rate, words = self._currency(words)
        factor, words = self._vagueness(_TAIL.sub("", words))
        stripped = _TAIL.sub("", words)
        if _PLAIN.fullmatch(stripped) and factor is None:
            # A bare number takes the unit of its header unless a currency or 元 stood beside it.
            scale = unit if rate is None and stripped == text.replace(",", "").strip() else 1.0
            amount = float(stripped) * scale
        else:
            amount = _amount(stripped, factor)
        return _fen((-amount if negative else amount) * (1.0 if rate is None else rate))

    def _currency(self, text: str) -> tuple[float | None, str]:
        upper = text.upper()
        found: float | None = None
        for word, rate in self.rates:
            if word in upper:
                if found is None or found == 1.0:
                    found = rate
                upper = upper.replace(word, "")
        return found, upper

    def _vagueness(self, text: str) -> tuple[float | None, str]:
        factor: float | None = None
        changed = True
        while changed:
            changed = False
            for word, value in self.vague:
                if text.startswith(word):
                    factor = value * (1.0 if factor is None else factor)
                    text = text[len(word) :]
                    changed = True
                    break
        return factor, text


def _amount(text: str, factor: float | None) -> float:
    if text and set(text) <= set(_UNITS):
        if factor is None:
            raise ValueError("金额没有数字")
        return factor * _multiply(text)
    if _NUMBER.search(text) is None and _HAN.search(text):
        text = _from_han(text)
    total, position, unit = 0.0, 0, "first"
    for match in _SEGMENT.finditer(text):
        # 12万3456 is said, 12万3 may mean 12.3 ten thousands: what follows a unit has a unit or four digits.
        follows = unit == "first" or (unit[-1:] in {"万", "亿"} and (match[2] or len(match[1]) >= 4))
        if match.start() != position or not follows:
            raise ValueError("金额写法无法识别")
        total += float(match[1]) * _multiply(match[2])
        position, unit = match.end(), match[2]
    if position == 0 or position != len(text):
        raise ValueError("金额写法无法识别")
    return total * (1.0 if factor is None else factor)


def _multiply(units: str) -> float:
    value = 1.0
    for unit in units:
        value *= _UNITS[unit]
    return value


def _from_han(text: str) -> str:
    import cn2an

    plain = text.translate(_FORMAL)
    try:
        return str(cn2an.cn2an(plain, "smart"))
    except ValueError as error:
        raise ValueError("金额写法无法识别") from error


def _fen(amount: float) -> float:
    if not abs(amount) <= LIMIT:
        raise ValueError("金额超出可表示的范围")
    return round(amount, 2)


@lru_cache(maxsize=4)
def load_money_reader(overlay: Path | None = None) -> MoneyReader:
    """Return the reader for the declared currencies and vague words, longest words first."""
    rates = [
        (word.upper(), currency.rate_cny)
        for currency in read_rows("currencies", Currency, overlay=overlay)
        for word in currency.words
    ]
    vague = [(word.code, word.factor) for word in read_rows("amount_words", AmountWord, overlay=overlay)]
    by_length = sorted(vague, key=lambda pair: (-len(pair[0]), pair[0]))
    return MoneyReader(
        tuple(sorted(rates, key=lambda pair: (-len(pair[0]), pair[0]))),
        tuple(by_length),
    )
