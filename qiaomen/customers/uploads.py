"""Uploads of a customer list: dry run, apply, error file, and undo down to the single value.

Reads and returns ``customer_records`` and ``upload_changes``; ``jobs`` writes them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.customers.mapping import with_mapping
from qiaomen.customers.tables import CUSTOMER_RECORDS, UPLOAD_CHANGES
from qiaomen.registry import (
    LoadResult,
    Observer,
    PlannedFile,
    Source,
    content_hashes,
    read_files,
    record_names,
)
from qiaomen.vocab import NotFound, Table

_BOOKKEEPING: Final = ("record_hash", "file", "line", "load_id")
_VALUES: Final = record_names(CUSTOMER_RECORDS)
_CELLS: Final = (*_VALUES, *_BOOKKEEPING)
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """What an upload does or would do: its load result and the changes that undo needs."""

    result: LoadResult
    changes: pa.Table

    @property
    def error_rows(self) -> list[dict[str, str]]:
        """Return the rejected rows for the error file: line, column, reason, then the row's own cells."""
        return error_rows(self.result.rejects)


def prepare_upload(
    path: Path,
    mapping: Mapping[str, str],
    source: Source,
    existing: pa.Table,
    *,
    load_id: str,
    now: datetime,
    file_name: str | None = None,
    observer: Observer | None = None,
    overlay: Path | None = None,
) -> Upload:
    """Read a list with a mapping against the existing ``customer_records``; nothing is written.

    This is the dry run; applying it is ``apply_upload`` on a preparation made against the newest generation.
    ``InputRejected`` as for any load.
    """
    planned = PlannedFile(path, file_name or path.name, source.code, 0)
    result = read_files(
        with_mapping(source, mapping),
        [planned],
        {CUSTOMER_RECORDS.name: CUSTOMER_RECORDS},
        _only(existing),
        load_id=load_id,
        now=now,
        observer=observer,
        overlay=overlay,
    )
    content = result.tables.get(CUSTOMER_RECORDS.name)
    changes = UPLOAD_CHANGES.empty() if content is None else _changes(existing, content, load_id, now)
    return Upload(result, changes)


def _only(existing: pa.Table) -> Callable[[Table], pa.Table]:
    def read(table: Table) -> pa.Table:
        return existing if table.name == CUSTOMER_RECORDS.name else table.empty()

    return read


def apply_upload(upload: Upload, history: pa.Table) -> dict[str, pa.Table]:
    """Return the new whole content of ``customer_records`` and ``upload_changes``; empty if nothing changes."""
    if not upload.result.changed:
        return {}
    return {
        **upload.result.tables,
        UPLOAD_CHANGES.name: pa.concat_tables([history, upload.changes]),
    }


def _changes(existing: pa.Table, content: pa.Table, load_id: str, now: datetime) -> pa.Table:
    touched = content.filter(pc.equal(content["load_id"], load_id)).to_pylist()
    keys = pa.array([row["record_key"] for row in touched], pa.string())
    former = {
        _key(row): row
        for row in existing.filter(pc.is_in(existing["record_key"], value_set=keys)).to_pylist()
    }
    rows: list[Row] = []
    for row in touched:
        was = former.get(_key(row))
        names = [name for name in _CELLS if was is None or was[name] != row[name]]
        rows.append(
            {
                "load_id": load_id,
                "applied_at": now.astimezone(UTC),
                "source": row["source"],
                "record_key": row["record_key"],
                "action": "insert" if was is None else "update",
                "before": None if was is None else _json({name: was[name] for name in names}),
                "after": _json({name: row[name] for name in names}),
            }
        )
    return pa.Table.from_pylist(rows, schema=UPLOAD_CHANGES.schema)


@dataclass(frozen=True, slots=True)
class KeptValue:
    """A value that undo leaves because something later changed it."""

    source: str
    record_key: str
    column: str
    value: str


@dataclass(frozen=True, slots=True)
class Undo:
    """What an undo does: the new whole tables, how many rows it restores or removes, and what it leaves."""

    tables: dict[str, pa.Table]
    restored: int
    removed: int
    kept: tuple[KeptValue, ...]


def undo_upload(load_id: str, records: pa.Table, history: pa.Table) -> Undo:
    """Take an upload back: its rows vanish, its values return to what they were before it.

    A value that a later upload (or another load) changed stays and is listed; the later upload's own record of what was
    before is corrected, so that undoing all uploads in any order gives back the first state. ``NotFound`` if there is
    no such upload.
    """
    log = [_parsed(row) for row in history.to_pylist()]
    own = [row for row in log if row["load_id"] == load_id]
    if not own:
        raise NotFound(f"没有可撤销的上传 {load_id}", remedy="它可能没有改动任何行，或已经撤销")
    chains: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in log:
        if row["load_id"] != load_id:
            chains[_key(row)].append(row)
    wanted = pa.array(sorted({row["record_key"] for row in own}), pa.string())
    is_near = pc.is_in(records["record_key"], value_set=wanted)
    now = {_key(row): row for row in records.filter(is_near).to_pylist()}
    kept: list[KeptValue] = []
    removed = restored = 0
    for change in own:
        key = _key(change)
        current = now.get(key)
        later = sorted(
            (row for row in chains[key] if row["applied_at"] > change["applied_at"]),
            key=lambda row: row["applied_at"],
        )
        if current is None:
            continue
        if change["action"] == "insert":
            if _undo_insert(change, current, later, kept):
                del now[key]
                removed += 1
        else:
            restored += _undo_update(change, current, later, kept)
    table = pa.concat_tables([records.filter(pc.invert(is_near)), _records(now.values())])
    rest = [row for row in log if row["load_id"] != load_id]
    return Undo(
        {CUSTOMER_RECORDS.name: table, UPLOAD_CHANGES.name: _history(rest)}, restored, removed, tuple(kept)
    )


def _undo_insert(change: Row, current: Row, later: list[Row], kept: list[KeptValue]) -> bool:
    """Return whether the row goes; it stays where anything changed it later, and the next change takes over the insert."""
    differing = [name for name in _VALUES if current[name] != change["after"][name]]
    if not later and not differing and current["load_id"] == change["load_id"]:
        return True
    touched = {name for row in later for name in row["after"] if name in _VALUES} | set(differing)
    kept += [
        KeptValue(change["source"], change["record_key"], name, _words(current[name]))
        for name in _VALUES
        if name in touched
    ]
    if later:
        heir = later[0]
        heir["action"], heir["before"] = "insert", None
        heir["after"] = {**change["after"], **heir["after"]}
    return False


def _undo_update(change: Row, current: Row, later: list[Row], kept: list[KeptValue]) -> int:
    """Restore what nothing changed later; return 1 if anything was restored."""
    done = 0
    untouched = not later and current["load_id"] == change["load_id"]
    for name, was in change["before"].items():
        if name in _BOOKKEEPING:
            if untouched:
                current[name] = was
            elif later:
                later[0]["before"][name] = was
                later[0]["after"].setdefault(name, change["after"][name])
            continue
        heir = next((row for row in later if name in row["after"]), None)
        if heir is not None:
            heir["before"][name] = was
            if heir["after"][name] == was:
                del heir["before"][name], heir["after"][name]
        elif current[name] == change["after"][name]:
            current[name] = was
            done = 1
        if current[name] != was:
            kept.append(KeptValue(change["source"], change["record_key"], name, _words(current[name])))
    if done and not untouched:
        current["record_hash"] = content_hashes(_records([current]), _VALUES)[0].as_py()
    return done


def error_rows(rejects: pa.Table) -> list[dict[str, str]]:
    """Return rejects as rows of an error file that can be corrected and uploaded again."""
    rows = []
    for reject in rejects.to_pylist():
        row = {
            "行号": str(reject["line"]),
            "问题列": reject["column"],
            "原因": reject["reason"],
            "原值": reject["value"],
        }
        try:
            cells = json.loads(reject["row_text"])
        except ValueError:
            cells = {"原行": reject["row_text"]}
        if not isinstance(cells, dict):
            cells = {"原行": reject["row_text"]}
        rows.append(row | {str(name): _words(value) for name, value in cells.items() if name not in row})
    return rows


def _key(row: Row) -> tuple[str, str]:
    return row["source"], row["record_key"]


def _words(value: Any) -> str:
    return "" if value is None else str(value)


def _json(cells: Row) -> str:
    return json.dumps(cells, ensure_ascii=False, default=_iso)


def _iso(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _parsed(row: Row) -> Row:
    before = None if row["before"] is None else _typed(json.loads(row["before"]))
    return {**row, "before": before, "after": _typed(json.loads(row["after"]))}


def _typed(cells: Row) -> Row:
    return {
        name: date.fromisoformat(value)
        if value is not None and CUSTOMER_RECORDS.column(name).type == "date"
        else value
        for name, value in cells.items()
    }


def _records(rows: Iterable[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=CUSTOMER_RECORDS.schema)


def _history(rows: Iterable[Row]) -> pa.Table:
    texts = [
        {
            **row,
            "before": None if row["before"] is None else _json(row["before"]),
            "after": _json(row["after"]),
        }
        for row in rows
    ]
    return pa.Table.from_pylist(texts, schema=UPLOAD_CHANGES.schema)
