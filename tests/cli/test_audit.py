"""``qiaomen audit``: verify, anchor, list, export, with their documents and exit codes."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa

from qiaomen.bank import audit, create_user
from qiaomen.jobs import Workspace, init_workspace
from qiaomen.store import writing
from qiaomen.vocab import Role
from tests.cli.conftest import Answer, call

DOCS = Path(__file__).parents[2] / "docs" / "cli"
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


def check(name: str, answer: Answer) -> Any:
    document = answer.document
    schema = json.loads((DOCS / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(document)
    return document


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A workspace with an administrator and some rows in the log."""
    root = tmp_path / "bank"
    init_workspace(root)
    with writing(Workspace(root).sql) as connection:
        create_user(connection, "root", "管理员", role=Role.ADMINISTRATOR, now=NOW)
        for number in range(10):
            audit(connection, None, "change.load", f"load:{number}", {"n": number}, now=NOW)
    return root


def tamper(root: Path, statement: str) -> None:
    with writing(Workspace(root).sql) as connection:
        connection.execute(sa.text("DROP TRIGGER IF EXISTS audit_log_no_update"))
        connection.execute(sa.text("DROP TRIGGER IF EXISTS audit_log_no_delete"))
        connection.execute(sa.text(statement))


def test_a_whole_log_and_a_damaged_one(bank: Path) -> None:
    answer = call("audit", "verify", "--json", workspace=bank)
    document = check("audit-verify", answer)
    assert (answer.code, document["ok"], document["broken_at"]) == (0, True, None)
    assert call("audit", "verify", workspace=bank).code == 0
    tamper(bank, "UPDATE audit_log SET detail = '{}' WHERE object = 'load:4'")
    answer = call("audit", "verify", "--json", workspace=bank)
    document = check("audit-verify", answer)
    assert (answer.code, document["ok"]) == (1, False)
    assert document["broken_at"] is not None
    assert "改动" in call("audit", "verify", workspace=bank).out


def test_an_anchor_outlives_the_last_rows(bank: Path, tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    assert check("audit-anchor", call("audit", "anchor", path, "--json", workspace=bank))["written"]
    assert check("audit-anchor", call("audit", "anchor", path, "--json", workspace=bank))["anchors"] == 1
    document = check("audit-verify", call("audit", "verify", "--anchor", path, "--json", workspace=bank))
    assert (document["ok"], document["anchors"]) == (True, 2)
    last = document["last"]["number"]
    tamper(bank, f"DELETE FROM audit_log WHERE number = {last}")
    tamper(
        bank,
        f"UPDATE audit_head SET number = {last - 1}, hash = (SELECT max(hash) FROM audit_log WHERE number = {last - 1})",
    )
    assert call("audit", "verify", workspace=bank).code == 0
    answer = call("audit", "verify", "--anchor", path, "--json", workspace=bank)
    assert (answer.code, check("audit-verify", answer)["ok"]) == (1, False)
    before = path.read_text()
    answer = call("audit", "anchor", path, "--json", workspace=bank)
    assert (answer.code, check("audit-anchor", answer)["written"]) == (1, False)
    assert path.read_text() == before


def test_a_key_signs_the_anchors(bank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "anchors.jsonl"
    monkeypatch.setenv("QIAOMEN_AUDIT_KEY", "key")
    assert call("audit", "anchor", path, workspace=bank).code == 0
    assert call("audit", "verify", "--anchor", path, workspace=bank).code == 0
    monkeypatch.setenv("QIAOMEN_AUDIT_KEY", "another")
    answer = call("audit", "verify", "--anchor", path, workspace=bank)
    assert answer.code == 2
    assert "签名" in answer.err


def test_rows_are_listed_for_administrators_only(bank: Path) -> None:
    assert call("audit", "list", workspace=bank).code == 2
    rows = check("audit-list", call("audit", "list", "--as", "root", "--json", workspace=bank))["rows"]
    assert rows[0]["action"] == "cli.audit.list"
    one = call("audit", "list", "--as", "root", "--object", "load:3", "--json", workspace=bank)
    assert [row["object"] for row in check("audit-list", one)["rows"]] == ["load:3"]
    days = ("--since", "2026-03-01", "--until", "2026-03-01", "--action", "change")
    assert len(call("audit", "list", "--as", "root", *days, "--json", workspace=bank).document["rows"]) == 10
    assert "load:3" in call("audit", "list", "--as", "root", workspace=bank).out


def test_an_export_of_the_log_is_noted_in_it(bank: Path, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    assert call("audit", "export", path, "--as", "root", "--action", "change", workspace=bank).code == 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 11
    listed = call("audit", "list", "--as", "root", "--action", "export", "--json", workspace=bank).document
    detail = json.loads(listed["rows"][0]["detail"])
    assert detail["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert detail["rows"] == 10


def test_what_is_kept_too_long_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "bank"
    init_workspace(root)
    (root / "inbox" / "companies.csv").write_text("name\n甲有限公司\n", encoding="utf-8")
    assert call("load", workspace=root).code == 0
    (row,) = check("retention", call("retention", "--json", workspace=root))["sources"]
    assert (row["source"], row["rows"], row["past_rows"]) == ("companies", 1, 0)
    assert call("retention", "--past", "--json", workspace=root).document["sources"] == []
    monkeypatch.setenv("QIAOMEN_AS_OF", "2099-01-01")
    (row,) = call("retention", "--past", "--json", workspace=root).document["sources"]
    assert row["past_rows"] == 1
    assert "1 处超过期限" in call("retention", workspace=root).out
    seen = check("retention", call("retention", "--delete", "--json", workspace=root))["deletion"]
    assert (seen["done"], seen["rows"], seen["inbox"]) == (False, 1, ["companies.csv"])
    assert "没有改动" in call("retention", "--delete", workspace=root).out
    assert call("retention", "--yes", workspace=root).code == 2
    assert call("retention", "--past", "--delete", workspace=root).code == 2
    assert call("retention", "--source", "typo", workspace=root).code == 2
    assert call("retention", "--delete", "--source", "nobody", "--yes", workspace=root).code == 2
    done = call("retention", "--delete", "--yes", "--source", "companies", workspace=root)
    assert "已删除 1 行" in done.out
    assert "inbox" in done.out
    none = check("retention", call("retention", "--delete", "--yes", "--json", workspace=root))
    assert (none["deletion"]["done"], none["deletion"]["rows"], none["sources"]) == (False, 0, [])
