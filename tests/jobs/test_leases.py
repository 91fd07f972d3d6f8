"""A long step keeps its lease; a process that lost it publishes and commits nothing."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from qiaomen.jobs import Workspace, init_workspace, load_files
from qiaomen.jobs.leases import kept_lease
from qiaomen.store import jobs, reading, writing
from qiaomen.vocab import Conflict
from tests.clocks import Hands

START = datetime(2026, 6, 30, 2, tzinfo=UTC)


@pytest.fixture
def hands() -> Hands:
    return Hands(START)


@pytest.fixture
def workspace(tmp_path: Path, hands: Hands) -> Workspace:
    return init_workspace(tmp_path / "w", {"as_of": START.date()}, clock=hands)


def taken(workspace: Workspace, kind: str = "load") -> jobs.Job:
    with writing(workspace.sql) as connection:
        jobs.submit(connection, kind, {}, now=workspace.now())
    job = jobs.claim(workspace.sql, "here:1", workspace.now())
    assert job is not None
    return job


def stolen(workspace: Workspace) -> jobs.Job | None:
    return jobs.claim(workspace.sql, "elsewhere:2", workspace.now())


def test_a_long_step_keeps_its_lease(workspace: Workspace, hands: Hands) -> None:
    job = taken(workspace)
    with kept_lease(workspace, job, beat_seconds=0.01):
        for _ in range(5):
            hands.at += jobs.LEASE * 0.9
            wait_for_renewal(workspace, hands.at + jobs.LEASE)
            assert stolen(workspace) is None
    hands.at += jobs.LEASE + timedelta(seconds=1)
    assert stolen(workspace) is not None


def wait_for_renewal(workspace: Workspace, until: datetime) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with reading(workspace.sql) as connection:
            if connection.execute(sa.select(jobs.JOBS.c.lease_until)).scalar_one() >= until:
                return
        time.sleep(0.01)
    raise AssertionError("the lease was not renewed")


def test_the_beat_ends_when_the_lease_is_lost(workspace: Workspace, hands: Hands) -> None:
    job = taken(workspace)
    hands.at += jobs.LEASE * 2
    assert stolen(workspace) is not None
    with kept_lease(workspace, job, beat_seconds=0.01):
        thread = next(thread for thread in threading.enumerate() if thread.name == f"lease-{job.job_id}")
        thread.join(20)
        assert not thread.is_alive()


def test_who_lost_the_lease_publishes_nothing(workspace: Workspace, hands: Hands, tmp_path: Path) -> None:
    path = tmp_path / "companies.csv"
    path.write_text("企业名称,统一社会信用代码\n上海某某有限公司,\n", encoding="utf-8")
    job = taken(workspace)

    def slow(words: str, fraction: float) -> None:
        # While this process reads, its machine sleeps; another worker takes the job.
        hands.at += jobs.LEASE * 2
        stolen(workspace)

    def holding() -> AbstractContextManager[Any]:
        return jobs.holding(workspace.sql, job, workspace.now())

    with pytest.raises(Conflict, match="其他进程接手"):
        load_files(workspace, "companies", [path], slow, holding=holding)
    assert workspace.lake.snapshot().number == 0
    assert list((workspace.root / "lake" / "data").rglob("*.parquet")) == []


def test_work_and_end_of_a_job_commit_together(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        number = jobs.submit(connection, "run", {}, now=START)
    job = jobs.claim(sql, "here:1", START)
    assert job is not None
    with pytest.raises(ZeroDivisionError), jobs.holding(sql, job, START) as connection:
        jobs.submit(connection, "digest", {}, now=START)
        jobs.finish_in(connection, job, START, {"done": 1})
        raise ZeroDivisionError
    with reading(sql) as connection:
        assert jobs.get(connection, number).state == "running"
        assert [each.kind for each in jobs.recent(connection)] == ["run"]
    with jobs.holding(sql, job, START) as connection:
        jobs.finish_in(connection, job, START, {"done": 1})
    with pytest.raises(Conflict), jobs.holding(sql, job, START):
        raise AssertionError("the job has ended")


def test_nobody_takes_a_job_while_its_holder_commits(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        jobs.submit(connection, "run", {}, now=START)
    job = jobs.claim(sql, "here:1", START)
    assert job is not None
    later = START + jobs.LEASE * 2
    found: list[jobs.Job | None] = []
    thread = threading.Thread(target=lambda: found.append(jobs.claim(sql, "elsewhere:2", later)))
    with jobs.holding(sql, job, later) as connection:
        thread.start()
        thread.join(0.3)
        jobs.finish_in(connection, job, later, {})
    thread.join(20)
    assert found == [None]
