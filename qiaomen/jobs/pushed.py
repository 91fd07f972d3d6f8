"""Records pushed to us: checked as a file's rows are, kept until a run loads them as a declared source.

A channel is a declared source ``pushed_<channel>`` keyed by ``event_no``. Each message carries the whole state of its
event; the highest ``sequence`` counts. What counts lies in ``inbound_messages`` before the sender is answered; a run,
alone under its lease, writes it to a file, loads that, and only then notes it as taken: a stopped run takes it again.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from qiaomen.bank import Action, Viewer, audit, require
from qiaomen.connectors import Inbound, note_taken, receive_latest, untaken
from qiaomen.jobs.loading import load_files
from qiaomen.jobs.observer import silent
from qiaomen.jobs.tables import LOADED_TABLES
from qiaomen.jobs.workspace import Workspace
from qiaomen.registry import PlannedFile, Source, load_sources, read_files
from qiaomen.store import disk_errors, jobs, reading, writing
from qiaomen.vocab import Conflict, NotFound

CHANNELS: Final[Mapping[str, str]] = {
    "opportunities": "pushed_opportunities",
    "outcomes": "pushed_outcomes",
}
LARGEST_BATCH: Final = 500
AT_ONCE: Final = 20_000
_NUMBER: Final = "event_no"
_FIRST_LINE: Final = 2


@dataclass(frozen=True, slots=True)
class Refused:
    """One message that was not taken: its place in the request from 1, its number, the field and why."""

    row: int
    event_no: str
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class PushReceipt:
    """What became of a request: messages that count, came again, came after a newer one; and those refused."""

    accepted: int
    repeated: int
    superseded: int
    refused: tuple[Refused, ...]


def fields_of(source: Source) -> tuple[str, ...]:
    """Return the fields that a record may have: the source's headers in their English form."""
    names = [
        name
        for column in source.files[0].tables[0].columns.values()
        for name in column.inputs
        if name.isascii() and name != _NUMBER
    ]
    return tuple(dict.fromkeys(names))


def receive_pushed(
    workspace: Workspace,
    viewer: Viewer,
    sender: str,
    channel: str,
    messages: Sequence[tuple[str, int, Mapping[str, Any]]],
) -> PushReceipt:
    """Check messages (number, sequence, record) and keep the good ones in one transaction; ``NotFound`` for a channel."""
    require(viewer, Action.PUSH_EVENTS)
    if channel not in CHANNELS:
        raise NotFound("没有这个推送通道", remedy=f"可用：{'、'.join(CHANNELS)}")
    refused = _faults(workspace, channel, messages)
    states = {"current": 0, "superseded": 0, "repeated": 0}
    now = workspace.now()
    with writing(workspace.sql) as connection:
        for row, (number, sequence, record) in enumerate(messages, 1):
            if row in refused:
                continue
            inbound = Inbound(
                sender, topic_of(channel), number, sequence, f"{channel}:{number}:{sequence}", record
            )
            try:
                with connection.begin_nested():
                    settled = receive_latest(connection, inbound, now=now)
            except Conflict:
                refused[row] = Refused(row, number, "sequence", "该编号的这个序号已用于另一内容")
            else:
                states["repeated" if settled.repeated else settled.state] += 1
        detail = {"sender": sender, **states, "refused": len(refused)}
        audit(connection, viewer, "change.push", f"inbound:{channel}", detail, now=now)
    return PushReceipt(
        states["current"],
        states["repeated"],
        states["superseded"],
        tuple(refused[row] for row in sorted(refused)),
    )


def waits(workspace: Workspace) -> bool:
    """Whether anything was pushed that no run has loaded yet."""
    with reading(workspace.sql) as connection:
        return any(untaken(connection, topic_of(channel), limit=1) for channel in CHANNELS)


def take_pushed(workspace: Workspace, job: jobs.Job) -> int:
    """Load what was pushed since; only within a run's lease, so that no older state comes after a newer one."""
    sources = load_sources(workspace.overlay)
    taken = 0
    for channel, code in CHANNELS.items():
        while True:
            with reading(workspace.sql) as connection:
                rows = untaken(connection, topic_of(channel), limit=AT_ONCE)
            if not rows:
                break
            with _file(workspace, code, sources[code], [(_line_key(row), row[2]) for row in rows]) as path:
                load_files(
                    workspace,
                    code,
                    [path],
                    silent,
                    holding=lambda: jobs.holding(workspace.sql, job, workspace.now()),
                    again=True,
                )
            with writing(workspace.sql) as connection:
                note_taken(connection, [(source, key) for source, key, _ in rows], workspace.now())
            taken += len(rows)
    return taken


def topic_of(channel: str) -> str:
    """Return the topic under which messages of a channel are kept."""
    return f"push.{channel}"


def _line_key(row: tuple[str, str, Mapping[str, Any]]) -> str:
    """Return what names the event in the lake: the sender, and the number without channel and sequence."""
    return f"{row[0]}/{row[1].split(':', 1)[1].rpartition(':')[0]}"


@contextmanager
def _file(
    workspace: Workspace, code: str, source: Source, records: Iterable[tuple[str, Mapping[str, Any]]]
) -> Iterator[Path]:
    """Give a file of records of one source; it is removed at the end."""
    folder = workspace.root / "temp"
    names = fields_of(source)
    with ExitStack() as stack:
        with disk_errors(folder):
            folder.mkdir(exist_ok=True)
            own = stack.enter_context(tempfile.TemporaryDirectory(prefix="pushed-", dir=folder))
            path = Path(own) / f"{code}.csv"
            with path.open("w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow([_NUMBER, *names])
                writer.writerows(
                    [key, *(cell_text(record.get(name)) for name in names)] for key, record in records
                )
        yield path


def cell_text(value: Any) -> str:
    """Return a value as a file has it; a line stays one line, so that its number says which message it is."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return " ".join(str(value).split())


def _faults(
    workspace: Workspace, channel: str, messages: Sequence[tuple[str, int, Mapping[str, Any]]]
) -> dict[int, Refused]:
    code = CHANNELS[channel]
    source = load_sources(workspace.overlay)[code]
    known = fields_of(source)
    found: dict[int, Refused] = {}
    for row, (number, _, record) in enumerate(messages, 1):
        fault = _shape_fault(record, known)
        if fault is not None:
            found[row] = Refused(row, number, *fault)
    rows = [row for row in range(1, len(messages) + 1) if row not in found]
    if not rows:
        return found
    with _file(workspace, code, source, [(str(row), messages[row - 1][2]) for row in rows]) as path:
        result = read_files(
            source,
            [PlannedFile(path, path.name, code, 0)],
            LOADED_TABLES,
            lambda table: table.empty(),
            load_id="check",
            now=workspace.now(),
            overlay=workspace.overlay,
        )
    for reject in result.rejects.to_pylist():
        row = rows[reject["line"] - _FIRST_LINE]
        found[row] = Refused(row, messages[row - 1][0], reject["column"] or "", reject["reason"])
    return found


def _shape_fault(record: Mapping[str, Any], known: Sequence[str]) -> tuple[str, str] | None:
    for name, value in record.items():
        if name not in known:
            return name[:64], f"不认识的字段，可用：{'、'.join(known)}"
        text = value if isinstance(value, str) else ""
        if any("\ud800" <= sign <= "\udfff" or (sign < " " and sign not in "\t\r\n") for sign in text):
            return name, "含有无法保存的字符"
    return None
