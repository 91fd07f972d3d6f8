"""What a signed-in person was refused: 403, and 404 for what may not be known, one row of the audit log a request.

Bounded, so that a scanner cannot flood the log: each login has a bucket of ``PER_MINUTE`` rows in each process; what
overflows is counted, and the count stands in the login's next row (``left_out``) or, at the end, in one of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from qiaomen.bank import Viewer
from qiaomen.web.rates import Buckets

PER_MINUTE: Final = 60
REFUSED: Final = frozenset({int(HTTPStatus.FORBIDDEN), int(HTTPStatus.NOT_FOUND)})
OTHER: Final = "refused.other"
OVERFLOWED: Final = "refused.overflow"


def refused_action(action: str | None) -> str:
    """Return the action of a refused look: ``refused.company`` for ``read.company``."""
    return f"refused.{action.removeprefix('read.')}" if action else OTHER


class RefusalBound:
    """Which refusals of a login are noted, and how many were left out since the last noted one."""

    def __init__(self, buckets: Buckets | None = None) -> None:
        self._buckets = buckets or Buckets(PER_MINUTE)
        self._guard = threading.Lock()
        self._left_out: dict[str, tuple[Viewer, int]] = {}

    def admit(self, viewer: Viewer) -> Mapping[str, Any] | None:
        """Return what to add to the row's detail; none where this refusal is counted only."""
        noted = not self._buckets.take(viewer.login)
        with self._guard:
            left_out = self._left_out.pop(viewer.login, (viewer, 0))[1]
            if not noted:
                self._left_out[viewer.login] = (viewer, left_out + 1)
                return None
        return {"left_out": left_out} if left_out else {}

    def rest(self) -> list[tuple[Viewer, int]]:
        """Take the counts that no row told yet."""
        with self._guard:
            found = list(self._left_out.values())
            self._left_out.clear()
        return found
