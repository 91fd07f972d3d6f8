"""The clock jumps a day forth or back in the middle of things: nothing is lost, done twice or stuck."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from qiaomen.bank import local_analyst, open_session, session_of
from qiaomen.connectors import EgressPolicy, PushSettings, Receiver, deliver_outbox
from qiaomen.jobs import Workspace, init_workspace, work_forever
from qiaomen.jobs.working import recycle
from qiaomen.settings import FILE_NAME
from qiaomen.store import jobs, outbox, reading, writing
from qiaomen.vocab import Conflict, NotAllowed
from tests.clocks import Hands
from tests.walks.city import Demo, count

START = datetime(2026, 6, 30, 2, tzinfo=UTC)
DAY = timedelta(days=1)
SECRET = "a secret of the double, thirty-two characters"
JUMPS = pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forth", "back"])


@JUMPS
def test_a_job_whose_worker_died_around_a_jump_is_taken(sql: sa.Engine, jump: timedelta) -> None:
    with writing(sql) as connection:
        jobs.submit(connection, "digest", {}, now=START)
    first = jobs.claim(sql, "one", START)
    assert first is not None
    # The worker died; the next one looks a little later by a clock that has jumped.
    again = jobs.claim(sql, "two", START + jump + timedelta(seconds=5))
    assert again is not None
    assert again.job_id == first.job_id
    with pytest.raises(Conflict):
        jobs.finish(sql, first, START + jump)
    jobs.finish(sql, again, START + jump + timedelta(seconds=6))
    assert jobs.claim(sql, "one", START + jump + timedelta(days=2)) is None


@JUMPS
def test_clocks_of_two_machines_may_differ_a_little(sql: sa.Engine, jump: timedelta) -> None:
    """Minutes apart, nobody takes what another one holds."""
    with writing(sql) as connection:
        jobs.submit(connection, "digest", {}, now=START)
        outbox.enqueue(connection, "task.created", "k", {}, now=START)
    apart = timedelta(seconds=100) if jump > timedelta(0) else -timedelta(minutes=50)
    assert jobs.claim(sql, "one", START) is not None
    assert len(outbox.claim(sql, "one", START)) == 1
    assert jobs.claim(sql, "two", START + apart) is None
    assert outbox.claim(sql, "two", START + apart) == []


@JUMPS
def test_messages_go_out_once_around_a_jump(sql: sa.Engine, jump: timedelta) -> None:
    """Sent while the receiver fails, the clock jumps, it recovers, the clock is set right: each key arrives."""
    keys = {f"task.created:k{number}" for number in range(5)}
    with Receiver(statuses=(500, 500, 500, 200)) as receiver:
        settings = PushSettings(
            policy=EgressPolicy(("127.0.0.1",), private=True), webhook_url=receiver.url, webhook_secret=SECRET
        )
        with writing(sql) as connection:
            for key in sorted(keys):
                topic, _, name = key.partition(":")
                outbox.enqueue(connection, topic, name, {"task_id": 1}, now=START)
        now = START
        for step in (
            timedelta(0),
            jump,
            timedelta(minutes=10),
            timedelta(minutes=10),
            -jump,
            DAY,
            timedelta(hours=6),
            DAY,
        ):
            now += step
            deliver_outbox(sql, settings, now)
        accepted = [request.headers["idempotency-key"] for request in receiver.requests[3:]]
    assert sorted(accepted) == sorted(keys), "each was accepted once"
    with reading(sql) as connection:
        assert outbox.counts(connection) == {"done": 5}


@JUMPS
def test_a_message_whose_sender_died_around_a_jump_is_sent(sql: sa.Engine, jump: timedelta) -> None:
    with writing(sql) as connection:
        outbox.enqueue(connection, "task.created", "k", {}, now=START)
    held = outbox.claim(sql, "one", START)
    taken = outbox.claim(sql, "two", START + jump + timedelta(seconds=5))
    assert [message.key for message in taken] == ["k"]
    assert not outbox.finish(sql, held[0], START + jump)
    assert outbox.finish(sql, taken[0], START + jump)


def test_sessions_end_early_at_worst(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        viewer = local_analyst(connection, START)
        token = open_session(connection, viewer, START, life=timedelta(hours=12))
    with reading(sql) as connection:
        assert session_of(connection, token, START - DAY).viewer.login == viewer.login
        with pytest.raises(NotAllowed):
            session_of(connection, token, START + DAY)
    with writing(sql) as connection:
        fresh = open_session(connection, viewer, START + DAY, life=timedelta(hours=12))
    with reading(sql) as connection:
        assert session_of(connection, fresh, START + DAY).viewer.login == viewer.login


@pytest.fixture
def moving(own_city: Demo) -> Iterator[tuple[Workspace, Hands]]:
    """The city after its run, on a clock that goes on (no fixed date)."""
    path = own_city.root / FILE_NAME
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("as_of")]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    hands = Hands(START)
    workspace = Workspace(own_city.root, clock=hands)
    yield workspace, hands
    workspace.sql.dispose()


@pytest.mark.xdist_group("walks")
def test_deadlines_around_a_jump_lose_no_task(moving: tuple[Workspace, Hands]) -> None:
    workspace, hands = moving
    before = count(workspace, "tasks")
    for step in (timedelta(0), DAY, -DAY, -DAY, DAY, 30 * DAY):
        hands.at += step
        recycle(workspace)
        assert count(workspace, "tasks") == before
    with reading(workspace.sql) as connection:
        # Every open task is with somebody or in a pool, and its history goes on where its state is.
        lost = connection.execute(
            sa.text(
                "SELECT count(*) FROM tasks WHERE state <> 'closed' AND manager_no IS NULL AND branch_code IS NULL"
            )
        ).scalar()
        assert lost == 0
        torn = connection.execute(
            sa.text(
                "SELECT count(*) FROM tasks t WHERE t.state <> (SELECT h.to_state FROM task_history h "
                "WHERE h.task_id = t.task_id ORDER BY h.history_id DESC LIMIT 1)"
            )
        ).scalar()
        assert torn == 0


@JUMPS
def test_a_worker_goes_on_around_a_jump(tmp_path: Path, jump: timedelta) -> None:
    hands = Hands(START)
    workspace = init_workspace(tmp_path / "w", clock=hands)
    work_forever(workspace, once=True)
    for step in (jump, timedelta(minutes=11), -jump, timedelta(minutes=11)):
        hands.at += step
        work_forever(workspace, once=True)
    with reading(workspace.sql) as connection:
        found = jobs.recent(connection)
    assert {job.state for job in found} == {"done"}
    assert len([job for job in found if job.kind == "recycle"]) >= 4
    workspace.sql.dispose()
