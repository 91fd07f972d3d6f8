"""The analytical engine: DuckDB through Ibis, one connection per ``Engine``, no network.

Reads the Parquet files of a generation; returns Arrow tables of the declared shape.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa

from qiaomen.store import parquet
from qiaomen.store.lake import Snapshot
from qiaomen.vocab import Table

if TYPE_CHECKING:
    import ibis.expr.types as ir

SQL_TYPES: Final = {
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}
# DuckDB 2.0.0 merges `d + INTERVAL 1 MONTH` with `d + INTERVAL 30 DAY` in one SELECT when this is on.
_DISABLED: Final = "common_subexpressions"


class Engine:
    """One DuckDB connection. Not to be shared between threads; opening one takes milliseconds."""

    def __init__(self, *, threads: int = 2, memory: str = "2GB", temp: Path | str | None = None) -> None:
        import duckdb
        import ibis

        config: dict[str, Any] = {
            "threads": threads,
            "memory_limit": memory,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "preserve_insertion_order": "false",
        }
        if temp is not None:
            config["temp_directory"] = str(temp)
        self._raw = duckdb.connect(":memory:", config=config)
        self._raw.execute("SET TimeZone='UTC'")
        self._raw.execute(f"SET disabled_optimizers='{_DISABLED}'")
        self._backend = ibis.duckdb.from_connection(self._raw)

    def table(self, source: Snapshot, table: Table) -> ir.Table:
        """Open a table of a snapshot or stage: declared columns, null where a file lacks one, empty where absent."""
        files = source.files(table.name)
        if not files:
            return self.memory(table.empty())
        present = _columns(files)
        columns = ", ".join(
            f'CAST("{column.name}" AS {SQL_TYPES[column.type]}) AS "{column.name}"'
            if column.name in present
            else f'CAST(NULL AS {SQL_TYPES[column.type]}) AS "{column.name}"'
            for column in table.columns
        )
        paths = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
        name = self._name(table.name)
        self._raw.execute(
            f'CREATE TEMP VIEW "{name}" AS SELECT {columns} FROM read_parquet([{paths}], union_by_name=true)'
        ).fetchall()
        return self._view(name, table.schema)

    def memory(self, data: pa.Table) -> ir.Table:
        """Make an Arrow table readable by the engine."""
        name = self._name("memory")
        self._raw.register(name, data)
        return self._view(name, data.schema)

    def keep(self, expression: ir.Table) -> ir.Table:
        """Compute an expression once and return a table of its result (spills to disk when large)."""
        name = self._name("kept")
        schema = expression.schema().to_pyarrow()
        self._raw.execute(f'CREATE TEMP TABLE "{name}" AS {self._sql(expression)}').fetchall()
        return self._view(name, schema)

    def arrow(self, expression: ir.Table, table: Table | None = None) -> pa.Table:
        """Compute an expression; with ``table``, return exactly its declared columns."""
        result = self._backend.to_pyarrow(expression)
        return result if table is None else parquet.conform(table, result)

    def reader(self, expression: ir.Table, *, batch_rows: int = 131_072) -> pa.RecordBatchReader:
        """Compute an expression batch by batch, for results larger than memory.

        Exhaust the reader before the engine is used for anything else.
        """
        return self._raw.sql(self._sql(expression)).to_arrow_reader(batch_rows)

    def count(self, expression: ir.Table) -> int:
        """Return the number of rows."""
        return int(self._backend.to_pyarrow(expression.count()).as_py())

    def close(self) -> None:
        """Free the connection."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _sql(self, expression: ir.Table) -> str:
        # Ibis 12 calls fetch methods that DuckDB 2 no longer has, so only its compiler is used here.
        self._backend._run_pre_execute_hooks(expression)  # noqa: SLF001 - registers in-memory tables
        return str(self._backend.compile(expression))

    @staticmethod
    def _name(stem: str) -> str:
        return f"{stem}_{uuid.uuid4().hex}"

    def _view(self, name: str, schema: pa.Schema) -> ir.Table:
        import ibis
        import ibis.expr.operations as ops

        return ops.DatabaseTable(
            name=name,
            schema=ibis.Schema.from_pyarrow(schema),
            source=self._backend,
            namespace=ops.Namespace(),
        ).to_expr()


def _columns(files: Sequence[Path]) -> set[str]:
    import pyarrow.parquet as pq

    names: set[str] = set()
    for path in files:
        try:
            names |= set(pq.read_schema(path).names)
        except (OSError, pa.ArrowException) as error:
            raise parquet.broken(path) from error
    return names
