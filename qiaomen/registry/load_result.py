"""What one load did: new tables, counts, rejects, warnings; and what is gathered on the way there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.filling import Fault
from qiaomen.registry.plan import PlannedFile
from qiaomen.registry.sources import FileRule, TableRule
from qiaomen.registry.tables import LOADS, REJECTS

VALUE_LIMIT: Final = 200
ROW_LIMIT: Final = 4_000


@dataclass(frozen=True, slots=True)
class Warned:
    """Something accepted but worth knowing: a cell left out, an unused column, blank rows."""

    file: str
    column: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What one load of one source does: whole new tables (changed ones only), its counts, rejects and warnings."""

    source: str
    load_id: str
    tables: dict[str, pa.Table]
    loads: pa.Table
    rejects: pa.Table
    warnings: tuple[Warned, ...]

    @property
    def changed(self) -> bool:
        """Whether any table has new content; if not, there is nothing to publish."""
        return bool(self.tables)

    def count(self, column: str) -> int:
        """Return the sum of a column of ``loads`` (read, inserted, updated, unchanged, repeated, rejected, ended)."""
        return int(pc.sum(self.loads[column]).as_py() or 0)


@dataclass(slots=True)
class Landing:
    """Accepted rows of one file for one table, and the keys of its rejected rows."""

    file: PlannedFile
    rule: FileRule
    table_rule: TableRule
    data: pa.Table
    rejected_keys: pa.Array
    absent: tuple[str, ...]
    """Columns of which the file says nothing; a record that is already there keeps its values of them."""


@dataclass(slots=True)
class Gathered:
    """What reading collects before anything is merged."""

    landings: list[Landing] = field(default_factory=list)
    rejected: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    counts: defaultdict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    warned: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    hashes: dict[str, str] = field(default_factory=dict)

    def reject(self, file: str, line: int, faults: Sequence[Fault], row_text: str) -> None:
        """Add a reject; further faults of a line already rejected are joined to it."""
        faults = list(dict.fromkeys(faults))
        words = "；".join(
            f"{fault.column}：{fault.reason}" if fault.column else fault.reason for fault in faults
        )
        row = self.rejected.get((file, line))
        if row is None:
            first = next((fault for fault in faults if fault.column), faults[0])
            self.rejected[file, line] = {
                "file": file,
                "line": line,
                "column": first.column,
                "reason": words,
                "value": first.value[:VALUE_LIMIT],
                "row_text": row_text[:ROW_LIMIT],
            }
        elif words not in row["reason"]:
            row["reason"] += "；" + words


def load_rows(source: str, gathered: Gathered, load_id: str, now: datetime) -> pa.Table:
    """Return the rows of ``loads``: one per file and table."""
    rows = []
    for (file, table), counts in gathered.counts.items():
        row: dict[str, Any] = {
            "load_id": load_id,
            "source": source,
            "file": file,
            "table": table,
            "sha256": gathered.hashes[file],
            "loaded_at": now,
        }
        for name in ("read", "inserted", "updated", "unchanged", "repeated", "rejected", "ended"):
            row[name] = counts[name]
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=LOADS.schema)


def reject_rows(source: str, gathered: Gathered, load_id: str) -> pa.Table:
    """Return the rows of ``rejects`` by file and line."""
    rows = [{"load_id": load_id, "source": source, **row} for _, row in sorted(gathered.rejected.items())]
    return pa.Table.from_pylist(rows, schema=REJECTS.schema)
