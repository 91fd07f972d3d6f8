"""The job queue: long work that pages ask for and a worker does, with progress, leases and a resumable step.

A job whose worker stopped is claimed again when its lease ends and goes on from ``step``. Table ``jobs``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from qiaomen.store.sql import METADATA, BigKey, Moment, lapsed, writing
from qiaomen.vocab import Conflict, NotFound

ATTEMPTS: Final = 3
LEASE: Final = timedelta(minutes=2)
_ACTIVE: Final = ("waiting", "running")
_ACTIVE_SQL: Final = sa.text("state IN ('waiting', 'running')")

JOBS: Final = sa.Table(
    "jobs",
    METADATA,
    sa.Column("job_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("key", sa.String(200)),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("progress", sa.Float, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("step", sa.String(100), nullable=False),
    sa.Column("result", sa.JSON),
    sa.Column("error", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("lease_owner", sa.String(100)),
    sa.Column("lease_until", Moment),
    sa.Column("created_by", sa.String(100), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("started_at", Moment),
    sa.Column("finished_at", Moment),
    sa.Index(None, "state", "lease_until"),
    sa.Index(
        "uq_jobs_active_key",
        "kind",
        "key",
        unique=True,
        sqlite_where=_ACTIVE_SQL,
        postgresql_where=_ACTIVE_SQL,
    ),
)


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it stands. States: waiting, running, done, failed, cancelled."""

    job_id: int
    kind: str
    key: str | None
    payload: Mapping[str, Any]
    state: str
    progress: float
    message: str
    step: str
    result: Mapping[str, Any] | None
    error: str | None
    attempts: int
    lease_owner: str | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


_FIELDS: Final = tuple(JOBS.c[name] for name in Job.__dataclass_fields__)


def _job(row: sa.Row[Any]) -> Job:
    return Job(**row._mapping)  # noqa: SLF001 - the documented access to a row's names


def submit(
    connection: Connection,
    kind: str,
    payload: Mapping[str, Any],
    *,
    key: str | None = None,
    by: str = "",
    now: datetime | None = None,
) -> int:
    """Queue a job and return its number; an active job of the same kind and key is returned instead."""
    active = _active(connection, kind, key)
    if active is not None:
        return active
    statement = sa.insert(JOBS).values(
        kind=kind,
        key=key,
        payload=dict(payload),
        state="waiting",
        progress=0.0,
        message="",
        step="",
        attempts=0,
        created_by=by,
        created_at=now or datetime.now(UTC),
    )
    try:
        with connection.begin_nested():
            return int(connection.execute(statement.returning(JOBS.c.job_id)).scalar_one())
    except IntegrityError:
        # Another writer queued the same key between the look and the insert.
        active = _active(connection, kind, key)
        if active is None:
            raise
        return active


def _active(connection: Connection, kind: str, key: str | None) -> int | None:
    if key is None:
        return None
    found = connection.execute(
        sa.select(JOBS.c.job_id).where(JOBS.c.kind == kind, JOBS.c.key == key, JOBS.c.state.in_(_ACTIVE))
    ).scalar()
    return None if found is None else int(found)


def claim(
    sql: sa.Engine,
    worker: str,
    now: datetime,
    *,
    kinds: Sequence[str] | None = None,
    lease: timedelta = LEASE,
) -> Job | None:
    """Take the oldest job that waits or whose worker stopped; None where there is none.

    A job that stopped its worker ``ATTEMPTS`` times is failed instead.
    """
    open_jobs = sa.or_(
        JOBS.c.state == "waiting", sa.and_(JOBS.c.state == "running", lapsed(JOBS.c.lease_until, now))
    )
    if kinds is not None:
        open_jobs = sa.and_(open_jobs, JOBS.c.kind.in_(list(kinds)))
    with writing(sql) as connection:
        _give_up(connection, now)
        found = connection.execute(
            sa.select(JOBS.c.job_id)
            .where(open_jobs)
            .order_by(JOBS.c.job_id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).scalar()
        if found is None:
            return None
        row = connection.execute(
            sa.update(JOBS)
            .where(JOBS.c.job_id == found)
            .values(
                state="running",
                attempts=JOBS.c.attempts + 1,
                lease_owner=worker,
                lease_until=now + lease,
                started_at=sa.func.coalesce(JOBS.c.started_at, sa.literal(now, Moment)),
            )
            .returning(*_FIELDS)
        ).one()
    return _job(row)


def _give_up(connection: Connection, now: datetime) -> None:
    connection.execute(
        sa.update(JOBS)
        .where(JOBS.c.state == "running", lapsed(JOBS.c.lease_until, now), JOBS.c.attempts >= ATTEMPTS)
        .values(
            state="failed",
            error=f"执行进程连续 {ATTEMPTS} 次中断",
            finished_at=now,
            lease_owner=None,
            lease_until=None,
        )
    )


def advance(
    sql: sa.Engine,
    job: Job,
    now: datetime,
    *,
    progress: float,
    message: str,
    step: str | None = None,
    lease: timedelta = LEASE,
) -> None:
    """Note progress and extend the lease; ``Conflict`` where the job is no longer this worker's."""
    values: dict[str, Any] = {"progress": min(1.0, max(0.0, progress)), "message": message}
    if step is not None:
        values["step"] = step
    _settle(sql, job, **values, lease_until=now + lease)


def renew(sql: sa.Engine, job: Job, now: datetime, *, lease: timedelta = LEASE) -> None:
    """Extend the lease; ``Conflict`` where the job is no longer this worker's."""
    _settle(sql, job, lease_until=now + lease)


@contextmanager
def holding(sql: sa.Engine, job: Job, now: datetime, *, lease: timedelta = LEASE) -> Iterator[Connection]:
    """Open a transaction in which nobody can take the job: what is done inside is done by its holder or not at all.

    The attempt's number is the fencing token. ``Conflict`` where the job is no longer this worker's.
    """
    with writing(sql) as connection:
        _settle_in(connection, job, lease_until=now + lease)
        yield connection


def finish_in(connection: Connection, job: Job, now: datetime, result: Mapping[str, Any]) -> None:
    """Mark a job as done in the caller's transaction, so that its work and its end commit together."""
    _settle_in(connection, job, **_done(now, result))


def finish(sql: sa.Engine, job: Job, now: datetime, result: Mapping[str, Any] | None = None) -> None:
    """Mark a job as done; ``Conflict`` where it is no longer this worker's."""
    _settle(sql, job, **_done(now, result or {}))


def _done(now: datetime, result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "state": "done",
        "progress": 1.0,
        "result": dict(result),
        "finished_at": now,
        "lease_owner": None,
        "lease_until": None,
    }


def fail(sql: sa.Engine, job: Job, error: str, now: datetime) -> None:
    """Mark a job as failed with its error in words; ``Conflict`` where it is no longer this worker's."""
    _settle(sql, job, state="failed", error=error, finished_at=now, lease_owner=None, lease_until=None)


def release(sql: sa.Engine, job: Job) -> None:
    """Give an unfinished job back at once (the worker is shutting down); it goes on from its step."""
    _settle(sql, job, state="waiting", attempts=JOBS.c.attempts - 1, lease_owner=None, lease_until=None)


def _settle(sql: sa.Engine, job: Job, **values: Any) -> None:
    with writing(sql) as connection:
        _settle_in(connection, job, **values)


def _settle_in(connection: Connection, job: Job, **values: Any) -> None:
    mine = sa.and_(
        JOBS.c.job_id == job.job_id,
        JOBS.c.state == "running",
        JOBS.c.lease_owner == job.lease_owner,
        JOBS.c.attempts == job.attempts,
    )
    changed = connection.execute(sa.update(JOBS).where(mine).values(**values))
    if changed.rowcount != 1:
        raise Conflict("该作业已被取消或由其他进程接手", remedy="停止当前进程对它的处理")


def cancel(connection: Connection, job_id: int, now: datetime) -> None:
    """Cancel an active job; ``NotFound`` where it does not exist or has ended."""
    changed = connection.execute(
        sa.update(JOBS)
        .where(JOBS.c.job_id == job_id, JOBS.c.state.in_(_ACTIVE))
        .values(state="cancelled", finished_at=now, lease_owner=None, lease_until=None)
    )
    if changed.rowcount != 1:
        raise NotFound("作业不存在或已结束")


def forget(connection: Connection, before: datetime, *, keep: frozenset[int] = frozenset()) -> int:
    """Remove jobs that ended before a moment, other than those named, and return how many."""
    old = sa.and_(JOBS.c.finished_at < before, JOBS.c.state.not_in(_ACTIVE), JOBS.c.job_id.not_in(keep))
    return connection.execute(sa.delete(JOBS).where(old)).rowcount


def get(connection: Connection, job_id: int) -> Job:
    """Return one job; ``NotFound`` where it does not exist."""
    row = connection.execute(sa.select(*_FIELDS).where(JOBS.c.job_id == job_id)).first()
    if row is None:
        raise NotFound("作业不存在", remedy="检查作业编号")
    return _job(row)


def held(connection: Connection, now: datetime, kinds: Sequence[str]) -> list[Job]:
    """Return the running jobs of some kinds whose lease has not ended: somebody is at them."""
    at_work = sa.and_(JOBS.c.state == "running", sa.not_(lapsed(JOBS.c.lease_until, now)))
    query = sa.select(*_FIELDS).where(JOBS.c.kind.in_(list(kinds)), at_work).order_by(JOBS.c.job_id)
    return [_job(row) for row in connection.execute(query)]


def recent(connection: Connection, *, kind: str | None = None, limit: int = 50) -> list[Job]:
    """Return the newest jobs, newest first."""
    query = sa.select(*_FIELDS).order_by(JOBS.c.job_id.desc()).limit(limit)
    if kind is not None:
        query = query.where(JOBS.c.kind == kind)
    return [_job(row) for row in connection.execute(query)]
