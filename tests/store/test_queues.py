"""Outbox and job queue on SQLite and PostgreSQL: keys, leases, retries, fencing, exactly one claimer."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from qiaomen.store import jobs, outbox, reading, writing
from qiaomen.vocab import Conflict, NotFound

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)


def test_a_message_is_enqueued_once_with_its_change(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        assert outbox.enqueue(connection, "task.created", "t1", {"task": 1}, now=NOW)
        assert not outbox.enqueue(connection, "task.created", "t1", {"task": 2}, now=NOW)
        assert outbox.enqueue_all(connection, "crm", {"t1": {}, "t2": {}}, now=NOW) == 2
    with pytest.raises(RuntimeError), writing(sql) as connection:
        outbox.enqueue(connection, "task.created", "t9", {}, now=NOW)
        raise RuntimeError
    messages = outbox.claim(sql, "w1", NOW, topics=["task.created"])
    assert [(message.key, message.payload) for message in messages] == [("t1", {"task": 1})]


def test_a_claimed_message_returns_when_its_lease_ends_and_the_late_worker_cannot_finish(
    sql: sa.Engine,
) -> None:
    with writing(sql) as connection:
        outbox.enqueue(connection, "crm", "t1", {}, now=NOW)
    (late,) = outbox.claim(sql, "w1", NOW)
    assert outbox.claim(sql, "w2", NOW) == []
    (again,) = outbox.claim(sql, "w1", LATER)
    assert again.attempts == 2
    assert not outbox.finish(sql, late, LATER)
    assert outbox.finish(sql, again, LATER)
    assert outbox.claim(sql, "w2", LATER + timedelta(days=1)) == []


def test_a_failed_message_comes_back_when_told_and_is_dead_without_a_time(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        outbox.enqueue(connection, "crm", "t1", {}, now=NOW)
    (message,) = outbox.claim(sql, "w", NOW)
    assert outbox.fail(sql, message, "连接被拒绝" * 200, NOW, LATER)
    assert outbox.claim(sql, "w", NOW + timedelta(minutes=9)) == []
    (message,) = outbox.claim(sql, "w", LATER)
    assert message.attempts == 2
    assert outbox.put_off(sql, message, LATER, "稍后")
    (message,) = outbox.claim(sql, "w", LATER)
    assert message.attempts == 2, "a message put off was not tried"
    assert outbox.fail(sql, message, "x", LATER, None)
    with reading(sql) as connection:
        (entry,) = outbox.entries(connection, states=["dead"])
        assert (entry.attempts, entry.error) == (2, "x")
    with writing(sql) as connection:
        assert outbox.requeue(connection, [message.message_id, 99], LATER) == [message.message_id]
        assert outbox.requeue(connection, [message.message_id], LATER) == []
    (again,) = outbox.claim(sql, "w", LATER)
    assert (again.key, again.attempts) == ("t1", 1)


def test_messages_of_one_key_go_one_after_the_other(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        for number in (1, 2, 3):
            outbox.enqueue(connection, "task", f"7:{number}", {}, order_key="task_id:7", now=NOW)
        assert (
            outbox.enqueue_all(connection, "task", {"8:1": {"task_id": 8}}, ordered_by="task_id", now=NOW)
            == 1
        )
    first, other = outbox.claim(sql, "w1", NOW)
    assert (first.key, other.key, other.order_key) == ("7:1", "8:1", "task_id:8")
    assert outbox.finish(sql, other, NOW)
    assert outbox.claim(sql, "w2", NOW) == [], "the second waits for the first"
    assert outbox.fail(sql, first, "x", NOW, LATER)
    assert outbox.claim(sql, "w2", NOW) == [], "also while the first waits to be tried again"
    (first,) = outbox.claim(sql, "w2", LATER)
    assert outbox.fail(sql, first, "x", LATER, None)
    assert outbox.claim(sql, "w2", LATER) == [], "a dead one holds the later ones back"
    with writing(sql) as connection:
        assert outbox.discard(connection, [first.message_id], LATER) == [first.message_id]
    (second,) = outbox.claim(sql, "w3", LATER)
    assert second.key == "7:2"
    assert outbox.finish(sql, second, LATER)
    (third,) = outbox.claim(sql, "w3", LATER)
    assert third.key == "7:3"


def test_many_workers_share_the_messages(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        outbox.enqueue_all(connection, "crm", {str(number): {} for number in range(60)}, now=NOW)
    taken: list[str] = []

    def work(name: str) -> None:
        while messages := outbox.claim(sql, name, NOW, 7):
            taken.extend(message.key for message in messages)
            for message in messages:
                assert outbox.finish(sql, message, NOW)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken, key=int) == [str(number) for number in range(60)]


def test_a_job_runs_reports_and_ends(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        number = jobs.submit(connection, "run", {"as_of": "2026-03-01"}, key="run", by="analyst", now=NOW)
        assert jobs.submit(connection, "run", {}, key="run", now=NOW) == number, "one active job per key"
        assert jobs.submit(connection, "load", {}, now=NOW) != number
    job = jobs.claim(sql, "w1", NOW, kinds=["run"])
    assert job is not None
    assert (job.job_id, job.payload, job.state) == (number, {"as_of": "2026-03-01"}, "running")
    assert jobs.claim(sql, "w2", NOW, kinds=["run"]) is None
    jobs.advance(sql, job, NOW, progress=0.4, message="图谱", step="graph")
    with reading(sql) as connection:
        seen = jobs.get(connection, number)
    assert (seen.progress, seen.message, seen.step) == (0.4, "图谱", "graph")
    jobs.finish(sql, job, NOW, {"generation": 3})
    with reading(sql) as connection:
        assert jobs.get(connection, number).result == {"generation": 3}
        assert [found.job_id for found in jobs.recent(connection, kind="run")] == [number]
        with pytest.raises(NotFound):
            jobs.get(connection, 999)
    with writing(sql) as connection:
        assert jobs.submit(connection, "run", {}, key="run", now=NOW) > number


def test_a_stopped_workers_job_goes_on_from_its_step_and_is_failed_at_last(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        jobs.submit(connection, "run", {}, now=NOW)
    first = jobs.claim(sql, "w1", NOW)
    assert first is not None
    jobs.advance(sql, first, NOW, progress=0.5, message="", step="scores")
    second = jobs.claim(sql, "w1", LATER)
    assert second is not None
    assert (second.step, second.attempts) == ("scores", 2)
    with pytest.raises(Conflict):
        jobs.advance(sql, first, LATER, progress=0.6, message="")
    jobs.release(sql, second)
    third = jobs.claim(sql, "w2", LATER)
    assert third is not None
    fourth = jobs.claim(sql, "w2", LATER + timedelta(minutes=5))
    assert fourth is not None
    assert jobs.claim(sql, "w3", LATER + timedelta(minutes=30)) is None
    with reading(sql) as connection:
        ended = jobs.get(connection, first.job_id)
    assert ended.state == "failed"
    assert ended.error is not None
    assert "中断" in ended.error


def test_a_cancelled_job_stops_its_worker(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        number = jobs.submit(connection, "run", {}, now=NOW)
    job = jobs.claim(sql, "w1", NOW)
    assert job is not None
    with writing(sql) as connection:
        jobs.cancel(connection, number, NOW)
        with pytest.raises(NotFound):
            jobs.cancel(connection, number, NOW)
    with pytest.raises(Conflict):
        jobs.finish(sql, job, NOW)


def test_a_failed_job_keeps_its_error(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        jobs.submit(connection, "load", {}, now=NOW)
    job = jobs.claim(sql, "w1", NOW)
    assert job is not None
    jobs.fail(sql, job, "customers.csv 第 3 行：列数与表头不符", NOW)
    with reading(sql) as connection:
        assert "第 3 行" in (jobs.get(connection, job.job_id).error or "")
