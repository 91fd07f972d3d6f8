"""Backup and restore: the same hashes on both databases, taken while the system works; a bad file restores nothing."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from qiaomen.bank import local_analyst, verify_audit
from qiaomen.demo import Size, write_demo
from qiaomen.jobs import Workspace, back_up, full_hashes, init_workspace, load_files, restore, silent
from qiaomen.jobs.tasking import sync_bank
from qiaomen.jobs.workspace import set_database
from qiaomen.settings import FILE_NAME
from qiaomen.store import METADATA, jobs, migrate, open_sql, outbox, reading, stored_tables, writing
from qiaomen.vocab import InputRejected, Unavailable

NOW = datetime(2026, 6, 30, 2, tzinfo=UTC)
SMALL = Size(
    companies=400, persons=40, customers=20, events=40, texts=5, changes=5, contacts=20, known_paths=1
)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bank with its files loaded; tests copy it."""
    root = tmp_path_factory.mktemp("loaded") / "bank"
    values = {"as_of": date(2026, 6, 30), "bank_name": '甲"行\\'}
    workspace = init_workspace(root, values, clock=lambda: NOW)
    write_demo(workspace.inbox, root / "answers", size=SMALL)
    load_files(workspace, None, [], silent)
    with workspace.lake.stage() as stage:
        stage.write_arrays("graph", {"edges": np.arange(10), "none": np.zeros(0)})
        stage.publish({"as_of": "2026-06-30"})
    workspace.sql.dispose()
    (root / "overlay" / "深").mkdir()
    (root / "overlay" / "深" / "products.yaml").write_text("products: []\n", encoding="utf-8")
    return root


def made(loaded: Path, root: Path, url: str = "") -> Workspace:
    """A copy of the bank with rows of many kinds in its database."""
    shutil.copytree(loaded, root)
    set_database(root / FILE_NAME, url)
    workspace = Workspace(root, clock=lambda: NOW)
    sync_bank(workspace)
    with writing(workspace.sql) as connection:
        local_analyst(connection, NOW)
        jobs.submit(connection, "digest", {"说明": [1, None]}, now=NOW)
        outbox.enqueue(connection, "task.created", "k", {"task_id": 1}, now=NOW)
    return workspace


def without_log(hashes: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in hashes.items() if not name.startswith("sql audit")}


@pytest.fixture
def workspace(loaded: Path, tmp_path: Path, sql_url: str) -> Workspace:
    return made(loaded, tmp_path / "bank", "" if sql_url.startswith("sqlite") else sql_url)


def emptied(url: str) -> str:
    """Address of a second database on the same server."""
    name = f"{sa.make_url(url).database}_other"
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}"')
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    admin.dispose()
    return sa.make_url(url).set(database=name).render_as_string(hide_password=False)


def test_a_restored_workspace_says_the_same(workspace: Workspace, sql_url: str, tmp_path: Path) -> None:
    report = back_up(workspace, tmp_path / "b.tar")
    before = full_hashes(workspace)
    assert report.generation == 2
    assert report.tables["users"] > 0
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    url = None if sql_url.startswith("sqlite") else emptied(sql_url)
    restore(tmp_path / "b.tar", tmp_path / "again", database_url=url, clock=lambda: NOW)
    again = Workspace(tmp_path / "again", clock=lambda: NOW)
    assert without_log(full_hashes(again)) == without_log(before)
    assert again.settings.bank_name == workspace.settings.bank_name
    assert (again.root / "overlay" / "深" / "products.yaml").read_text(encoding="utf-8") == "products: []\n"
    assert np.array_equal(again.lake.snapshot().arrays("graph")["edges"], np.arange(10))
    with reading(again.sql) as connection:
        check = verify_audit(connection)
        assert check.broken_at is None
        actions = connection.execute(sa.text("SELECT action FROM audit_log ORDER BY number")).scalars().all()
        assert actions[-2:] == ["backup", "restore"]
    with writing(again.sql) as connection:
        # New rows get new numbers, and the log still refuses changes.
        assert jobs.submit(connection, "run", {}, now=NOW) == 2
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), writing(again.sql) as connection:
        connection.execute(sa.text("DELETE FROM audit_log"))
    assert list((workspace.root / "temp").iterdir()) == []
    workspace.sql.dispose()
    again.sql.dispose()


@pytest.mark.postgres
def test_a_backup_of_one_database_goes_into_the_other(
    loaded: Path, tmp_path: Path, postgres_url: str
) -> None:
    workspace = made(loaded, tmp_path / "bank")
    back_up(workspace, tmp_path / "b.tar")
    before = without_log(full_hashes(workspace))
    restore(tmp_path / "b.tar", tmp_path / "grown", database_url=postgres_url)
    grown = Workspace(tmp_path / "grown")
    assert grown.settings.database_url == postgres_url
    assert without_log(full_hashes(grown)) == before
    back_up(grown, tmp_path / "c.tar")
    restore(tmp_path / "c.tar", tmp_path / "shrunk", database_url="")
    shrunk = Workspace(tmp_path / "shrunk")
    assert without_log(full_hashes(shrunk)) == before
    for each in (workspace, grown, shrunk):
        each.sql.dispose()


def test_a_backup_holds_every_table_that_is_declared(tmp_path: Path) -> None:
    workspace = init_workspace(tmp_path / "bank")
    with reading(workspace.sql) as connection:
        assert {table.name for table in stored_tables(connection)} >= set(METADATA.tables)
    report = back_up(workspace, tmp_path / "b.tar")
    assert set(METADATA.tables) - set(report.tables) == {"sessions", "sign_in_starts"}
    workspace.sql.dispose()


def test_backups_while_others_write_are_each_one_moment(workspace: Workspace, tmp_path: Path) -> None:
    """A writer moves a message and a job together, thousands of times; every backup has as many of each."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with writing(workspace.sql) as connection:
                jobs.submit(connection, "load", {}, key=f"j{number}", now=NOW)
                outbox.enqueue(connection, "pair", f"j{number}", {}, now=NOW)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        reports = [back_up(workspace, tmp_path / f"b{number}.tar") for number in range(3)]
    finally:
        stop.set()
        thread.join()
    for report in reports:
        # One of each was there before.
        assert report.tables["jobs"] == report.tables["outbox"]
    assert reports[0].tables["jobs"] < reports[-1].tables["jobs"]
    workspace.sql.dispose()


def test_a_bad_backup_restores_nothing(workspace: Workspace, tmp_path: Path) -> None:
    back_up(workspace, tmp_path / "b.tar")
    data = (tmp_path / "b.tar").read_bytes()
    bad = tmp_path / "bad.tar"
    changed = bytearray(data)
    changed[len(data) // 2] ^= 255
    for content in (data[: len(data) // 2], data[: len(data) - 12_000], bytes(changed), b""):
        bad.write_bytes(content)
        with pytest.raises(InputRejected, match="备份文件不能使用"):
            restore(bad, tmp_path / "again")
        assert not (tmp_path / "again").exists()
    assert [path.name for path in tmp_path.iterdir() if "restoring" in path.name] == []
    workspace.sql.dispose()


def test_rows_that_disagree_with_their_hash_are_refused(loaded: Path, tmp_path: Path) -> None:
    """Checksums of the file agree, but the table of contents tells of other rows."""
    from qiaomen.store import ArchiveWriter, unpack_archive

    workspace = made(loaded, tmp_path / "bank")
    back_up(workspace, tmp_path / "b.tar")
    workspace.sql.dispose()
    (tmp_path / "out").mkdir()
    about = unpack_archive(tmp_path / "b.tar", tmp_path / "out")
    about["tables"]["users"]["sha256"] = "0" * 64
    with ArchiveWriter(tmp_path / "c.tar") as archive:
        for path in sorted((tmp_path / "out").rglob("*")):
            if path.is_file():
                archive.add_file(path.relative_to(tmp_path / "out").as_posix(), path)
        archive.finish(about)
    with pytest.raises(InputRejected, match="users"):
        restore(tmp_path / "c.tar", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_what_is_there_stays_unless_asked(loaded: Path, tmp_path: Path) -> None:
    workspace = made(loaded, tmp_path / "bank")
    back_up(workspace, tmp_path / "b.tar")
    with pytest.raises(InputRejected, match="不会覆盖"):
        back_up(workspace, tmp_path / "b.tar")
    with pytest.raises(InputRejected, match="不是空的"):
        restore(tmp_path / "b.tar", workspace.root)
    (tmp_path / "empty").mkdir()
    restore(tmp_path / "b.tar", tmp_path / "empty")
    report = restore(tmp_path / "b.tar", workspace.root, replace="before-restore")
    assert report.kept == str(tmp_path / "bank.before-restore")
    assert (tmp_path / "bank.before-restore" / "inbox" / "companies.csv").exists()
    workspace.sql.dispose()


@pytest.mark.postgres
def test_a_database_that_holds_something_stays_unless_asked(
    loaded: Path, tmp_path: Path, postgres_url: str
) -> None:
    workspace = made(loaded, tmp_path / "bank")
    back_up(workspace, tmp_path / "b.tar")
    engine = open_sql(postgres_url)
    migrate(engine)
    with writing(engine) as connection:
        connection.execute(sa.text("CREATE TABLE somebody_elses (x integer)"))
        jobs.submit(connection, "digest", {}, now=NOW)
    with pytest.raises(InputRejected, match="目标数据库不是空的"):
        restore(tmp_path / "b.tar", tmp_path / "again", database_url=postgres_url)
    with reading(engine) as connection:
        assert len(jobs.recent(connection)) == 1
    restore(tmp_path / "b.tar", tmp_path / "again", database_url=postgres_url, replace="before-restore")
    again = Workspace(tmp_path / "again")
    assert without_log(full_hashes(again)).keys() >= without_log(full_hashes(workspace)).keys()
    with reading(engine) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM somebody_elses")).scalar() == 0
    for each in (engine, workspace.sql, again.sql):
        each.dispose()


def test_a_backup_of_a_newer_program_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = init_workspace(tmp_path / "bank")
    migrate(workspace.sql)
    with writing(workspace.sql) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    back_up(workspace, tmp_path / "b.tar")
    workspace.sql.dispose()
    with pytest.raises(Unavailable, match="升级程序"):
        restore(tmp_path / "b.tar", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_no_path_of_this_machine_is_in_the_file(loaded: Path, tmp_path: Path) -> None:
    workspace = made(loaded, tmp_path / "bank")
    back_up(workspace, tmp_path / "b.tar")
    workspace.sql.dispose()
    with tarfile.open(tmp_path / "b.tar") as tar:
        names = tar.getnames()
    assert f"settings/{FILE_NAME}" in names
    assert not any(name.startswith(("/", "inbox", "temp")) for name in names)
    # Table rows are packed; whatever is readable names no folder of this machine.
    assert os.fsencode(str(tmp_path)) not in (tmp_path / "b.tar").read_bytes()
