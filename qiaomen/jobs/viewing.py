"""Who looks, on the command line."""

from __future__ import annotations

from qiaomen.bank import Viewer, audit, local_analyst, viewer_by_login
from qiaomen.jobs.workspace import Workspace
from qiaomen.store import writing


def command_line_viewer(workspace: Workspace, login: str, action: str) -> Viewer:
    """Return the viewer of a command (default: the workspace's local analyst) and note the look in the audit log."""
    now = workspace.now()
    with writing(workspace.sql) as connection:
        viewer = viewer_by_login(connection, login, now) if login else local_analyst(connection, now)
        audit(connection, viewer, f"cli.{action}", "command_line", now=now)
    return viewer


def note_look(workspace: Workspace, viewer: Viewer, action: str, object_: str, generation: int) -> None:
    """Note in the audit log what a command is about to show, once that is known."""
    with writing(workspace.sql) as connection:
        detail = {"by": "command_line", "generation": generation}
        audit(connection, viewer, action, object_, detail, now=workspace.now())
