"""Writes and reads the Parquet files of one table: declared columns, sorted by key, zstd, fsynced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from qiaomen.store.disk import disk_errors, sync_file
from qiaomen.vocab import Table, Unavailable

ROW_GROUP: Final = 131_072
COMPRESSION: Final = "zstd"
COMPRESSION_LEVEL: Final = 3

TableData: TypeAlias = "pa.Table | pa.RecordBatchReader | Iterable[pa.RecordBatch]"


def conform(table: Table, data: pa.Table) -> pa.Table:
    """Return the declared columns; a value that does not fit names the table."""
    try:
        return table.conform(data)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"{table.name}: {error}") from error


def write_sorted(table: Table, data: pa.Table, path: Path) -> int:
    """Write a table that is in memory, sorted by its key, and return its rows."""
    rows = conform(table, data)
    if table.key and rows.num_rows > 1:
        rows = rows.sort_by([(name, "ascending") for name in table.key])
        refuse_repeats(table, rows)
    with disk_errors(path):
        pq.write_table(
            rows, path, compression=COMPRESSION, compression_level=COMPRESSION_LEVEL, row_group_size=ROW_GROUP
        )
        sync_file(path)
    return rows.num_rows


def refuse_repeats(table: Table, rows: pa.Table) -> None:
    """Raise ``ValueError`` where two neighbouring rows have the same key."""
    same: Any = None
    for name in table.key:
        column = rows.column(name)
        before, after = column.slice(0, len(column) - 1), column.slice(1)
        equal = pc.or_(
            pc.fill_null(pc.equal(before, after), False), pc.and_(pc.is_null(before), pc.is_null(after))
        )
        same = equal if same is None else pc.and_(same, equal)
    if same is not None and pc.any(same).as_py():
        at = pc.index(same, pa.scalar(True)).as_py()
        first = {name: rows.column(name)[at].as_py() for name in table.key}
        raise ValueError(f"{table.name}: the key is given twice: {first}")


def batches(data: TableData) -> Iterator[pa.Table]:
    """Yield the batches of any accepted input as tables."""
    for batch in data if not isinstance(data, pa.Table) else [data]:
        yield batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])


def write_stream(table: Table, data: TableData, path: Path, memory: str, threads: int) -> int:
    """Write input of any size, sorted outside memory, and return its rows."""
    import duckdb

    unsorted, spill = path.with_name(f"{path.name}.unsorted"), path.with_name(f"{path.name}.spill")
    rows = 0
    with disk_errors(path):
        try:
            with pq.ParquetWriter(unsorted, table.schema, compression="lz4") as writer:
                for batch in batches(data):
                    part = conform(table, batch)
                    rows += part.num_rows
                    writer.write_table(part, row_group_size=ROW_GROUP)
            config: dict[str, Any] = {
                "memory_limit": memory,
                "threads": threads,
                "temp_directory": str(spill),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            }
            with duckdb.connect(":memory:", config=config) as connection:
                connection.execute("SET TimeZone='UTC'")
                _copy_sorted(connection, table, unsorted, path)
            sync_file(path)
        except duckdb.Error as error:
            path.unlink(missing_ok=True)
            raise OSError(str(error)) from error
        finally:
            unsorted.unlink(missing_ok=True)
            _remove_folder(spill)
    return rows


def _copy_sorted(connection: Any, table: Table, source: Path, target: Path) -> None:
    key = ", ".join(f'"{name}" ASC NULLS LAST' for name in table.key)
    order = f" ORDER BY {key}" if key else ""
    text = str(source).replace("'", "''")
    if table.key:
        names = ", ".join(f'"{name}"' for name in table.key)
        twice = connection.execute(
            f"SELECT {names} FROM read_parquet('{text}') GROUP BY {names} HAVING count(*) > 1 LIMIT 1"
        ).fetchall()
        if twice:
            first = dict(zip(table.key, twice[0], strict=True))
            raise ValueError(f"{table.name}: the key is given twice: {first}")
    out = str(target).replace("'", "''")
    connection.execute(
        f"COPY (SELECT * FROM read_parquet('{text}'){order}) TO '{out}' "
        f"(FORMAT parquet, COMPRESSION {COMPRESSION}, COMPRESSION_LEVEL {COMPRESSION_LEVEL}, "
        f"ROW_GROUP_SIZE {ROW_GROUP})"
    ).fetchall()


def _remove_folder(folder: Path) -> None:
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        folder.rmdir()


def read(table: Table, paths: Iterable[Path]) -> pa.Table:
    """Read files as the declared table; ``Unavailable`` names a missing or broken file."""
    parts = [_read_one(table, path) for path in paths]
    if not parts:
        return table.empty()
    return parts[0] if len(parts) == 1 else pa.concat_tables(parts)


def read_plain(paths: Iterable[Path]) -> pa.Table:
    """Read files with the columns that they have."""
    parts = []
    for path in paths:
        try:
            parts.append(pq.read_table(path, partitioning=None))
        except (OSError, pa.ArrowException) as error:
            raise broken(path) from error
    return pa.concat_tables(parts)


def _read_one(table: Table, path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            present = [name for name in table.names if name in file.schema_arrow.names]
            return table.conform(file.read(columns=present))
    except (OSError, pa.ArrowException, ValueError) as error:
        raise broken(path) from error


def broken(path: Path) -> Unavailable:
    """Return the error for a data file that is missing or damaged."""
    return Unavailable(
        "数据文件缺失或已损坏",
        where=str(path),
        remedy="从备份恢复该文件，或重新运行 qiaomen run 生成新一代数据",
    )
