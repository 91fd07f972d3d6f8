"""A clock that a test sets, for workspaces whose jobs are to work at other times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass
class Hands:
    """Tells the time that the test has set, in UTC as the system's clock does."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at.astimezone(UTC)
