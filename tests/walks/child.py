"""Loads or runs a workspace in a process of its own that a test may kill; says each step on a line of stdout."""

from __future__ import annotations

import sys
from pathlib import Path

from qiaomen.jobs import Workspace, load_files, run_all


def tell(words: str, fraction: float) -> None:
    """Say what is being done."""
    print(f"{fraction:.3f} {words}", flush=True)


if __name__ == "__main__":
    what, root = sys.argv[1:]
    workspace = Workspace(Path(root))
    if what == "load":
        load_files(workspace, None, [], tell)
    else:
        run_all(workspace, None, tell)
