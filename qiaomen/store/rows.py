"""Row operations that SQLite and PostgreSQL spell differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

# SQLite takes 32,766 bound values in one statement.
_BOUND_VALUES: Final = 30_000


def insert_missing(
    connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], *, unique: Sequence[str]
) -> set[tuple[Any, ...]]:
    """Insert the rows whose ``unique`` columns are not there yet; return the values of those inserted.

    All rows give the same columns.
    """
    inserted: set[tuple[Any, ...]] = set()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    columns = [table.c[name] for name in unique]
    size = max(1, _BOUND_VALUES // max(1, len(table.columns)))
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        statement = dialect.insert(table).values([dict(row) for row in part])
        statement = statement.on_conflict_do_nothing(index_elements=columns).returning(*columns)
        inserted.update(tuple(row) for row in connection.execute(statement))
    return inserted
