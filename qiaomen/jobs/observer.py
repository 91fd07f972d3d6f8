"""How long work tells of its progress."""

from __future__ import annotations

from collections.abc import Callable

# Called with what is being done (in Chinese) and the fraction done, 0 to 1.
Observer = Callable[[str, float], None]


def silent(step: str, fraction: float) -> None:
    """Say nothing."""
