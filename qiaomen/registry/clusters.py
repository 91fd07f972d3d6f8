"""Which records of several sources speak of one company: by credit code, stock code and exact legal name.

A code that contradicts the name never wins alone: records that share a code but neither a name nor a second fact
stay apart, and the newest keeps the code. Equal names stay apart where their codes differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.arrays import (
    Bools,
    Ints,
    codes_of,
    group_starts,
    only_per_key,
    present,
    strings,
    text,
    whole,
)
from qiaomen.registry.names import normalise_names, normalise_short_names, parse_name

MASKED: Final = re.compile(r"[*＊×]{2,}|[xX]{2,}(?=[一-鿿(（])|某{1,}[一-鿿]{0,2}(?:公司|企业)|某某")
BRAND_SCHEME: Final = "brand:"
_ALIKE: Final = 60.0
"""Similarity of two cores (0 to 100) from which a name change is believed beside an equal code."""


Choose = Callable[["RecordKeys", list[int]], "int | None"]


@dataclass(frozen=True)
class RecordKeys:
    """The identifying columns of company records, in order of worth (newest first), as numbers with -1 for null.

    ``branded`` are records whose own reference is a brand: their source knows nothing else to tell them by.
    """

    uscc: Ints
    usccs: pa.Array
    stock: Ints
    stocks: pa.Array
    name: Ints
    names: pa.Array
    short: Ints
    shorts: pa.Array
    person: Ints
    former: list[tuple[int, str]]
    size: int
    branded: Bools


@dataclass
class Clusters:
    """The cluster of each record, and the codes and short names it may still claim after contradictions are struck.

    ``struck`` holds (row, column, code): a record that loses its stock code loses the short name that came with it.
    """

    cluster: Ints
    count: int
    uscc: Ints
    stock: Ints
    short: Ints
    struck: list[tuple[int, str, str]] = field(default_factory=list)
    shared_names: int = 0


def is_masked(name: str) -> bool:
    """Return whether a name is made unreadable by its source, so that equal text does not mean the same company."""
    return MASKED.search(name) is not None


def comparable_names(names: pa.Array) -> pa.Array:
    """Return normal forms of names; a masked name stays as it is, so that it equals nothing but itself."""
    codes, distinct = codes_of(names)
    values = distinct.to_pylist()
    normal = normalise_names(distinct).to_pylist() if values else []
    kept = [raw if is_masked(raw) else norm or raw for raw, norm in zip(values, normal, strict=True)]
    return strings(kept).take(pa.array(codes, mask=codes < 0)) if values else names


def record_keys(records: pa.Table) -> RecordKeys:
    """Return the identifying columns of the records; masked names identify nothing."""
    uscc, usccs = codes_of(text(records, "uscc"))
    stock, stocks = codes_of(text(records, "stock_code"))
    name, names = codes_of(normalise_names(_readable(text(records, "name"))))
    short, shorts = codes_of(normalise_short_names(_readable(text(records, "short_name"))))
    person, _ = codes_of(text(records, "legal_representative"))
    former = _former(text(records, "former_names"))
    own = pc.starts_with(pc.fill_null(text(records, "company_ref"), ""), BRAND_SCHEME)
    branded = np.asarray(own.to_numpy(zero_copy_only=False), np.bool_)
    size = records.num_rows
    return RecordKeys(uscc, usccs, stock, stocks, name, names, short, shorts, person, former, size, branded)


def _readable(values: pa.Array) -> pa.Array:
    """Return the names with masked ones blanked."""
    codes, distinct = codes_of(values)
    masked = np.array([is_masked(value) for value in distinct.to_pylist()], dtype=np.bool_)
    if not masked.any():
        return values
    return _blank(values, (codes >= 0) & masked[np.maximum(codes, 0)])


def _blank(values: pa.Array, rows: Bools) -> pa.Array:
    return strings([None if hide else value for value, hide in zip(values.to_pylist(), rows, strict=True)])


def _former(column: pa.Array) -> list[tuple[int, str]]:
    rows = np.flatnonzero(present(column))
    found: list[tuple[int, str]] = []
    for row, joined in zip(rows.tolist(), whole(column).take(pa.array(rows)).to_pylist(), strict=True):
        parts = [part for part in str(joined).split(";") if part.strip()]
        found.extend((row, name) for name in normalise_names(strings(parts)).to_pylist() if name)
    return found


def names_agree(one: str, other: str) -> bool:
    """Return whether two normalised names may be of one company: equal core, one a short form, or much alike."""
    if one == other or _is_short_form(one, other) or _is_short_form(other, one):
        return True
    left, right = parse_name(one).core, parse_name(other).core
    if left and left == right:
        return True
    from rapidfuzz import fuzz

    return fuzz.ratio(left, right) >= _ALIKE


def _is_short_form(short: str, long: str) -> bool:
    if not 2 <= len(short) <= 6 or len(short) >= len(long):
        return False
    position = -1
    for character in short:
        position = long.find(character, position + 1)
        if position < 0:
            return False
    return True


def cluster_records(keys: RecordKeys) -> Clusters:
    """Join the records; they must be in order of worth, best first."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    former: dict[int, set[str]] = {}
    for row, name in keys.former:
        former.setdefault(row, set()).add(name)
    uscc, stock = keys.uscc.copy(), keys.stock.copy()
    by_uscc, refused = _join_by_code(keys, uscc, former, _newest_named)
    by_stock, misnamed = _join_by_code(keys, stock, former, _named_like_its_short_name)
    edges = [by_uscc, by_stock]
    struck = [(row, "uscc", str(keys.usccs[int(keys.uscc[row])])) for row in refused]
    struck += [(row, "stock_code", str(keys.stocks[int(keys.stock[row])])) for row in misnamed]
    short = keys.short.copy()
    short[misnamed] = -1
    by_name, shared = _join_by_name(keys.name, uscc)
    edges.append(by_name)
    pairs = np.concatenate([edge for edge in edges if len(edge)] or [np.zeros((0, 2), np.int64)])
    graph = coo_array(
        (np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(keys.size, keys.size)
    )
    _, labels = connected_components(graph, directed=False)
    named = ~keys.branded | (keys.name >= 0) | (uscc >= 0) | (stock >= 0) | (keys.short < 0)
    labels = _attach_brands(labels.astype(np.int64), short, named)
    distinct, cluster = np.unique(labels, return_inverse=True)
    return Clusters(cluster.astype(np.int64), len(distinct), uscc, stock, short, struck, shared)


def _attach_brands(labels: Ints, short: Ints, named: Bools) -> Ints:
    """Join records that know nothing but a brand: to the one company of that short name, else to each other."""
    brands = np.flatnonzero(~named & (short >= 0))
    if len(brands) == 0:
        return labels
    size = int(short.max()) + 1
    anchors = np.where(named, labels, -1)
    only, several = only_per_key(short, anchors, size)
    first, _ = only_per_key(short[brands], labels[brands], size)
    target = np.where((only >= 0) & ~several, only, first)
    joined = labels.copy()
    joined[brands] = target[short[brands]]
    return joined


def _join_by_code(
    keys: RecordKeys, codes: Ints, former: dict[int, set[str]], choose: Choose
) -> tuple[Ints, list[int]]:
    """Return pairs of records with one code, and the records that contradict and lose it (``codes`` is changed)."""
    rows = np.flatnonzero(codes >= 0)
    rows = rows[np.argsort(codes[rows], kind="stable")]
    starts = group_starts(codes[rows])
    sizes = np.diff(np.r_[starts, len(rows)])
    leaders = np.repeat(rows[starts], sizes)
    highest = np.maximum.reduceat(keys.name[rows], starts) if len(rows) else np.zeros(0, np.int64)
    named = np.where(keys.name[rows] >= 0, keys.name[rows], np.iinfo(np.int64).max)
    lowest = np.minimum.reduceat(named, starts) if len(rows) else np.zeros(0, np.int64)
    keep, refused = np.ones(len(rows), np.bool_), []
    for group in np.flatnonzero((highest >= 0) & (lowest != highest)).tolist():
        span = slice(int(starts[group]), int(starts[group] + sizes[group]))
        leader = choose(keys, rows[span].tolist())
        if leader is None:
            keep[span] = keys.name[rows[span]] < 0
            leaders[span] = next(iter(rows[span][keep[span]].tolist()), rows[span][0])
        else:
            leaders[span] = leader
            keep[span] = [_same_company(keys, row, leader, former) for row in rows[span].tolist()]
        refused.extend(rows[span][~keep[span]].tolist())
    codes[refused] = -1
    return np.column_stack([rows[keep], leaders[keep]]), refused


def _newest_named(keys: RecordKeys, rows: list[int]) -> int | None:
    """Return the record that a credit code belongs to: the newest with a name."""
    return next((row for row in rows if keys.name[row] >= 0), None)


def _named_like_its_short_name(keys: RecordKeys, rows: list[int]) -> int | None:
    """Return the record that a stock code belongs to: the name fits a short name of the group; None if none does.

    Without any short name the newest with a name has it.
    """
    shorts = {keys.shorts[int(keys.short[row])].as_py() for row in rows if keys.short[row] >= 0}
    if not shorts:
        return _newest_named(keys, rows)
    named = (row for row in rows if keys.name[row] >= 0)
    fits = (
        row
        for row in named
        if any(_is_short_form(s, keys.names[int(keys.name[row])].as_py()) for s in shorts)
    )
    return next(fits, None)


def _same_company(keys: RecordKeys, row: int, leader: int, former: dict[int, set[str]]) -> bool:
    if keys.name[row] in {-1, keys.name[leader]}:
        return True
    one, other = keys.names[int(keys.name[row])].as_py(), keys.names[int(keys.name[leader])].as_py()
    if one in former.get(leader, ()) or other in former.get(row, ()) or names_agree(one, other):
        return True
    same_person = keys.person[row] >= 0 and keys.person[row] == keys.person[leader]
    same_stock = keys.stock[row] >= 0 and keys.stock[row] == keys.stock[leader]
    same_code = keys.uscc[row] >= 0 and keys.uscc[row] == keys.uscc[leader]
    return bool(same_person or (same_stock and same_code))


def _join_by_name(name: Ints, uscc: Ints) -> tuple[Ints, int]:
    """Return pairs of records with one legal name; where it goes with several codes only equal codes join."""
    rows = np.flatnonzero(name >= 0)
    rows = rows[np.argsort(name[rows], kind="stable")]
    starts = group_starts(name[rows])
    sizes = np.diff(np.r_[starts, len(rows)])
    leaders = np.repeat(rows[starts], sizes)
    high = np.maximum.reduceat(uscc[rows], starts) if len(rows) else np.zeros(0, np.int64)
    known = np.where(uscc[rows] >= 0, uscc[rows], np.iinfo(np.int64).max)
    low = np.minimum.reduceat(known, starts) if len(rows) else np.zeros(0, np.int64)
    single = np.repeat((high < 0) | (low == high), sizes)
    return np.column_stack([rows[single], leaders[single]]), int(((high >= 0) & (low != high)).sum())
