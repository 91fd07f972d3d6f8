"""Claimers against one store: rounds of many on one task, and how many tasks a second are claimed.

Used by ``make bench-ops`` and, in a shorter form, by the tests.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import INSTITUTION_RECORDS, STAFF_RECORDS, sync_institutions, viewer_by_login
from qiaomen.customers import CUSTOMERS
from qiaomen.dispatch import ALLOCATIONS, LEADS, claim, create_tasks, task_words
from qiaomen.reach import INTRODUCTIONS
from qiaomen.store import METADATA, open_sql, reading, writing
from qiaomen.vocab import Conflict, NotFound, Table

NOW: Final = datetime(2026, 3, 2, 2, tzinfo=UTC)
_UNITS: Final = (("HQ", "head_office", None), ("B1", "branch", "HQ"), ("S1", "sub_branch", "B1"))
Writing = Callable[[sa.Engine], AbstractContextManager[Connection]]


@dataclass
class Outcome:
    """What one process, or all of them, saw: winners by task, other answers by code, seconds of each claim."""

    won: Counter[int] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    elapsed: float = 0.0
    cpu: float = 0.0

    def add(self, other: Outcome) -> None:
        """Take in what another process saw."""
        self.won += other.won
        self.lost += other.lost
        self.seconds += other.seconds
        self.cpu += other.cpu
        self.elapsed = max(self.elapsed, other.elapsed)


def rows(table: Table, *given: dict[str, Any]) -> pa.Table:
    """Return rows of a lake table; columns not given are empty."""
    return pa.Table.from_pylist(
        [{name: row.get(name) for name in table.names} for row in given], schema=table.schema
    )


def build(url: str, managers: int, tasks: int) -> list[int]:
    """Make a sub-branch with managers and unclaimed tasks in its pool; return the tasks' numbers."""
    sql = open_sql(url)
    with writing(sql) as connection:
        METADATA.create_all(connection)
    units = [{"institution_code": c, "name": c, "unit_type": kind, "parent_code": p} for c, kind, p in _UNITS]
    staff = [
        {"staff_no": f"M{n}", "name": f"M{n}", "role": "manager", "institution_code": "S1", "capacity": 10**6}
        for n in range(managers)
    ]
    leads = [
        {"lead_id": f"lead{n}", "company_id": n, "origin": "opportunity", "product": "kqd", "is_customer": False,
         "priority": 1.0, "why_now": "中标", "admitted": True}
        for n in range(1, tasks + 1)
    ]  # fmt: skip
    places = [
        {"lead_id": f"lead{n}", "company_id": n, "branch_code": "B1", "sub_branch_code": "S1", "rule": "region",
         "reason": "x", "hold_out": False, "rank": n}
        for n in range(1, tasks + 1)
    ]  # fmt: skip
    with writing(sql) as connection:
        sync_institutions(connection, rows(INSTITUTION_RECORDS, *units), rows(STAFF_RECORDS, *staff))
    with writing(sql) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO users (login, name, staff_no, active, created_at) "
                "SELECT lower(staff_no), name, staff_no, :yes, :now FROM staff"
            ).bindparams(sa.bindparam("now", type_=sa.DateTime(timezone=True))),
            {"yes": True, "now": NOW},
        )
        create_tasks(
            connection,
            rows(LEADS, *leads),
            rows(ALLOCATIONS, *places),
            words=task_words({}, {}),
            introductions=rows(INTRODUCTIONS),
            customers=rows(CUSTOMERS),
            generation=1,
            now=NOW,
        )
        numbers = list(connection.execute(sa.text("SELECT task_id FROM tasks ORDER BY task_id")).scalars())
    sql.dispose()
    return numbers


@contextmanager
def plain(engine: sa.Engine) -> Iterator[Connection]:
    """Write as SQLite offers it: BEGIN IMMEDIATE and its busy handler, without a queue."""
    with engine.connect() as connection, connection.begin():
        yield connection


WAYS: Final[dict[str, Writing]] = {"fair": writing, "plain": plain}


def _take(sql: sa.Engine, way: Writing, viewer: Any, number: int, seen: Outcome) -> None:
    started = time.perf_counter()
    try:
        with way(sql) as connection:
            claim(viewer, connection, number, now=NOW)
    except (Conflict, NotFound) as error:
        answer = error.code
    except Exception as error:  # noqa: BLE001 - counted and reported
        answer = type(error).__name__
    else:
        answer = ""
    seen.seconds.append(time.perf_counter() - started)
    if answer:
        seen.lost[answer] += 1
    else:
        seen.won[number] += 1


def _process(
    url: str, way: str, logins: list[str], lists: list[list[int]], barrier: Any, together: bool, answers: Any
) -> None:
    """Run one thread per login; ``together``: all wait for each other before every task."""
    sql = open_sql(url)
    with reading(sql) as connection:
        viewers = [viewer_by_login(connection, login, NOW) for login in logins]
    seen = [Outcome() for _ in logins]

    def work(place: int) -> None:
        barrier.wait()
        for number in lists[place]:
            if together:
                barrier.wait()
            _take(sql, WAYS[way], viewers[place], number, seen[place])

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(logins))]
    started, used = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = Outcome(elapsed=time.perf_counter() - started, cpu=time.process_time() - used)
    for one in seen:
        whole.add(one)
    answers.put(whole)
    sql.dispose()


def _run(url: str, way: str, lists: list[list[int]], processes: int, together: bool) -> Outcome:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(len(lists)), context.Queue()
    children = []
    for index in range(processes):
        places = range(index, len(lists), processes)
        given = (url, way, [f"m{n}" for n in places], [lists[n] for n in places], barrier, together, answers)
        children.append(context.Process(target=_process, args=given))
    for child in children:
        child.start()
    whole = Outcome()
    for _ in children:
        whole.add(answers.get())
    for child in children:
        child.join()
    return whole


def race(url: str, numbers: list[int], *, claimers: int, processes: int = 2, way: str = "fair") -> Outcome:
    """Let all claimers want the same task at once, one task after the other."""
    return _run(url, way, [numbers] * claimers, processes, together=True)


def flood(url: str, numbers: list[int], *, claimers: int, processes: int = 2, way: str = "fair") -> Outcome:
    """Let every claimer take tasks of its own as fast as it can."""
    return _run(url, way, [numbers[n::claimers] for n in range(claimers)], processes, together=False)
