"""Whether anything that a run reads has changed since the last one: loaded files, rules, settings, work of staff."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

from sqlalchemy.engine import Connection

from qiaomen.bank import local_analyst
from qiaomen.customers import match_decisions
from qiaomen.dispatch import contacts, open_tasks
from qiaomen.jobs.tables import LOADED_TABLES
from qiaomen.jobs.workspace import Workspace
from qiaomen.store import writing

PACKAGE = Path(__file__).resolve().parents[1]
# A change of these files changes no result.
PAGES = PACKAGE / "web"


def inputs_mark(workspace: Workspace, day: date) -> str:
    """Return a hash of everything that a run for ``day`` would read as it stands now."""
    mark = marker(workspace, day)
    with writing(workspace.sql) as connection:
        return mark(connection)


def marker(workspace: Workspace, day: date) -> Callable[[Connection], str]:
    """Read the files; return what adds the work of staff, in the caller's transaction, and gives the hash."""
    digest = hashlib.sha256()

    def add(part: str) -> None:
        digest.update(part.encode())
        digest.update(b"\0")

    for part in _parts(workspace, day):
        add(part)

    def mark(connection: Connection) -> str:
        for part in _work_of_staff(connection, workspace.now()):
            add(part)
        return digest.hexdigest()

    return mark


def _parts(workspace: Workspace, day: date) -> Iterator[str]:
    yield day.isoformat()
    yield workspace.settings.model_dump_json()
    snapshot = workspace.lake.snapshot()
    for name in sorted(LOADED_TABLES):
        yield from (file.name for file in snapshot.files(name))
    yield from _stamps(PACKAGE)
    if workspace.overlay is not None:
        yield from _stamps(workspace.overlay)


def _work_of_staff(connection: Connection, now: datetime) -> Iterator[str]:
    viewer = local_analyst(connection, now)
    for rows in (open_tasks(viewer, connection), contacts(viewer, connection), match_decisions(connection)):
        lines = (json.dumps(row, default=str, ensure_ascii=False) for row in rows.to_pylist())
        yield "\n".join(sorted(lines))


def _stamps(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".pyc" or PAGES in path.parents or not path.is_file():
            continue
        found = path.stat()
        yield f"{path.relative_to(folder)} {found.st_size} {found.st_mtime_ns}"
