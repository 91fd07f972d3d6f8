"""Which sources hold rows longer than they allow: the answer for a command, a note for the run, and their deletion.

A deletion publishes one generation without the rows. What was computed from them goes with the next run; earlier
generations go when ``tidy`` drops them; backups and the files themselves are not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa
from sqlalchemy.engine import Connection

from qiaomen.bank import Action, Viewer, audit, require
from qiaomen.connectors import forget_bodies, past_bodies
from qiaomen.customers import UPLOAD_CHANGES
from qiaomen.jobs.context import Run
from qiaomen.jobs.pushed import CHANNELS, topic_of
from qiaomen.jobs.tables import LOADED_TABLES
from qiaomen.jobs.workspace import Workspace
from qiaomen.registry import (
    LOADS,
    REJECTS,
    Held,
    Retention,
    Source,
    held_rows,
    load_sources,
    past_parts,
    retention_report,
    sources_past,
    without_parts,
)
from qiaomen.store import Engine, Snapshot, jobs, reading, writing
from qiaomen.vocab import Conflict, InputRejected, QiaomenError, Table

# Every table whose rows come from a source as they are: loaded ones, refused rows, uploads with the values before.
SOURCE_TABLES: Final[dict[str, Table]] = {
    **LOADED_TABLES,
    REJECTS.name: REJECTS,
    UPLOAD_CHANGES.name: UPLOAD_CHANGES,
}
# Work that reads a generation to publish the next; it would put back what is deleted meanwhile, or fail.
BUSY: Final = ("run", "load")
ACTION: Final = "change.retention"


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was deleted, or with ``generation`` nothing would be; what still names the rows outside the lake.

    ``messages`` were pushed to us and are done with: their content goes. ``undeclared`` are sources that are declared no more
    and were not asked for by name; ``inbox`` are files of the sources from which rows would come back with the next load.
    """

    rows: tuple[Retention, ...]
    undeclared: tuple[Retention, ...]
    messages: int
    inbox: tuple[str, ...]
    generation: int | None

    @property
    def deleted(self) -> int:
        """Rows in all tables."""
        return sum(row.past_rows for row in self.rows)


def retention_of(workspace: Workspace) -> list[Retention]:
    """Return what every source holds in every table of source rows of the newest generation."""
    snapshot = workspace.lake.snapshot()
    with workspace.engine() as engine:
        held = _held(engine, snapshot)
    sources = load_sources(workspace.overlay)
    return retention_report(held, snapshot.arrow(LOADS), sources, workspace.as_of, workspace.zone)


def _held(engine: Engine, snapshot: Snapshot) -> list[Held]:
    found: list[Held] = []
    for name, table in sorted(SOURCE_TABLES.items()):
        if snapshot.has(name):
            rows = engine.arrow(held_rows(engine.table(snapshot, table))).to_pylist()
            found += [Held(name, row["source"], row["load_id"], row["rows"]) for row in rows]
    return found


def delete_past(
    workspace: Workspace, viewer: Viewer, *, wanted: Collection[str] = (), really: bool = False
) -> Deletion:
    """Delete the rows that are past, of the sources ``wanted`` or of all declared ones; without ``really`` say which.

    ``InputRejected`` for a source that holds nothing, ``Conflict`` where a run or a load is under way, or published
    something meanwhile: then nothing is deleted.
    """
    require(viewer, Action.RUN_JOBS)
    sources = load_sources(workspace.overlay)
    with workspace.lake.stage() as stage, workspace.engine() as engine:
        held = _held(engine, stage)
        _require_known(wanted, held)
        loads = stage.arrow(LOADS)
        parts = past_parts(held, loads, sources, workspace.as_of, workspace.zone)
        chosen = [part for part in parts if (part.source in wanted if wanted else part.source in sources)]
        left = [part for part in parts if part.source not in sources and part not in chosen]
        messages = _messages(workspace, sources, wanted, past_bodies)
        report = {
            (row.source, row.table): row
            for row in retention_report(held, loads, sources, workspace.as_of, workspace.zone)
        }
        rows = tuple(report[key] for key in sorted({(part.source, part.table) for part in chosen}))
        found = Deletion(
            rows=rows,
            undeclared=tuple(report[key] for key in sorted({(part.source, part.table) for part in left})),
            messages=messages,
            inbox=_in_inbox(workspace, loads, {part.source for part in chosen}),
            generation=None,
        )
        if not really or not (chosen or messages):
            return found
        _require_idle(workspace)
        if not chosen:
            _note(workspace, viewer, ACTION, stage.number, {"messages": messages})
            _messages(workspace, sources, wanted, forget_bodies)
            return replace(found, generation=stage.number)
        for name in sorted({part.table for part in chosen}):
            table = SOURCE_TABLES[name]
            gone = [part for part in chosen if part.table == name]
            stage.write(table, engine.reader(without_parts(engine.table(stage, table), _keys(engine, gone))))
        number = _publish(workspace, viewer, stage, found)
    _messages(workspace, sources, wanted, forget_bodies)
    return replace(found, generation=number)


def _messages(
    workspace: Workspace,
    sources: Mapping[str, Source],
    wanted: Collection[str],
    do: Callable[[Connection, str, datetime], int],
) -> int:
    """Count, or empty, what was pushed longer ago than its source allows and is done with."""
    done = 0
    with writing(workspace.sql) as connection:
        for channel, code in CHANNELS.items():
            if code in sources and (not wanted or code in wanted):
                last = workspace.as_of - timedelta(days=sources[code].retention_days)
                before = datetime.combine(last, time(), workspace.zone)
                done += do(connection, topic_of(channel), before)
    return done


def _keys(engine: Engine, parts: Sequence[Held]) -> Any:
    columns = {"source": [part.source for part in parts], "load_id": [part.load_id or "" for part in parts]}
    return engine.memory(pa.table(columns, schema=pa.schema(dict.fromkeys(columns, pa.string()))))


def _require_known(wanted: Collection[str], held: Sequence[Held]) -> None:
    known = sorted({part.source for part in held})
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise InputRejected(
            f"没有来源“{unknown[0]}”的数据", remedy=f"可用：{'、'.join(known) or '（还没有装载数据）'}"
        )


def _require_idle(workspace: Workspace) -> None:
    with reading(workspace.sql) as connection:
        if jobs.held(connection, workspace.now(), BUSY):
            raise Conflict("有运行或装载正在进行，没有删除", remedy="等它结束后再执行")


def _in_inbox(workspace: Workspace, loads: pa.Table, codes: Collection[str]) -> tuple[str, ...]:
    """Return the files of these sources that still lie in the inbox."""
    named = {
        row["file"]
        for row in loads.select(["source", "file"]).to_pylist()
        if row["source"] in codes and row["file"]
    }
    return tuple(sorted(name for name in named if (workspace.inbox / name).is_file()))


def _publish(workspace: Workspace, viewer: Viewer, stage: Any, found: Deletion) -> int:
    """Publish, with a row in the audit log before it: there is no deletion without one."""
    counts = {f"{row.source}.{row.table}": row.past_rows for row in found.rows}
    detail = {
        "generation": stage.number + 1,
        "rows": found.deleted,
        "deleted": counts,
        "messages": found.messages,
    }
    _note(workspace, viewer, ACTION, stage.number + 1, detail)
    try:
        _require_idle(workspace)
        return int(stage.publish(dict(stage.note)).number)
    except Exception:
        with suppress(QiaomenError):
            _note(workspace, viewer, f"{ACTION}_failed", stage.number + 1, detail)
        raise


def _note(workspace: Workspace, viewer: Viewer, action: str, number: int, detail: dict[str, Any]) -> None:
    with writing(workspace.sql) as connection:
        audit(connection, viewer, action, f"generation:{number}", detail, now=workspace.now())


def note_retention(run: Run) -> None:
    """Say in the run's notes which sources hold rows longer than they allow; rows are counted only where loads are old."""
    sources = load_sources(run.overlay)
    loads, zone = run.arrow(LOADS), ZoneInfo(run.settings.time_zone)
    old = sources_past(loads, sources, run.as_of, zone)
    if not old:
        return
    parts = past_parts(_held(run.engine, run.stage), loads, sources, run.as_of, zone)
    for code in sorted({part.source for part in parts} & set(old)):
        rows = sum(part.rows for part in parts if part.source == code)
        why = (
            f"超过留存期限（{sources[code].retention_days} 天）"
            if code in sources
            else "来自已不再声明的来源"
        )
        run.notes.append(f"来源 {code} 有 {rows:,} 行{why}，用 qiaomen retention 查看，加 --delete 删除")
