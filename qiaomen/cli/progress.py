"""Progress of long work on standard error: a bar on a terminal, one line per step elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite

from qiaomen.cli.output import say
from qiaomen.jobs import Observer


def forward(show: Observer) -> Observer:
    """Return an observer that shows fractions between 0 and 1 only, and never less than it showed before."""
    shown = 0.0

    def tell(step: str, fraction: float) -> None:
        nonlocal shown
        if isfinite(fraction):
            shown = max(shown, min(fraction, 1.0))
        show(step, shown)

    return tell


@contextmanager
def watched(title: str) -> Iterator[Observer]:
    """Yield an observer that shows the progress of ``title``."""
    if sys.stderr.isatty():
        with _bar(title) as observer:
            yield observer
        return
    started = time.monotonic()

    def line(step: str, fraction: float) -> None:
        say(f"[{time.monotonic() - started:6.1f} s] {fraction:4.0%} {title}：{step}")

    yield forward(line)


@contextmanager
def _bar(title: str) -> Iterator[Observer]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task(title, total=1.0)

        def update(step: str, fraction: float) -> None:
            bar.update(task, completed=fraction, description=f"{title}：{step}")

        yield forward(update)
