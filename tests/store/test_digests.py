"""Hashes of tables: the same for the same rows in any order, another one for any other rows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.store import arrays_digest, lines_digest, table_digest

SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("text", pa.string()),
        ("share", pa.float64()),
        ("on", pa.date32()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("known", pa.bool_()),
    ]
)
# The signs that the hash itself uses to separate cells and rows are the hard ones.
TEXTS = st.text(alphabet="ab\\c0r\x00\x1e\x1f敲", max_size=4)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "number": st.none() | st.integers(-(2**63), 2**63 - 1),
            "text": st.none() | TEXTS,
            "share": st.none() | st.floats(allow_nan=False),
            "on": st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1)),
            "at": st.none()
            | st.integers(0, 2**52).map(lambda number: datetime.fromtimestamp(number / 1e6, UTC)),
            "known": st.none() | st.booleans(),
        }
    ),
    max_size=5,
)


def digest(rows: list[dict[str, Any]]) -> str:
    return table_digest(pa.Table.from_pylist(rows, schema=SCHEMA))


def in_order(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


@given(ROWS, st.randoms())
def test_order_and_chunks_do_not_matter(rows: list[dict[str, Any]], draw: Any) -> None:
    shuffled = list(rows)
    draw.shuffle(shuffled)
    assert digest(rows) == digest(shuffled)
    parts = [pa.Table.from_pylist([row], schema=SCHEMA) for row in shuffled]
    if parts:
        assert table_digest(pa.concat_tables(parts)) == digest(rows)


@given(ROWS, ROWS)
def test_other_rows_have_another_hash(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    assert (digest(one) == digest(other)) == (in_order(one) == in_order(other))


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_text_does_not_run_over_into_the_next_cell(a: str, b: str, c: str, d: str) -> None:
    one = pa.table({"a": [a], "b": [b]})
    other = pa.table({"a": [c], "b": [d]})
    assert (table_digest(one) == table_digest(other)) == ((a, b) == (c, d))


def test_names_and_types_count() -> None:
    assert table_digest(pa.table({"a": [1]})) != table_digest(pa.table({"b": [1]}))
    assert table_digest(pa.table({"a": [1]})) != table_digest(pa.table({"a": ["1"]}))
    assert table_digest(pa.table({"a": pa.array([], pa.int64())})) != table_digest(
        pa.table({"a": pa.array([], pa.string())})
    )


def test_arrays_and_lines() -> None:
    one = {"a": np.arange(3), "b": np.zeros(2)}
    assert arrays_digest(one) == arrays_digest(dict(reversed(one.items())))
    assert arrays_digest(one) != arrays_digest({**one, "a": np.arange(3, dtype=np.int32)})
    assert arrays_digest({"a": np.arange(4)}) != arrays_digest({"a": np.arange(4).reshape(2, 2)})
    assert lines_digest(["a", "b"]) == lines_digest(["b", "a"]) != lines_digest(["ab"])
