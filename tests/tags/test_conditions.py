"""Conditions mean the same in Ibis and on one row."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from qiaomen.tags import Condition, check_columns, compile_condition, describe, holds

AS_OF = date(2026, 6, 30)
SCHEMA = pa.schema(
    [("number", pa.float64()), ("word", pa.string()), ("day", pa.date32()), ("flag", pa.bool_())]
)
TYPES = {"number": "float64", "word": "string", "day": "date", "flag": "boolean"}

days = st.integers(-40, 40).map(lambda shift: AS_OF + timedelta(days=shift))
rows = st.fixed_dictionaries(
    {
        "number": st.none() | st.integers(-3, 3).map(float),
        "word": st.none() | st.sampled_from(["芯片设计", "薯片", "设计院", ""]),
        "day": st.none() | days,
        "flag": st.none() | st.booleans(),
    }
)
numbers = st.integers(-3, 3).map(float)
leaves = st.one_of(
    st.tuples(st.just("number"), st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]), numbers),
    st.tuples(
        st.just("number"), st.sampled_from(["in", "not_in"]), st.lists(numbers, min_size=1, max_size=2)
    ),
    st.tuples(st.just("number"), st.just("between"), st.tuples(numbers, numbers).map(list)),
    st.tuples(
        st.just("word"),
        st.sampled_from(["contains", "starts", "ends"]),
        st.sampled_from(["片", "设计", ["芯", "院"]]),
    ),
    st.tuples(
        st.just("day"), st.sampled_from(["within_days", "before_days", "ahead_days"]), st.integers(0, 30)
    ),
    st.tuples(st.sampled_from(list(TYPES)), st.sampled_from(["known", "missing"]), st.none()),
    st.tuples(st.just("flag"), st.just("eq"), st.booleans()),
).map(lambda leaf: Condition(column=leaf[0], op=leaf[1], value=leaf[2]))


def _grow(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    parts = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        parts.map(lambda given: Condition(all=given)),
        parts.map(lambda given: Condition(any=given)),
        inner.map(lambda given: Condition(negated=given)),
    )


conditions = st.recursive(leaves, _grow, max_leaves=5)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(conditions, st.lists(rows, min_size=1, max_size=6))
def test_compiled_and_row_reading_agree(condition: Condition, given_rows: list[dict[str, Any]]) -> None:
    check_columns(condition, TYPES, "t")
    table = ibis.memtable(pa.Table.from_pylist(given_rows, schema=SCHEMA))
    compiled = table.select(held=compile_condition(condition, table, AS_OF)).to_pyarrow().column("held")
    assert compiled.to_pylist() == [holds(condition, row, AS_OF) for row in given_rows]


@settings(max_examples=60, deadline=None)
@given(conditions, rows)
def test_not_is_the_complement(condition: Condition, row: dict[str, Any]) -> None:
    assert holds(Condition(negated=condition), row, AS_OF) != holds(condition, row, AS_OF)
    assert describe(condition)


def test_missing_compares_false_either_way() -> None:
    assert not holds(Condition(column="number", op="ge", value=1.0), {"number": None}, AS_OF)
    assert not holds(Condition(column="number", op="lt", value=1.0), {"number": None}, AS_OF)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"column": "a"},
        {"column": "a", "op": "between", "value": 3},
        {"column": "a", "op": "within_days", "value": -1},
        {"column": "a", "op": "in", "value": []},
        {"column": "a", "op": "contains", "value": ""},
        {"column": "a", "op": "eq", "value": None},
        {"column": "a", "op": "eval", "value": "x"},
        {"column": "a", "op": "eq", "value": 1, "all": []},
        {"all": [], "any": []},
        {"op": "eq", "any": []},
    ],
)
def test_broken_condition_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate(broken)


@pytest.mark.parametrize(
    ("column", "op", "value", "said"),
    [
        ("nothing", "known", None, "没有列"),
        ("number", "within_days", 3, "不是日期"),
        ("number", "contains", "x", "不是文本"),
        ("word", "eq", 3, "类型"),
        ("number", "eq", True, "类型"),
    ],
)
def test_columns_are_checked(column: str, op: str, value: Any, said: str) -> None:
    condition = Condition.model_validate({"column": column, "op": op, "value": value})
    with pytest.raises(ValueError, match=said):
        check_columns(condition, TYPES, "t")
