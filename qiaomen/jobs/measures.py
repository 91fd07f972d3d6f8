"""How the system stands, for monitoring: jobs, outbox, lake, last run, schedule. Numbers only, never a name.

Everything is read from the stores, so that every process of the system says the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.jobs.run_record import last_run
from qiaomen.jobs.workspace import Workspace
from qiaomen.registry import REJECTS
from qiaomen.store import jobs, outbox, reading, schema_of, turns
from qiaomen.vocab import Unavailable


@dataclass(frozen=True, slots=True)
class Measures:
    """Jobs by kind and state, messages by state, ages in seconds (None where there is nothing), the last run."""

    schema: str
    jobs: Mapping[tuple[str, str], int]
    oldest_job_s: float | None
    messages: Mapping[str, int]
    oldest_message_s: float | None
    generation: int
    generation_age_s: float | None
    rejects: int
    run_seconds: float | None
    run_finished_at: float | None
    run_steps: Mapping[str, float]
    turns: Mapping[str, float]


def measure(workspace: Workspace) -> Measures:
    """Read how the system stands; ``Unavailable`` where a store cannot be read."""
    now = workspace.now()
    snapshot = workspace.lake.snapshot()
    last = last_run(workspace)
    result: Mapping[str, Any] = (last.result if last else None) or {}
    table, waiting = jobs.JOBS.c, outbox.OUTBOX.c
    with reading(workspace.sql) as connection:
        rows = connection.execute(
            sa.select(table.kind, table.state, sa.func.count()).group_by(table.kind, table.state)
        )
        counted = {(str(kind), str(state)): int(number) for kind, state, number in rows}
        return Measures(
            schema=schema_of(connection) or "",
            jobs=counted,
            oldest_job_s=_oldest(connection, table.created_at, table.state == "waiting", now),
            messages=outbox.counts(connection),
            oldest_message_s=_oldest(
                connection, waiting.created_at, waiting.state.in_(("waiting", "leased")), now
            ),
            generation=snapshot.number,
            generation_age_s=_age(snapshot.published_at(), now.timestamp()),
            rejects=snapshot.rows(REJECTS.name),
            run_seconds=result.get("seconds"),
            run_finished_at=last.finished_at.timestamp() if last and last.finished_at else None,
            run_steps=dict(result.get("steps", {})),
            turns={kind: at.timestamp() for kind, at in turns(connection).items()},
        )


def _oldest(
    connection: Connection, column: sa.Column[datetime], which: sa.ColumnElement[bool], now: datetime
) -> float | None:
    # The smallest of nothing loses its type on SQLite; the first in order keeps it.
    found = connection.execute(sa.select(column).where(which).order_by(column).limit(1)).scalar()
    return _age(found.timestamp() if found else None, now.timestamp())


def _age(at: float | None, now: float) -> float | None:
    return None if at is None else max(0.0, now - at)


def check_stores(workspace: Workspace) -> Mapping[str, bool]:
    """Whether the database and the lake answer."""
    return {"database": _answers(lambda: _look(workspace)), "lake": _answers(workspace.lake.snapshot)}


def _look(workspace: Workspace) -> None:
    with reading(workspace.sql) as connection:
        connection.execute(sa.select(sa.literal(1)))


def _answers(ask: Any) -> bool:
    try:
        ask()
    except (Unavailable, OSError, sa.exc.SQLAlchemyError):
        return False
    return True
