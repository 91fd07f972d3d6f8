"""Writes lists as CSV and XLSX that no spreadsheet program runs anything from.

XLSX: every cell is text unless it is a number of Python, so codes keep all digits and nothing is a formula. CSV: UTF-8
with BOM; text that a spreadsheet would take for a formula gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa

_FORMULA: Final = re.compile(r"^[\s\x00-\x1f]*[=+\-@＝＋－＠\t\r|%]")
_PLAIN_NUMBER: Final = re.compile(r"[-+]?\d{1,15}(\.\d{1,10})?")
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
CELL_LIMIT: Final = 32_767
SHEET_LIMIT: Final = 1_048_575
_EXACT: Final = 2**53

Rows = Iterable[Sequence[Any]]


def safe_text(value: str) -> str:
    """Return text that a spreadsheet shows as it is: a beginning that would be a formula gets an apostrophe."""
    if _FORMULA.match(value) and not _PLAIN_NUMBER.fullmatch(value):
        return "'" + value
    return value


def cell_text(value: Any) -> str:
    """Return a value as plain text; nothing as empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float):
        return "" if value != value else f"{value:.10f}".rstrip("0").rstrip(".")
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, dt.date):
        return value.isoformat()
    return _FORBIDDEN.sub("", str(value))


def write_csv(target: Path | IO[bytes], header: Sequence[str], rows: Rows) -> int:
    """Write a CSV file (UTF-8 with BOM, CRLF) and return the number of rows."""
    if isinstance(target, Path):
        with target.open("wb") as file:
            return write_csv(file, header, rows)
    text = io.TextIOWrapper(target, encoding="utf-8-sig", newline="", write_through=True)
    try:
        out = csv.writer(text, lineterminator="\r\n")
        out.writerow([safe_text(cell_text(name)) for name in header])
        count = 0
        for row in rows:
            out.writerow([_csv_cell(value) for value in row])
            count += 1
        return count
    finally:
        text.detach()


def _csv_cell(value: Any) -> str:
    shown = cell_text(value)
    return shown if isinstance(value, int | float | Decimal) else safe_text(shown)


def write_xlsx(target: Path | IO[bytes], header: Sequence[str], rows: Rows, sheet: str = "清单") -> int:
    """Write an XLSX file and return the number of rows; a list longer than a sheet goes on in a further sheet."""
    import xlsxwriter

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    book = xlsxwriter.Workbook(str(target) if isinstance(target, Path) else target, options)
    bold, as_text = book.add_format({"bold": True, "num_format": "@"}), book.add_format({"num_format": "@"})
    count, page = 0, None
    for row in rows:
        line = count % SHEET_LIMIT
        if line == 0:
            page = _sheet(book, sheet, count // SHEET_LIMIT, header, bold)
        for column, value in enumerate(row):
            _write_cell(page, line + 1, column, value, as_text)
        count += 1
    if page is None:
        _sheet(book, sheet, 0, header, bold)
    book.close()
    return count


def _sheet(book: Any, name: str, number: int, header: Sequence[str], bold: Any) -> Any:
    title = re.sub(r"[\[\]:*?/\\']", "", name)[:28] or "清单"
    page = book.add_worksheet(title if number == 0 else f"{title}{number + 1}")
    page.freeze_panes(1, 0)
    for column, text in enumerate(header):
        page.write_string(0, column, cell_text(text)[:CELL_LIMIT], bold)
        page.set_column(column, column, min(max(2 * len(text) + 2, 12), 40))
    return page


def _write_cell(page: Any, line: int, column: int, value: Any, as_text: Any) -> None:
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if number and abs(value) < _EXACT and value == value:
        page.write_number(line, column, value)
        return
    shown = cell_text(value)
    if shown:
        page.write_string(line, column, shown[:CELL_LIMIT], as_text)


def table_rows(table: pa.Table) -> Iterable[Sequence[Any]]:
    """Return the rows of an Arrow table batch by batch, for the writers."""
    for batch in table.to_batches(max_chunksize=10_000):
        columns = [column.to_pylist() for column in batch.columns]
        yield from zip(*columns, strict=True)
