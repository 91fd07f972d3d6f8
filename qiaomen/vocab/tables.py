"""How a lake table is declared: columns, types, key, owner and data class. No I/O.

Every folder declares its own tables in ``<folder>/tables.py``; the declaration is the data model
(``docs/data-model.md`` is written from it and tested against it).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa


class DataClass(StrEnum):
    """Class of a column under 银行保险机构数据安全管理办法 (the general class is ``general``)."""

    CORE = "core"
    IMPORTANT = "important"
    SENSITIVE = "sensitive"
    GENERAL = "general"


TYPE_NAMES: Final = frozenset({"int64", "float64", "string", "boolean", "date", "timestamp"})


@cache
def arrow_types() -> dict[str, pa.DataType]:
    """Return the Arrow type of each type name. (Arrow is imported late: it costs the command line 0.2 s.)"""
    import pyarrow as pa

    return {
        "int64": pa.int64(),
        "float64": pa.float64(),
        "string": pa.string(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name (units in the name), one of ``TYPE_NAMES``, what it means, its data class."""

    name: str
    type: str
    doc: str
    data_class: DataClass = DataClass.GENERAL

    def __post_init__(self) -> None:
        if self.type not in TYPE_NAMES:
            raise ValueError(f"{self.name}: unknown column type {self.type!r}")


@dataclass(frozen=True, slots=True)
class Table:
    """One lake table.

    ``key`` names the columns that identify a row; rows of a published table are sorted by it.
    ``loaded`` tables are filled by ``qiaomen load`` and hold one row per source record.
    """

    name: str
    owner: str
    doc: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    loaded: bool = False
    _by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: a column is declared twice")
        missing = set(self.key) - set(names)
        if missing:
            raise ValueError(f"{self.name}: key columns {sorted(missing)} are not declared")
        object.__setattr__(self, "_by_name", {column.name: column for column in self.columns})

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in declared order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """Return one column; ``KeyError`` if it is not declared."""
        return self._by_name[name]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema in declared order."""
        import pyarrow as pa

        kinds = arrow_types()
        return pa.schema([pa.field(column.name, kinds[column.type]) for column in self.columns])

    def empty(self) -> pa.Table:
        """Return a table of the declared schema with no rows."""
        return self.schema.empty_table()

    def conform(self, data: pa.Table) -> pa.Table:
        """Return ``data`` with exactly the declared columns, order and types.

        A declared column that is missing becomes null; an undeclared column is an error (``ValueError``).
        """
        import pyarrow as pa

        kinds = arrow_types()
        extra = set(data.column_names) - set(self.names)
        if extra:
            raise ValueError(f"{self.name}: undeclared columns {sorted(extra)}")
        arrays = []
        for column in self.columns:
            kind = kinds[column.type]
            if column.name in data.column_names:
                arrays.append(data.column(column.name).cast(kind))
            else:
                arrays.append(pa.chunked_array([pa.nulls(data.num_rows, kind)], type=kind))
        return pa.Table.from_arrays(arrays, schema=self.schema)


def record_columns() -> tuple[Column, ...]:
    """Return the columns that every loaded table ends with: where the row came from."""
    return (
        Column("source", "string", "code of the source (catalog/sources) that brought the row"),
        Column("record_key", "string", "key of the row within its source; (source, record_key) is unique"),
        Column("record_hash", "string", "hash of the cleaned values; a changed hash is an update"),
        Column("file", "string", "name of the file the row was last changed from"),
        Column(
            "line", "int64", "line (CSV), row (XLSX) or ordinal (Parquet), counted from 1 with the header"
        ),
        Column("load_id", "string", "load that last inserted or updated the row"),
    )


def loaded_table(name: str, owner: str, doc: str, columns: tuple[Column, ...]) -> Table:
    """Declare a table that ``qiaomen load`` fills."""
    return Table(name, owner, doc, columns + record_columns(), ("source", "record_key"), loaded=True)
