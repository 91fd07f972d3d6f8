"""Writes the demo's input files: CSV as banks have it, one XLSX, one list in GB18030."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".") if value != int(value) else str(int(value))
    return str(value)


def write_rows(
    path: Path, columns: Mapping[str, Sequence[Any]], *, encoding: str = "utf-8-sig", line_end: str = "\n"
) -> int:
    """Write columns of one length as CSV with a header and return the number of rows."""
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise ValueError(f"{path.name}: columns differ in length: {sorted(lengths)}")
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream, lineterminator=line_end)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow([_cell(value) for value in row])
    return lengths.pop()


def write_workbook(path: Path, columns: Mapping[str, Sequence[Any]], sheet: str) -> int:
    """Write columns as an XLSX sheet, every cell as text, the way a core system exports it."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False}) as book:
        # A fixed creation date keeps the file the same byte for byte.
        from datetime import datetime

        book.set_properties({"created": datetime(2026, 1, 1)})  # noqa: DTZ001 - the format has no zone
        page = book.add_worksheet(sheet)
        page.write_row(0, 0, list(columns))
        count = 0
        for count, row in enumerate(zip(*columns.values(), strict=True), 1):
            for column, value in enumerate(row):
                page.write_string(count, column, _cell(value))
    return count
