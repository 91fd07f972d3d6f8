"""backup, restore, upgrade, hashes: documents of the declared shape, words that help, nothing overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiaomen.jobs import Workspace
from qiaomen.store import make_schema, open_sql, writing
from qiaomen.store.migrating import head
from tests.cli.conftest import call
from tests.cli.test_documents import check

pytestmark = pytest.mark.xdist_group("cli")


def test_backup_restore_and_compare(fresh: Path, tmp_path: Path) -> None:
    file = tmp_path / "b.tar"
    made = check("backup", call("backup", file, "--json", workspace=fresh))
    assert made["generation"] == Workspace(fresh).lake.snapshot().number
    again = tmp_path / "again"
    assert check("restore", call("restore", file, "--json", workspace=again))["kept"] == ""
    one = check("hashes", call("hashes", "--results", "--json", workspace=fresh))
    other = check("hashes", call("hashes", "--results", "--json", workspace=again))
    assert one == other
    full = check("hashes", call("hashes", "--json", workspace=again))["hashes"]
    assert "sql audit_log" in full
    assert "sql audit_log" not in one["hashes"]


def test_nothing_is_overwritten_unasked(fresh: Path, tmp_path: Path) -> None:
    file = tmp_path / "b.tar"
    assert call("backup", file, workspace=fresh).code == 0
    refused = call("backup", file, workspace=fresh)
    assert refused.code == 2
    assert "不会覆盖" in refused.err
    refused = call("restore", file, workspace=fresh)
    assert refused.code == 2
    assert "--force" in refused.err
    document = check("restore", call("restore", file, "--force", "--json", workspace=fresh))
    assert Path(document["kept"]).is_dir()
    assert "before-restore" in document["kept"]


def test_a_bad_file_is_refused_with_words(tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(b"no backup")
    answer = call("restore", tmp_path / "b.tar", "--json", workspace=tmp_path / "again")
    assert answer.code == 2
    assert "备份文件不能使用" in check("error", answer)["error"]["message"]
    assert not (tmp_path / "again").exists()


def test_upgrade_backs_up_first(empty: Path, tmp_path: Path) -> None:
    earlier = f"{int(head()) - 1:04d}"
    (empty / "operational.db").unlink(missing_ok=True)
    engine = open_sql(f"sqlite:///{empty / 'operational.db'}")
    with writing(engine) as connection:
        make_schema(connection, earlier)
    engine.dispose()
    document = check("upgrade", call("upgrade", "--json", workspace=empty))
    assert (document["before"], document["after"]) == (earlier, head())
    assert check("upgrade", call("upgrade", "--json", workspace=empty))["backup"] == ""
    back = tmp_path / "back"
    assert (
        check("restore", call("restore", document["backup"], "--json", workspace=back))["schema"] == earlier
    )
    refused = call("upgrade", "--backup", tmp_path / "x.tar", "--no-backup", workspace=empty)
    assert refused.code == 2


def test_a_newer_database_is_not_taken_back(empty: Path) -> None:
    import sqlalchemy as sa

    engine = Workspace(empty).sql
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    answer = call("upgrade", workspace=empty)
    assert answer.code == 1
    assert "不能降级" in answer.err
