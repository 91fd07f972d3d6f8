"""What a command prints: one JSON document, a list as CSV or XLSX, or a table for people.

Only the answer goes to standard output; progress, hints and errors go to standard error.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from qiaomen.vocab import InputRejected, Unavailable

FORMATS: Final = ("table", "csv", "xlsx", "json")
PLAIN_WIDTH: Final = 160


def json_wanted(arguments: Sequence[str]) -> bool:
    """Whether the command was asked for a JSON document."""
    if "--json" in arguments or "--format=json" in arguments:
        return True
    return any(pair == ("--format", "json") for pair in pairwise(arguments))


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "item"):
        return value.item()
    return str(value)


def _finite(value: Any) -> Any:
    """Replace what JSON cannot say (NaN, infinity) by null."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value


def json_text(document: Any) -> str:
    """Return a document as JSON text ending in a new line."""
    return json.dumps(_finite(document), ensure_ascii=False, indent=1, default=_plain, allow_nan=False) + "\n"


def print_json(document: Any) -> None:
    """Write exactly one JSON document to standard output."""
    sys.stdout.write(json_text(document))


def say(text: str) -> None:
    """Write a line for people to standard error."""
    sys.stderr.write(text + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, note: str = "") -> None:
    """Write a table for people to standard output."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_lines=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else escape(str(value)) for value in row))
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)
    console.print(table)
    if note:
        console.print(note, markup=False)


def format_of(form: str, out: Path | None) -> str:
    """Return the format asked for, or the one that the file's name says; ``InputRejected`` for any other."""
    if form not in FORMATS:
        raise InputRejected(f"没有“{form}”这种格式", remedy=f"可用：{'、'.join(FORMATS)}")
    if out is None:
        if form == "xlsx":
            raise InputRejected("XLSX 须写入文件", remedy="加上 --out 文件名.xlsx")
        return form
    if form == "table":
        form = out.suffix.removeprefix(".").lower()
        if form not in FORMATS[1:]:
            raise InputRejected(f"看不出“{out.name}”是什么格式", remedy="用 --format 指明 csv、xlsx 或 json")
    return form


def list_bytes(form: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Return a list as CSV or XLSX without live formulas; whole, so that its hash is known before it leaves."""
    from qiaomen.reports import write_csv, write_xlsx

    made = io.BytesIO()
    (write_csv if form == "csv" else write_xlsx)(made, header, rows)
    return made.getvalue()


def write_bytes(out: Path | None, data: bytes) -> None:
    """Write to a file, or to standard output; a full disk leaves the former file as it was."""
    if out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    draft = out.with_name(f".{out.name}.part")
    try:
        draft.write_bytes(data)
        draft.replace(out)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise Unavailable(
            f"文件没有写成：{error.strerror or error}", where=str(out), remedy="检查目录、权限与磁盘空间"
        ) from error
