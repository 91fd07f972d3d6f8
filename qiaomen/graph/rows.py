"""Turns the four input tables into rows of equal shape, one per statement, with the row number as evidence.

Rows that cannot be edges are left out and counted by reason; nothing is dropped unseen.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qiaomen.graph.kinds import CHAIN_NODE, GOODS, KIND_CODES, SUSPECTED_CODES, TABLES

UNKNOWN_DAY: Final = np.iinfo(np.int32).min
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class NodeIndex:
    """Maps company, person and concept keys to node numbers: companies first, then persons, then concepts."""

    company_ids: Array
    person_ids: Array
    concept_kinds: Array
    concepts: list[str]

    @property
    def size(self) -> int:
        """Number of nodes."""
        return len(self.company_ids) + len(self.person_ids) + len(self.concepts)

    def companies(self, ids: Array) -> Array:
        """Return node numbers of companies, -1 where there is none."""
        return _position(self.company_ids, ids)

    def persons(self, ids: Array) -> Array:
        """Return node numbers of persons, -1 where there is none."""
        found = _position(self.person_ids, ids)
        return np.where(found < 0, -1, found + len(self.company_ids))


@dataclass(frozen=True)
class Rows:
    """Statements as columns; NaN and ``UNKNOWN_DAY`` mean unknown."""

    kind: Array
    start: Array
    end: Array
    role: Array
    source: Array
    ratio: Array
    amount: Array
    count: Array
    since: Array
    until: Array
    observed: Array
    proven: Array
    confidence: Array
    table: Array
    row: Array

    def take(self, chosen: Array) -> Rows:
        """Return the chosen rows (a mask or an order)."""
        return Rows(**{column.name: getattr(self, column.name)[chosen] for column in fields(Rows)})

    def __len__(self) -> int:
        return len(self.kind)


@dataclass
class Vocabulary:
    """Gives numbers to texts in the order in which they appear."""

    texts: dict[str, int] = field(default_factory=lambda: {"": 0})

    def codes(self, column: pa.ChunkedArray) -> Array:
        """Return the number of each text; a missing one is the empty text."""
        encoded = column.combine_chunks().dictionary_encode()
        known = [
            self.texts.setdefault(text or "", len(self.texts)) for text in encoded.dictionary.to_pylist()
        ]
        indices = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
        return np.array([*known, 0], dtype=np.int32)[indices]


def joined(parts: list[Rows]) -> Rows:
    """Put rows one after another."""
    return Rows(
        **{
            column.name: np.concatenate([getattr(part, column.name) for part in parts])
            for column in fields(Rows)
        }
    )


def relation_rows(
    relations: pa.Table, nodes: NodeIndex, roles: Vocabulary, sources: Vocabulary, left_out: Counter[str]
) -> Rows:
    """Return the rows of RELATIONS that name two known nodes and a known kind."""
    kinds = Vocabulary({"": 0})
    coded = kinds.codes(relations["kind"])
    to_code = np.array([KIND_CODES.get(text, -1) for text in kinds.texts], dtype=np.int16)
    start = _ends(relations, "from", nodes)
    end = _ends(relations, "to", nodes)
    ratio = _numbers(relations["ratio"])
    outside = (ratio < 0) | (ratio > 1)
    left_out["ratio_ignored"] += int(outside.sum())
    kind = to_code[coded]
    proven = relations["proven"].fill_null(False).to_numpy() & ~np.isin(kind, list(SUSPECTED_CODES))
    rows = Rows(
        kind=kind,
        start=start,
        end=end,
        role=roles.codes(relations["role"]),
        source=sources.codes(relations["source"]),
        ratio=np.where(outside, np.nan, ratio),
        amount=_numbers(relations["amount_cny"]),
        count=_numbers(relations["count"]),
        since=_days(relations["since"]),
        until=_days(relations["until"]),
        observed=_days(relations["observed_on"]),
        proven=proven,
        confidence=_confidence(relations["confidence"], proven),
        table=np.full(len(relations), TABLES.index("relations"), np.uint8),
        row=np.arange(len(relations), dtype=np.int64),
    )
    return _kept(rows, left_out, "relations")


def supply_rows(pairs: pa.Table, nodes: NodeIndex, sources: Vocabulary, left_out: Counter[str]) -> Rows:
    """Return one row per supplier and buyer."""
    size = len(pairs)
    rows = _plain(
        size,
        "supply_pairs",
        start=nodes.companies(_ids(pairs["supplier_id"])),
        end=nodes.companies(_ids(pairs["buyer_id"])),
        kind=np.full(size, KIND_CODES["supply"], np.int16),
        source=np.full(size, sources.texts.setdefault("supply_pairs", len(sources.texts)), np.int32),
        amount=_numbers(pairs["amount_cny"]),
        count=_numbers(pairs["count"]),
        since=_days(pairs["first_on"]),
        observed=_days(pairs["last_on"]),
    )
    return _kept(rows, left_out, "supply_pairs")


def concept_rows(table: pa.Table, which: int, nodes: NodeIndex, left_out: Counter[str]) -> Rows:
    """Return one row per company and chain node (``CHAIN_NODE``) or goods (``GOODS``)."""
    name, column = ("company_nodes", "node_code") if which == CHAIN_NODE else ("company_goods", "goods_name")
    base = len(nodes.company_ids) + len(nodes.person_ids)
    own = {text: base + at for at, text in enumerate(nodes.concepts) if nodes.concept_kinds[at] == which}
    words = Vocabulary({"": 0})
    coded = words.codes(table[column])
    numbers = np.array([own.get(text, -1) for text in words.texts], dtype=np.int64)
    size = len(table)
    rows = _plain(
        size,
        name,
        start=nodes.companies(_ids(table["company_id"])),
        end=numbers[coded],
        kind=np.full(size, KIND_CODES["chain"], np.int16),
        ratio=_numbers(table["share"]) if which == GOODS else np.full(size, np.nan),
        confidence=_confidence(table["confidence"], np.ones(size, bool))
        if which == CHAIN_NODE
        else np.ones(size),
    )
    return _kept(rows, left_out, name)


def in_force(rows: Rows, as_of: dt.date, left_out: Counter[str]) -> Rows:
    """Return the rows valid at a date and known by then."""
    day = (as_of - dt.date(1970, 1, 1)).days
    bounded = rows.until != UNKNOWN_DAY
    reversed_ = bounded & (rows.since > rows.until)
    later = (rows.since > day) | (rows.observed > day)
    ended = bounded & (rows.until < day)
    left_out["dates_reversed"] += int(reversed_.sum())
    left_out["not_yet_known"] += int((later & ~reversed_).sum())
    left_out["ended"] += int((ended & ~later & ~reversed_).sum())
    return rows.take(~(reversed_ | later | ended))


def _plain(size: int, table: str, **given: Array) -> Rows:
    unknown = np.full(size, np.nan)
    no_day = np.full(size, UNKNOWN_DAY, np.int32)
    columns: dict[str, Array] = {
        "role": np.zeros(size, np.int32),
        "source": np.zeros(size, np.int32),
        "ratio": unknown,
        "amount": unknown,
        "count": unknown,
        "since": no_day,
        "until": no_day,
        "observed": no_day,
        "proven": np.ones(size, bool),
        "confidence": np.ones(size),
        "table": np.full(size, TABLES.index(table), np.uint8),
        "row": np.arange(size, dtype=np.int64),
    }
    return Rows(**(columns | given))


def _kept(rows: Rows, left_out: Counter[str], table: str) -> Rows:
    unknown_kind = rows.kind < 0
    dangling = ((rows.start < 0) | (rows.end < 0)) & ~unknown_kind
    loops = (rows.start == rows.end) & ~dangling & ~unknown_kind
    left_out[f"{table}.unknown_kind"] += int(unknown_kind.sum())
    left_out[f"{table}.unknown_node"] += int(dangling.sum())
    left_out[f"{table}.self_relation"] += int(loops.sum())
    return rows.take(~(unknown_kind | dangling | loops))


def _ends(relations: pa.Table, side: str, nodes: NodeIndex) -> Array:
    ids = _ids(relations[f"{side}_id"])
    words = Vocabulary()
    types = words.codes(relations[f"{side}_type"])
    found = np.full(len(ids), -1, np.int64)
    company, person = types == words.texts.get("company", -1), types == words.texts.get("person", -1)
    found[company] = nodes.companies(ids[company])
    found[person] = nodes.persons(ids[person])
    return found


def _position(known: Array, ids: Array) -> Array:
    place = np.searchsorted(known, ids)
    place[place == len(known)] = 0
    if not len(known):
        return np.full(len(ids), -1, np.int64)
    return np.where(known[place] == ids, place, -1)


def _ids(column: pa.ChunkedArray) -> Array:
    return column.fill_null(-1).to_numpy().astype(np.int64)


def _numbers(column: pa.ChunkedArray) -> Array:
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)


def _days(column: pa.ChunkedArray) -> Array:
    return column.cast(pa.int32()).fill_null(UNKNOWN_DAY).to_numpy().astype(np.int32)


def _confidence(column: pa.ChunkedArray, proven: Array) -> Array:
    stated = _numbers(column)
    return np.clip(np.where(np.isnan(stated), np.where(proven, 1.0, 0.5), stated), 0.0, 1.0)
