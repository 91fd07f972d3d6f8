"""Merges what a load gathered into the existing tables, counts the outcome per file and records tracked changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.changes import change_rows
from qiaomen.registry.filling import Fault
from qiaomen.registry.load_result import Gathered, Landing
from qiaomen.registry.sources import CONTENT, Source, hashed_names, record_names
from qiaomen.registry.tables import COMPANY_CHANGES, COMPANY_RECORDS
from qiaomen.registry.upsert import Merge, content_hashes, merge
from qiaomen.vocab import InputRejected, Table


def merge_tables(
    source: Source,
    tables: Mapping[str, Table],
    existing: Callable[[Table], pa.Table],
    gathered: Gathered,
    load_id: str,
    today: date,
) -> dict[str, pa.Table]:
    """Merge everything gathered into the existing tables; return the new whole content of the changed ones."""
    contents: dict[str, pa.Table] = {}
    by_table: dict[str, list[Landing]] = {}
    for landing in gathered.landings:
        by_table.setdefault(landing.table_rule.table, []).append(landing)
    changes: list[pa.Table] = []
    for name, landings in by_table.items():
        table = tables[name]
        former = existing(table)
        incoming = _incoming(table, landings, source.code, load_id, former)
        snapshots = [part for part in landings if part.rule.mode == "snapshot"]
        merged = merge(
            table,
            former,
            incoming,
            source.code,
            snapshot=tuple({part.table_rule.key_prefix for part in snapshots}) if snapshots else None,
            present=pa.concat_arrays([part.rejected_keys for part in snapshots]) if snapshots else None,
            today=today,
            first_wins=_first_wins(landings),
        )
        _count(gathered, name, incoming, merged, snapshots)
        if merged.table is not None:
            contents[name] = merged.table
        tracked = tuple(dict.fromkeys(field for part in landings for field in part.table_rule.track))
        if name == COMPANY_RECORDS.name and tracked and len(merged.updated):
            changes.append(change_rows(merged, incoming, tracked, source.code, load_id, today))
    _add_changes(changes, contents, existing, source.code)
    return contents


def _incoming(
    table: Table, landings: Sequence[Landing], source: str, load_id: str, former: pa.Table
) -> pa.Table:
    parts = []
    for landing in landings:
        data = landing.data
        rows = data.num_rows
        for column, text in (("source", source), ("file", landing.file.name), ("load_id", load_id)):
            data = data.append_column(column, pa.repeat(pa.scalar(text, pa.string()), rows))
        data = table.conform(data)
        if landing.absent or set(record_names(table)) - set(landing.table_rule.columns):
            data = _carry_over(table, landing, data, former, source)
        parts.append(data)
    return pa.concat_tables(parts).combine_chunks()


def _carry_over(table: Table, landing: Landing, data: pa.Table, former: pa.Table, source: str) -> pa.Table:
    """Give records that are already there their own values in the columns of which the file says nothing."""
    if CONTENT in landing.table_rule.key or landing.rule.mode == "snapshot":
        return data
    silent = {*landing.absent, *(set(record_names(table)) - set(landing.table_rule.columns))}
    own = former.filter(pc.equal(former["source"], source))
    place = pc.index_in(data["record_key"], value_set=own["record_key"].combine_chunks())
    if place.null_count == len(place):
        return data
    for name in sorted(silent):
        data = data.set_column(data.column_names.index(name), table.schema.field(name), own[name].take(place))
    hashes = content_hashes(data, hashed_names(table, landing.table_rule))
    return data.set_column(data.column_names.index("record_hash"), "record_hash", hashes)


def _first_wins(landings: Sequence[Landing]) -> pa.Array | None:
    if all(part.table_rule.duplicates == "last" for part in landings):
        return None
    flags = [
        pa.repeat(pa.scalar(part.table_rule.duplicates == "first"), part.data.num_rows) for part in landings
    ]
    return pa.concat_arrays(flags)


def _add_changes(
    changes: Sequence[pa.Table],
    contents: dict[str, pa.Table],
    existing: Callable[[Table], pa.Table],
    source: str,
) -> None:
    rows = [part for part in changes if part.num_rows]
    if not rows:
        return
    base = contents.get(COMPANY_CHANGES.name)
    merged = merge(
        COMPANY_CHANGES,
        existing(COMPANY_CHANGES) if base is None else base,
        pa.concat_tables(rows).combine_chunks(),
        source,
    )
    if merged.table is not None:
        contents[COMPANY_CHANGES.name] = merged.table


def _count(
    gathered: Gathered, table: str, incoming: pa.Table, merged: Merge, snapshots: Sequence[Landing]
) -> None:
    files = incoming["file"].combine_chunks()
    for outcome in ("inserted", "updated", "unchanged", "repeated"):
        rows = getattr(merged, outcome)
        for entry in pc.value_counts(files.take(pa.array(rows))).to_pylist():
            gathered.counts[entry["values"], table][outcome] += entry["counts"]
    for row, winner in zip(merged.superseded.tolist(), merged.superseded_by.tolist(), strict=True):
        file = files[row].as_py()
        where = f"{files[winner].as_py()} 第 {incoming['line'][winner].as_py()} 行"
        key = incoming["record_key"][row].as_py()
        fault = Fault("", f"主键重复而内容不同，以 {where} 为准", key)
        gathered.reject(file, incoming["line"][row].as_py(), [fault], _row_text(incoming, row))
        gathered.counts[file, table]["rejected"] += 1
    if merged.ended and snapshots:
        gathered.counts[snapshots[0].file.name, table]["ended"] += merged.ended
        own = len(merged.unchanged) + len(merged.updated) + merged.ended
        share = min(part.rule.expect.max_ended_share for part in snapshots)
        if merged.ended > share * own and merged.ended > 1:
            raise InputRejected(
                f"全量文件将使 {merged.ended} 行终止，占原有的 {merged.ended / own:.0%}，超过声明的 {share:.0%}",
                where=snapshots[0].file.name,
                remedy="检查文件是否完整；确属如此则调高来源声明中的 max_ended_share",
            )


def _row_text(incoming: pa.Table, row: int) -> str:
    values = incoming.slice(row, 1).to_pylist()[0]
    kept = {name: value for name, value in values.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False, default=str)
