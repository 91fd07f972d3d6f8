"""Options that many commands share, and the workspace and viewer of the command at hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from qiaomen.bank import Viewer
    from qiaomen.jobs import Workspace

Json = Annotated[bool, typer.Option("--json", help="标准输出只有一个 JSON 文档")]
As = Annotated[str, typer.Option("--as", metavar="USER", help="以哪位用户的权限查看；默认本机分析师")]

_state: dict[str, Path] = {}


def choose_root(root: Path) -> None:
    """Note the workspace that the command line names."""
    _state["root"] = root


def root_of_command() -> Path:
    """Return the folder of the workspace that the command line names."""
    return _state["root"]


def workspace_of_command() -> Workspace:
    """Open the workspace that the command line names."""
    from qiaomen.jobs import Workspace
    from qiaomen.logs import set_up_logs

    workspace = Workspace(root_of_command())
    set_up_logs(workspace.settings.log_level)
    return workspace


def viewer_of_command(workspace: Workspace, login: str, action: str) -> Viewer:
    """Return who looks: the user named by ``--as``, else the local analyst."""
    from qiaomen.jobs import command_line_viewer

    return command_line_viewer(workspace, login, action)
