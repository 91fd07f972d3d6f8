"""Reads the screening language: text or JSON into a tree whose values are codes.

A wrong query is refused with the position and the nearest valid names. Grammar: ``docs/screening.md``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from qiaomen.membership.expression import (
    MAX_DEPTH,
    OPERATORS,
    PLAIN_WORD,
    And,
    Compare,
    Everything,
    Expression,
    Known,
    Literal_,
    Member,
    Not,
    Or,
    WrongExpression,
)
from qiaomen.membership.names import Names

MAX_LENGTH: Final = 10_000
MAX_DIGITS: Final = 40
_WIDE: Final = str.maketrans("（）！｜＆：＝＞＜＊", "()!|&:=><*")
_SYMBOL: Final = re.compile(r">=|<=|!=|≥|≤|≠|[&|!()<>=:*]")
_SAME: Final = {"≥": ">=", "≤": "<=", "≠": "!="}
_WORD_SYMBOLS: Final = {"and": "&", "且": "&", "or": "|", "或": "|", "not": "!", "非": "!"}
_QUOTED: Final = re.compile(r'"((?:[^"]|"")*)"' + r"|'((?:[^']|'')*)'")
_NUMBER: Final = re.compile(r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?)(万亿|亿|万|%)?")
_UNITS: Final = {"万": 10**4, "亿": 10**8, "万亿": 10**12}
_TRUTHS: Final = {"true": True, "是": True, "false": False, "否": False}
_KIND_WORDS: Final = {
    "number": "数字",
    "date": "日期（如 2025-01-31）",
    "boolean": "true 或 false（是、否）",
}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # "symbol", "word", "text" (quoted), "end"
    text: str
    position: int


def parse(text: str, names: Names) -> Expression:
    """Read a query. Raises ``WrongExpression`` with the position and the nearest valid names."""
    if len(text) > MAX_LENGTH:
        raise WrongExpression(f"条件超过 {MAX_LENGTH} 个字符", position=MAX_LENGTH)
    return _Parser(_tokens(text), names).whole()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    plain = text.translate(_WIDE)
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        token, position = _token_at(text, plain, position)
        tokens.append(token)
    tokens.append(_Token("end", "", len(text)))
    return tokens


def _token_at(text: str, plain: str, position: int) -> tuple[_Token, int]:
    if found := _SYMBOL.match(plain, position):
        return _Token("symbol", _SAME.get(found[0], found[0]), position), found.end()
    if text[position] in "\"'":
        if not (found := _QUOTED.match(text, position)):
            raise WrongExpression("引号没有结束", position=position)
        mark = text[position]
        return _Token("text", found[0][1:-1].replace(mark * 2, mark), position), found.end()
    found = PLAIN_WORD.match(text, position)
    if found is None:
        raise WrongExpression(f"不认识的字符“{text[position]}”", position=position)
    symbol = _WORD_SYMBOLS.get(found[0].lower())
    token = _Token("symbol", symbol, position) if symbol else _Token("word", found[0], position)
    return token, found.end()


class _Parser:
    """Recursive descent over the tokens; each method reads one rule of the grammar."""

    def __init__(self, tokens: list[_Token], names: Names) -> None:
        self._tokens = tokens
        self._names = names
        self._at = 0
        self._depth = 0

    def whole(self) -> Expression:
        if self._peek().kind == "end":
            return Everything()
        found = self._either()
        last = self._peek()
        if last.kind != "end":
            message = "多了一个右括号" if last.text == ")" else f"“{last.text}”之前缺少 & 或 |"
            raise WrongExpression(message, position=last.position)
        return found

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _taken(self, symbol: str) -> bool:
        token = self._peek()
        if token.kind == "symbol" and token.text == symbol:
            self._at += 1
            return True
        return False

    def _either(self) -> Expression:
        items = [self._both()]
        while self._taken("|"):
            items.append(self._both())
        return items[0] if len(items) == 1 else Or(tuple(items))

    def _both(self) -> Expression:
        items = [self._negation()]
        while self._taken("&"):
            items.append(self._negation())
        return items[0] if len(items) == 1 else And(tuple(items))

    def _negation(self) -> Expression:
        token = self._peek()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise WrongExpression(f"嵌套超过 {MAX_DEPTH} 层", position=token.position)
        found = Not(self._negation()) if self._taken("!") else self._primary()
        self._depth -= 1
        return found

    def _primary(self) -> Expression:
        token = self._take()
        if token.kind == "symbol" and token.text == "(":
            inner = self._either()
            if not self._taken(")"):
                raise WrongExpression("缺少右括号", position=self._peek().position)
            return inner
        if token.kind == "symbol" and token.text == "*":
            return Everything()
        if token.kind != "word":
            message = "条件没有写完" if token.kind == "end" else f"此处应是条件，不是“{token.text}”"
            raise WrongExpression(message, position=token.position)
        if token.text.lower() == "known" and self._taken("("):
            return self._known()
        return self._condition(token)

    def _known(self) -> Expression:
        token = self._take()
        if token.kind not in {"word", "text"}:
            raise WrongExpression("known( ) 里应是维度或字段名", position=token.position)
        head = resolve_head(token.text, self._names, token.position)
        if not self._taken(")"):
            raise WrongExpression("缺少右括号", position=self._peek().position)
        return Known(head) if head in self._names.fields else Member(head)

    def _condition(self, token: _Token) -> Expression:
        head = resolve_head(token.text, self._names, token.position)
        sign = self._peek()
        compared = sign.kind == "symbol" and (sign.text == ":" or sign.text in OPERATORS)
        if head in self._names.fields:
            if not compared and self._names.fields[head] == "boolean":
                return Compare(head, "=", True)
            if not compared or sign.text == ":":
                raise WrongExpression(f"“{token.text}”之后应是 = != < <= > >= 之一", position=sign.position)
            self._take()
            word = self._value()
            return comparison(head, sign.text, word.text, self._names, word.position)
        if not compared:
            return Member(head)
        if sign.text not in {":", "="}:
            raise WrongExpression(f"“{token.text}”之后应是 : 或 =", position=sign.position)
        self._take()
        word = self._value()
        value = resolve_value(head, word.text, self._names, word.position)
        return Member(head, value, sign.text == "=")

    def _value(self) -> _Token:
        token = self._take()
        if token.kind not in {"word", "text"}:
            raise WrongExpression("此处应是一个值", position=token.position)
        return token


def resolve_head(word: str, names: Names, position: int, where: str = "") -> str:
    """Return the dimension or field that a word names."""
    head = names.head(word)
    if head is None:
        raise WrongExpression(
            f"没有名为“{word}”的维度或字段", position=position, nearest=names.nearest_heads(word), where=where
        )
    return head


def resolve_value(dimension: str, word: str, names: Names, position: int, where: str = "") -> str:
    """Return the code of a value; a label that several values carry is refused, not guessed."""
    found = names.find(dimension, word)
    if len(found) == 1:
        return found[0]
    if found:
        nearest = tuple(names.describe(dimension, value) for value in found[:10])
        message = f"“{word}”不止一个，请写代码"
    else:
        nearest = names.nearest_values(dimension, word)
        message = f"维度 {dimension} 没有“{word}”"
    raise WrongExpression(message, position=position, nearest=nearest, where=where)


def comparison(field: str, operator: str, word: str, names: Names, position: int, where: str = "") -> Compare:
    """Return a comparison, its literal read by the type of the field."""
    kind = names.fields[field]
    value = _literal(kind, word)
    if value is None:
        raise WrongExpression(
            f"字段 {field} 要与{_KIND_WORDS[kind]}比较，不能是“{word}”", position=position, where=where
        )
    for known in OPERATORS:
        if known == operator and (kind != "boolean" or known in {"=", "!="}):
            return Compare(field, known, value)
    raise WrongExpression(f"字段 {field} 不能用 {operator} 比较", position=position, where=where)


def _literal(kind: str, word: str) -> Literal_ | None:
    if kind == "boolean":
        return _TRUTHS.get(word.lower())
    if kind == "date":
        return _date(word)
    found = _NUMBER.fullmatch(word)
    if found is None:
        return None
    digits, unit = found[1].replace(",", ""), found[2]
    if len(digits) > MAX_DIGITS:
        return None
    number = float(digits) if re.search(r"[.eE]", digits) else int(digits)
    if unit == "%":
        return number / 100
    scaled = number * _UNITS.get(unit or "", 1)
    return None if isinstance(scaled, float) and scaled in {float("inf"), float("-inf")} else scaled


def _date(word: str) -> dt.date | None:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", word):
        return None
    try:
        return dt.date.fromisoformat(word)
    except ValueError:
        return None


def from_json(data: Any, names: Names) -> Expression:
    """Read the JSON form. Raises ``WrongExpression`` whose ``where`` is the JSON path."""
    return _node(data, names, "$", 0)


def _node(data: Any, names: Names, where: str, depth: int) -> Expression:
    if depth > MAX_DEPTH:
        raise WrongExpression(f"嵌套超过 {MAX_DEPTH} 层", position=0, where=where)
    if not isinstance(data, Mapping):
        raise WrongExpression("应是一个 JSON 对象", position=0, where=where)
    keys = frozenset(data)
    if keys == {"all"} and data["all"] is True:
        return Everything()
    if keys == {"not"}:
        return Not(_node(data["not"], names, f"{where}.not", depth + 1))
    if keys in ({"and"}, {"or"}):
        return _list_node(data, names, where, depth)
    if keys == {"known"}:
        head = resolve_head(str(data["known"]), names, 0, f"{where}.known")
        return Known(head) if head in names.fields else Member(head)
    if keys == {"field", "op", "value"}:
        return _field_node(data, names, where)
    if "dimension" in keys and keys <= {"dimension", "value", "exactly"}:
        return _member_node(data, names, where)
    raise WrongExpression(f"不认识的键：{sorted(map(str, keys))}", position=0, where=where)


def _list_node(data: Mapping[str, Any], names: Names, where: str, depth: int) -> Expression:
    (key,) = data
    items = data[key]
    if not isinstance(items, list) or len(items) < 2:
        raise WrongExpression(f"{key} 应是两项以上的列表", position=0, where=where)
    read = tuple(
        _node(item, names, f"{where}.{key}[{number}]", depth + 1) for number, item in enumerate(items)
    )
    return And(read) if key == "and" else Or(read)


def _field_node(data: Mapping[str, Any], names: Names, where: str) -> Expression:
    field = resolve_head(str(data["field"]), names, 0, f"{where}.field")
    if field not in names.fields:
        raise WrongExpression(f"“{field}”是维度，不是字段", position=0, where=f"{where}.field")
    value = data["value"]
    if not isinstance(value, str | int | float):
        raise WrongExpression("值应是数字、日期文字或真假", position=0, where=f"{where}.value")
    word = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return comparison(field, str(data["op"]), word, names, 0, f"{where}.value")


def _member_node(data: Mapping[str, Any], names: Names, where: str) -> Expression:
    dimension = resolve_head(str(data["dimension"]), names, 0, f"{where}.dimension")
    if dimension not in names.values:
        raise WrongExpression(f"“{dimension}”是字段，不是维度", position=0, where=f"{where}.dimension")
    exactly = data.get("exactly", False)
    if not isinstance(exactly, bool):
        raise WrongExpression("exactly 应是 true 或 false", position=0, where=f"{where}.exactly")
    if data.get("value") is None:
        return Member(dimension)
    value = resolve_value(dimension, str(data["value"]), names, 0, f"{where}.value")
    return Member(dimension, value, exactly)
