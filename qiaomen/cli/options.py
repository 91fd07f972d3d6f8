"""Options that many commands share, and the workspace and viewer of the command at hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qiaomen.vocab import InputRejected

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


def coded(value: str, labels: Mapping[str, str], what: str) -> str:
    """Return the code of a value given by code or by the word that the pages show; empty stays empty."""
    code = {label: code for code, label in labels.items()}.get(value, value)
    if code and code not in labels:
        words = "、".join(f"{label}（{code}）" for code, label in labels.items())
        raise InputRejected(f"没有名为“{value}”的{what}", remedy=f"可用：{words}")
    return code
