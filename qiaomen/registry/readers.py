"""Reads files of any accepted form into batches of text columns with their line numbers.

CSV and text (encoding and delimiter found out), XLSX, Parquet, plain documents; each also gzipped where that is usual.
A file that cannot be read raises ``InputRejected`` with file, line and remedy; an uneven row is reported, not dropped.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qiaomen.registry.encodings import find_encoding
from qiaomen.registry.sources import FileFormat
from qiaomen.vocab import InputRejected

BATCH_ROWS: Final = 65_536
FIELD_LIMIT: Final = 4 << 20
# How far down a table may begin.
TITLE_ROWS: Final = 10
MAX_UNPACKED: Final = 8 << 30
# Beyond this a line is no row of a table, and reading it whole would fill the memory.
LINE_LIMIT: Final = 16 << 20
# Tables pack ten to forty times smaller; far more in a large file is made to exhaust the machine.
PACKED_RATIO: Final = 200
PACKED_LARGE: Final = 128 << 20
DELIMITED: Final = frozenset({".csv", ".tsv", ".txt"})
READABLE: Final = (*sorted(DELIMITED), ".xlsx", ".parquet")
_SPACES: Final = re.compile(r"[\s*＊]+")


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row whose cells cannot be told apart."""

    line: int
    reason: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Rows as columns of text (null where the cell is absent), with the line each begins on."""

    columns: dict[str, pa.Array]
    lines: npt.NDArray[np.int64]
    broken: tuple[BrokenRow, ...] = ()


@dataclass(slots=True)
class RowFile:
    """An opened file: its headers as normalised, how they are written, and the batches to come."""

    name: str
    headers: tuple[str, ...]
    written: dict[str, str]
    batches: Iterator[RowBatch]
    repeated_headers: tuple[str, ...] = ()
    blank_rows: list[int] = field(default_factory=lambda: [0])


def normal_header(text: str) -> str:
    """Return a header as it is compared: NFKC, lower case, without spaces and the asterisk of required columns."""
    return _SPACES.sub("", unicodedata.normalize("NFKC", text)).lower()


def suffix(path: Path) -> str:
    """Return the suffix that says how to read the file, ``.gz`` looked through."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


@contextmanager
def open_rows(path: Path, form: FileFormat) -> Iterator[RowFile]:
    """Open a file for reading rows; ``InputRejected`` if it cannot be read, also while batches are taken."""
    kind = suffix(path)
    try:
        with ExitStack() as stack:
            if path.stat().st_size == 0:
                raise InputRejected("文件是空的", where=path.name, remedy="检查导出是否成功")
            if form.document:
                yield _open_document(path, form)
            elif kind in DELIMITED:
                yield _open_delimited(path, form, stack)
            elif kind == ".xlsx":
                from qiaomen.registry.workbooks import open_workbook

                yield open_workbook(path, form)
            elif kind == ".parquet":
                yield _open_parquet(path, stack)
            else:
                raise InputRejected(
                    f"不支持的文件类型“{kind or '无扩展名'}”",
                    where=path.name,
                    remedy="另存为 CSV、XLSX 或 Parquet",
                )
    except FileNotFoundError as error:
        raise InputRejected("文件不存在", where=path.name, remedy="检查路径") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputRejected(
            f"文件读不出来：{error}", where=path.name, remedy="检查文件是否完整、有无读取权限"
        ) from error


def make_file(name: str, written: Sequence[str], batches: Iterable[RowBatch], blanks: list[int]) -> RowFile:
    """Return a file whose first header of each name counts; later ones of the same name are named as repeated."""
    first: dict[str, str] = {}
    repeated = []
    for header in written:
        key = normal_header(header)
        if not key:
            continue
        if key in first:
            repeated.append(header.strip())
        else:
            first[key] = header.strip()
    return RowFile(name, tuple(first), first, iter(batches), tuple(repeated), blanks)


def to_batch(
    headers: Sequence[str], rows: list[Sequence[str | None]], lines: list[int], broken: list[BrokenRow]
) -> RowBatch:
    """Return rows as columns; a header given twice keeps its first column."""
    cells: Iterable[Sequence[str | None]] = zip(*rows, strict=True) if rows else [() for _ in headers]
    columns: dict[str, pa.Array] = {}
    for header, values in zip(headers, cells, strict=True):
        key = normal_header(header)
        if key and key not in columns:
            columns[key] = pa.array(values, pa.string())
    return RowBatch(columns, np.asarray(lines, dtype=np.int64), tuple(broken))


def _raw(path: Path) -> IO[bytes]:
    opener: Any = gzip.open if path.name.lower().endswith(".gz") else open
    stream: IO[bytes] = opener(path, "rb")
    return stream


def _open_document(path: Path, form: FileFormat) -> RowFile:
    with _raw(path) as stream:
        data = stream.read(FIELD_LIMIT + 1)
    if len(data) > FIELD_LIMIT:
        raise InputRejected("正文过长", where=path.name, remedy="单篇正文不应超过 4 MB")
    encoding = find_encoding(path.name, [data], form.encodings)
    text = data.decode(encoding).replace("\r\n", "\n").strip()
    if not text:
        raise InputRejected("文件没有内容", where=path.name, remedy="检查导出是否成功")
    headers = ("文件名", "首行", "正文")
    row = (path.name.split(".")[0], text.split("\n", 1)[0].strip(), text)
    return make_file(path.name, headers, [to_batch(headers, [row], [1], [])], [0])


def _chunks(path: Path) -> Iterator[bytes]:
    total = unbroken = 0
    line = 1
    packed = path.stat().st_size
    with _raw(path) as stream:
        while chunk := stream.read(1 << 20):
            total += len(chunk)
            if total > MAX_UNPACKED or total > max(PACKED_LARGE, PACKED_RATIO * packed):
                raise InputRejected("解压后过大", where=path.name, remedy="拆成多个文件，或不压缩后再装载")
            last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
            line += chunk.count(b"\n")
            unbroken = unbroken + len(chunk) if last < 0 else len(chunk) - last - 1
            if unbroken > LINE_LIMIT:
                raise InputRejected(
                    f"一行超过 {LINE_LIMIT >> 20} MB",
                    where=f"{path.name} 第 {line} 行",
                    remedy="检查换行符是否缺失",
                )
            yield chunk


def _open_delimited(path: Path, form: FileFormat, stack: ExitStack) -> RowFile:
    encoding = find_encoding(path.name, _chunks(path), form.encodings)
    # Some writers leave a second mark where files were joined; Python's own "utf-8-sig" drops the first one only.
    stream = stack.enter_context(io.TextIOWrapper(_raw(path), encoding=encoding, newline=""))
    csv.field_size_limit(FIELD_LIMIT)
    delimiter = form.delimiter or _find_delimiter(stream, path.name)
    lines = _Lines(csv.reader(stream, delimiter=delimiter), path.name)
    written, rows = find_header(path.name, lines, form)
    blanks = [0]
    return make_file(path.name, written, _delimited_batches(rows, written, blanks), blanks)


def find_header(
    name: str, rows: Iterator[tuple[int, list[str]]], form: FileFormat
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Return the headers as written and the rows below them.

    Unless the source says otherwise a table may stand below title lines: rows of one filled cell (a heading, a date) above
    the first row that has several, none of which is a number.
    """
    if form.headers:
        return list(form.headers), rows
    for _ in range(form.header_row - 1):
        next(rows, None)
    seen = list(islice(rows, 1 if form.header_row > 1 else TITLE_ROWS))
    filled = [[cell for cell in cells if cell.strip()] for _, cells in seen]
    # A table of one column has no row of several; then the first is the header, as it stands.
    at = next((place for place, cells in enumerate(filled) if len(cells) > 1), 0)
    if at and any(cell.strip()[0].isdigit() for cell in filled[at]):
        at = 0
    if not any(filled):
        raise InputRejected("没有表头", where=f"{name} 第 {form.header_row} 行", remedy="首行应是列名")
    written = seen[at][1]
    while len(written) > 1 and not written[-1].strip():
        written = written[:-1]
    return written, chain(seen[at + 1 :], rows)


def _find_delimiter(stream: io.TextIOWrapper, name: str) -> str:
    marks = ",\t;|"
    # The first lines may be a title without any mark.
    first = next(
        (line for line in (stream.readline(1 << 16) for _ in range(TITLE_ROWS)) if set(line) & set(marks)), ""
    )
    stream.seek(0)
    if suffix(Path(name)) == ".tsv":
        return "\t"
    return max(marks, key=lambda mark: (first.count(mark), mark == ","))


class _Lines:
    """Rows of a CSV reader with the line each begins on; a broken quotation raises ``InputRejected``."""

    def __init__(self, reader: Any, name: str) -> None:
        self._reader = reader
        self._name = name

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> tuple[int, list[str]]:
        line = self._reader.line_num + 1
        try:
            return line, next(self._reader)
        except csv.Error as error:
            raise InputRejected(
                f"单元格过长或引号没有闭合（{error}）",
                where=f"{self._name} 第 {line} 行",
                remedy="检查该行的双引号是否成对",
            ) from error
        except UnicodeDecodeError as error:
            raise InputRejected(
                "编码有误", where=f"{self._name} 第 {line} 行附近", remedy="另存为 UTF-8"
            ) from error


def _delimited_batches(
    lines: Iterator[tuple[int, list[str]]], written: Sequence[str], blanks: list[int]
) -> Iterator[RowBatch]:
    width = len(written)
    rows: list[Sequence[str | None]] = []
    numbers: list[int] = []
    broken: list[BrokenRow] = []
    for line, found in lines:
        if not any(found):
            blanks[0] += 1
            continue
        cells = found if any(found[width:]) else found[:width]
        if len(cells) != width:
            reason = f"有 {len(cells)} 列，表头有 {width} 列；检查多余或缺少的分隔符与引号"
            broken.append(BrokenRow(line, reason, tuple(cells)))
        elif any("\x00" in cell for cell in cells):
            broken.append(BrokenRow(line, "含有空字符（NUL）；检查导出程序", tuple(cells)))
        else:
            rows.append(cells)
            numbers.append(line)
        if len(rows) + len(broken) >= BATCH_ROWS:
            yield to_batch(written, rows, numbers, broken)
            rows, numbers, broken = [], [], []
    if rows or broken:
        yield to_batch(written, rows, numbers, broken)


def _open_parquet(path: Path, stack: ExitStack) -> RowFile:
    import pyarrow.parquet as pq

    try:
        reader = stack.enter_context(pq.ParquetFile(path))
    except (pa.ArrowException, OSError) as error:
        raise InputRejected(
            "不是完整的 Parquet 文件", where=path.name, remedy="重新导出或重新传输"
        ) from error
    names = reader.schema_arrow.names
    return make_file(path.name, names, _parquet_batches(reader, path.name), [0])


def _parquet_batches(reader: Any, name: str) -> Iterator[RowBatch]:
    start = 2
    try:
        for batch in reader.iter_batches(batch_size=BATCH_ROWS):
            columns: dict[str, pa.Array] = {}
            for header, values in zip(batch.schema.names, batch.columns, strict=True):
                key = normal_header(header)
                if key and key not in columns:
                    columns[key] = _as_text(values)
            lines = np.arange(start, start + batch.num_rows, dtype=np.int64)
            start += batch.num_rows
            yield RowBatch(columns, lines)
    except (pa.ArrowException, OSError) as error:
        raise InputRejected(
            "Parquet 内容损坏", where=f"{name} 第 {start} 行之后", remedy="重新导出"
        ) from error


def _as_text(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
        return pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.string())
    if pa.types.is_floating(values.type):
        return pa.array([number_text(value) for value in values.to_pylist()], pa.string())
    return values.cast(pa.string())


def number_text(value: float | None) -> str | None:
    """Return a spreadsheet number as text: whole numbers without a point, digits that a double lost with an exponent.

    Above 15 digits a spreadsheet has rounded the number, so that codes stored as numbers are recognised as damaged.
    """
    if value is None or value != value:
        return None
    if abs(value) >= 1e15:
        return f"{value:.15e}"
    return str(int(value)) if value == int(value) else repr(value)
