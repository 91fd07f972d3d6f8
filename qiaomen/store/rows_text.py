"""Reads and writes the rows of the operational store as JSON values that mean the same on SQLite and PostgreSQL.

Tables and columns are read from the database itself, so that a store of an earlier version can be read as well.
Values: moments in UTC as ISO text, dates as ISO text, JSON as sorted text, bytes as base64, numbers of fixed precision
as text; an SQL null is null.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

VERSION_TABLE: Final = "alembic_version"
BATCH: Final = 1000
# The first kind whose type a column has; the order matters where one type is a kind of another.
_KINDS: Final[tuple[tuple[type[Any], str], ...]] = (
    (sa.Boolean, "boolean"),
    (sa.JSON, "json"),
    (sa.DateTime, "moment"),
    (sa.Date, "date"),
    (sa.Integer, "integer"),
    (sa.Float, "float"),
    (sa.Numeric, "decimal"),
    (sa.LargeBinary, "bytes"),
    (sa.String, "text"),
)


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """One column, its kind, and whether it is part of the key."""

    name: str
    kind: str
    key: bool


@dataclass(frozen=True, slots=True)
class StoredTable:
    """One table as the database has it; ``parents`` are columns that name rows of the same table."""

    name: str
    columns: tuple[StoredColumn, ...]
    parents: tuple[tuple[str, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)


def stored_tables(connection: Connection) -> tuple[StoredTable, ...]:
    """Return every table but the one of the version, each after the tables that it refers to."""
    found = sa.MetaData()
    found.reflect(connection)
    return tuple(_stored(table) for table in found.sorted_tables if table.name != VERSION_TABLE)


def _stored(table: sa.Table) -> StoredTable:
    columns = tuple(
        StoredColumn(column.name, _kind(column.type), column.primary_key) for column in table.columns
    )
    parents = tuple(
        (column.name, key.column.name)
        for column in table.columns
        for key in column.foreign_keys
        if key.column.table is table
    )
    return StoredTable(table.name, columns, parents)


def _kind(column_type: sa.types.TypeEngine[Any]) -> str:
    for kind, name in _KINDS:
        if isinstance(column_type, kind):
            return name
    raise TypeError(f"no text form for columns of type {column_type!r}")


def read_rows(connection: Connection, table: StoredTable) -> Iterator[list[Any]]:
    """Yield every row as JSON values, in the order of its key."""
    postgres = connection.dialect.name == "postgresql"
    chosen = []
    for column in table.columns:
        plain: Any = sa.column(column.name)
        # Read as text, so that a JSON null and an absent value stay apart.
        chosen.append(
            sa.cast(plain, sa.Text).label(column.name) if postgres and column.kind == "json" else plain
        )
    order: list[Any] = [sa.column(column.name) for column in table.columns if column.key]
    query = sa.select(*chosen).select_from(sa.table(table.name)).order_by(*order)
    convert = [_TO_TEXT[column.kind] for column in table.columns]
    result = connection.execute(query, execution_options={"yield_per": BATCH})
    for row in result:
        yield [None if value is None else to(value) for to, value in zip(convert, row, strict=True)]


def _moment_text(value: Any) -> str:
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return str(at.isoformat(timespec="microseconds"))


def _json_text(value: Any) -> str:
    parsed = json.loads(value) if isinstance(value, str) else value
    return json.dumps(parsed, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


_TO_TEXT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "boolean": bool,
    "json": _json_text,
    "moment": _moment_text,
    "date": lambda value: value if isinstance(value, str) else value.isoformat(),
    "integer": int,
    "float": float,
    "decimal": str,
    "bytes": lambda value: base64.b64encode(bytes(value)).decode(),
    "text": str,
}


def write_rows(connection: Connection, table: StoredTable, rows: Iterable[Sequence[Any]]) -> int:
    """Insert rows of JSON values as they are, numbers included, and return how many."""
    postgres = connection.dialect.name == "postgresql"
    back = _TO_POSTGRES if postgres else _TO_SQLITE
    convert = [back.get(column.kind, _same) for column in table.columns]
    target = sa.table(table.name, *(sa.column(name) for name in table.names))
    written = 0
    pending = iter(_parents_first(table, rows))
    while batch := list(islice(pending, BATCH)):
        values = [
            {
                name: None if value is None else to(value)
                for name, to, value in zip(table.names, convert, row, strict=True)
            }
            for row in batch
        ]
        connection.execute(sa.insert(target), values)
        written += len(batch)
    if postgres:
        _continue_numbers(connection, table)
    return written


def _parents_first(table: StoredTable, rows: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
    """Return the rows of a table that names its own rows so that the named ones come first."""
    if not table.parents:
        return rows
    place = {name: position for position, name in enumerate(table.names)}
    waiting, ordered = list(rows), []
    known: dict[str, set[Any]] = {target: set() for _, target in table.parents}
    while waiting:
        ready = [
            row
            for row in waiting
            if all(
                row[place[name]] is None or row[place[name]] in known[target]
                for name, target in table.parents
            )
        ]
        # A ring of parents cannot be put in order; the database then refuses it.
        ready = ready or waiting
        for row in ready:
            for target, values in known.items():
                values.add(row[place[target]])
        ordered += ready
        taken = {id(row) for row in ready}
        waiting = [row for row in waiting if id(row) not in taken]
    return ordered


def _continue_numbers(connection: Connection, table: StoredTable) -> None:
    """Let the database issue the numbers that follow."""
    for column in table.columns:
        if not column.key or column.kind != "integer":
            continue
        sequence = connection.execute(
            sa.select(sa.func.pg_get_serial_sequence(f'"{table.name}"', column.name))
        ).scalar()
        if sequence is not None:
            most = connection.execute(sa.text(f'SELECT max("{column.name}") FROM "{table.name}"')).scalar()
            connection.execute(sa.select(sa.func.setval(sequence, most or 1, most is not None)))


def _same(value: Any) -> Any:
    return value


# Untyped values: PostgreSQL reads text as whatever the column is.
_TO_POSTGRES: Final[Mapping[str, Callable[[Any], Any]]] = {"bytes": base64.b64decode}
# SQLite keeps what it is given, so the forms are those that SQLAlchemy writes.
_TO_SQLITE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "boolean": int,
    "moment": lambda value: datetime.fromisoformat(value).strftime("%Y-%m-%d %H:%M:%S.%f"),
    "date": lambda value: date.fromisoformat(value).isoformat(),
    "bytes": base64.b64decode,
    "float": float,
}
