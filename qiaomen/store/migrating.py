"""Brings the operational store to the version of this program; writes and compares migration scripts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.store.disk import disk_errors, sync_file, sync_folder
from qiaomen.store.sql import file_of, is_postgres, reading, writing
from qiaomen.vocab import Unavailable

_SCRIPTS: Final = Path(__file__).parent / "migrations"
# Any number that nothing else in the database uses: one migration at a time.
_ADVISORY_LOCK: Final = 7_203_811


def head() -> str:
    """Return the newest version this program knows."""
    return max((path.name[:4] for path in (_SCRIPTS / "versions").glob("[0-9]*.py")), default="0000")


def version_of(connection: Connection) -> str | None:
    """Return the version of the store; None where it is empty."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return None if version is None else str(version)


def migrate(sql: sa.Engine) -> str:
    """Upgrade the store to ``head`` in one transaction and return the version; cheap where it is there already.

    A SQLite store of an earlier version is copied first, to a file named after that version.

    ``Unavailable`` where the store is newer than the program.
    """
    newest = head()
    with reading(sql) as connection:
        if version_of(connection) == newest:
            return newest
    with writing(sql) as connection:
        if is_postgres(connection):
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ADVISORY_LOCK})
        found = version_of(connection)
        if found is not None and found > newest:
            raise Unavailable(
                f"数据库版本（{found}）比程序（{newest}）新",
                where=sql.url.render_as_string(hide_password=True),
                remedy="升级程序后再打开",
            )
        if found is not None and found != newest:
            _keep_copy(sql, found)
        if found != newest:
            from alembic import command

            command.upgrade(_config(connection), "head")
    return newest


def need_schema(sql: sa.Engine) -> None:
    """Give a new store its tables; ``Unavailable`` for one of another version, which this does not touch."""
    with reading(sql) as connection:
        found = version_of(connection)
    if found is not None and found < head():
        raise Unavailable(
            f"数据库版本（{found}）比程序（{head()}）旧",
            where=sql.url.render_as_string(hide_password=True),
            remedy="停下全部进程，执行 qiaomen upgrade（会先备份），再启动",
        )
    migrate(sql)


def _keep_copy(sql: sa.Engine, version: str) -> None:
    """Copy the file of a SQLite store beside it before it is upgraded; the caller holds its lock and has written nothing."""
    file = file_of(sql)
    if file is None:
        return
    copy = file.with_name(f"{file.name}.{version}")
    draft = copy.with_name(f"{copy.name}.part")
    with disk_errors(copy):
        draft.unlink(missing_ok=True)
        try:
            with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(draft)) as target:
                source.backup(target)
        except sqlite3.Error as error:
            draft.unlink(missing_ok=True)
            raise OSError(str(error)) from error
        draft.chmod(0o600)
        sync_file(draft)
        draft.replace(copy)
        sync_folder(copy.parent)


def make_schema(connection: Connection, version: str) -> None:
    """Make the tables of a version in an empty store."""
    from alembic import command

    command.upgrade(_config(connection), version)


def drop_stored(connection: Connection, names: frozenset[str]) -> None:
    """Drop the named tables and the version, whatever they hold; other tables of the database stay."""
    found = sa.MetaData()
    found.reflect(connection)
    gone = [table for table in found.sorted_tables if table.name in names | {"alembic_version"}]
    found.drop_all(connection, tables=gone)


def _config(connection: Connection, metadata: sa.MetaData | None = None) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata
    return config


def differences(connection: Connection, metadata: sa.MetaData) -> list[Any]:
    """Return how declared tables differ from the store's; empty where they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


def write_revision(sql: sa.Engine, metadata: sa.MetaData, message: str) -> Path:
    """Write the script that takes the store from its version to the declared tables; a person then reviews it."""
    from alembic import command

    number = f"{int(head()) + 1:04d}"
    with writing(sql) as connection:
        script = command.revision(
            _config(connection, metadata), message=message, autogenerate=True, rev_id=number
        )
    if script is None or isinstance(script, list):
        raise RuntimeError("one script expected")
    return Path(script.path)
