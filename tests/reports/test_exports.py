"""Exports hold no live formula, keep codes whole, and read back as written."""

import csv
import io

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from qiaomen.reports import safe_text, table_rows, write_csv, write_xlsx

DANGEROUS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", ' =HYPERLINK("x")', "＝1", "|x", "%0A"]
texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=20),
    st.sampled_from(DANGEROUS),
)
cells = st.one_of(
    texts, st.none(), st.integers(-(10**15), 10**15), st.floats(-1e9, 1e9), st.dates(), st.booleans()
)


def xlsx(header, rows):
    target = io.BytesIO()
    count = write_xlsx(target, header, rows)
    return CalamineWorkbook.from_filelike(io.BytesIO(target.getvalue())), count


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(cells, min_size=2, max_size=2), max_size=6))
def test_xlsx_cells_are_text_or_numbers_never_formulas(rows):
    book, count = xlsx(["甲", "乙"], rows)
    sheet = book.get_sheet_by_index(0)
    assert count == len(rows)
    formulas = sheet.to_python()
    for line, row in zip(formulas[1:], rows, strict=False):
        for shown, value in zip(line, row, strict=False):
            if isinstance(value, str):
                assert isinstance(shown, str)


def test_xlsx_holds_no_formula_in_its_xml(tmp_path):
    import zipfile

    path = tmp_path / "清单.xlsx"
    write_xlsx(path, DANGEROUS, [DANGEROUS])
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "<hyperlink" not in sheet.lower()
    assert CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()[1] == DANGEROUS


def test_codes_keep_their_digits():
    code, number = "913302040933533733", 913302040933533733
    book, _ = xlsx(["代码", "数"], [[code, number]])
    assert book.get_sheet_by_index(0).to_python()[1] == [code, str(number)]


@settings(deadline=None)
@given(st.lists(st.lists(cells, min_size=2, max_size=2), max_size=6))
def test_csv_reads_back_and_no_cell_begins_a_formula(rows):
    target = io.BytesIO()
    assert write_csv(target, ["甲", "乙"], rows) == len(rows)
    data = target.getvalue()
    assert data.startswith(b"\xef\xbb\xbf")
    read = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert len(read) == len(rows) + 1
    for line, row in zip(read[1:], rows, strict=True):
        for shown, value in zip(line, row, strict=True):
            if isinstance(value, str):
                assert shown in {value, "'" + value}
                assert shown.lstrip()[:1] not in set("=+@") or shown.lstrip("+-").replace(".", "").isdigit()


@given(st.text(max_size=20))
def test_safe_text_only_ever_adds_an_apostrophe(text):
    assert safe_text(text) in {text, "'" + text}


def test_negative_numbers_stay_numbers():
    assert safe_text("-12.5") == "-12.5"
    assert all(safe_text(text).startswith("'") for text in DANGEROUS)


def test_tables_are_written_batch_by_batch():
    table = pa.table({"a": ["x", None], "b": [1, 2]})
    assert list(table_rows(table)) == [("x", 1), (None, 2)]
