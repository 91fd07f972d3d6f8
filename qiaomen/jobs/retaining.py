"""Which sources hold rows longer than they allow: the whole answer for a command, a note for the run."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from qiaomen.jobs.context import Run
from qiaomen.jobs.tables import LOADED_TABLES
from qiaomen.jobs.workspace import Workspace
from qiaomen.registry import (
    LOADS,
    Held,
    Retention,
    held_rows,
    load_sources,
    retention_report,
    sources_past,
)


def retention_of(workspace: Workspace) -> list[Retention]:
    """Return what every source holds in every loaded table of the newest generation."""
    snapshot = workspace.lake.snapshot()
    held: list[Held] = []
    with workspace.engine() as engine:
        for name, table in sorted(LOADED_TABLES.items()):
            if snapshot.has(name):
                rows = engine.arrow(held_rows(engine.table(snapshot, table))).to_pylist()
                held += [Held(name, row["source"], row["load_id"], row["rows"]) for row in rows]
    sources = load_sources(workspace.overlay)
    return retention_report(held, snapshot.arrow(LOADS), sources, workspace.as_of, workspace.zone)


def note_retention(run: Run) -> None:
    """Say in the run's notes which sources have loads older than they allow."""
    sources = load_sources(run.overlay)
    for code in sources_past(run.arrow(LOADS), sources, run.as_of, ZoneInfo(run.settings.time_zone)):
        run.notes.append(
            f"来源 {code} 有数据超过留存期限（{sources[code].retention_days} 天），用 qiaomen retention 查看"
        )
