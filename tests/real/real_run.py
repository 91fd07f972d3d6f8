"""The real run: loads the six folders and a made-up bank's lists into a fresh workspace, and runs every step."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path

from qiaomen.jobs import RunReport, Workspace, init_workspace, load_files, run_all, silent
from tests.real.made_up_bank import AS_OF, SOURCES, write_bank

KILO = 1024


@dataclass(frozen=True)
class RealRun:
    """A finished run: its workspace and what it took. ``peak_mb`` is the largest resident size of this process."""

    workspace: Workspace
    report: RunReport
    load_seconds: float
    run_seconds: float
    peak_mb: int


def carry_out(data: Path, root: Path) -> RealRun:
    """Load and run in a new workspace at ``root``."""
    values = {"bank_name": "真实数据试跑", "core_rule": "last_trade", "as_of": AS_OF}
    workspace = init_workspace(root, values)
    started = time.monotonic()
    for source in SOURCES:
        load_files(workspace, source, [data / source], silent)
    write_bank(data, workspace.inbox)
    load_files(workspace, None, [], silent)
    loaded = time.monotonic()
    report = run_all(workspace, None, silent)
    ended = time.monotonic()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KILO
    return RealRun(workspace, report, loaded - started, ended - loaded, peak)
