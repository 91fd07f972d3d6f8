"""Keeps the lease of a job alive while its work lasts, however long one step takes.

The lease tells others that somebody is at it; it does not stop a process that lost it. What a job publishes or commits
goes through ``store.jobs.holding``, which refuses a process that is no longer the holder.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from qiaomen.jobs.workspace import Workspace
from qiaomen.store import jobs
from qiaomen.vocab import Conflict, Unavailable

LOG: Final = logging.getLogger("qiaomen.lease")
# Three renewals may fail before anybody else may take the job.
BEAT_SECONDS: Final = jobs.LEASE.total_seconds() / 4


@contextmanager
def kept_lease(workspace: Workspace, job: jobs.Job, *, beat_seconds: float = BEAT_SECONDS) -> Iterator[None]:
    """Renew a job's lease from a thread until the context ends or another process has the job."""
    stop = threading.Event()
    thread = threading.Thread(
        target=_beat, args=(workspace, job, stop, beat_seconds), name=f"lease-{job.job_id}", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat(workspace: Workspace, job: jobs.Job, stop: threading.Event, beat_seconds: float) -> None:
    while not stop.wait(beat_seconds):
        try:
            jobs.renew(workspace.sql, job, workspace.now())
        except Conflict:
            LOG.warning("lease lost", extra={"job": job.job_id})
            return
        except Unavailable as error:
            LOG.warning("lease not renewed", extra={"job": job.job_id, "error": str(error)})
