"""Whose work 今日 shows: the viewer's own and that of those he stands in for today, and what of it comes first."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.engine import Connection

from qiaomen.customers import CUSTOMERS
from qiaomen.dispatch import (
    Room,
    Task,
    TaskFilter,
    TaskPage,
    list_tasks,
    room_of,
    task_visits,
)
from qiaomen.vocab import TaskState
from qiaomen.web.visit import Visit

MUST: Final = 5
OWN_READ: Final = 500
POOL_READ: Final = 200
LOOKED_AT: Final = 30
SILENT_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class OwnRoom:
    """The room of one person: the viewer himself (an empty ``deputised``) or somebody he stands in for, by name."""

    deputised: str
    room: Room


@dataclass(frozen=True, slots=True)
class OwnDay:
    """Open tasks of the viewer's persons and the pool he may claim from, each with its numbers; rooms, the own first."""

    mine: TaskPage
    pool: TaskPage
    late: int
    landed: tuple[Task, ...]
    rooms: tuple[OwnRoom, ...]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks of both that were read, highest priority first in each."""
        return (*self.mine.tasks, *self.pool.tasks)

    @property
    def may_claim(self) -> bool:
        """Whether one of the persons has room for another task."""
        return any(item.room.left for item in self.rooms)


def own_day(visit: Visit, connection: Connection) -> OwnDay:
    """Read what the viewer has to do today, for himself and for his principals."""
    viewer = visit.viewer
    mine = TaskFilter(manager_nos=viewer.manager_nos)
    pool = TaskFilter(states=(TaskState.UNCLAIMED,), unassigned=True)
    late = TaskFilter(manager_nos=viewer.manager_nos, due_before=visit.moment)
    landed = TaskFilter(manager_nos=viewer.manager_nos, states=(TaskState.LANDED,))
    names = {item.principal_no: item.name for item in viewer.stand_ins}
    people = sorted(viewer.manager_nos, key=lambda number: (number != viewer.staff_no, number))
    return OwnDay(
        mine=list_tasks(viewer, connection, mine, limit=OWN_READ),
        pool=list_tasks(viewer, connection, pool, limit=POOL_READ),
        late=list_tasks(viewer, connection, late, limit=1).items,
        landed=list_tasks(viewer, connection, landed, limit=OWN_READ).tasks,
        rooms=tuple(
            OwnRoom(
                "" if number == viewer.staff_no else names[number],
                room_of(viewer, connection, number, visit.moment),
            )
            for number in people
        ),
    )


def urgency(visit: Visit, task: Task) -> tuple[bool, bool, float]:
    """Order of 今天必办: late ones, then those due within two days, then by priority."""
    soon = task.due_at is not None and task.due_at < visit.moment + dt.timedelta(days=2)
    return not task.overdue(visit.moment), not soon, -task.priority


def must_do(visit: Visit, day: OwnDay) -> list[Task]:
    """The at most five tasks of today: one per firm."""
    waiting = [task for task in day.mine.tasks if task.state is not TaskState.LANDED]
    chosen: dict[int, Task] = {}
    for task in sorted(waiting, key=lambda item: urgency(visit, item)):
        if len(chosen) == MUST:
            break
        chosen.setdefault(task.company_id, task)
    return list(chosen.values())


def to_visit(visit: Visit, connection: Connection, tasks: Sequence[Task]) -> list[Task]:
    """Tasks in work whose next contact is due, or that nobody has contacted for a week after the claim."""
    horizon = visit.moment + dt.timedelta(days=3)
    found = []
    busy = [task for task in tasks if task.state in {TaskState.FOLLOWING, TaskState.INTENDED}]
    for task in busy[:LOOKED_AT]:
        visits = task_visits(visit.viewer, connection, task.task_id)
        planned = [item.next_at for item in visits if item.next_at]
        silent = (
            not visits
            and task.claimed_at is not None
            and task.claimed_at < visit.moment - dt.timedelta(days=SILENT_DAYS)
        )
        if silent or (planned and planned[0] <= horizon):
            found.append(task)
    return found


def own_customers(visit: Visit) -> dict[int, str]:
    """Companies that the viewer or one of his principals keeps, each with its manager."""
    rows = visit.reading.table(CUSTOMERS)
    people = pa.array(sorted(visit.viewer.manager_nos), pa.string())
    mine = rows.filter(pc.is_in(rows.column("manager_no"), value_set=people))
    pairs = zip(mine.column("company_id").to_pylist(), mine.column("manager_no").to_pylist(), strict=True)
    return {int(company): str(manager) for company, manager in pairs}


def principal_name(visit: Visit, manager_no: str | None) -> str:
    """Name of the person for whom the viewer does a manager's work today; empty where it is his own or another's."""
    if manager_no is None or manager_no == visit.viewer.staff_no:
        return ""
    return next((item.name for item in visit.viewer.stand_ins if item.principal_no == manager_no), "")


def shares(visit: Visit, managers: Mapping[int, str]) -> str:
    """Say how many of the customers belong to principals; empty where none does."""
    counted = Counter(principal_name(visit, manager) for manager in managers.values())
    return "、".join(f"代 {name} {counted[name]:,} 户" for name in sorted(counted) if name)
