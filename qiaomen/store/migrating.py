"""Brings the operational store to the version of this program; writes and compares migration scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.store.sql import is_postgres, reading, writing
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
        if found != newest:
            from alembic import command

            command.upgrade(_config(connection), "head")
    return newest


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
