"""Reads XLSX sheets, after looking at the zip directory and the cell positions so that a bomb never opens."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from qiaomen.registry.readers import (
    BATCH_ROWS,
    TITLE_ROWS,
    BrokenRow,
    RowBatch,
    RowFile,
    find_header,
    make_file,
    number_text,
    to_batch,
)
from qiaomen.registry.sources import FileFormat
from qiaomen.vocab import InputRejected

_CELL: Final = re.compile(rb"""[\s]r=["']([A-Z]{1,3})([0-9]{1,7})["']""")
_OLE: Final = b"\xd0\xcf\x11\xe0"
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class WorkbookLimits:
    """What a believable workbook stays under."""

    entries: int = 5_000
    unpacked: int = 1 << 30
    ratio: int = 150
    ratio_from: int = 32 << 20
    cells: int = 20_000_000


LIMITS: Final = WorkbookLimits()


def check_workbook(path: Path, limits: WorkbookLimits = LIMITS) -> None:
    """Raise ``InputRejected`` unless the file is a zip of believable size and its sheets have a believable extent."""
    with path.open("rb") as stream:
        start = stream.read(4)
    if start == _OLE:
        raise InputRejected(
            "是旧版 .xls 或加了密码的文件", where=path.name, remedy="去掉密码并另存为 .xlsx 或 CSV"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            _check_directory(path, archive, limits)
            for entry in archive.infolist():
                _check_entry(path, archive, entry, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputRejected(
            "XLSX 文件损坏", where=path.name, remedy="用表格软件打开后重新另存为 .xlsx"
        ) from error


def _check_directory(path: Path, archive: zipfile.ZipFile, limits: WorkbookLimits) -> None:
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    packed = max(path.stat().st_size, 1)
    if (
        len(entries) > limits.entries
        or unpacked > limits.unpacked
        or (unpacked > limits.ratio_from and unpacked > limits.ratio * packed)
    ):
        raise _too_large(path, f"解压后 {unpacked / 1e6:.0f} MB，{len(entries)} 个部件")


def _check_entry(
    path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: WorkbookLimits
) -> None:
    is_sheet = entry.filename.startswith("xl/worksheets/") and entry.filename.endswith(".xml")
    rows = columns = seen = 0
    tail = b""
    with archive.open(entry) as stream:
        while chunk := stream.read(_CHUNK):
            seen += len(chunk)
            if not is_sheet:
                continue
            for letters, digits in _CELL.findall(tail + chunk):
                rows = max(rows, int(digits))
                columns = max(columns, _column_number(letters))
            tail = chunk[-32:]
            if rows * columns > limits.cells:
                raise _too_large(path, f"工作表范围达 {rows} 行 × {columns} 列")
    if seen != entry.file_size:
        raise InputRejected("XLSX 文件损坏", where=path.name, remedy="用表格软件打开后重新另存为 .xlsx")


def _column_number(letters: bytes) -> int:
    value = 0
    for letter in letters:
        value = value * 26 + letter - 64
    return value


def _too_large(path: Path, what: str) -> InputRejected:
    return InputRejected(
        f"XLSX 过大（{what}），为防止占满内存不予打开",
        where=path.name,
        remedy="删去多余的空行空列，或另存为 CSV",
    )


def open_workbook(path: Path, form: FileFormat) -> RowFile:
    """Open the declared sheet; by default the first that holds a table, past sheets of notes in one column."""
    from python_calamine import CalamineWorkbook

    check_workbook(path)
    try:
        book = CalamineWorkbook.from_path(str(path))
        names = book.sheet_names
        if form.sheet is not None and form.sheet not in names:
            raise InputRejected(
                f"没有名为“{form.sheet}”的工作表", where=path.name, remedy=f"现有：{'、'.join(names)}"
            )
        rows = _table_rows(book, (form.sheet,) if form.sheet else tuple(names))
    except InputRejected:
        raise
    except Exception as error:  # The library raises its own, undeclared kinds for damaged parts.
        raise InputRejected(
            "XLSX 文件损坏", where=path.name, remedy="用表格软件打开后重新另存为 .xlsx"
        ) from error
    texts = ((line, [_cell_text(cell) or "" for cell in cells]) for line, cells in enumerate(rows, 1))
    written, below = find_header(path.name, texts, form)
    blanks = [0]
    return make_file(path.name, written, _batches(below, written, blanks), blanks)


def _table_rows(book: Any, names: Sequence[str]) -> Iterator[list[Any]]:
    """Return the rows of the first sheet with several filled cells in one of its first rows, else of the first sheet."""
    first: Iterator[list[Any]] = iter(())
    for place, name in enumerate(names):
        rows = book.get_sheet_by_name(name).iter_rows()
        head = list(islice(rows, TITLE_ROWS))
        rows = chain(head, rows)
        if any(sum(cell not in (None, "") for cell in cells) > 1 for cells in head):
            return rows
        if place == 0:
            first = rows
    return first


def _batches(
    rows: Iterator[tuple[int, list[str]]], written: Sequence[str], blanks: list[int]
) -> Iterator[RowBatch]:
    width = len(written)
    kept: list[Sequence[str | None]] = []
    lines: list[int] = []
    broken: list[BrokenRow] = []
    for line, cells in rows:
        texts = [text or None for text in cells]
        if not any(texts):
            blanks[0] += 1
            continue
        if any(texts[width:]):
            broken.append(
                BrokenRow(
                    line, f"表头 {width} 列之外还有内容；补上列名或删去", tuple(text or "" for text in texts)
                )
            )
        else:
            kept.append([*texts[:width], *([None] * (width - len(texts)))])
            lines.append(line)
        if len(kept) + len(broken) >= BATCH_ROWS:
            yield to_batch(written, kept, lines, broken)
            kept, lines, broken = [], [], []
    if kept or broken:
        yield to_batch(written, kept, lines, broken)


def _cell_text(cell: Any) -> str | None:
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, (int, float)):
        return number_text(float(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ") if cell.time() != time() else cell.date().isoformat()
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return str(cell)
