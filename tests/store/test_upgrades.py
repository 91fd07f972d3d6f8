"""A store of every earlier version, with rows in every table, is brought to this one without losing a value."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.store import (
    METADATA,
    StoredTable,
    differences,
    make_schema,
    migrate,
    need_schema,
    open_sql,
    read_rows,
    reading,
    stored_tables,
    write_rows,
    writing,
)
from qiaomen.store.migrating import head, version_of
from qiaomen.vocab import Unavailable
from tests.store.test_migrations import declare_everything

EARLIER = [f"{number:04d}" for number in range(1, int(head()))]
# Emptied by a script on purpose: everybody signs in anew.
EMPTIED = {"sessions"}
VALUES: dict[str, Any] = {
    "boolean": True,
    "json": '{"a":[1,"敲门"]}',
    "moment": "2026-06-30T01:02:03.000004+00:00",
    "date": "2026-06-30",
    "float": 0.1,
    "decimal": "1.50",
    "bytes": "AP8=",
}


def value_of(kind: str, row: int) -> Any:
    if kind == "integer":
        return row
    return f"r{row}" if kind == "text" else VALUES[kind]


def fill(connection: Connection) -> None:
    """Put two rows into every table: one with a value in each column, one with nulls where they may be."""
    inspector = sa.inspect(connection)
    for table in stored_tables(connection):
        if next(read_rows(connection, table), None) is not None:
            continue
        nullable = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
        own = {name for name, _ in table.parents}
        full = [None if column.name in own else value_of(column.kind, 1) for column in table.columns]
        bare = [
            None if nullable[column.name] and not column.key else value_of(column.kind, 2)
            for column in table.columns
        ]
        write_rows(connection, table, [full, bare])


def contents(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    return {table.name: list(_named(connection, table)) for table in stored_tables(connection)}


def _named(connection: Connection, table: StoredTable) -> Iterator[dict[str, Any]]:
    for row in read_rows(connection, table):
        yield dict(zip(table.names, row, strict=True))


@pytest.mark.parametrize("version", EARLIER)
def test_every_earlier_version_is_upgraded_with_its_rows(sql_url: str, version: str) -> None:
    declare_everything()
    engine = open_sql(sql_url)
    with writing(engine) as connection:
        make_schema(connection, version)
        fill(connection)
    with reading(engine) as connection:
        before = contents(connection)
        assert version_of(connection) == version
    assert all(len(rows) == 2 for rows in before.values())
    assert migrate(engine) == head()
    with reading(engine) as connection:
        after = contents(connection)
        assert differences(connection, METADATA) == []
    assert set(before) <= set(after)
    for name, rows in before.items():
        if name in EMPTIED:
            continue
        assert len(after[name]) == len(rows), name
        for old, new in zip(rows, after[name], strict=True):
            kept = {column: value for column, value in old.items() if column in new}
            assert {column: new[column] for column in kept} == kept, name
    engine.dispose()


def test_a_file_is_copied_before_it_is_upgraded(tmp_path: Path) -> None:
    file = tmp_path / "q.db"
    engine = open_sql(f"sqlite:///{file}")
    with writing(engine) as connection:
        make_schema(connection, EARLIER[-1])
        fill(connection)
        before = contents(connection)
    migrate(engine)
    engine.dispose()
    copy = tmp_path / f"q.db.{EARLIER[-1]}"
    old = open_sql(f"sqlite:///{copy}")
    with reading(old) as connection:
        assert version_of(connection) == EARLIER[-1]
        assert contents(connection) == before
    old.dispose()


def before_the_newest_table(folder: Path) -> str:
    """Return the newest of the earlier schemas after which some script still makes a table."""
    for earlier in reversed(EARLIER):
        engine = open_sql(f"sqlite:///{folder / earlier}.db")
        with writing(engine) as connection:
            make_schema(connection, earlier)
            missing = set(tables_of_head()) - set(contents(connection))
        engine.dispose()
        if missing:
            return earlier
    raise AssertionError("no script makes a table")


def test_an_upgrade_that_fails_changes_nothing(sql_url: str, tmp_path: Path) -> None:
    earlier = before_the_newest_table(tmp_path)
    engine = open_sql(sql_url)
    with writing(engine) as connection:
        make_schema(connection, earlier)
        before = contents(connection)
    # A script finds something in its way.
    newest = sorted(set(tables_of_head()) - set(before))
    with writing(engine) as connection:
        connection.execute(sa.text(f'CREATE TABLE "{newest[-1]}" (x integer)'))
    with pytest.raises(sa.exc.DBAPIError):
        migrate(engine)
    with reading(engine) as connection:
        assert version_of(connection) == earlier
        assert set(contents(connection)) == {*before, newest[-1]}
    engine.dispose()


def tables_of_head() -> list[str]:
    declare_everything()
    return list(METADATA.tables)


def test_scripts_do_not_go_back(tmp_path: Path) -> None:
    """There is no way back in a script; a newer store is refused by ``migrate`` (tests/store/test_migrations.py)."""
    from qiaomen.store import migrating

    scripts = sorted((Path(migrating.__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))
    assert [path.name for path in scripts if "def downgrade" in path.read_text(encoding="utf-8")] == []


@pytest.mark.postgres
def test_a_shared_store_of_another_version_is_left_alone(postgres_url: str) -> None:
    engine = open_sql(postgres_url)
    with writing(engine) as connection:
        make_schema(connection, EARLIER[-1])
    with pytest.raises(Unavailable, match="qiaomen upgrade"):
        need_schema(engine)
    with reading(engine) as connection:
        assert version_of(connection) == EARLIER[-1]
    migrate(engine)
    need_schema(engine)
    engine.dispose()


def test_two_processes_that_open_an_old_file_upgrade_it_once(tmp_path: Path) -> None:
    file = tmp_path / "q.db"
    engine = open_sql(f"sqlite:///{file}")
    with writing(engine) as connection:
        make_schema(connection, EARLIER[-1])
        fill(connection)
    engine.dispose()
    program = f"from qiaomen.store import migrate, open_sql; migrate(open_sql('sqlite:///{file}'))"
    started = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [process.wait(120) for process in started] == [0, 0, 0]
    with reading(open_sql(f"sqlite:///{file}")) as connection:
        assert version_of(connection) == head()
