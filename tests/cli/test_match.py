"""``qiaomen match`` on files: one document, one table, no workspace needed, errors with exit code 2."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import call
from tests.cli.test_documents import check


def test_files_are_matched_without_a_workspace(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("rid,name,uscc\n5,上海初敲光刻胶科技有限公司,\n", encoding="utf-8")
    (tmp_path / "c.csv").write_text(
        "cid,name\n1,上海初敲光刻胶科技有限公司\n2,不在册有限公司\n", encoding="utf-8"
    )
    wanted = ("match", "--registry", tmp_path / "r.csv", "--customers", tmp_path / "c.csv", "--out")
    answer = call(*wanted, tmp_path / "out.csv", "--json", workspace=tmp_path / "none")
    document = check("match", answer)
    assert (document["rows"], document["matched"], document["unmatched"]) == (2, 1, 1)
    assert not (tmp_path / "none").exists()
    assert "对照 1 家企业" in call(*wanted, tmp_path / "out.csv", workspace=tmp_path / "none").out
    refused = call(*wanted, tmp_path / "c.csv", "--json", workspace=tmp_path / "none")
    assert refused.code == 2
    assert "是输入文件" in check("error", refused)["error"]["message"]
