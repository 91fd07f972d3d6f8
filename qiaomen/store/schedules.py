"""What recurs: the moment up to which each kind of work was queued, so that it is queued once per turn by one worker.

Turns missed while nothing ran are made up for by one. Table ``schedules``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.store.rows import insert_missing
from qiaomen.store.sql import METADATA, Moment

SCHEDULES: Final = sa.Table(
    "schedules",
    METADATA,
    sa.Column("kind", sa.String(64), primary_key=True),
    sa.Column("last_turn", Moment, nullable=False),
)


def take_turn(connection: Connection, kind: str, latest: datetime, now: datetime) -> bool:
    """Whether the caller is to queue the work whose latest turn was at ``latest``; True for one caller per turn.

    A kind that is new waits for its next turn. A note from the future (the clock was set back) counts for nothing.
    """
    if insert_missing(connection, SCHEDULES, [{"kind": kind, "last_turn": latest}], unique=("kind",)):
        return False
    mine = sa.and_(SCHEDULES.c.kind == kind, SCHEDULES.c.last_turn > now)
    connection.execute(sa.update(SCHEDULES).where(mine).values(last_turn=latest))
    due = sa.and_(SCHEDULES.c.kind == kind, SCHEDULES.c.last_turn < latest)
    return connection.execute(sa.update(SCHEDULES).where(due).values(last_turn=latest)).rowcount == 1


def turns(connection: Connection) -> Mapping[str, datetime]:
    """Return the last turn of each kind."""
    rows: Any = connection.execute(sa.select(SCHEDULES.c.kind, SCHEDULES.c.last_turn))
    return {str(kind): at for kind, at in rows}
