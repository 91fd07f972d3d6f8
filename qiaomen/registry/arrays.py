"""Small Arrow and numpy steps that identity, relations and matching share: codes of text, groups, first values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the column in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def text(table: pa.Table, name: str) -> pa.Array:
    """Return a text column in one piece with empty text as null."""
    column = whole(table.column(name)).cast(pa.string())
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def codes_of(values: pa.Array) -> tuple[Ints, pa.Array]:
    """Return a number for each value (-1 for null) and the distinct values by number."""
    encoded = pc.dictionary_encode(values)
    return ints(encoded.indices), encoded.dictionary


def ints(values: pa.Array | pa.ChunkedArray, missing: int = -1) -> Ints:
    """Return whole numbers as int64, null as ``missing``."""
    filled = pc.fill_null(whole(values).cast(pa.int64()), missing)
    return np.asarray(filled.to_numpy(zero_copy_only=False), dtype=np.int64)


def present(values: pa.Array) -> Bools:
    """Return which values are not null."""
    return np.asarray(pc.is_valid(values).to_numpy(zero_copy_only=False), dtype=np.bool_)


def look_up(values: pa.Array, keys: pa.Array, numbers: Ints, missing: int = -1) -> Ints:
    """Return for each value the number of the equal key (the first if several), else ``missing``."""
    found = ints(pc.index_in(values, value_set=keys))
    out = np.full(len(found), missing, dtype=np.int64)
    hit = (found >= 0) & present(values)
    out[hit] = numbers[found[hit]]
    return out


def group_starts(sorted_groups: Ints) -> Ints:
    """Return where each group begins in an array sorted by group."""
    if len(sorted_groups) == 0:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.r_[True, sorted_groups[1:] != sorted_groups[:-1]]).astype(np.int64)


def first_per_group(groups: Ints, usable: Bools, size: int) -> Ints:
    """Return for each group 0..size-1 the row of its first usable value (-1 if none); rows are in order of worth."""
    rows = np.flatnonzero(usable & (groups >= 0))
    out = np.full(size, -1, dtype=np.int64)
    out[groups[rows][::-1]] = rows[::-1]
    return out


def taken(values: pa.Array, rows: Ints) -> pa.Array:
    """Return the values at the rows, null where the row is -1."""
    return values.take(pa.array(rows, mask=rows < 0))


def only_per_key(keys: Ints, targets: Ints, size: int) -> tuple[Ints, Bools]:
    """Return for each key 0..size-1 its one target (-1 if none) and whether it has several different ones."""
    usable = (keys >= 0) & (targets >= 0)
    lowest = np.full(size, np.iinfo(np.int64).max, dtype=np.int64)
    highest = np.full(size, -1, dtype=np.int64)
    np.minimum.at(lowest, keys[usable], targets[usable])
    np.maximum.at(highest, keys[usable], targets[usable])
    several = (highest >= 0) & (lowest != highest)
    return np.where(highest >= 0, lowest, -1), several


def strings(values: Any) -> pa.Array:
    """Return Python text as an Arrow array."""
    return pa.array(values, pa.string())
