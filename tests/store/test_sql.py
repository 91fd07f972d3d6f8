"""The SQL store on SQLite and PostgreSQL: transactions, fairness, times, errors in words."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from qiaomen.store import BigKey, Moment, insert_missing, open_sql, reading, writing
from qiaomen.vocab import InputRejected, Unavailable

OWN = sa.MetaData()
NOTES = sa.Table(
    "test_notes",
    OWN,
    sa.Column("note_id", BigKey, primary_key=True),
    sa.Column("word", sa.String(20), unique=True),
    sa.Column("at", Moment),
    sa.Column("parent", BigKey, sa.ForeignKey("test_notes.note_id")),
)
NOW = datetime(2026, 3, 1, 16, 0, tzinfo=timezone(timedelta(hours=8)))


@pytest.fixture
def notes(sql_url: str) -> Iterator[sa.Engine]:
    engine = open_sql(sql_url)
    with writing(engine) as connection:
        OWN.create_all(connection)
    yield engine
    engine.dispose()


def count(engine: sa.Engine) -> int:
    with reading(engine) as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(NOTES)).scalar_one())


def test_writing_commits_at_the_end_and_rolls_back_on_an_error(notes: sa.Engine) -> None:
    with writing(notes) as connection:
        connection.execute(NOTES.insert().values(word="a", at=NOW))
    with pytest.raises(RuntimeError), writing(notes) as connection:
        connection.execute(NOTES.insert().values(word="b"))
        raise RuntimeError
    assert count(notes) == 1


def test_times_are_aware_and_come_back_as_the_same_moment(notes: sa.Engine) -> None:
    with writing(notes) as connection:
        connection.execute(NOTES.insert().values(word="a", at=NOW))
    with reading(notes) as connection:
        at = connection.execute(sa.select(NOTES.c.at)).scalar_one()
    assert at == NOW
    assert at.tzinfo is UTC
    with pytest.raises(sa.exc.StatementError, match="without zone"), writing(notes) as connection:
        connection.execute(NOTES.insert().values(at=datetime(2026, 1, 1)))  # noqa: DTZ001


def test_reading_cannot_write_and_foreign_keys_hold(notes: sa.Engine) -> None:
    with pytest.raises((Unavailable, sa.exc.DBAPIError)), reading(notes) as connection:
        connection.execute(NOTES.insert().values(word="a"))
    with pytest.raises(sa.exc.IntegrityError), writing(notes) as connection:
        connection.execute(NOTES.insert().values(parent=99))
    with writing(notes) as connection:
        connection.execute(NOTES.insert().values(word="a"))
    assert count(notes) == 1


def test_insert_missing_returns_what_is_new(notes: sa.Engine) -> None:
    with writing(notes) as connection:
        rows = [{"word": str(number), "at": NOW} for number in range(9_000)]
        assert len(insert_missing(connection, NOTES, rows[:4_000], unique=["word"])) == 4_000
        new = insert_missing(connection, NOTES, rows, unique=["word"])
        assert len(new) == 5_000
        assert ("3999",) not in new
        assert insert_missing(connection, NOTES, [], unique=["word"]) == set()


def test_fifty_writers_wait_their_turn(notes: sa.Engine) -> None:
    waits: list[float] = []
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(4):
                began = time.monotonic()
                with writing(notes) as connection:
                    connection.execute(NOTES.insert().values(word=f"{number}-{turn}", at=NOW))
                waits.append(time.monotonic() - began)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert count(notes) == 200
    total = max(waits)
    assert total < 20 * sorted(waits)[len(waits) // 2] + 1, "nobody starves"


def test_processes_queue_for_one_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'q.db'}"
    engine = open_sql(url)
    with writing(engine) as connection:
        OWN.create_all(connection)
    program = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_sql import NOTES, open_sql, writing
        engine = open_sql({url!r})
        for turn in range(10):
            with writing(engine) as connection:
                connection.execute(NOTES.insert().values(word=sys.argv[1] + str(turn)))
        """
    )
    workers = [subprocess.Popen([sys.executable, "-c", program, name]) for name in "abc"]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0, 0]
    assert count(engine) == 30
    engine.dispose()


def test_a_lock_that_is_held_too_long_is_said(tmp_path: Path) -> None:
    from qiaomen.store.locks import FairLock

    one, other = FairLock(tmp_path / "lock"), FairLock(tmp_path / "lock")
    with one.hold(1):
        with pytest.raises(Unavailable, match="正忙"), other.hold(0.05):
            pass
        seen: list[str] = []

        def wait() -> None:
            with pytest.raises(Unavailable, match="正忙"), one.hold(0.05):
                pass
            seen.append("busy")

        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
        assert seen == ["busy"]
    with one.hold(1), pytest.raises(Unavailable), other.hold(0.05):
        pass
    with other.hold(1):
        pass


@pytest.mark.parametrize(
    "url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://host/db", "duckdb:///x"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InputRejected, match="处理办法"):
        open_sql(url)


def test_an_unreachable_store_is_said_without_its_password(tmp_path: Path) -> None:
    engine = open_sql("postgresql://user:secret@127.0.0.1:1/none")
    with pytest.raises(Unavailable, match="数据库连接失败") as caught, reading(engine):
        pass
    assert "secret" not in str(caught.value)
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(Unavailable), reading(open_sql(f"sqlite:///{tmp_path / 'folder.db'}")):
        pass


def test_a_new_store_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.db"
    engine = open_sql(f"sqlite:///{path}")
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.glob("store.db*")}
    engine.dispose()
    assert modes["store.db"] == modes["store.db-wal"] == 0o600
