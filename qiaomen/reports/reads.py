"""Point look-ups in one generation of the lake, for a page or a command about one company.

``FileReads`` looks into the Parquet files (a command that asks once; row groups without the key are skipped);
``HeldReads`` keeps tables and the order of their keys in memory (a server that is asked all day).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qiaomen.store import Snapshot
from qiaomen.vocab import Table

Row = Mapping[str, Any]


class ProfileReads(Protocol):
    """Rows of a table by the value of one column; number and note say which generation they are of."""

    @property
    def number(self) -> int:
        """The generation."""

    @property
    def note(self) -> Mapping[str, Any]:
        """What the run noted, such as as_of."""

    def rows(self, table: Table, column: str, value: int | str) -> list[dict[str, Any]]:
        """Return the rows whose column has the value, in table order."""

    def arrays(self, name: str) -> Mapping[str, npt.NDArray[Any]]:
        """Open arrays of the generation; ``NotFound`` where it has none of that name."""


class FileReads:
    """Look-ups in the files; what was found once is kept, as a generation never changes."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._opened: dict[str, Any] = {}
        self._found: dict[tuple[str, str, int | str], list[dict[str, Any]]] = {}

    @property
    def number(self) -> int:
        """The generation."""
        return self._snapshot.number

    @property
    def note(self) -> Mapping[str, Any]:
        """What the run noted."""
        return self._snapshot.note

    def rows(self, table: Table, column: str, value: int | str) -> list[dict[str, Any]]:
        """Return the rows whose column has the value."""
        key = (table.name, column, value)
        if key not in self._found:
            self._found[key] = self._look(table, column, value)
        return list(self._found[key])

    def _look(self, table: Table, column: str, value: int | str) -> list[dict[str, Any]]:
        import pyarrow.dataset as ds

        if table.name not in self._opened:
            files = [str(path) for path in self._snapshot.files(table.name)]
            self._opened[table.name] = ds.dataset(files, format="parquet") if files else None
        opened = self._opened[table.name]
        present = [name for name in table.names if opened is not None and name in opened.schema.names]
        if column not in present:
            return []
        found = opened.to_table(columns=present, filter=ds.field(column) == value)
        return table.conform(found).to_pylist() if found.num_rows else []

    def arrays(self, name: str) -> Mapping[str, npt.NDArray[Any]]:
        """Open arrays of the generation."""
        return self._snapshot.arrays(name)


class _Held:
    """One table with the row numbers in order of one column."""

    def __init__(self, rows: pa.Table, column: str) -> None:
        import pyarrow.compute as pc

        self.rows = rows
        self._order = np.asarray(pc.sort_indices(rows, sort_keys=[(column, "ascending")]))
        values = rows.column(column).take(pa.array(self._order)).drop_null()
        self._keys = np.asarray(values.to_numpy())

    def find(self, value: int | str) -> list[dict[str, Any]]:
        first, last = np.searchsorted(self._keys, [value, value], side="left")[0], len(self._keys)
        last = int(np.searchsorted(self._keys, value, side="right"))
        if first >= last:
            return []
        return self.rows.take(pa.array(np.sort(self._order[first:last]))).to_pylist()


class HeldReads:
    """Look-ups in tables kept in memory from their first use; safe to share between threads."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._tables: dict[str, pa.Table] = {}
        self._held: dict[tuple[str, str], _Held] = {}
        self._lock = threading.RLock()

    @property
    def number(self) -> int:
        """The generation."""
        return self._snapshot.number

    @property
    def note(self) -> Mapping[str, Any]:
        """What the run noted."""
        return self._snapshot.note

    def rows(self, table: Table, column: str, value: int | str) -> list[dict[str, Any]]:
        """Return the rows whose column has the value."""
        held = self._held.get((table.name, column))
        if held is None:
            with self._lock:
                rows = self._tables.get(table.name)
                if rows is None:
                    rows = self._tables[table.name] = self._snapshot.arrow(table)
                held = self._held[(table.name, column)] = _Held(rows, column)
        return held.find(value)

    def arrays(self, name: str) -> Mapping[str, npt.NDArray[Any]]:
        """Open arrays of the generation."""
        return self._snapshot.arrays(name)
