"""Files of every form, whole and broken: each is read, or refused with file, line and remedy."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from qiaomen.registry.readers import BrokenRow, RowBatch, number_text, open_rows
from qiaomen.registry.sources import FileFormat
from qiaomen.registry.workbooks import WorkbookLimits, check_workbook
from qiaomen.vocab import InputRejected


def read(path: Path, form: FileFormat | None = None) -> tuple[list[dict[str, str | None]], list[BrokenRow]]:
    rows: list[dict[str, str | None]] = []
    broken: list[BrokenRow] = []
    with open_rows(path, form or FileFormat()) as opened:
        for batch in opened.batches:
            rows += _rows(batch)
            broken += batch.broken
    return rows, broken


def _rows(batch: RowBatch) -> list[dict[str, str | None]]:
    columns = {name: values.to_pylist() for name, values in batch.columns.items()}
    return [
        {"#": str(line), **{name: values[row] for name, values in columns.items()}}
        for row, line in enumerate(batch.lines.tolist())
    ]


def refused(path: Path, form: FileFormat | None = None) -> InputRejected:
    with pytest.raises(InputRejected) as caught:
        read(path, form)
    assert path.name in caught.value.where
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings_are_found(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "客户.csv"
    path.write_text("客户名称,地址\n上海某某有限公司,浦东新区\n", encoding=encoding)
    assert read(path)[0] == [{"#": "2", "客户名称": "上海某某有限公司", "地址": "浦东新区"}]


def test_a_character_outside_gbk_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("名称\n㙍\U00020b9f公司\n".encode("gb18030"))
    assert read(path)[0][0]["名称"] == "㙍\U00020b9f公司"


def test_damaged_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    good = "名称,地址\n" + "上海某某有限公司,浦东新区\n" * 20
    path.write_bytes(good.encode() + b"\xff\xfe,x\n" + good.encode())
    assert "第 22 行" in refused(path).where


def test_binary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(bytes(range(256)) * 40 + bytes(5000))
    refused(path)


def test_empty_and_missing_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.touch()
    assert "空" in refused(path).message
    refused(tmp_path / "none.csv")
    other = tmp_path / "a.doc"
    other.write_text("x")
    assert "不支持" in refused(other).message


@pytest.mark.parametrize("mark", [",", "\t", ";", "|"])
def test_delimiters_are_found(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"甲{mark}乙\n1{mark}2\n", encoding="utf-8")
    assert read(path)[0] == [{"#": "2", "甲": "1", "乙": "2"}]


def test_uneven_rows_and_nul_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('甲,乙\n1,2\n3\n"多\n行",4\n5,6,7\n8,9,\n\n,\n\x00,1\n', encoding="utf-8")
    rows, broken = read(path)
    assert [(row["#"], row["甲"]) for row in rows] == [("2", "1"), ("4", "多\n行"), ("7", "8")]
    assert [row.line for row in broken] == [3, 6, 10]
    with open_rows(path, FileFormat()) as opened:
        list(opened.batches)
        assert opened.blank_rows == [2]


def test_an_open_quotation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('甲,乙\n1,2\n"3,4\n' + "5,6\n" * 1_200_000, encoding="utf-8")
    assert "第 3 行" in refused(path).where


def test_headers_are_compared_without_width_case_spaces_and_stars(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\ufeff* 客户 名称 ,ＵＳＣＣ,客户名称\n甲,乙,丙\n", encoding="utf-8")
    with open_rows(path, FileFormat()) as opened:
        assert opened.headers == ("客户名称", "uscc")
        assert opened.repeated_headers == ("客户名称",)
        assert next(opened.batches).columns["客户名称"].to_pylist() == ["甲"]


def test_gzip_and_broken_gzip(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress("甲\n1\n".encode()))
    assert read(path)[0] == [{"#": "2", "甲": "1"}]
    path.write_bytes(gzip.compress("甲\n1\n".encode() * 1000)[:-20])
    refused(path)


def test_documents(tmp_path: Path) -> None:
    path = tmp_path / "公告-1.txt"
    path.write_text("标题\n\n正文第一段\n", encoding="gb18030")
    row = read(path, FileFormat(document=True))[0][0]
    assert (row["文件名"], row["首行"], row["正文"]) == ("公告-1", "标题", "标题\n\n正文第一段")


def test_parquet_of_every_type(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "文本": pa.array(["甲", None]).dictionary_encode(),
            "整数": [1, None],
            "小数": [1.5, 2.0],
            "日期": [date(2025, 1, 2), None],
            "布尔": [True, False],
        }
    )
    pq.write_table(table, path)
    rows, _ = read(path)
    assert rows[0] == {
        "#": "2",
        "文本": "甲",
        "整数": "1",
        "小数": "1.5",
        "日期": "2025-01-02",
        "布尔": "true",
    }
    assert rows[1]["小数"] == "2"
    path.write_bytes(path.read_bytes()[:200])
    refused(path)


def test_workbooks_keep_text_dates_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "客户.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        page = book.add_worksheet()
        page.write_row(0, 0, ["客户号", "名称", "开户日期", "金额"])
        page.write_string(1, 0, "001")
        page.write_string(1, 1, "甲公司")
        page.write_datetime(1, 2, date(2020, 1, 2), day)
        page.write_number(1, 3, 12.5)
        page.write_number(3, 0, 913101150000000123)
        page.write_number(3, 3, 7)
    rows, broken = read(path)
    assert rows[0] == {"#": "2", "客户号": "001", "名称": "甲公司", "开户日期": "2020-01-02", "金额": "12.5"}
    assert rows[1]["#"] == "4"
    assert "e+17" in str(rows[1]["客户号"]), "a long code stored as a number is recognisable"
    assert rows[1]["金额"] == "7"
    assert not broken


def test_cells_beyond_the_header_are_a_broken_row(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["甲"])
        page.write_row(1, 0, ["1", "", "多出"])
    assert [row.line for row in read(path)[1]] == [2]


def test_a_missing_sheet_names_those_there(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("清单").write_row(0, 0, ["甲"])
    assert "清单" in refused(path, FileFormat(sheet="没有")).remedy


def test_title_lines_above_the_header_are_passed_over(tmp_path: Path) -> None:
    lines = ["某某银行对公存量客户清单", "", "报送日期：2026-11-01", "客户号;名称", "A1;甲公司", "A2;乙公司"]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="gb18030")
    with xlsxwriter.Workbook(str(tmp_path / "a.xlsx")) as book:
        book.add_worksheet("说明").write_column(0, 0, ["填报说明", "一行一户"])
        page = book.add_worksheet("清单")
        for row, line in enumerate(lines):
            page.write_row(row, 0, line.split(";"))
    for name in ("a.csv", "a.xlsx"):
        rows, broken = read(tmp_path / name)
        assert rows == [
            {"#": "5", "客户号": "A1", "名称": "甲公司"},
            {"#": "6", "客户号": "A2", "名称": "乙公司"},
        ], name
        assert not broken


def test_one_column_is_a_table_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("名称\n甲公司\n乙公司\n", encoding="utf-8")
    assert [row["名称"] for row in read(tmp_path / "a.csv")[0]] == ["甲公司", "乙公司"]


@pytest.mark.parametrize("content", [b"PK\x03\x04 broken", b"\xd0\xcf\x11\xe0 old", b"plain text", b"x"])
def test_broken_workbooks_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    refused(path)


def test_a_zip_that_is_no_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.txt", "x")
    refused(path)


def _bomb(path: Path, sheet: bytes) -> None:
    source = io.BytesIO()
    with xlsxwriter.Workbook(source) as book:
        book.add_worksheet().write_row(0, 0, ["甲"])
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            is_sheet = entry.filename == "xl/worksheets/sheet1.xml"
            new.writestr(entry.filename, sheet if is_sheet else old.read(entry))


def test_a_bomb_is_refused_before_it_opens(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    _bomb(path, b'<worksheet><sheetData><row r="1"><c r="A1"><v>' + b"0" * (200 << 20))
    assert path.stat().st_size < 1 << 20
    assert "XLSX 过大" in refused(path).message


def test_a_packed_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "line.csv.gz"
    with gzip.open(path, "wb") as file:
        file.write("企业名称\n甲\n".encode() + b"0" * (40 << 20))
    error = refused(path)
    assert "一行超过 16 MB" in error.message
    assert "第 3 行" in (error.where or "")


def test_a_packed_file_of_too_many_rows_for_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    with gzip.open(path, "wb") as file:
        file.write("企业名称\n".encode())
        for _ in range(140):
            file.write(b"0\n" * (1 << 19))
    assert "解压后过大" in refused(path).message


def test_far_corners_are_refused_before_they_open(tmp_path: Path) -> None:
    path = tmp_path / "corner.xlsx"
    cells = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    _bomb(path, b"<worksheet><sheetData>" + cells + b"</sheetData></worksheet>")
    assert "1048576 行" in refused(path).message


def test_too_many_parts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(12):
            archive.writestr(str(number), "x")
    with pytest.raises(InputRejected, match="过大"):
        check_workbook(path, WorkbookLimits(entries=10))


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (1.5, "1.5"), (-3.0, "-3"), (1e14, "100000000000000"), (float("nan"), None), (None, None)],
)
def test_numbers_as_text(value: float | None, text: str | None) -> None:
    assert number_text(value) == text
