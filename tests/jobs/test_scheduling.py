"""Recurring work: each turn is queued once, by one worker; missed turns are made up for by one; the clock may jump."""

from __future__ import annotations

import os
import threading
import time as clock_time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.bank import ZONE
from qiaomen.jobs import Workspace, init_workspace, work_forever
from qiaomen.jobs.scheduling import latest_turns, queue_due
from qiaomen.jobs.tidying import tidy
from qiaomen.settings import Settings
from qiaomen.store import jobs, migrate, open_sql, outbox, reading, take_turn, turns, writing
from tests.clocks import Hands

START = datetime(2026, 6, 30, 10, tzinfo=ZONE)
DAY = timedelta(days=1)


@pytest.fixture
def hands() -> Hands:
    return Hands(START)


@pytest.fixture
def workspace(tmp_path: Path, hands: Hands) -> Workspace:
    return init_workspace(
        tmp_path / "w", {"as_of": date(2026, 6, 30), "daily_at": "02:30", "recycle_minutes": 10}, clock=hands
    )


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_turn_is_the_latest_that_has_passed(now: datetime) -> None:
    found = latest_turns(Settings(daily_at="02:30", digest_at="23:59", tidy_at=""), now)
    assert set(found) == {"recycle", "daily", "digest"}
    for kind, every in (("recycle", timedelta(minutes=10)), ("daily", DAY), ("digest", DAY)):
        assert found[kind] <= now < found[kind] + every
    assert found["daily"].astimezone(ZONE).strftime("%H:%M") == "02:30"


def test_what_is_new_waits_for_its_next_turn(workspace: Workspace, hands: Hands) -> None:
    assert queue_due(workspace) == []
    hands.at += timedelta(minutes=10)
    assert queue_due(workspace) == ["recycle"]
    assert queue_due(workspace) == []


def test_turns_missed_while_nothing_ran_are_made_up_for_by_one(workspace: Workspace, hands: Hands) -> None:
    queue_due(workspace)
    hands.at += 9 * DAY
    assert sorted(queue_due(workspace)) == ["daily", "digest", "recycle", "tidy"]
    assert queue_due(workspace) == []
    with reading(workspace.sql) as connection:
        assert sorted(job.kind for job in jobs.recent(connection)) == ["daily", "digest", "recycle", "tidy"]
    hands.at += timedelta(hours=15)
    assert queue_due(workspace) == ["recycle"], "ten in the morning plus fifteen hours is one at night"
    hands.at += timedelta(hours=2)
    assert "daily" in queue_due(workspace)


def test_of_many_workers_one_queues_a_turn(sql_url: str) -> None:
    engine = open_sql(sql_url)
    migrate(engine)
    with writing(engine) as connection:
        assert not take_turn(connection, "daily", START, START)
    for number in range(1, 11):
        latest = START + number * DAY
        taken: list[bool] = []
        barrier = threading.Barrier(6)

        def ask(
            latest: datetime = latest, taken: list[bool] = taken, barrier: threading.Barrier = barrier
        ) -> None:
            barrier.wait()
            with writing(engine) as connection:
                taken.append(take_turn(connection, "daily", latest, latest))

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == [False] * 5 + [True]
    engine.dispose()


def test_a_clock_that_jumps_forth_and_back_loses_no_day(workspace: Workspace, hands: Hands) -> None:
    queue_due(workspace)
    hands.at += DAY
    assert "daily" in queue_due(workspace)
    hands.at -= DAY
    assert "daily" not in queue_due(workspace)
    hands.at += timedelta(hours=17)
    with writing(workspace.sql) as connection:
        connection.execute(sa.update(jobs.JOBS).values(state="done"))
    assert "daily" in queue_due(workspace), "the real next day has its turn, though it was had before"


def test_the_worker_follows_the_schedule(workspace: Workspace, hands: Hands) -> None:
    work_forever(workspace, once=True)
    hands.at += DAY
    work_forever(workspace, once=True)
    with reading(workspace.sql) as connection:
        done = {job.kind: job.state for job in jobs.recent(connection)}
        assert set(turns(connection)) == {"recycle", "daily", "digest", "tidy"}
    # Nothing was loaded, so that the run that follows the daily load has nothing to work with, and says so.
    assert done == {"recycle": "done", "daily": "done", "digest": "done", "tidy": "done", "run": "failed"}


def test_the_daily_load_takes_the_inbox(workspace: Workspace, hands: Hands) -> None:
    work_forever(workspace, once=True)
    text = "企业名称,统一社会信用代码\n上海某某有限公司,\n"
    (workspace.inbox / "companies.csv").write_text(text, encoding="utf-8")
    hands.at += DAY
    work_forever(workspace, once=True)
    assert workspace.lake.snapshot().rows("company_records") == 1


def test_tidying_keeps_what_is_needed(workspace: Workspace, hands: Hands) -> None:
    with writing(workspace.sql) as connection:
        numbers = [jobs.submit(connection, kind, {}, now=hands()) for kind in ("run", "load", "digest")]
        for key in ("sent", "waiting"):
            outbox.enqueue(connection, "task.created", key, {}, now=hands())
    for _ in numbers:
        job = jobs.claim(workspace.sql, "w", hands())
        assert job is not None
        jobs.finish(workspace.sql, job, hands())
    message = outbox.claim(workspace.sql, "w", hands(), 1)[0]
    outbox.finish(workspace.sql, message, hands())
    old, young = workspace.root / "temp" / "old", workspace.root / "temp" / "young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "part").write_text("x")
    long_ago = clock_time.time() - 400 * DAY.total_seconds()
    for path in (old / "part", old):
        os.utime(path, (long_ago, long_ago))
    hands.at = datetime.now(UTC)
    assert tidy(workspace)["scratch"] == 1
    assert not old.exists()
    assert (young / "part").exists()
    hands.at = START + 91 * DAY
    tidy(workspace)
    with reading(workspace.sql) as connection:
        assert {job.kind for job in jobs.recent(connection)} == {"run"}, "the newest run tells what was read"
        assert outbox.counts(connection) == {"waiting": 1}
