"""Screening on the command line: formats, order, evidence, exports without live formulas, what a viewer may see."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import resource
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import call

pytestmark = pytest.mark.xdist_group("cli")


def test_wrong_name_shows_the_place_and_the_nearest(ready: Path) -> None:
    answer = call("screen", "customer & 标签:高新技术企", workspace=ready)
    assert answer.code == 2
    line, mark = answer.err.splitlines()[:2]
    assert line.strip() == "customer & 标签:高新技术企"
    # 标签: takes five columns of a terminal.
    assert mark.index("^") == 2 + len("customer & ") + 5
    assert "高新技术企业" in answer.err
    assert not answer.out


def test_json_form_means_the_same(ready: Path) -> None:
    as_text = call("screen", "tag:high_tech & !customer", "--json", workspace=ready).document
    form = json.dumps(as_text["expression_json"])
    assert call("screen", form, "--json", workspace=ready).document == as_text
    assert call("screen", "{broken", workspace=ready).code == 2


def test_sorted_by_any_field_both_ways(ready: Path) -> None:
    def values(sort: str) -> list[float]:
        found = call("screen", "known(capital_cny)", "--json", f"--sort={sort}", workspace=ready).document
        return [row["capital_cny"] for row in found["companies"]]

    assert values("capital_cny") == sorted(values("capital_cny"))
    assert values("-capital_cny") == sorted(values("-capital_cny"), reverse=True)
    wrong = call("screen", "customer", "--sort=colour", workspace=ready)
    assert wrong.code == 2
    assert "capital_cny" in wrong.err


def test_evidence_of_each_condition(ready: Path) -> None:
    found = call("screen", "tag:high_tech & region:310000", "--json", workspace=ready).document
    for row in found["companies"]:
        assert {item["dimension"] for item in row["evidence"]} == {"tag", "region"}
        assert all(item["label"] for item in row["evidence"])


def test_csv_on_standard_output_and_in_a_file(ready: Path, tmp_path: Path) -> None:
    answer = call("screen", "customer", "--format", "csv", workspace=ready)
    rows = list(csv.reader(io.StringIO(answer.out.removeprefix("\ufeff"))))
    assert rows[0][0] == "企业编号"
    total = call("screen", "customer", "--json", workspace=ready).document["total"]
    assert len(rows) == total + 1
    path = tmp_path / "list.csv"
    assert call("screen", "customer", "--out", path, workspace=ready).code == 0
    assert path.read_bytes().decode() == answer.out
    assert [file.name for file in tmp_path.iterdir()] == ["list.csv"]


def test_xlsx_is_written_without_formulas(ready: Path, tmp_path: Path) -> None:
    from python_calamine import CalamineWorkbook

    path = tmp_path / "list.xlsx"
    assert call("screen", "customer", "--out", path, workspace=ready).code == 0
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    assert rows[0][1] == "统一社会信用代码"
    assert all(len(row[1]) == 18 for row in rows[1:])
    with zipfile.ZipFile(path) as book:
        assert not any(b"<f>" in book.read(name) for name in book.namelist() if "sheet" in name)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--format", "xlsx"),
        ("--format", "pdf"),
        ("--out", "list.docx"),
    ],
)
def test_formats_that_cannot_be(ready: Path, arguments: tuple[str, ...]) -> None:
    answer = call("screen", "customer", *arguments, workspace=ready)
    assert answer.code == 2
    assert "处理办法" in answer.err


def test_full_disk_leaves_the_former_file(tmp_path: Path) -> None:
    from qiaomen.cli.output import list_bytes, write_bytes
    from qiaomen.vocab import Unavailable

    path = tmp_path / "list.csv"
    path.write_bytes(b"former")
    rows = [[f"{number * 7919:x}" * 20] for number in range(20_000)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A file may not grow beyond this, as on a disk that is full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(Unavailable, match="处理办法"):
            write_bytes(path, list_bytes("csv", ["列"], rows))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"former"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("form", ["csv", "xlsx", "json"])
def test_a_folder_that_is_a_file(ready: Path, tmp_path: Path, form: str) -> None:
    folder = tmp_path / "not-a-folder"
    folder.write_text("x")
    answer = call("screen", "customer", "--out", folder / f"list.{form}", workspace=ready)
    assert answer.code == 1
    assert "处理办法" in answer.err


def test_a_list_of_customers_holds_the_own_ones_only(ready: Path, people: Mapping[str, str]) -> None:
    def screened(text: str, *more: object) -> Any:
        return call("screen", text, "--json", "--limit", 10_000, *more, workspace=ready).document

    whole, own = screened("customer"), screened("customer", "--as", people["manager"])
    numbers = {row["company_id"] for row in own["companies"]}
    assert 0 < len(numbers) == own["total"] == own["customers"] < whole["total"]
    assert numbers < {row["company_id"] for row in whole["companies"]}
    rest = screened("!customer", "--as", people["manager"])
    assert not numbers & {row["company_id"] for row in rest["companies"]}
    assert all(row["customer"] is None and not row["is_customer"] for row in rest["companies"])
    assert rest["total"] + own["total"] == screened("capital_cny>0 | !(capital_cny>0)")["total"]
    others = {row["company_id"] for row in whole["companies"]} - numbers
    assert all(row["hops"] is None for row in rest["companies"] if row["company_id"] in others)
    near = screened("known(hops)", "--as", people["manager"])
    assert not others & {row["company_id"] for row in near["companies"]}


def test_who_may_screen_and_export(ready: Path, people: Mapping[str, str], tmp_path: Path) -> None:
    refused = call("screen", "customer", "--as", people["administrator"], workspace=ready)
    assert (refused.code, refused.out) == (2, "")
    export = call(
        "screen", "customer", "--out", tmp_path / "a.csv", "--as", people["manager"], workspace=ready
    )
    assert export.code == 2
    assert not (tmp_path / "a.csv").exists()


def test_looks_and_exports_are_in_the_audit_log(
    ready: Path, people: Mapping[str, str], tmp_path: Path
) -> None:
    from datetime import UTC, datetime

    from qiaomen.bank import audit_rows, verify_audit, viewer_by_login
    from qiaomen.jobs import Workspace
    from qiaomen.store import reading

    call("screen", "customer", "--out", tmp_path / "a.csv", workspace=ready)
    call("tasks", "--as", people["manager"], workspace=ready)
    with reading(Workspace(ready).sql) as connection:
        administrator = viewer_by_login(connection, people["administrator"], datetime.now(UTC))
        rows = audit_rows(administrator, connection, limit=3)
        assert verify_audit(connection).broken_at is None
    assert [row["action"] for row in rows] == ["cli.tasks", "export.screen", "cli.screen"]
    detail = json.loads(rows[1]["detail"])
    assert detail["sha256"] == hashlib.sha256((tmp_path / "a.csv").read_bytes()).hexdigest()
    assert (detail["query"], detail["format"]) == ("customer", "csv")
    assert detail["generation"] > 0
    assert detail["rows"] > 0
    assert rows[0]["actor"] == people["manager"]
