"""Brings the operational store of an earlier version to this program's, after a backup; never back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qiaomen.jobs.backup import back_up
from qiaomen.jobs.workspace import Workspace
from qiaomen.store import migrate, newest_schema, reading, schema_of
from qiaomen.vocab import Unavailable


@dataclass(frozen=True, slots=True)
class UpgradeReport:
    """The version before (empty for a new store), the version now, and the backup that was taken in between."""

    before: str
    after: str
    backup: str

    def document(self) -> dict[str, Any]:
        """Return the report for ``--json``."""
        return {"before": self.before, "after": self.after, "backup": self.backup}


def upgrade(workspace: Workspace, backup: Path | None) -> UpgradeReport:
    """Back the workspace up to a file (none: not at all), then upgrade its database; nothing where it is up to date.

    ``Unavailable`` where the database is newer than the program: there is no way back but a backup.
    """
    engine = workspace.open_database()
    try:
        with reading(engine) as connection:
            before = schema_of(connection) or ""
        if before > newest_schema():
            raise Unavailable(
                f"数据库版本（{before}）比程序（{newest_schema()}）新，不能降级",
                where=engine.url.render_as_string(hide_password=True),
                remedy="升级程序；确要用旧程序时，用旧程序恢复升级前的备份",
            )
        taken = ""
        if before and before < newest_schema() and backup is not None:
            backup.parent.mkdir(parents=True, exist_ok=True)
            taken = back_up(workspace, backup).path
        return UpgradeReport(before, migrate(engine), taken)
    finally:
        engine.dispose()


def usual_backup(workspace: Workspace) -> Path:
    """Return where a backup before an upgrade goes unless said otherwise."""
    stamp = workspace.now().astimezone(workspace.zone).strftime("%Y%m%d-%H%M%S")
    return workspace.root / "backups" / f"before-{newest_schema()}-{stamp}.tar"
