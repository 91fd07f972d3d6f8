"""File names find their source; nothing in a folder goes unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiaomen.registry import load_sources, plan_files
from qiaomen.vocab import InputRejected

SOURCES = load_sources()


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("companies.csv", "companies"),
        ("Companies-2026-01.XLSX", "companies"),
        ("企业信息.csv.gz", "companies"),
        ("company_goods.parquet", "company_goods"),
        ("company_changes.csv", "company_changes"),
        ("goods.csv", "goods"),
        ("goods_relations.csv", "goods_relations"),
        ("产品关系.csv", "goods_relations"),
        ("parks.csv", "parks"),
        ("park_residents.csv", "park_residents"),
        ("存量客户清单.xlsx", "customers"),
        ("customers_v2.xlsx", "customers"),
        ("announcements.csv", "announcements"),
        ("公告001.txt", "announcements"),
        ("invoice.parquet", "invoice"),
        ("stock_basic.csv", "ashare"),
    ],
)
def test_names_find_their_source(tmp_path: Path, name: str, source: str) -> None:
    path = tmp_path / name
    path.write_text("x")
    assert [file.source for file in plan_files(SOURCES, [path]).files] == [source]


def test_a_text_announcement_is_a_document_and_a_table_is_not(tmp_path: Path) -> None:
    for name in ("公告1.txt", "公告1.csv"):
        (tmp_path / name).write_text("x")
    plan = plan_files(SOURCES, [tmp_path])
    forms = {file.name: SOURCES["announcements"].files[file.rule].format.document for file in plan.files}
    assert forms == {"公告1.txt": True, "公告1.csv": False}


def test_a_folder_reports_ignored_and_unknown_files(tmp_path: Path) -> None:
    for name in ("company.csv", "industry_parent.csv", "notes.docx", "~$客户.xlsx", ".hidden"):
        (tmp_path / name).write_text("x")
    plan = plan_files(SOURCES, [tmp_path], source="chain")
    assert [file.name for file in plan.files] == ["company.csv"]
    assert {item.path.name for item in plan.ignored} == {"industry_parent.csv", "~$客户.xlsx", ".hidden"}
    assert all(item.reason for item in plan.ignored)
    assert [path.name for path in plan.unknown] == ["notes.docx"]


def test_the_same_file_twice_is_read_once_and_same_names_stay_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "goods.csv").write_text("x")
    plan = plan_files(SOURCES, [tmp_path / "a", tmp_path / "a" / "goods.csv", tmp_path / "b"])
    assert [file.name for file in plan.files] == ["a/goods.csv", "b/goods.csv"]


@pytest.mark.parametrize("source", [None, "goods"])
def test_unknown_files_named_outright_are_refused(tmp_path: Path, source: str | None) -> None:
    path = tmp_path / "什么.csv"
    path.write_text("x")
    with pytest.raises(InputRejected, match="什么"):
        plan_files(SOURCES, [path], source=source)


def test_missing_paths_empty_folders_and_unknown_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRejected, match="路径不存在"):
        plan_files(SOURCES, [tmp_path / "none"])
    with pytest.raises(InputRejected, match="没有可装载的文件"):
        plan_files(SOURCES, [tmp_path])
    with pytest.raises(InputRejected, match="chain"):
        plan_files(SOURCES, [tmp_path], source="none")


def test_two_sources_that_fit_equally_are_refused(tmp_path: Path) -> None:
    twin = SOURCES["goods"].model_copy(update={"code": "twin"})
    path = tmp_path / "goods.csv"
    path.write_text("x")
    with pytest.raises(InputRejected, match="goods、twin"):
        plan_files({**SOURCES, "twin": twin}, [path])
    assert plan_files({**SOURCES, "twin": twin}, [path], source="twin").files[0].source == "twin"
