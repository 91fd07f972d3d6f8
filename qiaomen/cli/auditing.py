"""What the commands of ``qiaomen audit`` do: check the chain, write anchors, list and export rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qiaomen.cli.output import list_bytes, print_json, print_table, say, write_bytes

if TYPE_CHECKING:
    from qiaomen.bank import AuditCheck, AuditFilter, Viewer
    from qiaomen.jobs import Workspace

HEADER: Final = ("行号", "时间", "用户", "动作", "对象", "详情", "哈希")
NAMES: Final = ("number", "at", "actor", "action", "object", "detail", "hash")
PAGE: Final = 5_000


def check_log(workspace: Workspace, anchor: Path | None) -> AuditCheck:
    """Check the whole chain, and the anchors of a file where one is given."""
    from qiaomen.bank import read_anchors, verify_audit
    from qiaomen.store import reading

    anchors = read_anchors(anchor, workspace.settings.audit_key) if anchor is not None else []
    with reading(workspace.sql) as connection:
        return verify_audit(connection, anchors)


def show_check(workspace: Workspace, anchor: Path | None, as_json: bool) -> bool:
    """Print the result of a check and return whether all fits."""
    check = check_log(workspace, anchor)
    if as_json:
        print_json(check.document())
    else:
        print_table("审计日志校验", ("项目", "内容"), _lines(check))
    return check.broken_at is None


def _lines(check: AuditCheck) -> list[tuple[str, Any]]:
    if check.broken_at is not None:
        return [("结果", "不符"), ("从第几行起", check.broken_at), ("原因", check.reason)]
    return [
        ("结果", "完好"),
        ("行数", f"{check.rows:,}"),
        ("末行", check.number),
        ("末行哈希", check.hash),
        ("核对的锚点", check.anchors),
    ]


def add_anchor(workspace: Workspace, path: Path, as_json: bool) -> bool:
    """Check the chain against the anchors already in the file, then append one; return whether it was written."""
    from qiaomen.bank import make_anchor, write_anchor

    check = check_log(workspace, path if path.exists() else None)
    fits = check.broken_at is None
    if fits:
        write_anchor(path, make_anchor(check, workspace.now(), workspace.settings.audit_key))
    if as_json:
        print_json({**check.document(), "written": fits})
    else:
        print_table("审计日志锚点", ("项目", "内容"), _lines(check))
        say(f"锚点已追加：{path}" if fits else "日志不符，没有写锚点")
    return fits


def wanted_rows(
    workspace: Workspace,
    actor: str,
    action: str,
    about: str,
    since: datetime | None,
    until: datetime | None,
) -> AuditFilter:
    """Return the filter that the options mean; days are days of the workspace's zone."""
    from qiaomen.bank import AuditFilter

    zone = workspace.zone
    return AuditFilter(
        actor=actor,
        action=action,
        object=about,
        since=since.replace(tzinfo=zone) if since else None,
        until=until.replace(tzinfo=zone) + timedelta(days=1) if until else None,
    )


def list_rows(
    workspace: Workspace, viewer: Viewer, wanted: AuditFilter, before: int | None, limit: int, as_json: bool
) -> None:
    """Print rows newest first."""
    from qiaomen.bank import audit_rows
    from qiaomen.store import reading

    with reading(workspace.sql) as connection:
        rows = audit_rows(viewer, connection, wanted, before=before, limit=limit)
    if as_json:
        print_json(
            {"rows": [{name: row[name] for name in (*NAMES[:3], "user_id", *NAMES[3:])} for row in rows]}
        )
        return
    shown = ([row["number"], row["at"].astimezone(workspace.zone).strftime("%Y-%m-%d %H:%M:%S"),
              *(row[name] for name in NAMES[2:6])] for row in rows)  # fmt: skip
    print_table("审计日志", HEADER[:6], shown, note=f"{len(rows)} 行，新的在前")


def export_rows(workspace: Workspace, viewer: Viewer, wanted: AuditFilter, out: Path) -> None:
    """Write all rows that fit as CSV, newest first, and note the export."""
    from qiaomen.bank import audit_export
    from qiaomen.store import writing

    rows = list(_all_rows(workspace, viewer, wanted))
    data = list_bytes("csv", HEADER, rows)
    with writing(workspace.sql) as connection:
        audit_export(
            connection,
            viewer,
            "audit",
            query=repr(wanted),
            rows=len(rows),
            sha256=hashlib.sha256(data).hexdigest(),
            generation=workspace.lake.snapshot().number,
            form="csv",
            now=workspace.now(),
        )
    write_bytes(out, data)
    say(f"已导出 {len(rows):,} 行：{out}")


def _all_rows(workspace: Workspace, viewer: Viewer, wanted: AuditFilter) -> Iterator[list[Any]]:
    from qiaomen.bank import audit_rows
    from qiaomen.store import reading

    before: int | None = None
    with reading(workspace.sql) as connection:
        while page := audit_rows(viewer, connection, wanted, before=before, limit=PAGE):
            for row in page:
                yield [row["number"], row["at"].isoformat(), *(row[name] for name in NAMES[2:])]
            before = page[-1]["number"]
