"""The audit log's chain: whatever is done to its rows or its head is found, on SQLite and PostgreSQL."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from qiaomen.bank import (
    AuditFilter,
    ReadLog,
    Viewer,
    audit,
    audit_export,
    audit_rows,
    local_analyst,
    make_anchor,
    read_anchors,
    verify_audit,
    write_anchor,
)
from qiaomen.store import reading, writing
from qiaomen.vocab import InputRejected, NotAllowed, Role, Unavailable

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
ROOT = Viewer(1, "root", "管理员", frozenset({Role.ADMINISTRATOR}))
COLUMNS = ("number", "at", "actor", "user_id", "action", "object", "detail", "hash")
GUARDS = {
    "sqlite": ["DROP TRIGGER IF EXISTS audit_log_no_update", "DROP TRIGGER IF EXISTS audit_log_no_delete"],
    "postgresql": ["DROP TRIGGER IF EXISTS audit_log_no_change ON audit_log"],
}


def fill(engine: sa.Engine, rows: int) -> None:
    """Append rows of every shape: with and without a user, whole seconds, words in Chinese, several at once."""
    log = ReadLog(engine)
    with writing(engine) as connection:
        for number in range(rows // 2):
            viewer = ROOT if number % 2 else None
            moment = NOW + timedelta(seconds=number, microseconds=number % 3)
            detail = {"rows": number, "word": "查阅", "none": None}
            audit(connection, viewer, "export.screen", f"list-{number}", detail, now=moment)
    for number in range(rows - rows // 2):
        log.note(ROOT, "read.company", f"company:{number}", {"status": 200}, NOW)
    log.close()


def unguard(connection: sa.Connection) -> None:
    for statement in GUARDS[connection.dialect.name]:
        connection.execute(sa.text(statement))


def flipped(value: Any, chance: random.Random) -> Any:
    """Change one byte of a value as it is stored; a number or a moment by one bit."""
    if isinstance(value, int):
        # Above the numbers in use: a row cannot take the place of another.
        return value ^ (1 << chance.randrange(6, 20))
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1 << chance.randrange(40))
    if value is None:
        return 0
    if value == "":
        return "x"
    raw = bytearray(value.encode())
    at = chance.randrange(len(raw))
    raw[at] ^= 1 << chance.randrange(8)
    return bytes(raw)


def stored(connection: sa.Connection) -> list[dict[str, Any]]:
    return [
        dict(row) for row in connection.execute(sa.text("SELECT * FROM audit_log ORDER BY number")).mappings()
    ]


def set_value(connection: sa.Connection, table: str, column: str, value: Any, number: int) -> None:
    """Write a raw value; bytes are stored as text where the database takes them."""
    shown = ":value"
    if isinstance(value, bytes):
        if connection.dialect.name == "postgresql":
            value = value.replace(b"\0", b"?").decode("utf-8", "replace")
        else:
            shown = "CAST(:value AS TEXT)"
    key = "number = :key" if table == "audit_log" else "head = :key"
    statement = sa.text(f"UPDATE {table} SET {column} = {shown} WHERE {key}")
    connection.execute(statement, {"value": value, "key": number})


def alter(connection: sa.Connection, chance: random.Random, rows: list[dict[str, Any]]) -> None:
    """Flip one bit of one value of one row."""
    row = chance.choice(rows)
    column = chance.choice(COLUMNS)
    set_value(connection, "audit_log", column, flipped(row[column], chance), row["number"])


def alter_head(connection: sa.Connection, chance: random.Random, rows: list[dict[str, Any]]) -> None:
    head = dict(connection.execute(sa.text("SELECT * FROM audit_head")).mappings().one())
    column = chance.choice(("head", "number", "hash"))
    set_value(connection, "audit_head", column, flipped(head[column], chance), 1)


def delete(connection: sa.Connection, chance: random.Random, rows: list[dict[str, Any]]) -> None:
    number = chance.choice(rows)["number"]
    connection.execute(sa.text("DELETE FROM audit_log WHERE number = :number"), {"number": number})


def cut_off(connection: sa.Connection, chance: random.Random, rows: list[dict[str, Any]]) -> None:
    connection.execute(
        sa.text("DELETE FROM audit_log WHERE number > :number"), {"number": chance.randrange(len(rows))}
    )


def renumber(connection: sa.Connection, chance: random.Random, rows: list[dict[str, Any]]) -> None:
    """Delete a row and close the gap."""
    gone = chance.choice(rows)["number"]
    connection.execute(sa.text("DELETE FROM audit_log WHERE number = :number"), {"number": gone})
    for number in range(gone + 1, len(rows) + 1):
        connection.execute(
            sa.text("UPDATE audit_log SET number = :to WHERE number = :number"),
            {"to": number - 1, "number": number},
        )
    connection.execute(sa.text("UPDATE audit_head SET number = :number"), {"number": len(rows) - 1})


def swap(connection: sa.Connection, chance: random.Random, rows: list[dict[str, Any]]) -> None:
    first, second = chance.sample(rows, 2)
    for number, to in ((first["number"], -1), (second["number"], first["number"]), (-1, second["number"])):
        connection.execute(
            sa.text("UPDATE audit_log SET number = :to WHERE number = :number"), {"to": to, "number": number}
        )


def swap_content(connection: sa.Connection, chance: random.Random, rows: list[dict[str, Any]]) -> None:
    """Exchange what two rows say, hashes left in place."""
    first, second = chance.sample(rows, 2)
    while first["object"] == second["object"]:
        first, second = chance.sample(rows, 2)
    for row, other in ((first, second), (second, first)):
        for column in ("at", "actor", "user_id", "action", "object", "detail"):
            set_value(connection, "audit_log", column, other[column], row["number"])


def insert(connection: sa.Connection, chance: random.Random, rows: list[dict[str, Any]]) -> None:
    """Put a copy of a row before, within (the later ones moved on) or after the chain."""
    row = chance.choice(rows)
    place = chance.choice((0, -3, len(rows) + 1, len(rows) + 7, chance.randrange(1, len(rows) + 1)))
    if 1 <= place <= len(rows):
        for number in range(len(rows), place - 1, -1):
            connection.execute(
                sa.text("UPDATE audit_log SET number = :to WHERE number = :number"),
                {"to": number + 1, "number": number},
            )
        connection.execute(sa.text("UPDATE audit_head SET number = number + 1"))
    names = ", ".join(COLUMNS)
    values = ", ".join(f":{name}" for name in COLUMNS)
    connection.execute(sa.text(f"INSERT INTO audit_log ({names}) VALUES ({values})"), row | {"number": place})


def drop_head(connection: sa.Connection, chance: random.Random, rows: list[dict[str, Any]]) -> None:
    connection.execute(sa.text("DELETE FROM audit_head"))


DAMAGES = (alter, alter_head, delete, cut_off, renumber, swap, swap_content, insert, drop_head)


class Undone(Exception):
    """Leaves a transaction without its changes."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_is_done_to_the_log_is_found(sql: sa.Engine, damage: Any) -> None:
    fill(sql, 12)
    with reading(sql) as connection:
        rows = stored(connection)
        assert verify_audit(connection).document()["ok"]
    rounds = 400 if damage is alter else 60
    for seed in range(rounds):
        chance = random.Random(seed)
        with pytest.raises(Undone), writing(sql) as connection:
            unguard(connection)
            damage(connection, chance, rows)
            check = verify_audit(connection)
            assert check.broken_at is not None, (damage.__name__, seed)
            assert check.reason
            raise Undone
    with reading(sql) as connection:
        assert verify_audit(connection).broken_at is None


def test_each_byte_of_a_stored_moment_counts(tmp_path: Path) -> None:
    """SQLite keeps moments as text, of which the driver forgives much."""
    from qiaomen.store import METADATA, open_sql

    engine = open_sql(f"sqlite:///{tmp_path / 'log.db'}")
    with writing(engine) as connection:
        METADATA.create_all(connection)
        audit(connection, None, "run", "x", now=NOW)
    for other in (
        "2026-03-01 08:00:00",
        "2026-03-01 08:00:00.00000p",
        "2026-03-01T08:00:00.000000",
        "2026-03-01 08:00:00.000000 ",
        "2026-03-01 08:00:00.0000000",
        "2026-03-01 08:00:00.000000+00:00",
    ):
        with pytest.raises(Undone), writing(engine) as connection:
            unguard(connection)
            set_value(connection, "audit_log", "at", other.encode(), 1)
            assert verify_audit(connection).broken_at == 1, other
            raise Undone
    engine.dispose()


def rewrite(connection: sa.Connection, drop: int) -> None:
    """Do what an intruder with the database's password does: leave a row out and hash all later ones anew."""
    unguard(connection)
    rows = [row for row in stored(connection) if row["number"] != drop]
    connection.execute(sa.text("DELETE FROM audit_log"))
    connection.execute(sa.text("UPDATE audit_head SET number = 0, hash = :origin"), {"origin": "0" * 64})
    for row in rows:
        viewer = ROOT if row["user_id"] else None
        audit(connection, viewer, row["action"], row["object"], {"rewritten": True}, now=NOW)


def test_an_anchor_finds_a_rewritten_and_a_cut_log(sql: sa.Engine, tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    fill(sql, 10)
    with reading(sql) as connection:
        write_anchor(path, make_anchor(verify_audit(connection), NOW, "key"))
    fill(sql, 6)
    with reading(sql) as connection:
        write_anchor(path, make_anchor(verify_audit(connection), NOW, "key"))
    anchors = read_anchors(path, "key")
    with reading(sql) as connection:
        check = verify_audit(connection, anchors)
        assert (check.rows, check.broken_at, check.anchors) == (16, None, 2)
        assert verify_audit(connection, anchors, since=12).rows == 4
    for drop in (1, 7, 16):
        with pytest.raises(Undone), writing(sql) as connection:
            rewrite(connection, drop)
            assert verify_audit(connection).broken_at is None
            found = verify_audit(connection, anchors)
            assert found.broken_at is not None
            assert "锚点" in found.reason
            for number in range(3):
                audit(connection, ROOT, "run", str(number), now=NOW)
            assert verify_audit(connection, anchors).broken_at is not None
            raise Undone


def test_an_anchor_file_that_was_touched_is_refused(sql: sa.Engine, tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    fill(sql, 4)
    with reading(sql) as connection:
        anchor = make_anchor(verify_audit(connection), NOW, "key")
    write_anchor(path, anchor)
    text = path.read_text()
    for touched in (
        text.replace('"number": 4', '"number": 3'),
        text.replace(anchor.hash, "0" * 64),
        text.replace(anchor.mac, ""),
        text.replace("2026-03-01", "2026-03-02"),
        "",
        "{}\n",
        "[1]\n",
        '{"number": -1, "hash": "x", "at": "y"}\n',
    ):
        path.write_text(touched)
        with pytest.raises(InputRejected):
            read_anchors(path, "key")
    path.write_text(text)
    with pytest.raises(InputRejected, match="签名"):
        read_anchors(path, "another key")
    with pytest.raises(InputRejected):
        read_anchors(tmp_path / "missing", "key")


def test_twenty_writers_keep_one_chain(sql: sa.Engine) -> None:
    failures: list[BaseException] = []
    log = ReadLog(sql, every=0.01)

    def work(worker: int) -> None:
        try:
            for number in range(10):
                log.note(ROOT, "read.company", f"company:{worker}", {"n": number}, NOW)
                with writing(sql) as connection:
                    audit(connection, ROOT, "change", f"{worker}-{number}", now=NOW)
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert not failures
    with reading(sql) as connection:
        check = verify_audit(connection)
        assert (check.rows, check.broken_at) == (400, None)
        own = [row["object"] for row in stored(connection) if row["object"].startswith("7-")]
    assert own == [f"7-{number}" for number in range(10)]


def test_a_log_that_grows_while_it_is_checked_is_whole(sql: sa.Engine) -> None:
    fill(sql, 50)
    stop = threading.Event()

    def grow() -> None:
        while not stop.is_set():
            with writing(sql) as connection:
                audit(connection, None, "run", "x", now=NOW)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        for _ in range(20):
            with reading(sql) as connection:
                assert verify_audit(connection).broken_at is None
    finally:
        stop.set()
        thread.join()


def test_a_log_without_its_head_takes_no_row(sql: sa.Engine) -> None:
    """On PostgreSQL the row goes with the commit: what cannot be noted must not be committed either."""
    if sql.dialect.name == "sqlite":
        return
    with writing(sql) as connection:
        connection.execute(sa.text("DELETE FROM audit_head"))
    with pytest.raises(sa.exc.IntegrityError), writing(sql) as connection:
        connection.execute(sa.text("INSERT INTO staff (staff_no, name) VALUES ('M9', 'x')"))
        audit(connection, ROOT, "change", "x", now=NOW)
    with reading(sql) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM staff")).scalar() == 0


def test_what_a_savepoint_takes_back_is_not_noted(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        with pytest.raises(Undone), connection.begin_nested():
            audit(connection, ROOT, "change", "taken back", now=NOW)
            raise Undone
        audit(connection, ROOT, "change", "kept", now=NOW)
    with reading(sql) as connection:
        assert [row["object"] for row in stored(connection)] == ["kept"]
        assert verify_audit(connection).broken_at is None


def test_a_change_that_is_rolled_back_leaves_no_row(sql: sa.Engine) -> None:
    with pytest.raises(Undone), writing(sql) as connection:
        audit(connection, ROOT, "change", "x", now=NOW)
        raise Undone
    with reading(sql) as connection:
        assert verify_audit(connection).rows == 0


def test_reads_are_kept_while_the_database_is_away(tmp_path: Path) -> None:
    from qiaomen.store import METADATA, open_sql

    engine = open_sql(f"sqlite:///{tmp_path / 'log.db'}")
    log = ReadLog(engine, most=3, every=60)
    assert log.note(ROOT, "read.company", "company:1", None, NOW)
    assert log.note(ROOT, "read.company", "company:2", None, NOW)
    assert not log.note(ROOT, "read.company", "company:3", None, NOW)
    with pytest.raises(Unavailable):
        log.flush()
    with writing(engine) as connection:
        METADATA.create_all(connection)
    assert log.flush() == 3
    log.close()
    assert not log.note(ROOT, "read.company", "company:4", None, NOW)
    assert log.flush() == 1
    with reading(engine) as connection:
        assert [row["object"] for row in stored(connection)] == [f"company:{n}" for n in range(1, 5)]
    engine.dispose()


def test_texts_that_a_database_refuses_are_made_to_fit(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        audit(connection, ROOT, "a" * 100, "长" * 300 + "\0\ud800", {"x": "\0\ud800"}, now=NOW)
        audit(connection, ROOT, "b", "长" * 301, now=NOW)
        assert verify_audit(connection).broken_at is None
        first, second = stored(connection)
    assert len(first["action"]) == 64
    assert len(first["object"]) == len(second["object"]) == 200
    assert first["object"] != second["object"]


def test_rows_are_found_by_who_what_and_when(sql: sa.Engine) -> None:
    fill(sql, 12)
    with reading(sql) as connection:
        assert {row["action"] for row in audit_rows(ROOT, connection, AuditFilter(action="read"))} == {
            "read.company"
        }
        assert len(audit_rows(ROOT, connection, AuditFilter(action="rea"))) == 0
        assert len(audit_rows(ROOT, connection, AuditFilter(object="company:2"))) == 1
        assert len(audit_rows(ROOT, connection, AuditFilter(actor="system"))) == 3
        assert len(audit_rows(ROOT, connection, AuditFilter(until=NOW))) == 0
        assert len(audit_rows(ROOT, connection, AuditFilter(since=NOW + timedelta(seconds=5)))) == 1
        assert [row["number"] for row in audit_rows(ROOT, connection, before=4, limit=2)] == [3, 2]


def test_the_log_is_for_administrators(sql: sa.Engine) -> None:
    with writing(sql) as connection, pytest.raises(NotAllowed):
        audit_rows(local_analyst(connection, NOW), connection)


def test_an_export_says_what_left_without_names(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        audit_export(
            connection,
            ROOT,
            "screen",
            query='name ~ "张三" & tag:high_tech',
            rows=3,
            sha256="ab",
            generation=7,
            form="csv",
            now=NOW,
        )
        (row,) = audit_rows(ROOT, connection)
    assert row["action"] == "export.screen"
    assert '"rows": 3' in row["detail"]
    assert "tag:high_tech" in row["detail"]
    assert "张三" not in row["detail"]
