"""Removes what nobody needs any more: old generations and orphans of the lake, settled jobs and messages, scratch files.

Never removed: the audit log, tasks and their history, the newest run that was done, messages that are not settled.
"""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from qiaomen.jobs.run_record import last_run
from qiaomen.jobs.workspace import Workspace
from qiaomen.store import jobs, outbox, writing

# Scratch of work that was stopped; work that goes on is younger.
SCRATCH_AGE: Final = timedelta(days=1)


def tidy(workspace: Workspace) -> dict[str, int]:
    """Tidy up and return how many of each were removed."""
    now = workspace.now()
    before = now - timedelta(days=workspace.settings.keep_days)
    last = last_run(workspace)
    with writing(workspace.sql) as connection:
        gone = jobs.forget(connection, before, keep=frozenset({last.job_id}) if last else frozenset())
        sent = outbox.forget(connection, before)
    files = workspace.lake.collect(keep=workspace.settings.keep_generations)
    scratch = _remove_scratch(workspace.root / "temp", now - SCRATCH_AGE)
    return {"jobs": gone, "messages": sent, "lake_files": files, "scratch": scratch}


def _remove_scratch(folder: Path, before: datetime) -> int:
    removed = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        if _newest(path) >= before.timestamp():
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed += 1
    return removed


def _newest(path: Path) -> float:
    """Return when anything in a folder last changed."""
    try:
        inside = path.rglob("*") if path.is_dir() else ()
        return max(each.lstat().st_mtime for each in (path, *inside))
    except FileNotFoundError:
        return 0.0
