"""Rows of the operational store as JSON values: the same from both databases, and back without loss."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from qiaomen.store import (
    BigKey,
    Moment,
    consistently_reading,
    open_sql,
    read_rows,
    reading,
    stored_tables,
    write_rows,
    writing,
)

OWN = sa.MetaData()
PEOPLE = sa.Table(
    "people",
    OWN,
    sa.Column("number", BigKey, primary_key=True, autoincrement=True),
    sa.Column("head", sa.String(10), sa.ForeignKey("people.code")),
    sa.Column("code", sa.String(10), unique=True),
    sa.Column("active", sa.Boolean),
    sa.Column("note", sa.JSON),
    sa.Column("seen_at", Moment),
    sa.Column("born_on", sa.Date),
    sa.Column("share", sa.Float),
    sa.Column("amount", sa.Numeric(12, 2, asdecimal=True)),
    sa.Column("seal", sa.LargeBinary),
)
PENS = sa.Table(
    "pens",
    OWN,
    sa.Column("pen", sa.String(10), primary_key=True),
    sa.Column("owner", BigKey, sa.ForeignKey("people.number"), nullable=False),
)
NOTE = {"b": [1, None, "敲门"], "a": {"x": 0.1}}
ROWS: list[dict[str, Any]] = [
    # A row names one that comes later.
    {"number": 3, "head": "z", "code": "a", "active": True, "note": NOTE, "seen_at": datetime(2026, 6, 30, 1, 2, 3, 4, UTC),
     "born_on": date(1980, 2, 29), "share": 0.1, "seal": b"\x00\xff"},
    {"number": 7, "head": None, "code": "z", "active": False, "note": sa.JSON.NULL, "seen_at": None, "born_on": None,
     "share": 1.0, "seal": None},
    {"number": 9, "head": "a", "code": "n", "active": None, "note": sa.null(), "seen_at": None, "born_on": None, "share": None,
     "seal": None},
]  # fmt: skip
TEXT = [
    [3, "z", "a", True, json.dumps({"a": {"x": 0.1}, "b": [1, None, "敲门"]}, ensure_ascii=False, separators=(",", ":")),
     "2026-06-30T01:02:03.000004+00:00", "1980-02-29", 0.1, None, "AP8="],
    [7, None, "z", False, "null", None, None, 1.0, None, None],
    [9, "a", "n", None, None, None, None, None, None, None],
]  # fmt: skip


@pytest.fixture
def own(sql_url: str) -> Any:
    engine = open_sql(sql_url)
    with writing(engine) as connection:
        OWN.create_all(connection)
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        for row in (ROWS[1], ROWS[0], ROWS[2]):
            connection.execute(sa.insert(PEOPLE).values(**row))
        connection.execute(sa.insert(PENS).values(pen="p", owner=7))
    yield engine
    engine.dispose()


def test_both_databases_say_the_same(own: sa.Engine) -> None:
    with reading(own) as connection:
        people, pens = stored_tables(connection)
        assert (people.name, pens.name) == ("people", "pens")
        assert people.parents == (("head", "code"),)
        assert list(read_rows(connection, people)) == TEXT
        assert list(read_rows(connection, pens)) == [["p", 7]]


def test_rows_come_back_as_they_were(own: sa.Engine) -> None:
    with writing(own) as connection:
        tables = stored_tables(connection)
        before = {table.name: list(read_rows(connection, table)) for table in tables}
        connection.execute(sa.delete(PENS))
        for head in ("a", "z", None):
            connection.execute(
                sa.delete(PEOPLE).where(PEOPLE.c.head.is_(None) if head is None else PEOPLE.c.head == head)
            )
        for table in tables:
            assert write_rows(connection, table, before[table.name]) == len(before[table.name])
        assert {table.name: list(read_rows(connection, table)) for table in tables} == before
    with writing(own) as connection:
        # Numbers go on after the highest.
        new = connection.execute(sa.insert(PEOPLE).values(code="new").returning(PEOPLE.c.number)).scalar_one()
        assert new == 10
        found = connection.execute(
            sa.select(PEOPLE.c.note).where(PEOPLE.c.number == 9, PEOPLE.c.note.is_(None))
        )
        assert found.first() is not None, "an absent JSON value stays absent"


# SQLite has no numbers of fixed precision, and the product stores none there.
@pytest.mark.parametrize("sql_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_numbers_of_fixed_precision_stay_exact(own: sa.Engine) -> None:
    with writing(own) as connection:
        connection.execute(sa.insert(PEOPLE).values(code="m", amount=Decimal("1234567890.12")))
        people = next(table for table in stored_tables(connection) if table.name == "people")
        assert "1234567890.12" in [row[8] for row in read_rows(connection, people)]


def test_a_consistent_view_does_not_see_later_commits(own: sa.Engine) -> None:
    with consistently_reading(own) as view:
        pens = next(table for table in stored_tables(view) if table.name == "pens")
        with writing(own) as connection:
            connection.execute(sa.insert(PENS).values(pen="q", owner=7))
        assert list(read_rows(view, pens)) == [["p", 7]]
    with consistently_reading(own) as view:
        assert len(list(read_rows(view, pens))) == 2


def test_a_ring_of_parents_is_left_to_the_database(tmp_path: Path) -> None:
    engine = open_sql(f"sqlite:///{tmp_path / 'q.db'}")
    with writing(engine) as connection:
        OWN.create_all(connection)
        people = next(table for table in stored_tables(connection) if table.name == "people")
    ring = [[1, "b", "a", *[None] * 7], [2, "a", "b", *[None] * 7]]
    with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
        write_rows(connection, people, ring)
    engine.dispose()
