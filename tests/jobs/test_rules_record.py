"""Changes of settings and of the bank's own rules are noted once, by file; loads are noted with their counts."""

from __future__ import annotations

from pathlib import Path

from qiaomen.bank import newest_detail, verify_audit
from qiaomen.jobs import Workspace, init_workspace, load_files, silent
from qiaomen.jobs.rules_record import ACTION, note_rules
from qiaomen.store import reading


def workspace_in(path: Path) -> Workspace:
    init_workspace(path)
    return Workspace(path)


def test_a_changed_rule_is_noted_once(tmp_path: Path) -> None:
    workspace = workspace_in(tmp_path / "w")
    assert note_rules(workspace)
    assert not note_rules(workspace)
    rule = workspace.root / "overlay" / "tags.csv"
    rule.write_text("code\n", encoding="utf-8")
    assert note_rules(workspace)
    workspace.settings = workspace.settings.model_copy(update={"webhook_secret": "x"})
    assert not note_rules(workspace)
    workspace.settings = workspace.settings.model_copy(update={"bank_name": "另一家银行"})
    rule.unlink()
    assert note_rules(workspace)
    with reading(workspace.sql) as connection:
        detail = newest_detail(connection, ACTION)
        assert detail is not None
        assert detail["changed"] == ["settings", "tags.csv"]
        assert "webhook_secret" not in str(detail)
        assert verify_audit(connection).rows == 3


def test_a_load_is_noted_with_its_counts(tmp_path: Path) -> None:
    workspace = workspace_in(tmp_path / "w")
    path = workspace.root / "inbox" / "companies.csv"
    path.write_text("name\n甲有限公司\n乙有限公司\n", encoding="utf-8")
    report = load_files(workspace, "companies", [path], silent)
    with reading(workspace.sql) as connection:
        detail = newest_detail(connection, "change.load")
    assert detail is not None
    assert detail["totals"] == report.totals
    assert detail["sources"] == ["companies"]
