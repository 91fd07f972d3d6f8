"""Bad input on the command line: a clear message with file and remedy, the right exit code, never a traceback or half a load."""

from __future__ import annotations

import ctypes
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import Answer, call, run_process

pytestmark = pytest.mark.xdist_group("cli")


def refused(answer: Answer, code: int = 2) -> str:
    assert answer.code == code, answer.err
    assert answer.out == ""
    assert "处理办法" in answer.err
    assert "Traceback" not in answer.err
    return answer.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("load",), ("run",), ("screen", "customer"), ("company", "1"), ("reach", "1"), ("opportunities",), ("tasks",),
        ("rejects",), ("serve",), ("work", "--once"),
    ],
)  # fmt: skip
def test_not_a_workspace(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert "不是工作区" in refused(call(*arguments, workspace=tmp_path))


@pytest.mark.parametrize(
    "arguments", [("run",), ("screen", "customer"), ("company", "1"), ("reach", "1"), ("opportunities",)]
)
def test_nothing_loaded_or_run(empty: Path, arguments: tuple[str, ...]) -> None:
    refused(call(*arguments, workspace=empty))


def test_loaded_but_not_run(loaded: Path) -> None:
    assert "qiaomen run" in refused(call("screen", "customer", workspace=loaded))


def test_empty_inbox(empty: Path) -> None:
    answer = call("load", workspace=empty)
    assert answer.code == 2
    assert "inbox" in answer.err
    assert "处理办法" in answer.err


def test_broken_settings(empty: Path) -> None:
    (empty / "qiaomen.toml").write_text("threads = many", encoding="utf-8")
    assert "qiaomen.toml" in refused(call("tasks", workspace=empty))
    (empty / "qiaomen.toml").write_text("colour = 1", encoding="utf-8")
    assert "colour" in refused(call("tasks", workspace=empty))


def test_unknown_environment_variable(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QIAOMEN_COLOUR", "1")
    assert "QIAOMEN_COLOUR" in refused(call("tasks", workspace=empty))


def generation(workspace: Path) -> int:
    from qiaomen.jobs import Workspace

    return Workspace(workspace).lake.snapshot().number


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for _ in range(600):
                sheet.write(b"0" * (1 << 20))


def test_bad_files_stop_the_whole_load(fresh: Path) -> None:
    before = generation(fresh)
    (fresh / "inbox" / "companies.csv").write_text("uscc,name\n91310101103959505X,甲公司\n", encoding="utf-8")
    for name, content in (
        ("persons.xlsx", None),
        ("persons.xlsx", b"PK\x03\x04 broken"),
        ("persons.csv", b""),
        ("persons.csv", b"colour,size\n1,2\n"),
        ("persons.csv", b"\x00\x01\x02\xff\xfe\x00"),
    ):
        path = fresh / "inbox" / name
        for other in ("persons.csv", "persons.xlsx"):
            (fresh / "inbox" / other).unlink(missing_ok=True)
        if content is None:
            bomb(path)
        else:
            path.write_bytes(content)
        answer = call("load", workspace=fresh)
        assert answer.code == 2, (name, content, answer.err)
        assert name in answer.err
        assert "处理办法" in answer.err
        assert generation(fresh) == before


def test_gb18030_is_read(empty: Path) -> None:
    text = "企业名称,统一社会信用代码\n上海㐂龘有限公司,\n"
    (empty / "inbox" / "companies.csv").write_bytes(text.encode("gb18030"))
    answer = call("load", "--json", workspace=empty)
    assert answer.code == 0, answer.err
    assert answer.document["totals"]["inserted"] == 1
    from qiaomen.jobs import Workspace
    from qiaomen.registry import COMPANY_RECORDS

    assert Workspace(empty).lake.snapshot().arrow(COMPANY_RECORDS)["name"].to_pylist() == ["上海㐂龘有限公司"]


def test_missing_file_and_unknown_source(empty: Path, tmp_path: Path) -> None:
    refused(call("load", "companies", tmp_path / "none.csv", workspace=empty))
    refused(call("load", "companyes", tmp_path, workspace=empty))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    refused(call("init", workspace=tmp_path / "file" / "workspace"), 1)


def without_override() -> None:
    """Give up root's right to write where nobody may (capability CAP_DAC_OVERRIDE)."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


def test_read_only_folder(tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    assert run_process("init", workspace=workspace).code == 0
    for folder in (workspace, tmp_path):
        folder.chmod(0o555)
    try:
        refused(run_process("tasks", workspace=workspace, preexec_fn=without_override), 1)
        refused(run_process("init", workspace=tmp_path / "new", preexec_fn=without_override), 1)
    finally:
        for folder in (tmp_path, workspace):
            folder.chmod(0o755)


def test_internal_errors_go_to_a_file(empty: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (empty / "operational.db").write_bytes(b"SQLite format 3\x00 and then nothing of the kind")
    answer = call("tasks", "--json", workspace=empty)
    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert answer.document["error"]["remedy"]


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    path = tmp_path / "bank"
    path.write_text("x", encoding="utf-8")
    answer = call("init", workspace=path)
    assert answer.code == 2
    assert "不是目录" in answer.err


def test_init_says_what_comes_next(tmp_path: Path) -> None:
    answer = call("init", workspace=tmp_path / "bank")
    assert answer.out == f"工作区：{tmp_path / 'bank'}\n"
    assert "inbox" in answer.err
