"""The commands of ``qiaomen staff``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from qiaomen.cli.options import As, Json, viewer_of_command, workspace_of_command

staff_app = typer.Typer(
    help="人员与岗位：查看、任职、代理、交接。", no_args_is_help=True, rich_markup_mode=None
)


@staff_app.command("list")
def list_(
    institution: Annotated[str, typer.Option("--institution", help="只看一个机构（编号）")] = "",
    everybody: Annotated[bool, typer.Option("--all", help="也列出已不在任的人")] = False,
    user: As = "",
    as_json: Json = False,
) -> None:
    """列出人员与岗位，以及当日有效的代理。"""
    from qiaomen.cli.staffing import list_everybody

    workspace = workspace_of_command()
    viewer = viewer_of_command(workspace, user, "staff.list")
    list_everybody(workspace, viewer, institution, everybody, as_json)


@staff_app.command("show")
def show(
    staff_no: Annotated[str, typer.Argument(help="工号")],
    user: As = "",
    as_json: Json = False,
) -> None:
    """看一个人：全部岗位、代理、交接。"""
    from qiaomen.cli.staffing import show_person

    workspace = workspace_of_command()
    show_person(workspace, viewer_of_command(workspace, user, "staff.show"), staff_no, as_json)


@staff_app.command("add-post")
def add_post(
    staff_no: Annotated[str, typer.Argument(help="工号")],
    role: Annotated[str, typer.Argument(help="角色，如 客户经理 或 manager")],
    institution: Annotated[str, typer.Argument(help="机构编号")],
    name: Annotated[str, typer.Option("--name", help="姓名；新员工必填")] = "",
    since: Annotated[
        datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="任职起；默认业务日期")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="任职止（含当日）")
    ] = None,
    capacity: Annotated[int | None, typer.Option("--capacity", min=1, help="进行中任务的上限")] = None,
    user: As = "",
    as_json: Json = False,
) -> None:
    """登记一个岗位；同一人可有多个。须以系统管理员身份（--as）。"""
    from qiaomen.cli.staffing import give_post

    workspace = workspace_of_command()
    give_post(
        workspace,
        viewer_of_command(workspace, user, "staff.add-post"),
        staff_no,
        role,
        institution,
        name=name,
        since=since.date() if since else None,
        until=until.date() if until else None,
        capacity=capacity,
        as_json=as_json,
    )


@staff_app.command("end-post")
def end_post(
    post_id: Annotated[int, typer.Argument(help="岗位编号，见 staff show")],
    until: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="最后一天；默认业务日期")
    ] = None,
    user: As = "",
    as_json: Json = False,
) -> None:
    """结束一个岗位。须以系统管理员身份（--as）。"""
    from qiaomen.cli.staffing import close_post

    workspace = workspace_of_command()
    viewer = viewer_of_command(workspace, user, "staff.end-post")
    close_post(workspace, viewer, post_id, until.date() if until else None, as_json)


@staff_app.command("deputy")
def deputy(
    principal: Annotated[str, typer.Argument(help="被代理人工号")],
    deputy: Annotated[str, typer.Argument(help="代理人工号")],
    since: Annotated[datetime, typer.Option("--since", formats=["%Y-%m-%d"], help="起（含当日）")],
    until: Annotated[datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="止（含当日）")],
    reason: Annotated[str, typer.Option("--reason", help="原因")],
    user: As = "",
    as_json: Json = False,
) -> None:
    """登记代理：期内代理人可见可办被代理人的客户与任务，期外不可。"""
    from qiaomen.cli.staffing import name_deputy

    workspace = workspace_of_command()
    viewer = viewer_of_command(workspace, user, "staff.deputy")
    name_deputy(workspace, viewer, (principal, deputy), (since.date(), until.date()), reason, as_json)


@staff_app.command("end-deputy")
def end_deputy(
    delegation: Annotated[int, typer.Argument(help="代理编号，见 staff list")],
    user: As = "",
    as_json: Json = False,
) -> None:
    """立即结束一项代理。"""
    from qiaomen.cli.staffing import close_delegation

    workspace = workspace_of_command()
    close_delegation(workspace, viewer_of_command(workspace, user, "staff.end-deputy"), delegation, as_json)


@staff_app.command("hand-over")
def hand_over(
    giver: Annotated[str, typer.Argument(help="交出人工号")],
    to: Annotated[list[str], typer.Option("--to", help="接手的客户经理工号，可写多次")],
    reason: Annotated[str, typer.Option("--reason", help="原因；确认时必填")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="确认办理；没有它只预览")] = False,
    user: As = "",
    as_json: Json = False,
) -> None:
    """把一位客户经理的全部客户、未结束任务和待回应的转介请求交给一人或几人。"""
    from qiaomen.cli.staffing import hand_everything_over

    workspace = workspace_of_command()
    viewer = viewer_of_command(workspace, user, "staff.hand-over")
    hand_everything_over(workspace, viewer, giver, to, reason, yes, as_json)
