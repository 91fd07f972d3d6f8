"""Row operations that SQLite and PostgreSQL spell differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection


def insert_missing(
    connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], *, unique: Sequence[str]
) -> set[tuple[Any, ...]]:
    """Insert the rows whose ``unique`` columns are not there yet; return the values of those inserted.

    All rows give the same columns.
    """
    if not rows:
        return set()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    columns = [table.c[name] for name in unique]
    statement = dialect.insert(table).on_conflict_do_nothing(index_elements=columns).returning(*columns)
    inserted = connection.execute(statement, [dict(row) for row in rows])
    return {tuple(row) for row in inserted}
