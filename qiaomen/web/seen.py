"""One generation as one viewer may see it: rows of customers outside the scope are not there, for any page.

Default deny sits here and not on the pages: a page asks for the table of customers and gets its own. What a page keeps
with ``once`` is kept per scope as soon as it read such a table, and for everybody where it did not. Code that must
know all customers in order to conceal some of them reads ``whole`` (named in ``docs/access.md`` and tested).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Concatenate, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.bank import Scope
from qiaomen.customers import (
    CASHFLOWS,
    CUSTOMER_MATCHES,
    CUSTOMER_RECORDS,
    CUSTOMERS,
    DEALINGS,
    OUTCOMES,
    UPLOAD_CHANGES,
)
from qiaomen.opportunities import OPPORTUNITIES
from qiaomen.reports import IN_BANK, foreign_of, inside_kinds, inside_tags
from qiaomen.tags import COMPANY_TAGS
from qiaomen.vocab import Table
from qiaomen.web.reading import Arguments, Kept, Keyed, Reading

Mask = npt.NDArray[np.bool_]
Made = TypeVar("Made")
EVERYTHING: Final = Scope(whole_bank=True)
KEPT_SCOPES: Final = 32
# Tables whose rows belong to one customer by its company, or by its record.
BY_COMPANY: Final = frozenset({table.name for table in (DEALINGS, CASHFLOWS)})
BY_RECORD: Final = frozenset({table.name for table in (CUSTOMER_MATCHES, UPLOAD_CHANGES)})
PROTECTED: Final = frozenset({CUSTOMERS.name, CUSTOMER_RECORDS.name, OUTCOMES.name, *BY_COMPANY, *BY_RECORD})


class Shelf:
    """What was computed for one scope."""

    def __init__(self) -> None:
        self.kept: dict[Hashable, Any] = {}
        self.making: dict[Hashable, threading.RLock] = {}


class Shelves:
    """What was computed from one generation: for everybody, and for the scopes in use, the oldest dropped."""

    def __init__(self) -> None:
        self.common = Shelf()
        self._lock = threading.Lock()
        self._scopes: OrderedDict[Scope, Shelf] = OrderedDict()
        self._everything = Shelf()

    def of(self, scope: Scope) -> Shelf:
        """Return the shelf of a scope; that of the whole bank is never dropped."""
        if scope == EVERYTHING:
            return self._everything
        with self._lock:
            shelf = self._scopes.setdefault(scope, Shelf())
            self._scopes.move_to_end(scope)
            if len(self._scopes) > KEPT_SCOPES:
                self._scopes.popitem(last=False)
            return shelf

    def lock(self, shelf: Shelf, key: Hashable) -> threading.RLock:
        """Return the lock under which one thing is computed once."""
        with self._lock:
            return shelf.making.setdefault(key, threading.RLock())


class SeenReading(Reading):
    """A reading in which rows outside the scope do not exist."""

    def __init__(self, whole: Reading, scope: Scope) -> None:
        super().__init__(whole.snapshot, whole.as_of)
        self._whole = whole
        self.scope = scope
        self._own = shelves_of(whole).of(scope)
        self._touched = False

    @property
    def whole(self) -> Reading:
        """The generation as it is, for code that conceals."""
        return self._whole

    def _keep(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """Keep something that depends on the scope."""
        self._touched = True
        kept = self._own.kept
        if key not in kept:
            with shelves_of(self._whole).lock(self._own, key):
                if key not in kept:
                    kept[key] = make()
        return kept[key]

    def table(self, table: Table) -> pa.Table:
        """Return the rows of a table that lie in the scope."""
        if table.name not in PROTECTED or self.scope.whole_bank:
            self._touched |= table.name in PROTECTED
            return self._whole.table(table)
        return self._keep(("table", table.name), lambda: self._inside(table))

    def keyed(self, table: Table, column: str) -> Keyed:
        """Return a table's rows in the scope by one column."""
        if table.name not in PROTECTED or self.scope.whole_bank:
            self._touched |= table.name in PROTECTED
            return self._whole.keyed(table, column)
        return self._keep(("keyed", table.name, column), lambda: Keyed(self.table(table), column))

    def arrays(self, name: str) -> Any:
        """Return memory-mapped arrays; what in them tells of customers is hidden by ``seen_index`` and ``ways``."""
        return self._whole.arrays(name)

    def once(
        self,
        make: Callable[Concatenate[Reading, Arguments], Kept],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Kept:
        """Return ``make(self, ...)``, computed once per generation and arguments, and per scope where it must be."""
        key = ("once", make, args, tuple(sorted(kwargs.items())))
        shelves = shelves_of(self._whole)
        common = shelves.common.kept
        if key in common:
            return common[key]
        if key not in self._own.kept:
            with shelves.lock(self._own, key):
                if key in common:
                    return common[key]
                if key not in self._own.kept:
                    inner = SeenReading(self._whole, self.scope)
                    value = make(inner, *args, **kwargs)
                    if not inner._touched:
                        common[key] = value
                        return value
                    self._own.kept[key] = value
        self._touched = True
        return self._own.kept[key]

    def _inside(self, table: Table) -> pa.Table:
        rows = self._whole.table(table)
        if table.name == CUSTOMERS.name or table.name == CUSTOMER_RECORDS.name:
            return rows.filter(self.scope.mask(rows.column("institution_code"), rows.column("manager_no")))
        own = self.table(CUSTOMERS).column("company_id").combine_chunks()
        if table.name in BY_COMPANY:
            return rows.filter(pc.is_in(rows.column("company_id"), value_set=own))
        if table.name == OUTCOMES.name:
            return rows.filter(
                pc.invert(pc.is_in(rows.column("company_id"), value_set=pa.array(self.foreign())))
            )
        return rows.filter(_of_records(rows, self.table(CUSTOMER_RECORDS)))

    def foreign(self) -> npt.NDArray[np.int64]:
        """Return the customers outside the scope, ascending: for hiding them, never for showing."""
        self._touched = True
        return foreign_of(self.scope, self._whole.table(CUSTOMERS))


def _of_records(rows: pa.Table, records: pa.Table) -> pa.Array:
    """Tell which rows belong to one of the customer records."""
    held = set(zip(records["source"].to_pylist(), records["record_key"].to_pylist(), strict=True))
    pairs = zip(rows["source"].to_pylist(), rows["record_key"].to_pylist(), strict=True)
    return pa.array([pair in held for pair in pairs], pa.bool_())


_LOCK: Final = threading.Lock()


def shelves_of(whole: Reading) -> Shelves:
    """Return what was computed from a generation."""
    if whole.shelves is None:
        with _LOCK:
            if whole.shelves is None:
                whole.shelves = Shelves()
    return whole.shelves


def seen_reading(reading: Reading, scope: Scope) -> SeenReading:
    """Return a generation as viewers of a scope see it."""
    return SeenReading(reading.whole, scope)


def foreign_customers(reading: Reading) -> npt.NDArray[np.int64]:
    """Return the customers outside the reading's scope; none of a reading that sees everything."""
    return reading.foreign() if isinstance(reading, SeenReading) else np.empty(0, np.int64)


def open_events(reading: Reading, events: Callable[[Reading], pa.Table]) -> Mask:
    """Tell which rows of ``events`` (opportunities) may be seen: what the bank's own flows say of others' customers not."""
    rows = reading.once(events)
    foreign = reading.once(foreign_customers)
    if not len(foreign):
        return np.ones(rows.num_rows, bool)
    ours = np.isin(rows.column("company_id").to_numpy(zero_copy_only=False), foreign)
    internal = pc.fill_null(pc.equal(rows.column("detector"), IN_BANK), False).to_numpy(zero_copy_only=False)
    return ~(ours & internal)


def own_kinds(reading: Reading) -> frozenset[str]:
    """Kinds of opportunity that the bank's own flows gave."""
    return inside_kinds(reading.table(OPPORTUNITIES).select(["kind", "detector"]))


def own_tags(reading: Reading) -> frozenset[str]:
    """Tags that rest on the bank's own books for some company."""
    return inside_tags(reading.table(COMPANY_TAGS).select(["tag", "evidence"]))
