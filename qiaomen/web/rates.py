"""Token buckets of one web process: so many calls at once, refilled evenly. Several processes each keep their own."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

KEYS: Final = 20_000


class Buckets:
    """One bucket per caller; the callers longest unseen are forgotten, which fills their buckets."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one call out of a bucket; return 0, or the seconds until there is one where it is empty."""
        now = self._clock()
        with self._lock:
            left = self._left(key, now)
            taken = left >= 1
            self._held[key] = (left - 1 if taken else left, now)
            self._held.move_to_end(key)
            while len(self._held) > KEYS:
                self._held.popitem(last=False)
        return 0.0 if taken else (1 - left) / self._per_second

    def wait(self, key: str) -> float:
        """Return the seconds until a bucket has a call, taking none."""
        with self._lock:
            left = self._left(key, self._clock())
        return 0.0 if left >= 1 else (1 - left) / self._per_second

    def _left(self, key: str, now: float) -> float:
        left, since = self._held.get(key, (self._size, now))
        return min(self._size, left + (now - since) * self._per_second)
