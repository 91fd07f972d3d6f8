"""When recurring work is due, as the settings declare it; queues it, and any worker does it.

Times of day are those of the business zone. Work whose turn passed while no worker ran is queued once, at the first look.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from qiaomen.jobs.workspace import Workspace
from qiaomen.settings import Settings
from qiaomen.store import jobs, take_turn, writing

BY: Final = "clock"


def latest_turns(settings: Settings, now: datetime) -> Mapping[str, datetime]:
    """Return the latest turn of each kind that is due at all, by kind of job."""
    zone = ZoneInfo(settings.time_zone)
    every = timedelta(minutes=settings.recycle_minutes)
    found = {"recycle": now - (now - datetime.fromtimestamp(0, UTC)) % every}
    times = {"daily": settings.daily_at, "digest": settings.digest_at, "tidy": settings.tidy_at}
    for kind, text in times.items():
        if text:
            found[kind] = _latest(time.fromisoformat(text), zone, now)
    return found


def _latest(at: time, zone: ZoneInfo, now: datetime) -> datetime:
    here = now.astimezone(zone)
    today = datetime.combine(here.date(), at, zone)
    latest = today if today <= here else datetime.combine(here.date() - timedelta(days=1), at, zone)
    return latest.astimezone(UTC)


def queue_due(workspace: Workspace) -> list[str]:
    """Queue what is due and return the kinds; of several workers one queues a turn."""
    now = workspace.now()
    queued = []
    with writing(workspace.sql) as connection:
        for kind, latest in latest_turns(workspace.settings, now).items():
            if take_turn(connection, kind, latest, now):
                jobs.submit(connection, kind, {}, key=kind, by=BY, now=now)
                queued.append(kind)
    return queued
