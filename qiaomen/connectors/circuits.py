"""Endpoints that fail again and again, or ask for a pause, rest: nothing is sent to them meanwhile.

After the rest one message is sent on trial; its success ends the rest, its failure doubles it. Table
``delivery_endpoints``, so that all workers and restarts know of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from qiaomen.connectors.rules import DeliveryRule
from qiaomen.connectors.schema import ENDPOINTS
from qiaomen.store import insert_missing, reading, writing

LONGEST_REST: Final = timedelta(hours=1)


def resting_until(sql: sa.Engine, endpoint: str, now: datetime, trial: timedelta) -> datetime | None:
    """Return until when an endpoint rests; None where a message may go, which after a rest is one on trial."""
    mine = ENDPOINTS.c.endpoint == endpoint
    with reading(sql) as connection:
        until = connection.execute(sa.select(ENDPOINTS.c.resting_until).where(mine)).scalar()
    if until is None:
        return None
    if until > now:
        return until
    with writing(sql) as connection:
        taken = connection.execute(
            sa.update(ENDPOINTS)
            .where(mine, ENDPOINTS.c.resting_until == until)
            .values(resting_until=now + trial, changed_at=now)
        )
    return None if taken.rowcount == 1 else now + trial


def note_success(sql: sa.Engine, endpoint: str) -> None:
    """End the rest of an endpoint that answered."""
    with reading(sql) as connection:
        known = connection.execute(sa.select(ENDPOINTS.c.failures).where(ENDPOINTS.c.endpoint == endpoint))
        if known.scalar() is None:
            return
    with writing(sql) as connection:
        connection.execute(sa.delete(ENDPOINTS).where(ENDPOINTS.c.endpoint == endpoint))


def note_failure(sql: sa.Engine, endpoint: str, now: datetime, rule: DeliveryRule) -> None:
    """Count a failure; from ``open_after`` in a row on the endpoint rests, twice as long each time."""
    with writing(sql) as connection:
        row = {"endpoint": endpoint, "failures": 0, "resting_until": None, "changed_at": now}
        insert_missing(connection, ENDPOINTS, [row], unique=("endpoint",))
        failures = connection.execute(
            sa.update(ENDPOINTS)
            .where(ENDPOINTS.c.endpoint == endpoint)
            .values(failures=ENDPOINTS.c.failures + 1, changed_at=now)
            .returning(ENDPOINTS.c.failures)
        ).scalar_one()
        if failures >= rule.open_after:
            rest = timedelta(seconds=rule.rest_s) * 2 ** min(failures - rule.open_after, 10)
            _rest(connection, endpoint, now + min(rest, LONGEST_REST))


def note_pause(sql: sa.Engine, endpoint: str, now: datetime, until: datetime) -> None:
    """Let an endpoint rest that asked for it (429, Retry-After)."""
    with writing(sql) as connection:
        row = {"endpoint": endpoint, "failures": 0, "resting_until": None, "changed_at": now}
        insert_missing(connection, ENDPOINTS, [row], unique=("endpoint",))
        _rest(connection, endpoint, until)


def _rest(connection: sa.Connection, endpoint: str, until: datetime) -> None:
    connection.execute(
        sa.update(ENDPOINTS).where(ENDPOINTS.c.endpoint == endpoint).values(resting_until=until)
    )
