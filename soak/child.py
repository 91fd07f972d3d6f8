"""One piece of work in a process of its own that kills itself at a drawn point. Runs within ``soak.nursery``.

A point is the n-th durable operation (sync of a file, link, rename, removal, commit), counted from the start or from the
one named ``since``, plus a delay: the process gets SIGKILL then, wherever it is. The operations are counted by wrapping
the operating system's functions in this process; the product itself knows nothing of it. Only what happens to files of
the workspace counts: compilers keep files of their own, more of them the first time. Syncs of folders are not counted:
how many there are depends on which folders an earlier try has made.
"""

from __future__ import annotations

import os
import signal
import stat
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from qiaomen.jobs import Workspace, last_report, load_files, run_all, silent
from qiaomen.jobs.working import deliver
from soak.pushing import push_all


class Operations:
    """Counts durable operations and ends the process at the drawn one."""

    def __init__(self, root: Path, at: int | None, delay: float, since: str) -> None:
        self._root = str(root.resolve()) + os.sep
        self.seen: list[tuple[str, float]] = []
        self._started = time.monotonic()
        self._at = at
        self._since = since
        self._counted = 0
        self._delay = delay
        self._lock = threading.Lock()

    def note(self, name: str) -> None:
        """Count one operation, before it is done."""
        with self._lock:
            self.seen.append((name, time.monotonic() - self._started))
            counting = not self._since or any(each == self._since for each, _ in self.seen)
            here = counting and self._counted == self._at
            self._counted += counting
        if here:
            if self._delay <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            threading.Thread(target=self._later, daemon=True).start()

    def _later(self) -> None:
        time.sleep(self._delay)
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Wrap the operating system's durable functions and the database's commit."""
        import sqlalchemy as sa

        for name in ("fsync", "link", "rename", "replace", "unlink"):
            setattr(os, name, self._noted(name, getattr(os, name)))  # type: ignore[attr-defined]
        sa.event.listen(sa.Engine, "commit", lambda _: self.note("commit"))

    def _counts(self, name: str, arguments: tuple[Any, ...]) -> bool:
        if name == "fsync":
            place = str(Path(f"/proc/self/fd/{arguments[0]}").readlink())
            return place.startswith(self._root) and not stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
        return str(Path(arguments[-1]).absolute()).startswith(self._root)

    def _noted(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if self._counts(name, arguments):
                self.note(f"link {Path(arguments[1]).name}" if name == "link" else name)
            return original(*arguments, **named)

        return call


def work(
    what: str, root: Path, at: int | None, delay: float, since: str, clock: str
) -> list[tuple[str, float]]:
    """Do one piece of work with a fixed clock; return its durable operations, each with its second."""
    moment = datetime.fromisoformat(clock)
    operations = Operations(root, at, delay, since)
    operations.watch()
    workspace = Workspace(root, clock=lambda: moment)
    if what == "load":
        load_files(workspace, None, [], silent)
    elif what == "run":
        # As the command does: where the last run would read the same, there is nothing to do.
        if last_report(workspace, None) is None:
            run_all(workspace, None, silent)
    elif what == "receive":
        push_all(workspace)
    elif what == "push":
        while deliver(workspace):
            pass
    else:
        raise ValueError(what)
    workspace.sql.dispose()
    return operations.seen
