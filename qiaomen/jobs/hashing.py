"""Hashes of everything a workspace holds, to tell whether two workspaces say the same.

``full_hashes`` leaves out nothing that a backup keeps. ``result_hashes`` compares the results of work that was stopped
and finished with those of work that was not: it leaves out what tells of the attempts, not of the results (``LOGS``,
``MARKS``), and replaces numbers that the database issues by the key of the row, since a stopped transaction uses numbers
up and two databases hand them out in different orders.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.jobs.tables import TABLES
from qiaomen.jobs.workspace import Workspace
from qiaomen.registry import LOADS
from qiaomen.store import (
    METADATA,
    Snapshot,
    StoredTable,
    arrays_digest,
    consistently_reading,
    lines_digest,
    read_rows,
    stored_tables,
    table_digest,
)

# Sessions and sign-ins under way are worth nothing later: after a restore people sign in again.
UNKEPT: Final = frozenset({"sessions", "sign_in_starts"})
# Tables that tell of attempts: who tried what and when. A stopped attempt is an entry of its own.
LOGS: Final = frozenset({"jobs", "schedules", "audit_log", "audit_head", "audit_anchors"})
# Columns that tell of attempts, by table ("" is every table): random or counted anew each time, or the moment of the try.
MARKS: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"load_id", "loaded_at", "applied_at", "password_hash", "token_hash"}),
    "outbox": frozenset(
        {"attempts", "next_at", "lease_owner", "lease_until", "error", "created_at", "finished_at"}
    ),
    # A load that was repeated has an entry of its own, in which every row is unchanged.
    LOADS.name: frozenset({"inserted", "updated", "unchanged", "repeated", "ended"}),
}
# Tables in which an attempt that was repeated adds the same row again.
REPEATING: Final = frozenset({LOADS.name})
# Numbers in JSON that name a row: key to table.
JSON_NUMBERS: Final = {"task_id": "tasks"}
# Columns that name rows of another table though no foreign key says so.
REFERENCES: Final[Mapping[str, Mapping[str, str | None]]] = {
    "feed_items": {"subscription_id": "subscriptions"}
}
# Text in which the number of a task stands between colons.
TEXT_NUMBERS: Final = frozenset({("outbox", "key"), ("outbox", "order_key")})

Hashes = dict[str, str]


def full_hashes(workspace: Workspace) -> Hashes:
    """Return the hash of every table and array, all columns included."""
    with consistently_reading(workspace.sql) as connection:
        found = sql_hashes(connection)
        return {**found, **lake_hashes(workspace.lake.snapshot())}


def sql_hashes(connection: Connection) -> Hashes:
    """Return the hash of every SQL table that a backup keeps."""
    return {
        f"sql {table.name}": lines_digest(map(_line, read_rows(connection, table)))
        for table in stored_tables(connection)
        if table.name not in UNKEPT
    }


def lake_hashes(snapshot: Snapshot) -> Hashes:
    """Return the hash of every table and array of a generation."""
    found = {f"lake {name}": table_digest(_rows(snapshot, name)) for name in snapshot.names}
    found |= {f"arrays {name}": arrays_digest(snapshot.arrays(name)) for name in snapshot.array_names}
    return found


def result_hashes(workspace: Workspace) -> Hashes:
    """Return the hash of every table and array of results."""
    snapshot = workspace.lake.snapshot()
    found = {f"lake {name}": table_digest(_results(snapshot, name)) for name in snapshot.names}
    found |= {f"arrays {name}": arrays_digest(snapshot.arrays(name)) for name in snapshot.array_names}
    with consistently_reading(workspace.sql) as connection:
        names = _names(connection)
        for table in stored_tables(connection):
            if table.name not in UNKEPT | LOGS:
                found[f"sql {table.name}"] = lines_digest(_result_lines(connection, table, names))
    return found


def _rows(snapshot: Snapshot, name: str) -> pa.Table:
    return snapshot.arrow(TABLES[name]) if name in TABLES else snapshot.undeclared(name)


def _results(snapshot: Snapshot, name: str) -> pa.Table:
    rows = _rows(snapshot, name)
    kept = rows.drop_columns([column for column in rows.column_names if column in _marks(name)])
    return kept.group_by(kept.column_names).aggregate([]) if name in REPEATING else kept


def _marks(name: str) -> frozenset[str]:
    return MARKS[""] | MARKS.get(name, frozenset())


@dataclass(frozen=True, slots=True)
class _Names:
    """What stands for the numbers that the database issued: table to number to the row's own key (or its place)."""

    by_table: Mapping[str, Mapping[int, Any]]
    tasks_in_text: Mapping[str, str]


def _names(connection: Connection) -> _Names:
    names: dict[str, dict[int, Any]] = {}
    for table, number in _issued().items():
        own = next((column for column in METADATA.tables[table].columns if column.unique), number)
        rows = connection.execute(sa.select(number, own).order_by(number)).all()
        names[table] = {row[0]: place if own is number else row[1] for place, row in enumerate(rows)}
    return _Names(names, {str(number): str(key) for number, key in names["tasks"].items()})


def _issued() -> dict[str, sa.Column[Any]]:
    return {
        name: column
        for name, table in METADATA.tables.items()
        for column in table.primary_key.columns
        if column.autoincrement is True
    }


def _numbering(table: str) -> dict[str, str | None]:
    """Return the columns of a table that hold issued numbers, each with the table whose rows they name.

    The numbers of the table's own rows name nothing else (None) and are left out.
    """
    issued = {(column.table.name, column.name): name for name, column in _issued().items()}
    found: dict[str, str | None] = {}
    for column in METADATA.tables[table].columns if table in METADATA.tables else ():
        if (table, column.name) in issued:
            found[column.name] = None
        for key in column.foreign_keys:
            target = issued.get((key.column.table.name, key.column.name))
            if target is not None:
                found[column.name] = target
    return {**found, **REFERENCES.get(table, {})}


def _result_lines(connection: Connection, table: StoredTable, names: _Names) -> Iterator[str]:
    numbering, marks = _numbering(table.name), _marks(table.name)
    left_out = marks | {column for column, target in numbering.items() if target is None}
    kept = [position for position, column in enumerate(table.columns) if column.name not in left_out]
    for row in read_rows(connection, table):
        values = []
        for position in kept:
            column, value = table.columns[position], row[position]
            target = numbering.get(column.name)
            if target is not None:
                value = names.by_table[target].get(value, value)
            elif column.kind == "json":
                value = _renamed_json(value, names)
            elif (table.name, column.name) in TEXT_NUMBERS:
                value = _renamed_text(value, names)
            values.append(value)
        yield _line(values)


def _renamed_text(value: str | None, names: _Names) -> str | None:
    """Replace the number of a task that is a part of a text with colons."""
    if value is None:
        return None
    return ":".join(names.tasks_in_text.get(part, part) for part in value.split(":"))


def _renamed_json(value: str | None, names: _Names) -> Any:
    parsed = None if value is None else json.loads(value)
    if isinstance(parsed, dict):
        for key, table in JSON_NUMBERS.items():
            if key in parsed:
                parsed[key] = names.by_table[table].get(parsed[key], parsed[key])
    return parsed


def _line(row: Sequence[Any]) -> str:
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
