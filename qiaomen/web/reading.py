"""What pages read from the lake: one published generation, kept in memory and replaced when a newer one appears.

A table is read once per generation; ``Keyed`` finds its rows by key without a scan; ``Reading.once`` keeps what a
page computes from the generation, so that the second visitor does not pay for it.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.jobs import Workspace
from qiaomen.store import Arrays, Snapshot
from qiaomen.vocab import Table

Kept = TypeVar("Kept")
Arguments = ParamSpec("Arguments")
Record = dict[str, Any]


class Keyed:
    """Rows of one table by the values of one column."""

    def __init__(self, rows: pa.Table, column: str) -> None:
        held = rows.filter(pc.is_valid(rows.column(column)))
        order = pc.sort_indices(held, sort_keys=[(column, "ascending")])
        self.table = held
        self._order: npt.NDArray[np.int64] = np.asarray(order, dtype=np.int64)
        self._keys = held.column(column).take(order).to_numpy()

    def positions(self, key: Hashable) -> npt.NDArray[np.int64]:
        """Return the row numbers of a key in table order."""
        first = int(np.searchsorted(self._keys, key, "left"))  # type: ignore[call-overload]
        last = int(np.searchsorted(self._keys, key, "right"))  # type: ignore[call-overload]
        return np.sort(self._order[first:last])

    def rows(self, key: Hashable) -> list[Record]:
        """Return the rows of a key as mappings."""
        found = self.positions(key)
        return self.table.take(found).to_pylist() if len(found) else []

    def first(self, key: Hashable) -> Record | None:
        """Return the first row of a key; nothing where there is none."""
        found = self.positions(key)
        return self.table.slice(int(found[0]), 1).to_pylist()[0] if len(found) else None

    def many(self, keys: Iterable[Any]) -> pa.Table:
        """Return the rows of several keys, in the order of the keys."""
        parts = [self.positions(key) for key in keys]
        return self.table.take(np.concatenate(parts)) if parts else self.table.slice(0, 0)

    def by_key(self, keys: Iterable[Any], column: str) -> dict[Any, Any]:
        """Return one column of the first row of each key that is there."""
        found: dict[Any, Any] = {}
        values = self.table.column(column)
        for key in keys:
            at = self.positions(key)
            if len(at):
                found[key] = values[int(at[0])].as_py()
        return found


class Reading:
    """One generation as the pages see it."""

    def __init__(self, snapshot: Snapshot, as_of: dt.date) -> None:
        self.snapshot = snapshot
        self.as_of = as_of
        self._kept: dict[Hashable, Any] = {}
        self._making: dict[Hashable, threading.RLock] = {}
        self._lock = threading.Lock()
        # What viewers' readings computed from this one (``web/seen.py``).
        self.shelves: Any = None

    @property
    def whole(self) -> Reading:
        """The generation as it is; a viewer's reading answers with the one that it hides rows of."""
        return self

    @property
    def number(self) -> int:
        """Number of the generation; 0 is an empty lake."""
        return self.snapshot.number

    @property
    def note(self) -> Mapping[str, Any]:
        """What the run that published the generation noted."""
        return self.snapshot.note

    def rows(self, table: Table, column: str, value: int | str) -> list[Record]:
        """Return the rows whose column has the value, in table order (how company profiles read)."""
        return self.keyed(table, column).rows(value)

    def _keep(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        try:
            return self._kept[key]
        except KeyError:
            pass
        # Two visitors who ask for the same thing wait for one computation instead of doing it twice; others go on.
        # What is computed depends on other things in one direction only, so the locks cannot wait for each other.
        with self._lock:
            making = self._making.setdefault(key, threading.RLock())
        with making:
            if key not in self._kept:
                self._kept[key] = make()
            return self._kept[key]

    def table(self, table: Table) -> pa.Table:
        """Return a whole table; the empty one where the generation lacks it."""
        return self._keep(("table", table.name), lambda: self.snapshot.arrow(table))

    def keyed(self, table: Table, column: str) -> Keyed:
        """Return a table's rows by one column."""
        return self._keep(("keyed", table.name, column), lambda: Keyed(self.table(table), column))

    def arrays(self, name: str) -> Arrays:
        """Return memory-mapped arrays; ``NotFound`` where the generation has none."""
        return self._keep(("arrays", name), lambda: self.snapshot.arrays(name))

    def once(
        self,
        make: Callable[Concatenate[Reading, Arguments], Kept],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Kept:
        """Return ``make(self, ...)``, computed once per generation and arguments."""
        key = ("once", make, args, tuple(sorted(kwargs.items())))
        return self._keep(key, lambda: make(self, *args, **kwargs))


class Readings:
    """Hands out the newest generation."""

    def __init__(self, workspace: Workspace, warm: Callable[[Reading], None] | None = None) -> None:
        """``warm`` reads ahead in the background whenever a new generation is taken up."""
        self._workspace = workspace
        self._warm = warm
        self._held: Reading | None = None
        self._lock = threading.Lock()

    def current(self) -> Reading:
        """Return the newest generation; a reading in use elsewhere stays as it is."""
        snapshot = self._workspace.lake.snapshot()
        as_of = self._workspace.as_of
        held = self._held
        if held is None or held.number != snapshot.number or held.as_of != as_of:
            with self._lock:
                held = self._held
                if held is None or held.number != snapshot.number or held.as_of != as_of:
                    held = self._held = Reading(snapshot, as_of)
                    if self._warm is not None:
                        threading.Thread(
                            target=self._warm, args=(held,), name="read-ahead", daemon=True
                        ).start()
        return held
