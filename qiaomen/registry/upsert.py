"""Merges cleaned rows into a loaded table by (source, record_key): inserts, updates, repeats, ends.

Of rows of one load with one key the last wins (or the first, as declared); another one with the same values is a
repeat, one with other values is rejected and names the line that took its place. A snapshot ends the rows that it lacks: ``until`` is set where the
table has it, otherwise the row is removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.sources import CONTENT
from qiaomen.vocab import Table

Whole = npt.NDArray[np.int64]
ENDED: Final = "ended:"
SEPARATOR: Final = "|"
_LONG_KEY: Final = 240


@dataclass(frozen=True, slots=True)
class Merge:
    """Outcome of merging one load into one table; row numbers count in the incoming table."""

    table: pa.Table | None
    inserted: Whole
    updated: Whole
    unchanged: Whole
    repeated: Whole
    superseded: Whole
    superseded_by: Whole
    ended: int
    before: pa.Table
    """The former content of the updated rows, in the order of ``updated``."""


def content_hashes(data: pa.Table, names: tuple[str, ...]) -> pa.Array:
    """Return a hash of the values of the named columns for each row; a column that is not there counts as null."""
    if not data.num_rows:
        return pa.array([], pa.string())
    hashes: list[str] = []
    for batch in data.to_batches(max_chunksize=65_536):
        present = set(batch.schema.names)
        texts = [
            batch.column(name).cast(pa.string()) if name in present else pa.nulls(batch.num_rows, pa.string())
            for name in names
        ]
        joined = pc.binary_join_element_wise(*texts, "\x1f", null_handling="replace", null_replacement="\x00")
        hashes += [
            blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
            for text in joined.to_pylist()
        ]
    return pa.array(hashes, pa.string())


def ordinals(hashes: pa.Array) -> pa.Array:
    """Return 1 for the first row of each content, 2 for the second and so on."""
    codes = hashes.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(codes) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[starts, len(codes)])
    within = np.arange(len(codes)) - np.repeat(starts, lengths)
    result = np.empty(len(codes), dtype=np.int64)
    result[order] = within + 1
    return pa.array(result)


def record_keys(data: pa.Table, parts: tuple[str, ...], prefix: str, hashes: pa.Array) -> pa.Array:
    """Return the key text of each row: prefix and parts joined by ``|``; an over-long key is shortened by its hash."""
    texts = [
        hashes if part == CONTENT else pc.replace_substring(_text(data[part]), SEPARATOR, "¦")
        for part in parts
    ]
    plain = [pc.fill_null(text, "") for text in texts]
    plain = [text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text for text in plain]
    joined = pc.binary_join_element_wise(*plain, SEPARATOR) if plain else pa.array([], pa.string())
    if prefix:
        joined = pc.binary_join_element_wise(prefix, joined, SEPARATOR)
    if not pc.any(pc.greater(pc.utf8_length(joined), _LONG_KEY)).as_py():
        return joined
    return pa.array([_short(key) for key in joined.to_pylist()], pa.string())


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values if pa.types.is_string(values.type) else values.cast(pa.string())


def _short(key: str) -> str:
    if len(key) <= _LONG_KEY:
        return key
    return key[: _LONG_KEY - 30] + "…" + blake2b(key.encode(), digest_size=12).hexdigest()


def merge(
    table: Table,
    existing: pa.Table,
    incoming: pa.Table,
    source: str,
    *,
    snapshot: tuple[str, ...] | None = None,
    present: pa.Array | None = None,
    today: date | None = None,
    first_wins: pa.Array | None = None,
) -> Merge:
    """Merge rows of one source into the whole existing table.

    ``snapshot`` gives the key prefixes whose missing rows end (``""`` is the whole source); rows whose keys are in
    ``present`` (rejected, but there) do not end. ``first_wins`` marks incoming rows of rules where of equal keys the
    first counts. The result holds the new whole table, or None if nothing changes.
    """
    keys, hashes = incoming["record_key"].combine_chunks(), incoming["record_hash"].combine_chunks()
    winners, repeated, superseded, superseded_by = _within(keys, hashes, first_wins)
    own = np.flatnonzero(pc.equal(existing["source"], source).to_numpy())
    own_keys = existing["record_key"].take(pa.array(own)).combine_chunks()
    position = pc.index_in(keys.take(pa.array(winners)), value_set=own_keys)
    found = pc.is_valid(position).to_numpy(zero_copy_only=False)
    place = own[position.fill_null(0).to_numpy(zero_copy_only=False)] if len(own) else np.zeros(0, np.int64)
    inserted = winners[~found]
    matched, old_rows = winners[found], (place[found] if len(own) else place)
    differs = pc.not_equal(
        hashes.take(pa.array(matched)), existing["record_hash"].take(pa.array(old_rows)).combine_chunks()
    ).to_numpy(zero_copy_only=False)
    updated, replaced = matched[differs], old_rows[differs]
    missing = np.zeros(0, np.int64)
    if snapshot is not None:
        missing = _missing(existing, own, own_keys, keys, snapshot, present)
    whole = None
    if len(inserted) + len(updated) + len(missing):
        landed = incoming.take(pa.array(np.sort(np.concatenate([inserted, updated]))))
        whole = _whole(table, existing, landed, replaced, missing, today)
    before = existing.take(pa.array(replaced))
    return Merge(
        whole,
        inserted,
        updated,
        matched[~differs],
        repeated,
        superseded,
        superseded_by,
        len(missing),
        before,
    )


def _whole(
    table: Table, existing: pa.Table, landed: pa.Table, replaced: Whole, missing: Whole, today: date | None
) -> pa.Table:
    keep = np.ones(existing.num_rows, dtype=bool)
    keep[replaced] = False
    keep[missing] = False
    ended = _ended(table, existing.take(pa.array(missing)), today)
    return pa.concat_tables([existing.filter(pa.array(keep)), *ended, table.conform(landed)])


def _within(
    keys: pa.Array, hashes: pa.Array, first_wins: pa.Array | None
) -> tuple[Whole, Whole, Whole, Whole]:
    """Return the winning, repeated and superseded rows, and for the last the rows that took their place."""
    codes = keys.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    last = np.zeros(int(codes.max()) + 1 if len(codes) else 0, dtype=np.int64)
    np.maximum.at(last, codes, np.arange(len(codes)))
    if first_wins is not None:
        early = first_wins.to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(early)[::-1]
        last[codes[rows]] = rows
    winner = last[codes] if len(codes) else codes
    contents = hashes.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    is_winner = winner == np.arange(len(codes))
    same = contents == contents[winner] if len(codes) else is_winner
    superseded = np.flatnonzero(~is_winner & ~same)
    return np.flatnonzero(is_winner), np.flatnonzero(~is_winner & same), superseded, winner[superseded]


def _missing(
    existing: pa.Table,
    own: Whole,
    own_keys: pa.Array,
    keys: pa.Array,
    prefixes: tuple[str, ...],
    present: pa.Array | None,
) -> Whole:
    there = pa.concat_arrays([keys, present]) if present is not None else keys
    gone = ~pc.is_in(own_keys, value_set=there).to_numpy(zero_copy_only=False)
    scope = np.zeros(len(own), dtype=bool)
    for prefix in prefixes:
        start = prefix + SEPARATOR if prefix else ""
        scope |= pc.starts_with(own_keys, start).to_numpy(zero_copy_only=False)
    hashes = existing["record_hash"].take(pa.array(own)).combine_chunks()
    alive = ~pc.starts_with(hashes, ENDED).to_numpy(zero_copy_only=False)
    return own[gone & scope & alive]


def _ended(table: Table, rows: pa.Table, today: date | None) -> list[pa.Table]:
    """Return the rows with ``until`` set, or nothing where the table has no such column."""
    if "until" not in table.names or not rows.num_rows:
        return []
    until = pc.if_else(
        pc.and_(pc.is_valid(rows["until"]), pc.less(rows["until"], pa.scalar(today, pa.date32()))),
        rows["until"],
        pa.scalar(today, pa.date32()),
    )
    until = pc.fill_null(until, pa.scalar(today, pa.date32()))
    marked = pc.binary_join_element_wise(ENDED, rows["record_hash"], "")
    rows = rows.set_column(rows.column_names.index("until"), "until", until)
    return [rows.set_column(rows.column_names.index("record_hash"), "record_hash", marked)]
