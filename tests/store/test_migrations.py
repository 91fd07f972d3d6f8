"""Migrations on SQLite and PostgreSQL: they give exactly the declared tables, once, and never go back."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

import qiaomen
from qiaomen.store import METADATA, differences, migrate, open_sql, reading, write_revision, writing
from qiaomen.store.migrating import head, version_of
from qiaomen.vocab import Unavailable


def declare_everything() -> None:
    """Import every module that declares a table on METADATA."""
    root = Path(qiaomen.__file__).parent
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        if "migrations" not in parts and "METADATA," in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(parts).removesuffix(".__init__"))


def test_migrations_and_declared_tables_agree(sql_url: str) -> None:
    declare_everything()
    engine = open_sql(sql_url)
    assert migrate(engine) == head()
    assert migrate(engine) == head()
    with reading(engine) as connection:
        found = differences(connection, METADATA)
        assert found == [], "write a migration: scripts say otherwise than the declared tables"
        assert version_of(connection) == head()
    engine.dispose()


def test_a_migrated_store_guards_its_audit_log(sql_url: str) -> None:
    engine = open_sql(sql_url)
    migrate(engine)
    with writing(engine) as connection:
        connection.execute(
            sa.text("INSERT INTO audit_log VALUES (1, '2026-01-01', 'a', NULL, 'x', 'y', '{}', 'h')")
        )
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), writing(engine) as connection:
        connection.execute(sa.text("DELETE FROM audit_log"))
    engine.dispose()


def test_many_may_open_a_new_store_at_once(sql_url: str) -> None:
    failures: list[BaseException] = []

    def open_it() -> None:
        engine = open_sql(sql_url)
        try:
            migrate(engine)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    engine = open_sql(f"sqlite:///{tmp_path / 'q.db'}")
    migrate(engine)
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="升级程序"):
        migrate(engine)
    engine.dispose()


def test_an_up_to_date_store_opens_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'q.db'}"
    migrate(open_sql(url))
    program = textwrap.dedent(
        f"""
        import sys
        from qiaomen.store import migrate, open_sql
        migrate(open_sql({url!r}))
        assert "alembic" not in sys.modules and "ibis" not in sys.modules and "duckdb" not in sys.modules
        """
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_revision_is_written_for_a_new_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    from qiaomen.store import migrating

    scripts = tmp_path / "migrations"
    shutil.copytree(Path(migrating.__file__).parent / "migrations", scripts)
    monkeypatch.setattr(migrating, "_SCRIPTS", scripts)
    declare_everything()
    engine = open_sql(f"sqlite:///{tmp_path / 'q.db'}")
    migrate(engine)
    metadata = sa.MetaData(naming_convention=METADATA.naming_convention)
    for table in METADATA.sorted_tables:
        table.to_metadata(metadata)
    sa.Table("pens", metadata, sa.Column("pen_id", sa.Integer, primary_key=True))
    path = write_revision(engine, metadata, "pens")
    text = path.read_text()
    assert path.name == f"{int(head()):04d}_pens.py"
    assert "create_table" in text
    assert "tasks" not in text
    engine.dispose()
