"""The commands of ``qiaomen users`` and ``qiaomen token``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qiaomen.cli.options import As, Json, viewer_of_command, workspace_of_command

users_app = typer.Typer(
    help="用户：建立、重置密码、解锁、停用（系统管理员）。", no_args_is_help=True, rich_markup_mode=None
)
token_app = typer.Typer(
    help="接口令牌：签发、查看、吊销（系统管理员）。", no_args_is_help=True, rich_markup_mode=None
)

Login = Annotated[str, typer.Argument(help="登录名")]
WithoutPassword = Annotated[
    bool, typer.Option("--no-password", help="不设本地密码，只由统一认证或员工目录登录")
]


@users_app.command("list")
def list_users(
    locked: Annotated[bool, typer.Option("--locked", help="只看被锁定的")] = False,
    user: As = "",
    as_json: Json = False,
) -> None:
    """列出用户：登录名、角色、是否锁定、最近登录。"""
    from qiaomen.cli.accounting import show_users

    workspace = workspace_of_command()
    show_users(workspace, viewer_of_command(workspace, user, "users.list"), locked, as_json)


@users_app.command("create")
def create(
    login: Login,
    name: Annotated[str, typer.Option("--name", help="姓名")],
    role: Annotated[
        str, typer.Option("--role", help="岗位之外的角色，如 administrator；员工按岗位，不填")
    ] = "",
    staff_no: Annotated[str, typer.Option("--staff-no", help="对应的工号")] = "",
    no_password: WithoutPassword = False,
    user: As = "",
    as_json: Json = False,
) -> None:
    """建立一个用户，初始密码只显示这一次；第一位系统管理员无需 --as。"""
    from qiaomen.cli.accounting import add_one

    add_one(workspace_of_command(), user, login, name, role, staff_no, no_password, as_json)


@users_app.command("create-for-staff")
def create_for_staff(
    out: Annotated[Path, typer.Option("--out", help="写初始密码的新文件，只有本人可读")],
    no_password: WithoutPassword = False,
    user: As = "",
    as_json: Json = False,
) -> None:
    """为每位在任而没有用户的员工建立用户，登录名为工号。"""
    from qiaomen.cli.accounting import add_for_staff

    workspace = workspace_of_command()
    viewer = viewer_of_command(workspace, user, "users.create_for_staff")
    add_for_staff(workspace, viewer, out, no_password, as_json)


@users_app.command("reset")
def reset(login: Login, user: As = "", as_json: Json = False) -> None:
    """重置密码：新密码只显示这一次，下次登录须修改；该用户全部退出并解锁。"""
    from qiaomen.cli.accounting import reset_one

    workspace = workspace_of_command()
    reset_one(workspace, viewer_of_command(workspace, user, "users.reset"), login, as_json)


def _act(verb: str, login: str, user: str, as_json: bool) -> None:
    from qiaomen.cli.accounting import act_on

    workspace = workspace_of_command()
    act_on(workspace, viewer_of_command(workspace, user, f"users.{verb}"), verb, login, as_json)


@users_app.command("unlock")
def unlock(login: Login, user: As = "", as_json: Json = False) -> None:
    """解除因连续登录失败而产生的锁定。"""
    _act("unlock", login, user, as_json)


@users_app.command("disable")
def disable(login: Login, user: As = "", as_json: Json = False) -> None:
    """停用一个用户，并退出其全部登录。"""
    _act("disable", login, user, as_json)


@users_app.command("enable")
def enable(login: Login, user: As = "", as_json: Json = False) -> None:
    """恢复一个用户。"""
    _act("enable", login, user, as_json)


@users_app.command("sign-out")
def sign_out(login: Login, user: As = "", as_json: Json = False) -> None:
    """退出一个用户的全部登录。"""
    _act("sign-out", login, user, as_json)


@users_app.command("unbind")
def unbind(login: Login, user: As = "", as_json: Json = False) -> None:
    """解除与统一认证、员工目录账号的绑定，下次登录时重新绑定。"""
    _act("unbind", login, user, as_json)


@token_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="用它的系统")],
    actions: Annotated[str, typer.Option("--actions", help="允许的操作，逗号并列，如 see_tasks,work_tasks")],
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="有效天数，不超过设置 token_days")],
    institution: Annotated[str, typer.Option("--institution", help="可见的机构（含下级）；全行写 all")],
    user: As = "",
    as_json: Json = False,
) -> None:
    """签发一个令牌，只显示这一次。"""
    from qiaomen.cli.accounting import add_token

    workspace = workspace_of_command()
    viewer = viewer_of_command(workspace, user, "token.create")
    add_token(workspace, viewer, name, actions, days, institution, as_json)


@token_app.command("list")
def list_tokens(user: As = "", as_json: Json = False) -> None:
    """列出令牌：操作、机构、有效期、最近使用。"""
    from qiaomen.cli.accounting import show_tokens

    workspace = workspace_of_command()
    show_tokens(workspace, viewer_of_command(workspace, user, "token.list"), as_json)


@token_app.command("revoke")
def revoke_token(
    token_id: Annotated[int, typer.Argument(min=1, help="令牌编号")], user: As = "", as_json: Json = False
) -> None:
    """立即吊销一个令牌。"""
    from qiaomen.cli.accounting import end_token

    workspace = workspace_of_command()
    end_token(workspace, viewer_of_command(workspace, user, "token.revoke"), token_id, as_json)
