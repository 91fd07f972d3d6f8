"""Tasks under stress: nothing is left half done, any order of any requests keeps the laws, one claimer of many wins."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import event

from qiaomen.bank import Viewer, verify_audit, viewer_by_login
from qiaomen.dispatch import (
    TaskEvent,
    advance,
    claim,
    events_from,
    get_task,
    record_visit,
    recycle_overdue,
    replay,
    task_history,
    transfer,
)
from qiaomen.store import METADATA, open_sql, outbox, reading, writing
from qiaomen.vocab import Conflict, InputRejected, NotAllowed, NotFound, QiaomenError, TaskResult, TaskState

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.claiming import NOW, Outcome, build, race


class Undone(Exception):
    """The test stopped the change here."""


WATCHED = ("tasks", "task_history", "task_leads", "visit_records", "outbox", "audit_log", "audit_head")
Change = Callable[[sa.Connection, Viewer, Viewer, list[int]], Any]


def content(sql: sa.Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the tables that a change of a task writes."""
    with reading(sql) as connection:
        return {
            name: sorted(tuple(row) for row in connection.execute(sa.text(f"SELECT * FROM {name}")))
            for name in WATCHED
        }


@contextmanager
def failing_at(sql: sa.Engine, number: int) -> Iterator[list[int]]:
    """Let the statement of this number fail (the one after the last is the commit); yields how many there were."""
    seen = [0]

    def before(*_: Any, **__: Any) -> None:
        seen[0] += 1
        if seen[0] == number:
            raise Undone

    def at_commit(_: sa.Connection) -> None:
        before()

    event.listen(sql, "before_cursor_execute", before)
    event.listen(sql, "commit", at_commit)
    try:
        yield seen
    finally:
        event.remove(sql, "before_cursor_execute", before)
        event.remove(sql, "commit", at_commit)


def prepare(sql_url: str) -> tuple[sa.Engine, Viewer, Viewer, list[int]]:
    """A bank with two managers, an analyst and five tasks: 1 unclaimed, 2 assigned, 3 in work, 4 intended, 5 overdue."""
    numbers = build(sql_url, 2, 5)
    sql = open_sql(sql_url)
    with writing(sql) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO users (login, name, role, active, created_at) VALUES ('h1', 'h1', 'analyst', :y, :n)"
            ).bindparams(sa.bindparam("n", type_=sa.DateTime(timezone=True))),
            {"y": True, "n": NOW},
        )
    with writing(sql) as connection:
        manager, analyst = viewer_by_login(connection, "m0", NOW), viewer_by_login(connection, "h1", NOW)
        transfer(analyst, connection, numbers[1], "M0", expected_version=1, reason="", now=NOW)
        for number in numbers[2:4]:
            claim(manager, connection, number, now=NOW)
        advance(manager, connection, numbers[3], TaskEvent.INTEND, expected_version=2, now=NOW)
    return sql, manager, analyst, numbers


CHANGES: dict[str, Change] = {
    "claim": lambda c, m, a, n: claim(m, c, n[0], now=NOW),
    "assign": lambda c, m, a, n: transfer(a, c, n[0], "M1", expected_version=1, reason="", now=NOW),
    "transfer": lambda c, m, a, n: transfer(m, c, n[2], "M1", expected_version=2, reason="调岗", now=NOW),
    "return": lambda c, m, a, n: advance(
        m, c, n[2], TaskEvent.RETURN_TO_POOL, expected_version=2, reason="联系不上", now=NOW
    ),
    "land": lambda c, m, a, n: advance(
        m, c, n[3], TaskEvent.LAND, expected_version=3, landed_amount_fen=100, now=NOW
    ),
    "withdraw": lambda c, m, a, n: advance(
        a, c, n[0], TaskEvent.WITHDRAW, expected_version=1, reason="重复", now=NOW
    ),
    "visit": lambda c, m, a, n: record_visit(
        m, c, n[2], visited_at=NOW, channel="电话", note="已约", now=NOW, request_key="k"
    ),
    "recycle": lambda c, m, a, n: recycle_overdue(a, c, NOW + timedelta(hours=49)),
}


def test_a_change_that_stops_between_any_two_statements_leaves_nothing(sql_url: str) -> None:
    sql, manager, analyst, numbers = prepare(sql_url)
    before = content(sql)
    for name, change in CHANGES.items():
        with failing_at(sql, 0) as seen, pytest.raises(Undone), writing(sql) as connection:
            change(connection, manager, analyst, numbers)
            raise Undone
        statements = seen[0]
        # On PostgreSQL a change is one statement after its reads; the audit row travels with the commit.
        assert statements >= 2, f"{name}: {statements} statements"
        for number in range(1, statements + 2):
            with failing_at(sql, number), pytest.raises(Undone), writing(sql) as connection:
                change(connection, manager, analyst, numbers)
            assert content(sql) == before, f"{name}: stopped at {number} of {statements} and the commit"
    sql.dispose()


def test_a_change_writes_task_history_outbox_and_audit(sql_url: str) -> None:
    sql, manager, analyst, numbers = prepare(sql_url)
    for name in ("claim", "return", "land"):
        before = content(sql)
        with writing(sql) as connection:
            CHANGES[name](connection, manager, analyst, numbers)
        after = content(sql)
        grown = {table: len(after[table]) - len(before[table]) for table in WATCHED}
        assert grown == {
            "tasks": 0, "task_history": 1, "task_leads": 0, "visit_records": 0, "outbox": 1, "audit_log": 1, "audit_head": 0,
        }  # fmt: skip
        assert after["tasks"] != before["tasks"]
    with reading(sql) as connection:
        assert verify_audit(connection).broken_at is None
    sql.dispose()


def test_overdue_tasks_are_moved_in_short_rounds(sql_url: str) -> None:
    sql, _, analyst, _ = prepare(sql_url)
    late, after, rounds, moved = NOW + timedelta(days=30), 0, 0, 0
    while after is not None:
        with writing(sql) as connection:
            done = recycle_overdue(analyst, connection, late, after=after, limit=2)
        rounds, moved, after = (
            rounds + 1,
            moved + done.pooled + done.recycled + done.escalated,
            done.next_after,
        )
    assert (rounds, moved) == (3, 4)
    sql.dispose()


class Work(RuleBasedStateMachine):
    """Anybody asks anything of any task, with any version and reason; refusals change nothing."""

    folder: Path
    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.path = self.folder / f"{random.randrange(10**12)}.db"
        shutil.copy(self.template, self.path)
        self.sql = open_sql(f"sqlite:///{self.path}")
        with reading(self.sql) as connection:
            logins = connection.execute(sa.text("SELECT login FROM users ORDER BY login")).scalars().all()
            self.viewers = [viewer_by_login(connection, login, NOW) for login in logins]
            self.numbers = list(connection.execute(sa.text("SELECT task_id FROM tasks")).scalars())
        self.analyst = next(viewer for viewer in self.viewers if viewer.login == "h1")
        self.now = NOW
        self.written = 0

    @initialize()
    def start(self) -> None:
        self.before = content(self.sql)

    def _try(self, change: Callable[[sa.Connection], Any]) -> None:
        self.now += timedelta(minutes=1)
        try:
            with writing(self.sql) as connection:
                change(connection)
        except (Conflict, InputRejected, NotAllowed, NotFound):
            assert content(self.sql) == self.before, "a refusal leaves everything as it was"
        self.before = content(self.sql)

    @rule(who=st.integers(0, 2), task=st.integers(0, 4))
    def take(self, who: int, task: int) -> None:
        self._try(lambda c: claim(self.viewers[who], c, self.numbers[task], now=self.now))

    @rule(
        who=st.integers(0, 2),
        task=st.integers(0, 4),
        what=st.sampled_from(TaskEvent),
        off=st.sampled_from([0, 0, 0, -1, 1]),
        reason=st.sampled_from(["", "企业暂无需求"]),
    )
    def ask(self, who: int, task: int, what: TaskEvent, off: int, reason: str) -> None:
        version = self._task(task).version
        before = self.before

        def change(connection: sa.Connection) -> None:
            advance(
                self.viewers[who], connection, self.numbers[task], what, expected_version=version + off,
                reason=reason, now=self.now,
            )  # fmt: skip

        self._try(change)
        if off:
            assert self.before == before, "a stale or future version has no effect"

    @rule(who=st.integers(0, 2), task=st.integers(0, 4), to=st.sampled_from(["M0", "M1", "M7"]))
    def hand(self, who: int, task: int, to: str) -> None:
        version = self._task(task).version
        self._try(
            lambda c: transfer(
                self.viewers[who],
                c,
                self.numbers[task],
                to,
                expected_version=version,
                reason="调整",
                now=self.now,
            )
        )

    @rule(hours=st.sampled_from([1, 50, 130]))
    def clock(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self._try(lambda c: recycle_overdue(self.analyst, c, self.now))

    def _task(self, place: int) -> Any:
        with reading(self.sql) as connection:
            return get_task(self.analyst, connection, self.numbers[place])

    @invariant()
    def laws(self) -> None:
        with reading(self.sql) as connection:
            for number in self.numbers:
                task = get_task(self.analyst, connection, number)
                history = task_history_rows(connection, number)
                told = replay(history)
                assert (told.state, told.result, told.manager_no, told.version) == (
                    task.state, task.result, task.manager_no, task.version,
                )  # fmt: skip
                assert (task.result is not None) == (task.state is TaskState.CLOSED)
                assert task.manager_no or task.state in {TaskState.UNCLAIMED, TaskState.CLOSED}
                if task.result is TaskResult.WON:
                    assert task.landed_at is not None
                sent = sa.select(sa.func.count()).where(
                    outbox.OUTBOX.c.topic == "task.changed", outbox.OUTBOX.c.order_key == f"task_id:{number}"
                )
                assert connection.execute(sent).scalar_one() == task.version - 1
            assert verify_audit(connection).broken_at is None

    def teardown(self) -> None:
        self.sql.dispose()


def task_history_rows(connection: sa.Connection, number: int) -> list[Any]:
    table = METADATA.tables["task_history"]
    return list(
        connection.execute(sa.select(table).where(table.c.task_id == number).order_by(table.c.history_id))
    )


def test_whoever_asks_whatever_the_laws_hold(tmp_path: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    template = tmp_path / "template.db"
    sql, *_ = prepare(f"sqlite:///{template}")
    sql.dispose()  # the last connection writes the log back into the file
    made = type("WorkHere", (Work,), {"folder": tmp_path, "template": template})
    run_state_machine_as_test(made, settings=settings(max_examples=15, stateful_step_count=25, deadline=None))


@pytest.mark.parametrize("spoil", ["skip", "state", "manager"])
def test_a_history_that_was_changed_does_not_replay(tmp_path: Path, spoil: str) -> None:
    sql, _, analyst, numbers = prepare(f"sqlite:///{tmp_path / 'q.db'}")
    statement = {
        "skip": "DELETE FROM task_history WHERE task_id = :n AND version = 2",
        "state": "UPDATE task_history SET event = 'finish' WHERE task_id = :n AND version = 3",
        "manager": "UPDATE task_history SET to_manager_no = 'M1' WHERE task_id = :n AND version = 3",
    }[spoil]
    with writing(sql) as connection:
        replay(task_history_rows(connection, numbers[3]))
        connection.execute(sa.text(statement), {"n": numbers[3]})
    with reading(sql) as connection:
        assert task_history(analyst, connection, numbers[3])
        with pytest.raises(QiaomenError):
            replay(task_history_rows(connection, numbers[3]))
    assert events_from(TaskState.CLOSED) == ()
    sql.dispose()


def test_of_fifty_claimers_in_two_processes_one_wins_every_round(sql_url: str) -> None:
    rounds = 40
    numbers = build(sql_url, 50, rounds)
    seen: Outcome = race(sql_url, numbers, claimers=50)
    assert seen.won == dict.fromkeys(numbers, 1)
    assert sum(seen.lost.values()) == rounds * 49
    assert set(seen.lost) <= {"conflict", "not_found"}
    sql = open_sql(sql_url)
    with reading(sql) as connection:
        assert verify_audit(connection).broken_at is None
        for number in numbers:
            assert replay(task_history_rows(connection, number)).version == 2
    sql.dispose()
