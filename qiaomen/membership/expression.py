"""What a screening query is once it has been read: a small tree, its JSON form and its canonical text.

Values in the tree are codes; labels were resolved when the text was parsed. ``docs/screening.md`` has the grammar.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from qiaomen.vocab import InputRejected

Operator = Literal["=", "!=", "<", "<=", ">", ">="]
OPERATORS: Final[tuple[Operator, ...]] = ("=", "!=", "<", "<=", ">", ">=")
Literal_ = int | float | bool | dt.date
MAX_DEPTH: Final = 40
PLAIN_WORD: Final = re.compile(r"""[^\s&|!()<>=:"'≥≤≠（）！｜＆：＝＞＜＊*]+""")
RESERVED: Final = frozenset({"and", "or", "not", "且", "或", "非"})


@dataclass(frozen=True, slots=True)
class Everything:
    """Every live company."""


@dataclass(frozen=True, slots=True)
class Member:
    """Companies with a value of a dimension; ``value=None`` asks for any value, ``exactly`` leaves out what is below."""

    dimension: str
    value: str | None = None
    exactly: bool = False


@dataclass(frozen=True, slots=True)
class Compare:
    """Companies whose fact compares so with a literal; a missing fact is false."""

    field: str
    operator: Operator
    value: Literal_


@dataclass(frozen=True, slots=True)
class Known:
    """Companies for which the fact is present."""

    field: str


@dataclass(frozen=True, slots=True)
class Not:
    """The complement among live companies."""

    item: Expression


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more."""

    items: tuple[Expression, ...]


Expression = Everything | Member | Compare | Known | Not | And | Or


class WrongExpression(InputRejected):
    """A screening expression cannot be read; ``position`` counts characters from 0, ``nearest`` are valid names."""

    def __init__(
        self, message: str, *, position: int, nearest: tuple[str, ...] = (), where: str = ""
    ) -> None:
        remedy = "是否想写：" + "、".join(nearest) if nearest else "写法见 docs/screening.md"
        super().__init__(message, where=where or f"第 {position + 1} 个字符", remedy=remedy)
        self.position = position
        self.nearest = nearest


def to_json(expression: Expression) -> dict[str, Any]:
    """Return the JSON form (dates as ISO text)."""
    match expression:
        case Everything():
            return {"all": True}
        case Member(dimension, None, _):
            return {"dimension": dimension}
        case Member(dimension, value, exactly):
            return {"dimension": dimension, "value": value, "exactly": exactly}
        case Known(field):
            return {"known": field}
        case Compare(field, operator, value):
            plain = value.isoformat() if isinstance(value, dt.date) else value
            return {"field": field, "op": operator, "value": plain}
        case Not(item):
            return {"not": to_json(item)}
        case And(items):
            return {"and": [to_json(item) for item in items]}
        case Or(items):
            return {"or": [to_json(item) for item in items]}


def to_text(expression: Expression) -> str:
    """Return the canonical text; parsing it gives the same tree."""
    match expression:
        case Everything():
            return "*"
        case Member(dimension, None, _):
            return dimension
        case Member(dimension, str(value), exactly):
            return f"{dimension}{'=' if exactly else ':'}{quoted(value)}"
        case Known(field):
            return f"known({field})"
        case Compare(field, operator, value):
            return f"{field}{operator}{_literal_text(value)}"
        case Not(item):
            return f"!{_nested(item)}"
        case And(items):
            return " & ".join(_nested(item) for item in items)
        case Or(items):
            return " | ".join(_nested(item) for item in items)
    raise TypeError(f"not an expression: {expression!r}")


def quoted(value: str) -> str:
    """Return a value as it must be written in a query."""
    if PLAIN_WORD.fullmatch(value) and value.lower() not in RESERVED:
        return value
    return '"' + value.replace('"', '""') + '"'


def _nested(expression: Expression) -> str:
    text = to_text(expression)
    return f"({text})" if isinstance(expression, And | Or) else text


def _literal_text(value: Literal_) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, dt.date) else repr(value)


def fold(
    expression: Expression,
    leaf: Callable[[Expression], Any],
    combine: Callable[[Expression, list[Any]], Any],
) -> Any:
    """Evaluate a tree from its leaves up: ``leaf`` for a condition, ``combine`` for NOT, AND and OR."""
    match expression:
        case Not(item):
            return combine(expression, [fold(item, leaf, combine)])
        case And(items) | Or(items):
            return combine(expression, [fold(item, leaf, combine) for item in items])
        case _:
            return leaf(expression)
