"""Hashes of everything a workspace holds, to tell whether two workspaces say the same.

``full_hashes`` leaves out nothing that a backup keeps. ``result_hashes`` compares the results of work that was stopped
and finished with those of work that was not: it leaves out what tells of the attempts, not of the results (``LOGS``,
``MARKS``), and replaces numbers that the database issues by their order, since a stopped transaction uses numbers up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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
        orders = _orders(connection)
        for table in stored_tables(connection):
            if table.name not in UNKEPT | LOGS:
                found[f"sql {table.name}"] = lines_digest(_result_lines(connection, table, orders))
    return found


def _rows(snapshot: Snapshot, name: str) -> pa.Table:
    return snapshot.arrow(TABLES[name]) if name in TABLES else snapshot.undeclared(name)


def _results(snapshot: Snapshot, name: str) -> pa.Table:
    rows = _rows(snapshot, name)
    kept = rows.drop_columns([column for column in rows.column_names if column in _marks(name)])
    return kept.group_by(kept.column_names).aggregate([]) if name in REPEATING else kept


def _marks(name: str) -> frozenset[str]:
    return MARKS[""] | MARKS.get(name, frozenset())


def _orders(connection: Connection) -> dict[str, dict[int, int]]:
    """Return the order of the rows of each table whose numbers the database issues."""
    orders: dict[str, dict[int, int]] = {}
    for name, column in _issued().items():
        numbers = connection.execute(sa.select(column).order_by(column)).scalars()
        orders[name] = {number: place for place, number in enumerate(numbers)}
    return orders


def _issued() -> dict[str, sa.Column[Any]]:
    return {
        name: column
        for name, table in METADATA.tables.items()
        for column in table.primary_key.columns
        if column.autoincrement is True
    }


def _numbering(table: str) -> dict[str, str]:
    """Return the columns of a table that hold issued numbers, each with the table whose rows they name."""
    issued = {(column.table.name, column.name): name for name, column in _issued().items()}
    found: dict[str, str] = {}
    for column in METADATA.tables[table].columns if table in METADATA.tables else ():
        if (table, column.name) in issued:
            found[column.name] = table
        for key in column.foreign_keys:
            target = issued.get((key.column.table.name, key.column.name))
            if target is not None:
                found[column.name] = target
    # Named by their tables, though no foreign key says so.
    if table == "feed_items":
        found["subscription_id"] = "subscriptions"
    return found


def _result_lines(
    connection: Connection, table: StoredTable, orders: Mapping[str, Mapping[int, int]]
) -> Iterator[str]:
    numbering, marks = _numbering(table.name), _marks(table.name)
    kept = [position for position, column in enumerate(table.columns) if column.name not in marks]
    for row in read_rows(connection, table):
        values = []
        for position in kept:
            column, value = table.columns[position], row[position]
            if column.name in numbering:
                value = orders[numbering[column.name]].get(value, value)
            elif column.kind == "json":
                value = _renumbered(value, orders)
            elif (table.name, column.name) in TEXT_NUMBERS:
                value = _renumbered_text(value, orders)
            values.append(value)
        yield _line(values)


def _renumbered_text(value: str | None, orders: Mapping[str, Mapping[int, int]]) -> str | None:
    """Replace the number of a task that is a part of a text with colons."""
    if value is None:
        return None
    tasks = {str(number): str(place) for number, place in orders["tasks"].items()}
    return ":".join(tasks.get(part, part) for part in value.split(":"))


def _renumbered(value: str | None, orders: Mapping[str, Mapping[int, int]]) -> Any:
    parsed = None if value is None else json.loads(value)
    if isinstance(parsed, dict):
        for key, name in JSON_NUMBERS.items():
            if key in parsed:
                parsed[key] = orders[name].get(parsed[key], parsed[key])
    return parsed


def _line(row: Sequence[Any]) -> str:
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
