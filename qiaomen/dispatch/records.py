"""Writes one change of a task: the row where nobody else changed it first, its history, its message.

PostgreSQL does the three in one statement, two round trips less; SQLite knows no writing CTE and has no round trips.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.dispatch.schema import TASK_HISTORY, TASKS
from qiaomen.dispatch.tasks import Task
from qiaomen.store import is_postgres, outbox

_CHANGING: Final = (
    "state",
    "result",
    "manager_no",
    "branch_code",
    "sub_branch_code",
    "version",
    "due_at",
    "updated_at",
    "claimed_at",
    "intended_at",
    "landed_at",
    "closed_at",
    "landed_amount_fen",
)
_HISTORY: Final = tuple(column.name for column in TASK_HISTORY.columns if column.name != "history_id")
# Built once: a change writes every column that can change, so that one statement serves all events.
_CHANGE: Final = (
    sa.update(TASKS)
    .where(TASKS.c.task_id == sa.bindparam("of_task"), TASKS.c.version == sa.bindparam("of_version"))
    .values({name: sa.bindparam(f"new_{name}") for name in _CHANGING})
)
_NOTE: Final = sa.insert(TASK_HISTORY)


def _whole() -> Any:
    changed = _CHANGE.returning(TASKS.c.task_id).cte("changed")

    def row_of(table: sa.Table, names: tuple[str, ...], prefix: str) -> Any:
        binds = [sa.bindparam(f"{prefix}_{name}", type_=table.c[name].type) for name in names]
        return sa.insert(table).from_select(list(names), sa.select(*binds).select_from(changed))

    noted = row_of(TASK_HISTORY, _HISTORY, "history").cte("noted")
    told = row_of(outbox.OUTBOX, outbox.COLUMNS, "message")
    return told.add_cte(noted).returning(outbox.OUTBOX.c.message_id)


_WHOLE: Final = _whole()


def write_change(
    connection: Connection, before: Task, after: Task, history: Mapping[str, Any], message: Mapping[str, Any]
) -> bool:
    """Write a change with its history and message; False, and nothing written, where somebody was faster."""
    row = {f"new_{name}": getattr(after, name) for name in _CHANGING}
    row |= {"of_task": before.task_id, "of_version": before.version}
    if is_postgres(connection):
        row |= {f"history_{name}": history[name] for name in _HISTORY}
        row |= {f"message_{name}": message[name] for name in outbox.COLUMNS}
        return connection.execute(_WHOLE, row).first() is not None
    if connection.execute(_CHANGE, row).rowcount != 1:
        return False
    connection.execute(_NOTE, dict(history))
    outbox.add(connection, message)
    return True
