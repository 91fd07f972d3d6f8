"""The commands of ``qiaomen audit``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from qiaomen.cli.options import As, Json, viewer_of_command, workspace_of_command

audit_app = typer.Typer(
    help="审计日志：校验、锚点、查阅、导出。", no_args_is_help=True, rich_markup_mode=None
)

Actor = Annotated[str, typer.Option("--actor", help="只看一位用户（登录名）")]
What = Annotated[str, typer.Option("--action", help="只看一类动作，如 export、read.company、task")]
Object = Annotated[str, typer.Option("--object", help="只看一个对象，如 company:42、task:7")]
Since = Annotated[datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="不早于该日")]
Until = Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="不晚于该日")]


@audit_app.command("verify")
def verify(
    anchor: Annotated[
        Path | None, typer.Option("--anchor", help="锚点文件；整本日志被重写时只有它能发现")
    ] = None,
    as_json: Json = False,
) -> None:
    """校验哈希链：任何一行被删、改、插、换都会指出；不符时退出码为 1。"""
    from qiaomen.cli.auditing import show_check

    if not show_check(workspace_of_command(), anchor, as_json):
        raise typer.Exit(1)


@audit_app.command("anchor")
def anchor(
    path: Annotated[Path, typer.Argument(help="锚点文件；放在数据库管理员改不到的地方")],
    as_json: Json = False,
) -> None:
    """校验后把链尾的行号与哈希追加到锚点文件；日志或已有锚点不符时不写，退出码为 1。"""
    from qiaomen.cli.auditing import add_anchor

    if not add_anchor(workspace_of_command(), path, as_json):
        raise typer.Exit(1)


@audit_app.command("list")
def list_(
    actor: Actor = "",
    action: What = "",
    about: Object = "",
    since: Since = None,
    until: Until = None,
    before: Annotated[int | None, typer.Option("--before", min=1, help="只看此行号之前的，用于翻页")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="最多几行")] = 50,
    user: As = "",
    as_json: Json = False,
) -> None:
    """查阅审计日志，新的在前；须以系统管理员的身份（--as）。"""
    from qiaomen.cli.auditing import list_rows, wanted_rows

    workspace = workspace_of_command()
    viewer = viewer_of_command(workspace, user, "audit.list")
    wanted = wanted_rows(workspace, actor, action, about, since, until)
    list_rows(workspace, viewer, wanted, before, limit, as_json)


@audit_app.command("export")
def export(
    out: Annotated[Path, typer.Argument(help="输出的 CSV 文件")],
    actor: Actor = "",
    action: What = "",
    about: Object = "",
    since: Since = None,
    until: Until = None,
    user: As = "",
) -> None:
    """把审计日志导出为 CSV；导出本身也记入日志。须以系统管理员的身份（--as）。"""
    from qiaomen.cli.auditing import export_rows, wanted_rows

    workspace = workspace_of_command()
    viewer = viewer_of_command(workspace, user, "audit.export")
    export_rows(workspace, viewer, wanted_rows(workspace, actor, action, about, since, until), out)
