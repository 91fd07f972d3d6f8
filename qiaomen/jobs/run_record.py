"""The job record of a run: who runs it, and what becomes of it when its process stops.

One run at a time per workspace. A run whose process on this machine is gone is taken over at once; one on another
machine when its lease ends.
"""

from __future__ import annotations

import os
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy.engine import Connection

from qiaomen.bank import Action, Viewer, audit, require
from qiaomen.jobs.workspace import Workspace
from qiaomen.store import jobs, reading, writing
from qiaomen.vocab import Conflict, NotFound

KIND: Final = "run"


def ask_run(viewer: Viewer, connection: Connection, now: datetime) -> int:
    """Queue a run for a worker in the caller's transaction and return the job's number; one that waits is returned."""
    require(viewer, Action.RUN_JOBS)
    number = jobs.submit(connection, KIND, {}, key=KIND, by=viewer.login, now=now)
    audit(connection, viewer, "ask_run", str(number), now=now)
    return number


def begin_run(workspace: Workspace, day: date) -> jobs.Job:
    """Queue a run and take it, or take the one that waits; ``Conflict`` where another process is at it."""
    number = _queue(workspace, day)
    return claim_run(workspace) or _take_over(workspace, number, day)


def _queue(workspace: Workspace, day: date) -> int:
    payload = {"as_of": day.isoformat()}
    with writing(workspace.sql) as connection:
        return jobs.submit(connection, KIND, payload, key=KIND, by="command_line", now=workspace.now())


def claim_run(workspace: Workspace) -> jobs.Job | None:
    """Take the run that waits; none where no run waits."""
    return jobs.claim(workspace.sql, process_name(), workspace.now(), kinds=[KIND])


def _take_over(workspace: Workspace, number: int, day: date) -> jobs.Job:
    with reading(workspace.sql) as connection:
        job = jobs.get(connection, number)
    if job.state == "running" and is_gone(job.lease_owner):
        with writing(workspace.sql) as connection:
            jobs.cancel(connection, number, workspace.now())
        _queue(workspace, day)
        taken = claim_run(workspace)
        if taken is not None:
            return taken
    raise Conflict("另一次运行正在进行", remedy="等它结束；若执行它的机器已停机，两分钟后可再次执行")


def process_name() -> str:
    """Return the name under which this process holds leases."""
    return f"{os.uname().nodename}:{os.getpid()}"


def is_gone(owner: str | None) -> bool:
    """Whether the holder of a lease was a process of this machine that is no more."""
    node, _, number = (owner or "").partition(":")
    if node != os.uname().nodename or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    # A number may be given out anew; this process itself holds no lease that it does not know of.
    return int(number) == os.getpid()


def give_up_run(workspace: Workspace, job: jobs.Job, error: BaseException) -> None:
    """Note why the run ended early; one that was stopped waits for the next process."""
    try:
        if isinstance(error, Exception):
            jobs.fail(workspace.sql, job, f"{type(error).__name__}: {error}", workspace.now())
        else:
            jobs.release(workspace.sql, job)
    except Conflict:
        return


def is_done(workspace: Workspace, number: Any) -> bool:
    """Whether the job of that number has ended well; an unknown one has not."""
    try:
        with reading(workspace.sql) as connection:
            return jobs.get(connection, int(number)).state == "done"
    except (NotFound, TypeError, ValueError):
        return False


def last_run(workspace: Workspace) -> jobs.Job | None:
    """Return the newest run that is done."""
    with reading(workspace.sql) as connection:
        return next((job for job in jobs.recent(connection, kind=KIND) if job.state == "done"), None)
