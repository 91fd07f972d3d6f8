"""``demo``: writes a made-up bank's files, loads them, runs, makes logins and opens the page.

Every part that is done already is left as it is, so that a second call only opens the page.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qiaomen.cli.output import print_table, say
from qiaomen.cli.progress import watched

if TYPE_CHECKING:
    from qiaomen.jobs import Workspace

LOGINS_FILE: Final = "demo-logins.txt"
OWNER_ONLY: Final = 0o600


def run_demo(root: Path, port: int, serve: bool) -> None:
    """Do what is not done yet, then open the page."""
    workspace = _written(root)
    _load(workspace)
    _run(workspace)
    _make_logins(workspace)
    if not serve:
        _show_logins(workspace)
        return
    from qiaomen.cli.serving import serve_demo

    serve_demo(workspace, port, lambda: _show_logins(workspace))


def _written(root: Path) -> Workspace:
    """Write the input files; those of a finished writing stay."""
    from qiaomen.jobs import Workspace, init_demo
    from qiaomen.settings import FILE_NAME
    from qiaomen.vocab import InputRejected

    done = root / "answers" / "written.txt"
    if done.exists():
        say(f"示范数据已在 {root / 'inbox'}")
        return Workspace(root)
    if (root / FILE_NAME).exists() and not Workspace(root).settings.demo_logins:
        raise InputRejected(
            "这个工作区不是示范工作区", where=str(root), remedy="用 --workspace 指定另一个目录"
        )
    say("写示范数据 …")
    files = init_demo(root)
    done.write_text("\n".join(f"{name} {rows}" for name, rows in sorted(files.items())), encoding="utf-8")
    say(f"已写 {len(files)} 个文件，共 {sum(files.values()):,} 行")
    return Workspace(root)


def _load(workspace: Workspace) -> None:
    """Load the inbox unless the lake holds these very files."""
    from qiaomen.jobs import load_files

    if _is_loaded(workspace):
        say("示范数据已装载")
        return
    with watched("装载") as observer:
        report = load_files(workspace, None, [], observer)
    say(report.summary())


def _is_loaded(workspace: Workspace) -> bool:
    import hashlib

    from qiaomen.registry import LOADS

    rows = workspace.lake.snapshot().arrow(LOADS).select(["file", "sha256"]).to_pylist()
    loaded = {row["file"]: row["sha256"] for row in rows}
    files = [path for path in workspace.inbox.iterdir() if path.is_file()]
    return bool(files) and all(
        loaded.get(path.name) == hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    )


def _run(workspace: Workspace) -> None:
    from qiaomen.jobs import last_report, run_all

    report = last_report(workspace, None)
    if report is not None or _has_run(workspace):
        say("已经跑过，结果沿用")
        return
    with watched("运行") as observer:
        report = run_all(workspace, None, observer)
    print_table("运行结果", report.HEADER, report.rows(), note=report.summary())


def _has_run(workspace: Workspace) -> bool:
    """Whether the newest generation is the result of a run: work done on the page since is no reason to run again."""
    note = workspace.lake.snapshot().note
    return bool(note.get("run")) and "load_id" not in note


def _make_logins(workspace: Workspace) -> None:
    """Make a login for every post that has none and note the passwords in a file that only its owner can read."""
    from qiaomen.bank import FirstPassword, create_users_for_staff
    from qiaomen.store import writing
    from qiaomen.vocab import ROLE_LABELS

    path = workspace.root / LOGINS_FILE
    with writing(workspace.sql) as connection:
        made = create_users_for_staff(connection, now=datetime.now(UTC), first=FirstPassword.LASTS)
        if not made:
            return
        # Written before the users are: a password that nobody can know helps nobody.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, OWNER_ONLY)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            for user in made:
                roles = "、".join(ROLE_LABELS[role] for role in user.roles)
                place = user.institution_code or ""
                file.write(f"{user.login}\t{user.password}\t{roles}\t{user.name}\t{place}\n")
    path.chmod(OWNER_ONLY)


def _show_logins(workspace: Workspace) -> None:
    """Print one login per role."""
    path = workspace.root / LOGINS_FILE
    if not path.exists():
        return
    first: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        login, password, roles, name, place = line.split("\t")
        first.setdefault(roles, [roles, login, password, name, place])
    say("示范登录（全部账号见 " + str(path) + "）")
    for roles, login, password, name, place in first.values():
        say(f"  {roles}\t{login}\t{password}\t{name}\t{place}")
