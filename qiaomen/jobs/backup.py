"""Backup and restore of a workspace: settings, overlay, the newest generation of the lake, every row of the database.

Taken while the system runs. The database is read in one consistent view that is opened before the generation is chosen,
so that a backup is at worst the state of a run that was stopped after it published: the next run writes its tasks.
Sessions are left out; the inbox is not part of it (loaded rows are). Rows are kept in a form that both databases read,
so that a backup of one can be restored into the other.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import audit
from qiaomen.jobs.hashing import UNKEPT
from qiaomen.jobs.workspace import FOLDERS, Clock, Workspace, set_database, wall_clock
from qiaomen.settings import FILE_NAME, read_settings
from qiaomen.store import (
    ArchiveWriter,
    StoredTable,
    consistently_reading,
    drop_stored,
    lines_digest,
    make_schema,
    migrate,
    newest_schema,
    open_sql,
    read_rows,
    schema_of,
    stored_tables,
    unpack_archive,
    write_rows,
    writing,
)
from qiaomen.vocab import InputRejected, Unavailable

KIND: Final = "qiaomen workspace"


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup holds, or what was restored."""

    HEADER: ClassVar[tuple[str, ...]] = ("内容", "数量")

    path: str
    generation: int
    schema: str
    tables: dict[str, int]
    files: int
    size: int
    kept: str = ""

    def rows(self) -> list[tuple[str, str]]:
        """Return the rows of the printed table."""
        return [
            ("数据代次", f"{self.generation:,}"),
            ("数据库版本", self.schema),
            ("数据库表", f"{len(self.tables):,}"),
            ("数据库行", f"{sum(self.tables.values()):,}"),
            ("文件", f"{self.files:,}"),
            ("备份大小（MB）", f"{self.size / 1e6:,.1f}"),
        ]

    def document(self) -> dict[str, Any]:
        """Return the report for ``--json``."""
        return {
            "path": self.path,
            "generation": self.generation,
            "schema": self.schema,
            "tables": self.tables,
            "files": self.files,
            "size": self.size,
            "kept": self.kept,
        }


def back_up(workspace: Workspace, path: Path) -> BackupReport:
    """Write a backup; ``InputRejected`` where the file is there already, ``Unavailable`` for a full disk."""
    if path.exists():
        raise InputRejected("该文件已存在，备份不会覆盖它", where=str(path), remedy="换一个文件名")
    if not path.parent.is_dir():
        raise InputRejected("没有这个目录", where=str(path.parent), remedy="先建立目录")
    engine = workspace.open_database()
    try:
        _note(engine, workspace, path)
        with _scratch(workspace) as scratch, ArchiveWriter(path) as archive:
            with consistently_reading(engine) as connection:
                lake = _linked_lake(workspace, scratch)
                schema = schema_of(connection) or ""
                tables = _add_tables(archive, connection, scratch)
            files = {"settings": workspace.root / FILE_NAME, **lake.files, **_overlay(workspace)}
            for name, source in files.items():
                archive.add_file(name if name != "settings" else f"settings/{FILE_NAME}", source)
            about = {
                "kind": KIND,
                "program": version("qiaomen"),
                "schema": schema,
                "generation": lake.generation,
                "created_at": workspace.now().isoformat(),
                "database": engine.dialect.name,
                "tables": tables,
            }
            size = archive.finish(about)
    finally:
        engine.dispose()
    rows = {name: entry["rows"] for name, entry in tables.items()}
    return BackupReport(str(path), lake.generation, schema, rows, len(files) + len(tables), size)


def _note(engine: sa.Engine, workspace: Workspace, path: Path) -> None:
    """Note the backup in the audit log, unless the store is of a version that this program cannot write."""
    with writing(engine) as connection:
        if schema_of(connection) == newest_schema():
            audit(connection, None, "backup", path.name, now=workspace.now())


@contextmanager
def _scratch(workspace: Workspace) -> Iterator[Path]:
    folder = workspace.root / "temp" / f"backup-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise Unavailable("工作区不可写", where=str(folder), remedy="检查磁盘空间与目录权限") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Lake:
    generation: int
    files: dict[str, Path]


def _linked_lake(workspace: Workspace, scratch: Path) -> _Lake:
    """Link the files of the newest generation, so that nobody collects them meanwhile."""
    snapshot = workspace.lake.snapshot()
    files: dict[str, Path] = {}
    for place, relative in enumerate(sorted(snapshot.paths())):
        held = scratch / f"{place:06d}"
        try:
            os.link(snapshot.root / relative, held)
        except FileNotFoundError:
            raise
        except OSError:
            # Another disk, or a file system without links.
            shutil.copyfile(snapshot.root / relative, held)
        files[f"lake/{relative}"] = held
    return _Lake(snapshot.number, files)


def _overlay(workspace: Workspace) -> dict[str, Path]:
    folder = workspace.overlay
    if folder is None:
        return {}
    return {
        f"overlay/{path.relative_to(folder).as_posix()}": path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _add_tables(archive: ArchiveWriter, connection: Connection, scratch: Path) -> dict[str, dict[str, Any]]:
    """Add every table as lines of JSON, columns first; return its rows and the hash of its sorted lines."""
    held: dict[str, dict[str, Any]] = {}
    for table in stored_tables(connection):
        if table.name in UNKEPT:
            continue
        path = scratch / f"{table.name}.jsonl.gz"
        lines: list[str] = []
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as stream:
            stream.write(_line(list(table.names)).encode())
            for row in read_rows(connection, table):
                lines.append(_line(row))
                stream.write(lines[-1].encode())
        archive.add_file(f"sql/{table.name}.jsonl.gz", path)
        held[table.name] = {"rows": len(lines), "sha256": lines_digest(lines)}
    return held


def _line(row: list[Any]) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


def restore(
    path: Path,
    root: Path,
    *,
    database_url: str | None = None,
    replace: str = "",
    clock: Clock = wall_clock,
) -> BackupReport:
    """Make the workspace of a backup at ``root``; everything is checked before anything takes its place.

    ``database_url`` replaces the one of the settings. A workspace or a database that holds something is refused
    (``InputRejected``), unless ``replace`` is a word: then the former folder stays beside it under that suffix, and the
    former tables are dropped.
    """
    if _holds(root) and not replace:
        raise InputRejected("目标工作区不是空的", where=str(root), remedy="换一个目录；确要替换请加 --force")
    draft = root.with_name(f"{root.name}.restoring-{uuid.uuid4().hex[:8]}")
    try:
        draft.mkdir(parents=True, mode=0o700)
        about = unpack_archive(path, draft)
        if about.get("kind") != KIND:
            raise InputRejected("这不是工作区的备份", where=str(path), remedy="检查文件")
        _check_version(path, str(about["schema"]))
        _furnish(draft, database_url)
        _restore_rows(draft, path, about, replace, clock)
        kept = _take_place(draft, root, replace)
    except OSError as error:
        raise Unavailable(
            f"恢复没有完成：{error}", where=str(root), remedy="检查磁盘空间与目录权限"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    tables = {name: int(entry["rows"]) for name, entry in about["tables"].items()}
    files = sum(1 for each in root.rglob("*") if each.is_file())
    return BackupReport(
        str(path), int(about["generation"]), str(about["schema"]), tables, files, path.stat().st_size, kept
    )


def _holds(root: Path) -> bool:
    return root.exists() and (not root.is_dir() or any(root.iterdir()))


def _check_version(path: Path, schema: str) -> None:
    if schema > newest_schema():
        raise Unavailable(
            f"备份来自更新的程序（数据库版本 {schema}，本程序 {newest_schema()}）",
            where=str(path),
            remedy="升级程序后再恢复",
        )


def _furnish(draft: Path, database_url: str | None) -> None:
    """Give the unpacked folder the shape of a workspace."""
    (draft / "settings" / FILE_NAME).replace(draft / FILE_NAME)
    (draft / "settings").rmdir()
    for name in FOLDERS:
        (draft / name).mkdir(exist_ok=True)
    if database_url is not None:
        set_database(draft / FILE_NAME, database_url)


def _restore_rows(draft: Path, path: Path, about: Mapping[str, Any], replace: str, clock: Clock) -> None:
    """Write every row in one transaction, read them back, and note the restore in the audit log."""
    url = read_settings(draft).database_url
    engine = open_sql(url or f"sqlite:///{draft / 'operational.db'}")
    try:
        with writing(engine) as connection:
            if stored_tables(connection):
                if not replace:
                    raise InputRejected(
                        "目标数据库不是空的",
                        where=engine.url.render_as_string(hide_password=True),
                        remedy="换一个空的数据库（--database）；确要替换请加 --force",
                    )
                drop_stored(connection, frozenset(about["tables"]) | UNKEPT)
            make_schema(connection, str(about["schema"]))
            for table in stored_tables(connection):
                if table.name in about["tables"]:
                    _restore_table(connection, table, draft, path, about["tables"][table.name])
        migrate(engine)
        with writing(engine) as connection:
            audit(connection, None, "restore", path.name, {"generation": about["generation"]}, now=clock())
    finally:
        engine.dispose()
    shutil.rmtree(draft / "sql")
    for leftover in draft.glob("operational.db.lock"):
        leftover.unlink()


def _restore_table(
    connection: Connection, table: StoredTable, draft: Path, path: Path, entry: Mapping[str, Any]
) -> None:
    place = draft / "sql" / f"{table.name}.jsonl.gz"
    with gzip.open(place, "rt", encoding="utf-8", newline="\n") as stream:
        names = json.loads(stream.readline())
        if sorted(names) != sorted(table.names):
            raise InputRejected(
                f"备份中表 {table.name} 的列与版本不符", where=str(path), remedy="用写出备份的程序恢复"
            )
        if _seeded(connection, table):
            connection.execute(sa.delete(sa.table(table.name)))
        order = [names.index(name) for name in table.names]
        write_rows(connection, table, ([row[each] for each in order] for row in map(json.loads, stream)))
    back = [table.names.index(name) for name in names]
    lines = (_line([row[each] for each in back]) for row in read_rows(connection, table))
    if lines_digest(lines) != entry["sha256"]:
        raise InputRejected(
            f"表 {table.name} 恢复后与备份不一致", where=str(path), remedy="换一份备份；没有内容被恢复"
        )


def _seeded(connection: Connection, table: StoredTable) -> bool:
    """Whether the scripts that made the table put rows into it."""
    return (
        connection.execute(sa.select(sa.literal(1)).select_from(sa.table(table.name)).limit(1)).first()
        is not None
    )


def _take_place(draft: Path, root: Path, replace: str) -> str:
    """Move the new workspace to its place and return where the former one went, if there was any."""
    kept = ""
    if _holds(root):
        former = root.with_name(f"{root.name}.{replace}")
        root.rename(former)
        kept = str(former)
    with suppress(FileNotFoundError):
        root.rmdir()
    draft.rename(root)
    return kept
