"""``backup``, ``restore``, ``upgrade``, ``hashes``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from qiaomen.cli.output import print_json, print_table
from qiaomen.vocab import InputRejected

if TYPE_CHECKING:
    from qiaomen.jobs import BackupReport, Workspace


def show_backup(workspace: Workspace, file: Path, as_json: bool) -> None:
    """Write a backup and say what is in it."""
    from qiaomen.jobs import back_up

    _show(
        "备份",
        back_up(workspace, file),
        f"备份文件：{file}（仅本用户可读，含密钥与客户资料，请妥善保管）",
        as_json,
    )


def show_restore(root: Path, file: Path, database: str | None, force: bool, as_json: bool) -> None:
    """Restore a backup and say what is there now."""
    from qiaomen.jobs import restore

    suffix = f"before-restore-{datetime.now().astimezone():%Y%m%d-%H%M%S}" if force else ""
    report = restore(file, root, database_url=database, replace=suffix)
    kept = f"；原工作区保留在 {report.kept}" if report.kept else ""
    _show("恢复", report, f"已恢复到 {root}{kept}。会话未恢复，请重新登录。", as_json)


def _show(title: str, report: BackupReport, note: str, as_json: bool) -> None:
    if as_json:
        print_json(report.document())
    else:
        print_table(title, report.HEADER, report.rows(), note=note)


def show_upgrade(workspace: Workspace, file: Path | None, without_backup: bool, as_json: bool) -> None:
    """Upgrade the database and say from which version to which."""
    from qiaomen.jobs import upgrade, usual_backup

    if file is not None and without_backup:
        raise InputRejected("--backup 与 --no-backup 只能选一个", remedy="去掉其中一个")
    report = upgrade(workspace, None if without_backup else file or usual_backup(workspace))
    if as_json:
        print_json(report.document())
        return
    same = report.before == report.after
    rows = [
        ("升级前", report.before or "（新库）"),
        ("升级后", report.after),
        ("备份", report.backup or "无"),
    ]
    print_table("数据库版本", ["项目", "内容"], rows, note="已是最新版本" if same else "升级完成")


def show_hashes(workspace: Workspace, results: bool, as_json: bool) -> None:
    """List hashes by table."""
    from qiaomen.jobs import full_hashes, result_hashes

    found = result_hashes(workspace) if results else full_hashes(workspace)
    if as_json:
        print_json({"generation": workspace.lake.snapshot().number, "hashes": found})
    else:
        print_table("各表内容哈希", ["表", "SHA-256"], sorted(found.items()))
