"""Builds the screening index from the memberships and the facts of live companies.

The index is a set of numpy arrays, so that the array store can write it and map it into memory: bitmaps serialised by
pyroaring one after another, and per fact field its values sorted with the companies in that order.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qiaomen.membership.names import Names

FORMAT: Final = 1
COMPANY: Final = "company_id"
Ids = npt.NDArray[np.uint32]


def build_index(
    memberships: pa.Table,
    facts: pa.Table,
    *,
    names: pa.Table | None = None,
    as_of: dt.date | None = None,
) -> dict[str, np.ndarray]:
    """Return the arrays of the index.

    ``facts`` has one row per live company: ``company_id`` and any numeric, boolean or date columns; memberships of
    other companies are left out and counted in ``Index.left_out``. With ``as_of``, memberships that begin after it or
    ended before it are left out too. ``names`` has the columns of ``MEMBERSHIP_NAMES``.
    """
    live = np.sort(_company_ids(facts))
    if live.size and (live[1:] == live[:-1]).any():
        raise ValueError("facts: a company stands in two rows")
    kinds = field_kinds(facts.schema)
    current = in_force(memberships, as_of)
    groups, foreign = _grouped(current, live)
    catalogue = Names.of(groups, kinds, names)
    arrays, keys = _bitmaps(groups, catalogue, live)
    for number, field in enumerate(kinds):
        arrays |= _sorted_column(number, facts, field)
    meta = {
        "format": FORMAT,
        "keys": keys,
        "left_out": {"not_live": foreign, "not_in_force": memberships.num_rows - current.num_rows},
    }
    arrays["meta"] = _text(json.dumps(meta, ensure_ascii=False, separators=(",", ":")).encode())
    arrays["names"] = _text(catalogue.to_bytes())
    arrays["company_ids"] = live
    return arrays


def field_kinds(schema: pa.Schema) -> dict[str, str]:
    """Return the type of each fact field: number, date or boolean; another type is a ``ValueError``."""
    kinds: dict[str, str] = {}
    for column in schema:
        if column.name == COMPANY:
            continue
        if pa.types.is_boolean(column.type):
            kinds[column.name] = "boolean"
        elif pa.types.is_date32(column.type):
            kinds[column.name] = "date"
        elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            kinds[column.name] = "number"
        else:
            raise ValueError(f"facts: column {column.name} of type {column.type} cannot be screened")
    return kinds


def in_force(memberships: pa.Table, as_of: dt.date | None) -> pa.Table:
    """Return the memberships in force at a date; all of them without one. A missing date is open."""
    if as_of is None:
        return memberships
    import pyarrow.compute as pc

    day = pa.scalar(as_of, pa.date32())
    begun = pc.fill_null(pc.less_equal(memberships["since"], day), True)
    lasting = pc.fill_null(pc.greater_equal(memberships["until"], day), True)
    return memberships.filter(pc.and_(begun, lasting))


def _company_ids(table: pa.Table) -> Ids:
    ids = table[COMPANY].to_numpy()
    if ids.dtype.kind not in "iu":
        raise ValueError("company_id: a row has none")
    if ids.size and (ids.min() < 0 or ids.max() >= 2**32):
        raise ValueError("company_id: a number is outside 0 to 2**32 - 1")
    return ids.astype(np.uint32)


def _grouped(memberships: pa.Table, live: Ids) -> tuple[dict[tuple[str, str], Ids], int]:
    """Return the live companies of each (dimension, value) in the order of the pairs, and the rows left out."""
    if memberships.num_rows == 0:
        return {}, 0
    ids = _company_ids(memberships)
    keep = np.isin(ids, live)
    dimensions, dimension_codes = _encoded(memberships["dimension"])
    values, value_codes = _encoded(memberships["value"])
    codes = (dimension_codes * len(values) + value_codes)[keep]
    ids = ids[keep]
    order = np.lexsort((ids, codes))
    codes, ids = codes[order], ids[order]
    edges = (
        np.flatnonzero(np.r_[True, codes[1:] != codes[:-1], True]) if codes.size else np.zeros(1, np.int64)
    )
    groups = {}
    for start, end in pairwise(edges.tolist()):
        dimension, value = divmod(int(codes[start]), len(values))
        groups[dimensions[dimension], values[value]] = np.unique(ids[start:end])
    return dict(sorted(groups.items())), int((~keep).sum())


def _encoded(column: pa.ChunkedArray) -> tuple[list[str], npt.NDArray[np.int64]]:
    if column.null_count:
        raise ValueError("memberships: dimension and value may not be null")
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _bitmaps(
    groups: Mapping[tuple[str, str], Ids], names: Names, live: Ids
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Serialise one bitmap per value, one more where others lie below it, and one per dimension for any value.

    ``keys`` maps dimension and value to the numbers of the bitmaps (exactly this level, with what is below).
    """
    from pyroaring import BitMap

    parts: list[bytes] = []
    counts: list[int] = []

    def add(ids: Any) -> int:
        bitmap = BitMap(ids)
        bitmap.run_optimize()
        parts.append(bitmap.serialize())
        counts.append(len(bitmap))
        return len(parts) - 1

    keys: dict[str, Any] = {"live": add(live), "any": {}, "values": {}}
    for dimension, known in names.values.items():
        own = {value: ids for (of, value), ids in groups.items() if of == dimension} if known else {}
        keys["any"][dimension] = add(_joined(own.values()))
        numbers: dict[str, list[int]] = {}
        for value in sorted(known):
            below = [own[code] for code in names.below(dimension, value) if code in own]
            exact = add(own[value]) if value in own else -1
            only_own = len(below) == 1 and value in own
            numbers[value] = [exact, exact if only_own else add(_joined(below)) if below else -1]
        keys["values"][dimension] = numbers
    offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    arrays: dict[str, np.ndarray] = {
        "bitmaps": _text(b"".join(parts)),
        "bitmap_offsets": offsets,
        "bitmap_counts": np.array(counts, dtype=np.int64),
    }
    return arrays, keys


def _joined(parts: Iterable[Ids]) -> Ids:
    found = list(parts)
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.uint32)


def _sorted_column(number: int, facts: pa.Table, field: str) -> dict[str, np.ndarray]:
    """Return the known values in ascending order with their companies; equal values stand in company order."""
    column = facts[field].combine_chunks()
    if pa.types.is_date32(column.type):
        column = column.cast(pa.int32())
    elif pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    known = column.is_valid().to_numpy(zero_copy_only=False)
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    if values.dtype.kind == "f":
        known = known & ~np.isnan(values)
    values, ids = values[known], _company_ids(facts)[known]
    order = np.lexsort((ids, values))
    return {f"field_{number}_values": values[order], f"field_{number}_ids": ids[order]}


def _text(data: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8)
