"""``users`` and ``token``: what the commands do and print. Secrets go to standard output once, or to the owner's file."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from qiaomen.cli.output import print_json, print_table
from qiaomen.cli.staffing import read_role
from qiaomen.vocab import ROLE_LABELS, InputRejected, Role

if TYPE_CHECKING:
    from pathlib import Path

    from qiaomen.bank import NewUser, Viewer
    from qiaomen.jobs import Workspace

OWNER_ONLY: Final = 0o600
WHOLE_BANK: Final = "all"
DONE: Final = {
    "unlock": "已解锁",
    "disable": "已停用",
    "enable": "已恢复",
    "sign-out": "已退出全部登录",
    "unbind": "已解除绑定",
}


def show_users(workspace: Workspace, viewer: Viewer, locked: bool, as_json: bool) -> None:
    """Print the users."""
    from qiaomen.bank import list_users
    from qiaomen.store import reading

    with reading(workspace.sql) as connection:
        users = list_users(viewer, connection, now=workspace.now())
    users = [user for user in users if user["locked_until"] or not locked]
    if as_json:
        print_json({"users": users})
        return
    print_table(
        "用户",
        ("登录名", "姓名", "工号", "岗位外角色", "状态", "锁定至", "最近登录"),
        [
            (
                user["login"],
                user["name"],
                user["staff_no"],
                ROLE_LABELS.get(user["role"], ""),
                "停用" if not user["active"] else "须改密码" if user["must_change"] else "正常",
                user["locked_until"],
                user["last_login_at"],
            )
            for user in users
        ],
        note=f"共 {len(users)} 位；员工的角色见 qiaomen staff list",
    )


def add_one(
    workspace: Workspace,
    user: str,
    login: str,
    name: str,
    role: str,
    staff_no: str,
    no_password: bool,
    as_json: bool,
) -> None:
    """Make a user and print the password once; without ``user`` only the first administrator can be made."""
    from qiaomen.bank import FirstPassword, add_first_administrator, add_user, has_administrator
    from qiaomen.jobs import command_line_viewer
    from qiaomen.store import reading, writing

    now, wanted = workspace.now(), read_role(role) if role else None
    with reading(workspace.sql) as connection:
        first_of_all = not user and wanted is Role.ADMINISTRATOR and not has_administrator(connection)
    if first_of_all and not no_password and not staff_no:
        with writing(workspace.sql) as connection:
            made = add_first_administrator(connection, login, name, now=now)
    else:
        viewer = command_line_viewer(workspace, user, "users.create")
        first = FirstPassword.NONE if no_password else FirstPassword.TO_CHANGE
        with writing(workspace.sql) as connection:
            made = add_user(
                viewer, connection, login, name, role=wanted, staff_no=staff_no or None, now=now, first=first
            )
    _print_password(workspace, made.login, made.password, as_json)


def _print_password(workspace: Workspace, login: str, password: str, as_json: bool) -> None:
    if as_json:
        print_json({"login": login, "password": password or None})
        return
    hours = workspace.settings.first_password_hours
    note = (
        f"密码只显示这一次，{hours} 小时内登录并修改"
        if password
        else "没有本地密码，由统一认证或员工目录登录"
    )
    print_table("用户", ("登录名", "初始密码"), [(login, password or "（无）")], note=note)


def add_for_staff(workspace: Workspace, viewer: Viewer, out: Path, no_password: bool, as_json: bool) -> None:
    """Make users for staff; the passwords are written to a new file before the users are kept."""
    from qiaomen.bank import FirstPassword, add_users_for_staff
    from qiaomen.store import writing

    first = FirstPassword.NONE if no_password else FirstPassword.TO_CHANGE
    with writing(workspace.sql) as connection:
        made = add_users_for_staff(viewer, connection, now=workspace.now(), first=first)
        _write_passwords(out, made)
    if as_json:
        print_json({"users": len(made), "file": str(out)})
        return
    rows = [(user.login, user.name, "、".join(ROLE_LABELS[role] for role in user.roles)) for user in made]
    note = f"初始密码写在 {out}，分发后请删除该文件"
    if not made:
        note = "没有要建的用户：员工都已有用户，或还没有员工（先装载 staff 并执行 run）"
    print_table("新用户", ("登录名", "姓名", "角色"), rows, note=note)


def _write_passwords(out: Path, made: list[NewUser]) -> None:
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except OSError as error:
        raise InputRejected(
            f"不能新建文件：{error.strerror}", where=str(out), remedy="换一个不存在的文件名"
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        for user in made:
            roles = "、".join(ROLE_LABELS[role] for role in user.roles)
            file.write(
                f"{user.login}\t{user.password}\t{roles}\t{user.name}\t{user.institution_code or ''}\n"
            )


def reset_one(workspace: Workspace, viewer: Viewer, login: str, as_json: bool) -> None:
    """Give a user a new password and print it once."""
    from qiaomen.bank import reset_password
    from qiaomen.store import writing

    with writing(workspace.sql) as connection:
        password = reset_password(viewer, connection, login, now=workspace.now())
    _print_password(workspace, login.strip().lower(), password, as_json)


def act_on(workspace: Workspace, viewer: Viewer, verb: str, login: str, as_json: bool) -> None:
    """Do one thing to a user and say so."""
    from qiaomen.bank import set_active, sign_out_user, unbind_user, unlock_user
    from qiaomen.store import writing

    now, sessions = workspace.now(), None
    with writing(workspace.sql) as connection:
        if verb == "unlock":
            unlock_user(viewer, connection, login, now=now)
        elif verb == "unbind":
            unbind_user(viewer, connection, login, now=now)
        elif verb == "sign-out":
            sessions = sign_out_user(viewer, connection, login, now=now)
        else:
            set_active(viewer, connection, login, verb == "enable", now=now)
    document: dict[str, Any] = {"login": login.strip().lower(), "done": verb}
    if sessions is not None:
        document["sessions"] = sessions
    if as_json:
        print_json(document)
        return
    print_table("用户", ("登录名", "结果"), [(document["login"], DONE[verb])])


def add_token(
    workspace: Workspace, viewer: Viewer, name: str, actions: str, days: int, institution: str, as_json: bool
) -> None:
    """Make a token and print it once."""
    from qiaomen.bank import create_token
    from qiaomen.store import writing

    now = workspace.now()
    with writing(workspace.sql) as connection:
        made = create_token(
            viewer,
            connection,
            name,
            actions=[_action(text) for text in actions.split(",") if text.strip()],
            institution_code=None if institution == WHOLE_BANK else institution,
            expires_at=now + timedelta(days=days),
            now=now,
            longest=timedelta(days=workspace.settings.token_days),
        )
    if as_json:
        print_json({"token_id": made.token_id, "token": made.secret, "expires_at": made.expires_at})
        return
    row = (made.token_id, made.secret, made.expires_at)
    print_table("令牌", ("编号", "令牌", "有效期至"), [row], note="令牌只显示这一次，请存入密码库")


def _action(text: str) -> Any:
    from qiaomen.bank import Action, token_actions

    allowed = token_actions()
    try:
        action = Action(text.strip())
    except ValueError:
        action = None
    if action not in allowed:
        names = "、".join(sorted(item.value for item in allowed))
        raise InputRejected(f"令牌不能有操作“{text.strip()}”", remedy=f"可用：{names}")
    return action


def show_tokens(workspace: Workspace, viewer: Viewer, as_json: bool) -> None:
    """Print the tokens without their secrets."""
    from qiaomen.bank import list_tokens
    from qiaomen.store import reading

    now = workspace.now()
    with reading(workspace.sql) as connection:
        tokens = list_tokens(viewer, connection)
    tokens = [
        token | {"actions": token["actions"].split(";"), "state": _state(token, now)} for token in tokens
    ]
    if as_json:
        print_json({"tokens": tokens})
        return
    print_table(
        "令牌",
        ("编号", "名称", "开头", "机构", "操作", "状态", "有效期至", "最近使用", "签发人"),
        [
            (
                token["token_id"],
                token["name"],
                token["start"],
                token["institution_code"] or "全行",
                "、".join(token["actions"]),
                {"active": "有效", "expired": "已过期", "revoked": "已吊销"}[token["state"]],
                token["expires_at"],
                token["last_used_at"],
                token["created_by"],
            )
            for token in tokens
        ],
    )


def _state(token: dict[str, Any], now: Any) -> str:
    if token["revoked_at"] is not None:
        return "revoked"
    return "expired" if token["expires_at"] <= now else "active"


def end_token(workspace: Workspace, viewer: Viewer, token_id: int, as_json: bool) -> None:
    """Revoke a token."""
    from qiaomen.bank import revoke_token
    from qiaomen.store import writing

    with writing(workspace.sql) as connection:
        revoke_token(viewer, connection, token_id, now=workspace.now())
    if as_json:
        print_json({"token_id": token_id, "done": "revoke"})
        return
    print_table("令牌", ("编号", "结果"), [(token_id, "已吊销")])
