"""The job record of a run: who runs it, and what becomes of it when its process stops.

One run at a time per workspace. A run whose process on this machine is gone is taken over at once; one on another
machine when its lease ends.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from qiaomen.jobs.workspace import Workspace
from qiaomen.store import jobs, reading, writing
from qiaomen.vocab import Conflict

KIND: Final = "run"


def begin_run(workspace: Workspace, by: str) -> jobs.Job:
    """Queue a run and take it, or take the one that waits; ``Conflict`` where another process is at it."""
    with writing(workspace.sql) as connection:
        number = jobs.submit(connection, KIND, {}, key=KIND, by=by, now=datetime.now(UTC))
    return claim_run(workspace) or _take_over(workspace, number, by)


def claim_run(workspace: Workspace) -> jobs.Job | None:
    """Take the run that waits; none where no run waits."""
    return jobs.claim(workspace.sql, process_name(), datetime.now(UTC), kinds=[KIND])


def _take_over(workspace: Workspace, number: int, by: str) -> jobs.Job:
    with reading(workspace.sql) as connection:
        job = jobs.get(connection, number)
    if job.state == "running" and is_gone(job.lease_owner):
        with writing(workspace.sql) as connection:
            jobs.cancel(connection, number, datetime.now(UTC))
            jobs.submit(connection, KIND, {}, key=KIND, by=by, now=datetime.now(UTC))
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


def finish_run(workspace: Workspace, job: jobs.Job, result: Mapping[str, Any]) -> None:
    """Note that the run is done."""
    jobs.finish(workspace.sql, job, datetime.now(UTC), result)


def give_up_run(workspace: Workspace, job: jobs.Job, error: BaseException) -> None:
    """Note why the run ended early; one that was stopped waits for the next process."""
    try:
        if isinstance(error, Exception):
            jobs.fail(workspace.sql, job, f"{type(error).__name__}: {error}", datetime.now(UTC))
        else:
            jobs.release(workspace.sql, job)
    except Conflict:
        return


def last_run(workspace: Workspace) -> jobs.Job | None:
    """Return the newest run that is done."""
    with reading(workspace.sql) as connection:
        return next((job for job in jobs.recent(connection, kind=KIND) if job.state == "done"), None)
