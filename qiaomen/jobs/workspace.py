"""A workspace: one folder with the settings, the inbox, the lake, the bank's overlay and (by default) the SQLite store."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from qiaomen.settings import FILE_NAME, Settings, read_settings
from qiaomen.vocab import InputRejected, Unavailable

if TYPE_CHECKING:
    import sqlalchemy as sa

    from qiaomen.store import Engine, Lake

FOLDERS: Final = ("inbox", "lake", "overlay", "temp")
Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Return the machine's time, aware."""
    return datetime.now(UTC)


class Workspace:
    """Opens the parts of a workspace on first use; raises ``InputRejected`` where there is none at ``root``.

    ``clock`` says what time it is for everything that the jobs of the workspace write.
    """

    def __init__(self, root: Path, *, clock: Clock = wall_clock) -> None:
        if not (root / FILE_NAME).exists():
            raise InputRejected(
                f"“{root}”不是工作区（没有 {FILE_NAME}）",
                remedy="先执行 qiaomen --workspace 目录 init，或检查目录",
            )
        self.root = root
        self.now = clock
        self.settings: Settings = read_settings(root)

    @property
    def inbox(self) -> Path:
        """Folder that ``load`` without arguments reads."""
        return self.root / "inbox"

    @property
    def overlay(self) -> Path | None:
        """Folder of the bank's own catalogue rows; None where there is none."""
        folder = self.root / self.settings.overlay
        return folder if folder.is_dir() else None

    @property
    def as_of(self) -> date:
        """The business date."""
        return self.settings.today(self.now())

    @property
    def zone(self) -> ZoneInfo:
        """The zone of business dates."""
        return ZoneInfo(self.settings.time_zone)

    @property
    def moment(self) -> datetime:
        """Now, on the business date: a workspace with a fixed date does its work on that day, so that it does not age."""
        return datetime.combine(self.as_of, self.now().astimezone(self.zone).timetz())

    @cached_property
    def lake(self) -> Lake:
        """The lake."""
        from qiaomen.store import Lake

        return Lake(self.root / "lake", memory=self.settings.memory, threads=self.settings.threads)

    @cached_property
    def sql(self) -> sa.Engine:
        """The operational store, at the version of this program.

        A new store gets its tables. One of an earlier version is upgraded where it is a file (which is copied first);
        a PostgreSQL may serve other processes, so that it has to be asked for (``Unavailable``).
        """
        from qiaomen.store import migrate, need_schema

        engine = self.open_database()
        if engine.dialect.name == "sqlite":
            migrate(engine)
        else:
            need_schema(engine)
        return engine

    def open_database(self) -> sa.Engine:
        """Open the operational store as it is, whatever its version; the caller disposes of it."""
        from qiaomen.store import open_sql

        return open_sql(self.settings.database_url or f"sqlite:///{self.root / 'operational.db'}")

    def engine(self) -> Engine:
        """Return a new analytical engine; the caller closes it."""
        from qiaomen.store import Engine

        return Engine(threads=self.settings.threads, memory=self.settings.memory, temp=self.root / "temp")


def init_workspace(
    root: Path, values: dict[str, object] | None = None, *, clock: Clock = wall_clock
) -> Workspace:
    """Make a workspace, or open the one that is there; ``values`` are settings written into a new one."""
    if root.exists() and not root.is_dir():
        raise InputRejected("这是文件，不是目录", where=str(root), remedy="用 --workspace 指定一个目录")
    try:
        root.mkdir(parents=True, exist_ok=True)
        for name in FOLDERS:
            (root / name).mkdir(exist_ok=True)
        path = root / FILE_NAME
        if not path.exists():
            _write_settings(path, values or {})
    except OSError as error:
        raise Unavailable(
            f"无法建立工作区：{error.strerror}", where=str(root), remedy="检查磁盘空间与目录权限"
        ) from error
    return Workspace(root, clock=clock)


def set_database(path: Path, url: str) -> None:
    """Write another address of the operational store into a settings file."""
    kept = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if not re.match(r"\s*database_url\s*=", line)
    ]
    _write_lines(path, [_setting("database_url", url), *kept])


def _write_settings(path: Path, values: dict[str, object]) -> None:
    _write_lines(path, ["# 各项含义见 docs/settings.md", *(_setting(key, values[key]) for key in values)])


def _setting(key: str, value: object) -> str:
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, date):
        text = value.isoformat()
    elif isinstance(value, int | float):
        text = str(value)
    else:
        escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
        text = f'"{escaped}"'
    return f"{key} = {text}"


def _write_lines(path: Path, lines: list[str]) -> None:
    temporary = path.with_suffix(".toml.tmp")
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    temporary.replace(path)
