"""Named cleaners that a source may declare: from one trimmed cell to a typed value, or the reason why not.

A cleaner is named ``name`` or ``name:parameter``. It gets a non-empty cell and returns the value, None where the
cell says "none", or raises ``Unclean``. ``CLEANERS`` with their one-line docs are listed in ``docs/sources.md``.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

from qiaomen.registry.dates import read_date, read_month
from qiaomen.registry.money import load_money_reader
from qiaomen.vocab import CatalogInvalid, check_uscc, is_region_code, normalise_code

Clean = Callable[[str], Any]


class Unclean(ValueError):
    """A cell cannot be accepted; the text says why, in Chinese, with what to do."""


@dataclass(frozen=True, slots=True)
class Cleaner:
    """A named cleaner: what it yields, what it does, and how it is made for a parameter and a bank's overlay."""

    type: str
    doc: str
    make: Callable[[str, Path | None], Clean]


_SPACES: Final = re.compile(r"[\s\u00a0\u3000]+")
_INVISIBLE: Final = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060\ufeff\u00ad]|[\x00-\x08\x0e-\x1f\x7f]")
_ENTITIES: Final = re.compile(r"&(?:nbsp|amp|lt|gt|quot);", re.IGNORECASE)
_ENTITY: Final = {"&nbsp;": " ", "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"'}
_LOST: Final = re.compile(r"\d(?:\.\d+)?[eE]\+?\d{1,2}")
_LIST: Final = re.compile(r"[;；、,，|\n]+")
_STOCK: Final = re.compile(r"(?:(?:sh|sz|bj)[.]?)?(\d{6})(?:[.]?(?:sh|sz|bj|ss|xshg|xshe))?", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:,\d{3})*|\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_PHONE: Final = re.compile(r"(?:\+?86)?(?:1\d{10}|0\d{2,3}\d{7,8}(?:\d{1,6})?|[2-8]\d{6,7}|[48]00\d{7})")
_SUFFIX: Final = re.compile(r"\s*[-－—].*$")
_INDUSTRY: Final = re.compile(r"([A-T])?(\d{0,4})", re.IGNORECASE)


def _verbatim(text: str) -> str:
    return text


def _text(text: str) -> str | None:
    plain = _INVISIBLE.sub("", _ENTITIES.sub(lambda match: _ENTITY[match[0].lower()], text))
    return _SPACES.sub(" ", plain).strip() or None


def _paragraphs(text: str) -> str | None:
    plain = _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n".join(line.rstrip() for line in plain.split("\n")).strip() or None


_BRACKETS: Final = str.maketrans("()", "（）")
_HAN: Final = re.compile("[\u4e00-\u9fff]")


def _name(text: str) -> str | None:
    plain = _text(unicodedata.normalize("NFKC", text))
    # Registered Chinese names are written with full-width brackets; NFKC narrows them.
    return plain.translate(_BRACKETS) if plain and _HAN.search(plain) else plain


def _code(text: str) -> str | None:
    plain = _SPACES.sub("", _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)))
    if _LOST.fullmatch(plain):
        raise Unclean("号码被存成数字，末尾几位已丢失；请将该列设为文本后重新导出")
    return plain or None


def _uscc(text: str) -> str:
    plain = _code(text) or ""
    code = normalise_code(plain)
    if reason := check_uscc(code):
        raise Unclean(reason)
    return code


def _stock_code(text: str) -> str:
    match = _STOCK.fullmatch(text.strip())
    if match is None:
        raise Unclean("股票代码应为 6 位数字，可带 .SH/.SZ/.BJ 或 sh./sz. 标记")
    return match[1]


def _listed_board(text: str) -> str | None:
    code = _stock_code(text)
    boards = {"688": "科创板", "689": "科创板", "300": "创业板", "301": "创业板", "302": "创业板"}
    if code[:3] in boards:
        return boards[code[:3]]
    if code[:2] == "60":
        return "上交所主板"
    if code[:2] == "00":
        return "深交所主板"
    if code[:2] in {"43", "83", "87", "92"} or code[:3] == "889":
        return "北交所"
    raise Unclean("股票代码不属于已知的板块")


def _listed(text: str) -> str | None:
    pieces = (_text(piece) for piece in _LIST.split(text))
    return ";".join(dict.fromkeys(piece for piece in pieces if piece)) or None


def _decimal(text: str) -> float:
    plain = unicodedata.normalize("NFKC", text).replace(" ", "")
    if not plain or not _NUMBER.fullmatch(plain) or not any(c.isdigit() for c in plain):
        raise Unclean("不是数字")
    return float(plain.replace(",", ""))


def _integer(text: str) -> int:
    value = _decimal(re.sub(r"[人家个户笔次]$", "", text.strip()))
    if not abs(value) < 2**53 or value != int(value):
        raise Unclean("不是整数")
    return int(value)


def _percent(parameter: str, text: str) -> float:
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain.endswith("%"):
        return _decimal(plain[:-1]) / 100
    return _decimal(plain) / float(parameter or 1)


def _bool(text: str) -> bool:
    word = unicodedata.normalize("NFKC", text).strip().lower()
    if word in {"是", "有", "1", "1.0", "true", "yes", "y", "t", "√"}:
        return True
    if word in {"否", "无", "0", "0.0", "false", "no", "n", "f", "×"}:
        return False
    raise Unclean("应为 是 或 否")


def _phone(text: str) -> str:
    plain = re.sub(r"[^\d+;、,/转]", "", unicodedata.normalize("NFKC", text))
    numbers = [number for number in re.split(r"[;、,/]", plain.replace("转", "")) if number]
    good = [number.removeprefix("+86") for number in numbers if _PHONE.fullmatch(number)]
    if not good:
        raise Unclean("电话号码位数不对")
    return ";".join(dict.fromkeys(good))


def _email(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    if not _EMAIL.fullmatch(plain):
        raise Unclean("不是邮箱地址")
    return plain


def _json(text: str) -> str:
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, sort_keys=True)
    except ValueError as error:
        raise Unclean("不是 JSON") from error


def _birth_year(year: int, text: str) -> int | None:
    age = _integer(text)
    if age < 0:
        return None
    if not 14 <= age <= 110:
        raise Unclean("年龄不可信")
    return year - age


def _code_parent(lengths: tuple[int, ...], text: str) -> str | None:
    code = _code(text) or ""
    level = next((length for length in lengths if not code[length:].strip("0")), len(code))
    above = [length for length in lengths if length < level]
    return code[: above[-1]].ljust(len(code), "0") if above else None


def _holder(text: str) -> str | None:
    plain = _name(text)
    if plain is None or plain.isascii():
        return plain
    return _SUFFIX.sub("", plain) or plain


def _money(overlay: Path | None) -> Callable[..., float]:
    return load_money_reader(overlay).read


@lru_cache(maxsize=4)
def _region_words(overlay: Path | None) -> tuple[Mapping[str, str | None], Mapping[str, str]]:
    """Return names to codes (None where several divisions share the name) and former codes to present ones."""
    from qiaomen.catalog import load_divisions
    from qiaomen.vocab import PROVINCES

    names: dict[str, str | None] = {}
    codes: dict[str, str] = {}
    divisions = load_divisions(overlay)
    for division in divisions:
        names[division.name] = None if division.name in names else division.code
        codes[division.code] = division.code
    for division in divisions:
        for _, former in division.former_places:
            codes.setdefault(former, division.code)
    for code, name in PROVINCES.items():
        names.setdefault(name, code)
        codes.setdefault(code, code)
    return names, codes


def _region(overlay: Path | None, text: str) -> str:
    names, codes = _region_words(overlay)
    word = _code(text) or ""
    if word.isdigit():
        code = word[:6].ljust(6, "0")
        if (len(word) in (2, 4, 6) or (len(word) in (9, 12))) and is_region_code(code) and code in codes:
            return codes[code]
        raise Unclean("行政区划代码不存在")
    if found := names.get(word) or names.get(word + "市"):
        return found
    raise Unclean("行政区划名称不存在或不唯一，请填六位代码")


@lru_cache(maxsize=4)
def _industry_codes(overlay: Path | None) -> Mapping[str, str]:
    from qiaomen.catalog import load_industries

    codes = {industry.code: industry.code for industry in load_industries(overlay)}
    return codes | {code[1:]: code for code in codes if len(code) > 1}


def _industry_code(overlay: Path | None, text: str) -> str:
    word = (_code(text) or "").upper()
    codes = _industry_codes(overlay)
    if not _INDUSTRY.fullmatch(word) or word not in codes:
        raise Unclean("国民经济行业代码（GB/T 4754-2017）不存在")
    return codes[word]


def _plain(type_: str, doc: str, clean: Clean) -> Cleaner:
    return Cleaner(type_, doc, lambda _parameter, _overlay: clean)


CLEANERS: Final[dict[str, Cleaner]] = {
    "verbatim": _plain("string", "原样保留，不去空白", _verbatim),
    "text": _plain("string", "去首尾空白与不可见字符，连续空白并作一个", _text),
    "paragraphs": _plain("string", "保留换行的正文", _paragraphs),
    "name": _plain("string", "名称：全角半角归一（NFKC，中文名称用全角括号），去空白", _name),
    "code": _plain("string", "编号：去空白；被存成科学计数的长号码不接受", _code),
    "uscc": _plain("string", "统一社会信用代码：归一并核对 GB 32100 校验位", _uscc),
    "stock_code": _plain("string", "股票代码：300729.SZ、sh.600000、301079 都得六位数字", _stock_code),
    "listed_board": _plain("string", "由股票代码得上市板块", _listed_board),
    "list": _plain("string", "多值：以分号、顿号、逗号分隔的词，去重后以 ; 相连", _listed),
    "decimal": _plain("float64", "数字，可带千分位", _decimal),
    "integer": _plain("int64", "整数，可带量词", _integer),
    "percent": Cleaner(
        "float64",
        "比例（0 至 1）：带 % 的除以 100，不带的除以参数（percent:100 表示原值是百分数）",
        lambda parameter, _overlay: partial(_percent, parameter),
    ),
    "money": Cleaner(
        "float64",
        "金额（元）：万、亿、数千万、近亿、外币、中文数字；按 currencies 与 amount_words 折算",
        lambda _parameter, overlay: _money(overlay),
    ),
    "bool": _plain("boolean", "是/否、1/0、true/false", _bool),
    "date": _plain(
        "date", "日期：多种写法；1800 年以前、2100 年以后和不存在的日期不接受；长期为空", read_date
    ),
    "month": _plain("date", "月份：得当月一日", read_month),
    "region": Cleaner(
        "string",
        "行政区划：现行或曾用代码（2、4、6、9、12 位）、全称、省级简称，得现行六位代码",
        lambda _parameter, overlay: partial(_region, overlay),
    ),
    "industry_code": Cleaner(
        "string",
        "国民经济行业代码 GB/T 4754-2017，缺门类字母的补上",
        lambda _parameter, overlay: partial(_industry_code, overlay),
    ),
    "phone": _plain("string", "电话号码，多个以 ; 相连", _phone),
    "email": _plain("string", "邮箱", _email),
    "json": _plain("string", "JSON 文本", _json),
    "holder": _plain("string", "股东名称：去掉“-自有资金”等账户后缀", _holder),
    "birth_year": Cleaner(
        "int64",
        "由年龄推出生年份，参数是年龄所在的年份（birth_year:2018）",
        lambda parameter, _overlay: partial(_birth_year, int(parameter)),
    ),
    "code_parent": Cleaner(
        "string",
        "由分级代码得上级代码，参数是各级长度（code_parent:2,4,6）",
        lambda parameter, _overlay: partial(_code_parent, tuple(map(int, parameter.split(",")))),
    ),
}

_DEFAULTS: Final = {
    "string": "text",
    "float64": "decimal",
    "int64": "integer",
    "boolean": "bool",
    "date": "date",
}


def default_cleaner(kind: str) -> str:
    """Return the cleaner used for a column of that type where the source names none."""
    return _DEFAULTS[kind]


def cleaner_type(step: str) -> str:
    """Return the column type that the cleaner yields; ``CatalogInvalid`` if there is no such cleaner."""
    name, _, _parameter = step.partition(":")
    if name not in CLEANERS:
        raise CatalogInvalid(f"没有名为“{name}”的清洗", remedy=f"可用：{'、'.join(CLEANERS)}")
    return CLEANERS[name].type


def make_cleaner(steps: tuple[str, ...], kind: str, overlay: Path | None, unit: float = 1.0) -> Clean:
    """Return one function for the steps in order, ending in a value of the column type ``kind``.

    ``unit`` multiplies bare numbers read by ``money`` (a header such as 注册资本(万元)).
    """
    made: list[Clean] = []
    for step in steps or (default_cleaner(kind),):
        name, _, parameter = step.partition(":")
        cleaner_type(step)
        clean = CLEANERS[name].make(parameter, overlay)
        made.append(partial(load_money_reader(overlay).read, unit=unit) if name == "money" else clean)
    if len(made) == 1:
        return made[0]

    def run(text: str) -> Any:
        value: Any = text
        for clean in made:
            if value is None:
                return None
            value = clean(value)
        return value

    return run
