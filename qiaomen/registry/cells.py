"""The cells of a batch as rules see them: trimmed, missing words as null, picked by header, condition or template."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.readers import normal_header
from qiaomen.registry.sources import PLACEHOLDER, Condition

Mask = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]


def missing_words(words: Sequence[str]) -> pa.Array:
    """Return the words that stand for an empty cell, lower case, as a value set."""
    return pa.array(sorted({word.lower() for word in words} | {""}), pa.string())


class Cells:
    """The cells of a batch, trimmed, with the words for "missing" made null; computed once per header."""

    def __init__(
        self, columns: Mapping[str, pa.Array], rows: int, missing: pa.Array, written: Mapping[str, str]
    ) -> None:
        self._columns = columns
        self._missing = missing
        self._written = written
        self._trimmed: dict[str, pa.Array] = {}
        self.rows = rows

    def has(self, header: str) -> bool:
        """Whether the file has the header."""
        return normal_header(header) in self._columns

    def written(self, header: str) -> str:
        """Return the header as the file writes it."""
        return self._written.get(normal_header(header), header)

    def trimmed(self, header: str) -> pa.Array:
        """Return the cells without outer spaces, null where missing."""
        key = normal_header(header)
        if key not in self._trimmed:
            plain = pc.utf8_trim_whitespace(self._columns[key])
            gone = pc.is_in(pc.utf8_lower(plain), value_set=self._missing)
            self._trimmed[key] = pc.if_else(gone, pa.scalar(None, pa.string()), plain)
        return self._trimmed[key]

    def verbatim(self, header: str) -> pa.Array:
        """Return the cells as they stand, null where empty."""
        cells = self._columns[normal_header(header)]
        return pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)

    def take(self, rows: Whole, extra: Mapping[str, pa.Array] | None = None) -> Cells:
        """Return the cells of some rows, with further columns beside them."""
        columns = {key: cells.take(pa.array(rows)) for key, cells in self._columns.items()}
        columns |= {normal_header(key): cells for key, cells in (extra or {}).items()}
        return Cells(columns, len(rows), self._missing, self._written)

    def row_text(self, row: int) -> str:
        """Return one row as JSON with the headers as written."""
        cells = {self._written.get(key, key): cell[row].as_py() for key, cell in self._columns.items()}
        return json.dumps(cells, ensure_ascii=False)


def holds(conditions: Sequence[Condition], cells: Cells) -> Mask:
    """Return which rows pass all conditions; a header that the file lacks counts as empty."""
    result = np.ones(cells.rows, dtype=bool)
    for condition in conditions:
        text = first_of(cells, condition.headers)
        test = np.ones(cells.rows, dtype=bool)
        if condition.one_of:
            test &= true_where(pc.is_in(text, value_set=pa.array(condition.one_of, pa.string())))
        if condition.matches is not None:
            test &= _matches(text, re.compile(condition.matches))
        if condition.empty is not None:
            test &= true_where(pc.is_null(text)) == condition.empty
        result &= ~test if condition.negate else test
    return result


def first_of(cells: Cells, headers: Sequence[str]) -> pa.Array:
    """Return the first non-empty cell among the headers that the file has."""
    present = [cells.trimmed(header) for header in headers if cells.has(header)]
    if not present:
        return pa.nulls(cells.rows, pa.string())
    return pc.coalesce(*present) if len(present) > 1 else present[0]


def true_where(values: pa.Array) -> Mask:
    """Return a mask; null counts as false."""
    filled: Mask = pc.fill_null(values, False).to_numpy(zero_copy_only=False).astype(bool)
    return filled


def _matches(text: pa.Array, pattern: re.Pattern[str]) -> Mask:
    coded = text.dictionary_encode()
    found = [pattern.search(value) is not None for value in coded.dictionary.to_pylist()]
    answers = np.array([*found, False], dtype=bool)
    codes = coded.indices.fill_null(len(found)).to_numpy(zero_copy_only=False)
    chosen: Mask = answers[codes]
    return chosen


def fill_template(template: str, cells: Cells, done: Mapping[str, pa.Array]) -> pa.Array:
    """Join the parts; null where a part without ``?`` is missing. Columns already filled come before headers."""
    parts: list[Any] = []
    position = 0
    for match in PLACEHOLDER.finditer(template):
        parts.append(template[position : match.start()])
        name = match[1]
        text = done[name].cast(pa.string()) if name in done else first_of(cells, (name,))
        parts.append(pc.fill_null(text, "") if match[2] else text)
        position = match.end()
    parts.append(template[position:])
    return pc.binary_join_element_wise(*parts, "")
