"""Conditions on the columns of one table, as declared in YAML: compiled to Ibis, or judged on one row.

Two-valued: a comparison with a missing value is false and ``not`` is the complement. Both readings of a condition
(``compile_condition`` and ``holds``) give the same answer; a property test holds them together.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    import ibis.expr.types as ir

Operator = Literal[
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "between",
    "in",
    "not_in",
    "known",
    "missing",
    "contains",
    "starts",
    "ends",
    "within_days",
    "before_days",
    "ahead_days",
]

COMPARISONS: Final = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
TEXT_TESTS: Final = {"contains": "包含", "starts": "开头为", "ends": "结尾为"}
DATE_TESTS: Final = {"within_days": "在近{}天内", "before_days": "早于{}天前", "ahead_days": "在未来{}天内"}
SIGNS: Final = {
    "eq": "=",
    "ne": "≠",
    "lt": "<",
    "le": "≤",
    "gt": ">",
    "ge": "≥",
    "in": "属于",
    "not_in": "不属于",
}


class Condition(BaseModel):
    """Either one comparison (``column``, ``op``, ``value``) or one of ``all``, ``any``, ``not`` over conditions.

    ``contains``, ``starts``, ``ends`` take one text or a list (any of them). ``within_days: n`` is from n days before
    as_of to as_of, ``before_days: n`` is n days before as_of or earlier, ``ahead_days: n`` is after as_of up to n days on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    column: str | None = None
    op: Operator | None = None
    value: Any = None
    all: tuple[Condition, ...] | None = None
    any: tuple[Condition, ...] | None = None
    negated: Condition | None = Field(default=None, alias="not")

    @model_validator(mode="after")
    def _check_form(self) -> Condition:
        forms = [self.column, self.all, self.any, self.negated]
        if sum(form is not None for form in forms) != 1:
            raise ValueError("条件须且只须写 column、all、any、not 之一")
        if self.column is None:
            if self.op is not None or self.value is not None:
                raise ValueError("op 与 value 只能与 column 同写")
        else:
            _check_value(self.op, self.value)
        return self

    def leaves(self) -> Iterator[Condition]:
        """Yield every single comparison."""
        if self.column is not None:
            yield self
        for part in (*(self.all or ()), *(self.any or ()), *filter(None, (self.negated,))):
            yield from part.leaves()


def _check_value(op: str | None, value: Any) -> None:
    if op is None:
        raise ValueError("缺少 op")
    if op in {"known", "missing"}:
        fitting = value is None
    elif op in {"in", "not_in"}:
        fitting = isinstance(value, list | tuple) and len(value) > 0
    elif op == "between":
        fitting = isinstance(value, list | tuple) and len(value) == 2
    elif op in DATE_TESTS:
        fitting = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    elif op in TEXT_TESTS:
        words = value if isinstance(value, list | tuple) else [value]
        fitting = len(words) > 0 and all(isinstance(word, str) and word for word in words)
    else:
        fitting = value is not None and not isinstance(value, list | tuple | dict)
    if not fitting:
        raise ValueError(f"运算“{op}”的取值“{value}”不合规")


def _words(value: Any) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list | tuple) else [str(value)]


def _bounds(op: str, days: int, as_of: date) -> tuple[date | None, date | None]:
    """Return the first and the last date, both inclusive, that a date test allows."""
    if op == "within_days":
        return as_of - timedelta(days=days), as_of
    if op == "before_days":
        return None, as_of - timedelta(days=days)
    return as_of + timedelta(days=1), as_of + timedelta(days=days)


def _compile_leaf(condition: Condition, table: ir.Table, as_of: date) -> ir.BooleanValue:
    import ibis

    column, op, value = table[str(condition.column)], condition.op, condition.value
    result: Any
    if op in {"known", "missing"}:
        return column.notnull() if op == "known" else column.isnull()
    if op in COMPARISONS:
        result = COMPARISONS[op](column, ibis.literal(value))
    elif op in {"in", "not_in"}:
        result = column.isin(list(value)) if op == "in" else column.notin(list(value))
    elif op == "between":
        result = column.between(value[0], value[1])
    elif op in TEXT_TESTS:
        method = {"contains": "contains", "starts": "startswith", "ends": "endswith"}[str(op)]
        result = functools.reduce(operator.or_, (getattr(column, method)(word) for word in _words(value)))
    else:
        low, high = _bounds(str(op), value, as_of)
        result = column <= ibis.literal(high)
        if low is not None:
            result = result & (column >= ibis.literal(low))
    return result.fill_null(False)


def compile_condition(condition: Condition, table: ir.Table, as_of: date) -> ir.BooleanValue:
    """Return the condition as a boolean column of ``table``, never null."""
    import ibis

    if condition.column is not None:
        return _compile_leaf(condition, table, as_of)
    if condition.negated is not None:
        return ~compile_condition(condition.negated, table, as_of)
    join = operator.and_ if condition.all is not None else operator.or_
    parts = condition.all if condition.all is not None else condition.any
    compiled = [compile_condition(part, table, as_of) for part in parts or ()]
    if not compiled:
        return ibis.literal(condition.all is not None)
    return functools.reduce(join, compiled)


def _leaf_holds(condition: Condition, row: Mapping[str, Any], as_of: date) -> bool:
    actual, op, value = row.get(str(condition.column)), condition.op, condition.value
    if op in {"known", "missing"}:
        return (actual is not None) == (op == "known")
    if actual is None:
        return False
    if op in COMPARISONS:
        return bool(COMPARISONS[op](actual, value))
    if op in {"in", "not_in"}:
        return (actual in value) == (op == "in")
    if op == "between":
        return bool(value[0] <= actual <= value[1])
    if op in TEXT_TESTS:
        method = {"contains": "__contains__", "starts": "startswith", "ends": "endswith"}[str(op)]
        return any(getattr(actual, method)(word) for word in _words(value))
    low, high = _bounds(str(op), value, as_of)
    return (low is None or actual >= low) and (high is None or actual <= high)


def holds(condition: Condition, row: Mapping[str, Any], as_of: date) -> bool:
    """Judge the condition on one row; a column that the row lacks is missing."""
    if condition.column is not None:
        return _leaf_holds(condition, row, as_of)
    if condition.negated is not None:
        return not holds(condition.negated, row, as_of)
    if condition.all is not None:
        return all(holds(part, row, as_of) for part in condition.all)
    return any(holds(part, row, as_of) for part in condition.any or ())


def describe(condition: Condition) -> str:
    """Return the condition in Chinese words."""
    if condition.column is not None:
        return _describe_leaf(condition)
    if condition.negated is not None:
        return f"非（{describe(condition.negated)}）"
    sign, parts = ("且", condition.all) if condition.all is not None else ("或", condition.any)
    return "（" + f" {sign} ".join(describe(part) for part in parts or ()) + "）"


def _describe_leaf(condition: Condition) -> str:
    column, op, value = condition.column, str(condition.op), condition.value
    if op in {"known", "missing"}:
        return f"{column} {'有值' if op == 'known' else '缺失'}"
    if op == "between":
        return f"{column} 在 {value[0]} 与 {value[1]} 之间"
    if op in DATE_TESTS:
        return f"{column} {DATE_TESTS[op].format(value)}"
    words = "、".join(_words(value))
    return f"{column} {TEXT_TESTS.get(op) or SIGNS[op]} {words}"


def check_columns(condition: Condition, columns: Mapping[str, str], table: str) -> None:
    """Raise ``ValueError`` where a comparison names an unknown column or does not fit the column's type.

    ``columns`` maps a column to its declared type.
    """
    for leaf in condition.leaves():
        kind = columns.get(str(leaf.column))
        if kind is None:
            raise ValueError(f"表“{table}”没有列“{leaf.column}”")
        if leaf.op in DATE_TESTS and kind != "date":
            raise ValueError(f"列“{table}.{leaf.column}”不是日期，不能用“{leaf.op}”")
        if leaf.op in TEXT_TESTS and kind != "string":
            raise ValueError(f"列“{table}.{leaf.column}”不是文本，不能用“{leaf.op}”")
        if leaf.op in COMPARISONS or leaf.op in {"in", "not_in", "between"}:
            _check_kind(leaf, kind, table)


def _check_kind(leaf: Condition, kind: str, table: str) -> None:
    values = leaf.value if isinstance(leaf.value, list | tuple) else [leaf.value]
    fitting: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "int64": (int,),
        "float64": (int, float),
        "boolean": (bool,),
        "date": (date,),
    }
    for value in values:
        if not isinstance(value, fitting.get(kind, (object,))) or (
            isinstance(value, bool) and kind != "boolean"
        ):
            raise ValueError(f"列“{table}.{leaf.column}”的类型是 {kind}，取值“{value}”不合")
