"""Makes the demo workspace: fixed date, input files in the inbox, known answers beside them."""

from __future__ import annotations

from pathlib import Path

from qiaomen.demo import DEMO_AS_OF, write_demo
from qiaomen.jobs.workspace import init_workspace


def init_demo(root: Path) -> dict[str, int]:
    """Write the demo's input files and return rows by file; nothing is loaded."""
    workspace = init_workspace(root, {"bank_name": "示范银行", "as_of": DEMO_AS_OF, "demo_logins": True})
    return write_demo(workspace.inbox, root / "answers")
