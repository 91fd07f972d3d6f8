"""Does the work that pages and the clock ask for: queued jobs, the outbox, overdue tasks, digests.

Jobs: ``run`` (payload ``as_of``), ``load`` (``source``, ``paths`` within the workspace), ``daily``, ``recycle``, ``digest``,
``tidy``. The schedule only queues; any worker does. A worker that is stopped gives its job back; the job of one that was killed is taken again
when its lease ends.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import date
from typing import Any, Final

from qiaomen import dispatch
from qiaomen.bank import drop_expired_sessions, local_analyst
from qiaomen.chains import COMPANY_NODES
from qiaomen.connectors import (
    EgressPolicy,
    PushSettings,
    deliver_outbox,
    load_channels,
    load_delivery_rules,
)
from qiaomen.customers import CUSTOMERS
from qiaomen.feed import FeedTables, send_digests
from qiaomen.jobs.leases import kept_lease
from qiaomen.jobs.loading import load_files
from qiaomen.jobs.observer import Observer, silent
from qiaomen.jobs.run_record import claim_run, process_name
from qiaomen.jobs.running import run_job
from qiaomen.jobs.scheduling import BY, queue_due
from qiaomen.jobs.tidying import tidy
from qiaomen.jobs.workspace import Workspace
from qiaomen.opportunities import OPPORTUNITIES
from qiaomen.store import jobs, writing
from qiaomen.tags import COMPANY_TAGS
from qiaomen.vocab import Conflict, InputRejected, QiaomenError, Unavailable

LOG: Final = logging.getLogger("qiaomen.work")
IDLE_SECONDS: Final = 1.0
# Between two looks into the outbox while nothing else is to do.
OUTBOX_SECONDS: Final = 10.0
# Between two looks at the schedule.
SCHEDULE_SECONDS: Final = 15.0
# After a failure of the store itself.
REST_SECONDS: Final = 5.0
ADVANCE_SECONDS: Final = 1.0

Work = Callable[[Workspace, jobs.Job], Mapping[str, Any]]


def work_forever(workspace: Workspace, *, once: bool = False, beside: int | None = None) -> None:
    """Work until stopped; ``once`` ends when nothing is left, ``beside`` (the parent's number) when that process ends."""
    try:
        _work(workspace, once, lambda: beside is not None and os.getppid() != beside)
    except KeyboardInterrupt:
        LOG.info("stopped")


def _work(workspace: Workspace, once: bool, orphaned: Callable[[], bool]) -> None:
    next_delivery = next_look = 0.0
    if once:
        queue(workspace, "recycle")
    while not orphaned():
        try:
            if time.monotonic() >= next_look:
                queue_due(workspace)
                next_look = time.monotonic() + SCHEDULE_SECONDS
            did = work_once(workspace)
            if once or did or time.monotonic() >= next_delivery:
                did = bool(deliver(workspace)) or did
                next_delivery = time.monotonic() + OUTBOX_SECONDS
        except Unavailable as error:
            if once:
                raise
            LOG.warning("unavailable", extra={"error": str(error)})
            time.sleep(REST_SECONDS)
            continue
        if once and not did:
            return
        if not did:
            time.sleep(IDLE_SECONDS)


def work_once(workspace: Workspace) -> bool:
    """Do one queued job; False where none waits. A job that fails says why in its record."""
    run = claim_run(workspace)
    if run is not None:
        _do(workspace, run, _run)
        return True
    job = jobs.claim(workspace.sql, process_name(), workspace.now(), kinds=list(KINDS))
    if job is None:
        return False
    _do(workspace, job, KINDS[job.kind])
    return True


def _do(workspace: Workspace, job: jobs.Job, work: Work) -> None:
    started = time.monotonic()
    about = {"job": job.job_id, "kind": job.kind}
    try:
        with nullcontext() if job.kind == "run" else kept_lease(workspace, job):
            result = work(workspace, job)
        if job.kind != "run":
            jobs.finish(workspace.sql, job, workspace.now(), result)
    except Exception as error:
        words = str(error) if isinstance(error, QiaomenError) else f"内部错误：{type(error).__name__}"
        LOG.error("job failed", extra=about, exc_info=not isinstance(error, QiaomenError))
        _fail(workspace, job, words)
    except BaseException:
        _release(workspace, job)
        raise
    else:
        LOG.info("job done", extra={**about, "seconds": round(time.monotonic() - started, 1)})


def _fail(workspace: Workspace, job: jobs.Job, words: str) -> None:
    try:
        jobs.fail(workspace.sql, job, words, workspace.now())
    except Conflict:
        # It has said so itself, or another worker has it.
        return


def _release(workspace: Workspace, job: jobs.Job) -> None:
    try:
        jobs.release(workspace.sql, job)
    except Conflict:
        return


def _progress(workspace: Workspace, job: jobs.Job) -> Observer:
    """Return an observer that notes progress in the job's record, at most once a second, and keeps its lease."""
    told = 0.0

    def tell(step: str, fraction: float) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= ADVANCE_SECONDS:
            told = now
            jobs.advance(workspace.sql, job, workspace.now(), progress=fraction, message=step)

    return tell


def _run(workspace: Workspace, job: jobs.Job) -> Mapping[str, Any]:
    asked = job.payload.get("as_of")
    day = date.fromisoformat(str(asked)) if asked else workspace.as_of
    # The run writes its own progress.
    return run_job(workspace, job, day, silent).document()


def _load(workspace: Workspace, job: jobs.Job) -> Mapping[str, Any]:
    root = workspace.root.resolve()
    paths = [(root / str(path)).resolve() for path in job.payload.get("paths", ())]
    outside = [path for path in paths if not path.is_relative_to(root)]
    if outside:
        raise InputRejected("只能装载工作区以内的文件", where=outside[0].name, remedy="先把文件放入 inbox")
    source = job.payload.get("source")
    report = load_files(
        workspace,
        str(source) if source else None,
        paths,
        _progress(workspace, job),
        holding=lambda: jobs.holding(workspace.sql, job, workspace.now()),
    )
    return {"load_id": report.load_id, "generation": report.generation, "totals": report.totals}


def load_and_ask_run(workspace: Workspace, job: jobs.Job) -> Mapping[str, Any]:
    """Load what lies in the inbox and queue a run over it; an empty inbox still gives a run, since time has passed."""
    result: dict[str, Any] = {}
    if any(workspace.inbox.iterdir()):
        result = dict(_load(workspace, job))
    queue(workspace, "run")
    return result


def queue(workspace: Workspace, kind: str) -> None:
    """Queue work that the clock asks for; what waits already is not queued again."""
    with writing(workspace.sql) as connection:
        jobs.submit(connection, kind, {}, key=kind, by=BY, now=workspace.now())


def recycle(workspace: Workspace) -> dict[str, int]:
    """Move overdue tasks as the deadlines say and forget expired sessions."""
    now = workspace.now()
    moved = {"pooled": 0, "recycled": 0, "escalated": 0}
    deadlines = dispatch.load_deadlines(workspace.overlay)
    after: int | None = 0
    while after is not None:
        with writing(workspace.sql) as connection:
            viewer = local_analyst(connection, now)
            done = dispatch.recycle_overdue(
                viewer, connection, workspace.moment, deadlines=deadlines, after=after
            )
        moved = {name: number + getattr(done, name) for name, number in moved.items()}
        after = done.next_after
    with writing(workspace.sql) as connection:
        drop_expired_sessions(connection, now)
    return moved


def send_due_digests(workspace: Workspace) -> dict[str, int]:
    """Send every subscriber what is new."""
    snapshot = workspace.lake.snapshot()
    tables = FeedTables(
        opportunities=snapshot.arrow(OPPORTUNITIES),
        company_nodes=snapshot.arrow(COMPANY_NODES),
        company_tags=snapshot.arrow(COMPANY_TAGS),
        customers=snapshot.arrow(CUSTOMERS),
    )
    with writing(workspace.sql) as connection:
        return send_digests(connection, tables, as_of=workspace.as_of, now=workspace.now())


KINDS: Final[Mapping[str, Work]] = {
    "load": _load,
    "daily": load_and_ask_run,
    "tidy": lambda workspace, job: tidy(workspace),  # noqa: ARG005
    "recycle": lambda workspace, job: recycle(workspace),  # noqa: ARG005 - the shape of a job's work
    "digest": lambda workspace, job: send_due_digests(workspace),  # noqa: ARG005
}


def deliver(workspace: Workspace) -> int:
    """Send what is due in the outbox and return how many messages were settled."""
    counts = deliver_outbox(workspace.sql, push_settings(workspace), workspace.now(), worker=process_name())
    settled = counts["sent"] + counts["skipped"] + counts["dead"]
    # Where no receiver is set everything is skipped: that is no news.
    news = counts["sent"] or counts["dead"] or counts["failed"]
    if news or settled:
        LOG.log(logging.INFO if news else logging.DEBUG, "outbox", extra=counts)
    return settled


def push_settings(workspace: Workspace) -> PushSettings:
    """Return what delivery needs to know from the workspace's settings."""
    settings = workspace.settings
    return PushSettings(
        policy=EgressPolicy(settings.egress_hosts, settings.egress_private, settings.egress_networks),
        channels=load_channels(workspace.overlay),
        webhook_url=settings.webhook_url,
        webhook_secret=settings.webhook_secret,
        webhook_secret_previous=settings.webhook_secret_previous,
        rules=load_delivery_rules(workspace.overlay),
    )
