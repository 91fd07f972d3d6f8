"""What a command prints: one JSON document, or a table for people; everything else goes to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "item"):
        return value.item()
    return str(value)


def print_json(document: Any) -> None:
    """Write exactly one JSON document to standard output."""
    sys.stdout.write(
        json.dumps(document, ensure_ascii=False, indent=1, default=_plain, allow_nan=False) + "\n"
    )


def say(text: str) -> None:
    """Write a line for people to standard error."""
    sys.stderr.write(text + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, note: str = "") -> None:
    """Write a table for people to standard output."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_lines=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    if note:
        console.print(note)


def pairs(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the items of a mapping as rows of a two-column table."""
    return list(values.items())
