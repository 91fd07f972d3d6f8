"""Starts work in processes that share one import of the product: a request a line on stdin, a reply a line on stdout.

A child is forked before any thread was started, so that it is what a new process would be, without waiting seconds for
the imports. Standard error of the work goes through.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

EARLY: Final = (
    "soak.child",
    "ibis",
    "duckdb",
    "lightgbm",
    "scipy.sparse",
    "sklearn.linear_model",
    "numba",
    "httpx",
)


@dataclass(frozen=True)
class Outcome:
    """How a piece of work ended: killed or done, and where it was done its durable operations with their seconds."""

    killed: bool
    operations: tuple[str, ...]
    seconds: tuple[float, ...]

    def place(self, name: str) -> int:
        """Return the place of the last operation of that name."""
        return max(place for place, each in enumerate(self.operations) if each == name)

    @property
    def published(self) -> int:
        """The place of the link that makes the last generation visible."""
        return max(place for place, each in enumerate(self.operations) if each.startswith("link "))

    def published_at(self, number: int) -> int:
        """The place of the link that makes the n-th generation of the work visible, from 0."""
        return [place for place, each in enumerate(self.operations) if each.startswith("link ")][number]

    def gap(self, place: int) -> float:
        """Return the seconds from an operation to the next one."""
        return self.seconds[place + 1] - self.seconds[place] if place + 1 < len(self.seconds) else 0.0


class Nursery:
    """The process that forks the workers."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("QIAOMEN_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "soak.nursery"],
            cwd=Path(__file__).parents[1],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def work(
        self,
        what: str,
        root: Path,
        *,
        at: int | None = None,
        delay: float = 0.0,
        since: str = "",
        clock: str,
    ) -> Outcome:
        """Do one piece of work; ``at`` and ``delay`` say at which operation and how long after it is killed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {"what": what, "root": str(root), "at": at, "delay": delay, "since": since, "clock": clock}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        reply = self._process.stdout.readline()
        if not reply:
            raise RuntimeError("the nursery has ended")
        answer = json.loads(reply)
        if answer["error"]:
            raise RuntimeError(f"{what} failed:\n{answer['error']}")
        names, seconds = zip(*answer["operations"], strict=True) if answer["operations"] else ((), ())
        return Outcome(answer["killed"], names, seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def _in_child(request: dict[str, Any], out: Path) -> None:
    from soak.child import work

    code = 0
    try:
        seen = work(
            request["what"],
            Path(request["root"]),
            request["at"],
            request["delay"],
            request["since"],
            request["clock"],
        )
        out.write_text(json.dumps({"operations": seen, "error": ""}))
    except BaseException:  # noqa: BLE001 - the parent tells it
        out.write_text(json.dumps({"operations": [], "error": traceback.format_exc()}))
        code = 1
    os._exit(code)


def _answer(request: dict[str, Any], out: Path) -> dict[str, Any]:
    out.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _in_child(request, out)
    status = os.waitpid(child, 0)[1]
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    said: dict[str, Any] = {"operations": [], "error": ""}
    if not killed:
        said = json.loads(out.read_text()) if out.exists() else {**said, "error": f"status {status}"}
    return {"killed": killed, **said}


def main() -> None:
    """Answer until stdin ends."""
    for name in EARLY:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            print(json.dumps(_answer(json.loads(line), Path(folder) / "said.json")), flush=True)


if __name__ == "__main__":
    main()
