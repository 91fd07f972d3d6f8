"""What a step of a run works with: the stage it reads and writes, the engine, the date, the counts it reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from qiaomen.jobs.workspace import Clock, wall_clock
from qiaomen.settings import Settings
from qiaomen.store import Engine, Stage
from qiaomen.vocab import Table

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(slots=True)
class Run:
    """One run in progress. ``counts`` holds what each step reports, in order; ``notes`` what staff should know."""

    stage: Stage
    engine: Engine
    as_of: date
    settings: Settings
    overlay: Path | None
    sql: sa.Engine
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    clock: Clock = wall_clock

    def arrow(self, table: Table) -> pa.Table:
        """Return a table of the stage in memory."""
        return self.stage.arrow(table)

    def table(self, table: Table) -> ir.Table:
        """Return a table of the stage as an expression."""
        return self.engine.table(self.stage, table)

    def write(self, table: Table, data: pa.Table | ir.Table) -> int:
        """Stage the new content of a table and return its rows."""
        rows = data if isinstance(data, pa.Table) else self.engine.arrow(data, table)
        return self.stage.write(table, table.conform(rows))

    def report(self, step: str, counts: Mapping[str, int]) -> None:
        """Add counts to the report of a step."""
        self.counts.setdefault(step, {}).update({name: int(value) for name, value in counts.items()})
