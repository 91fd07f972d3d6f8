"""Writes docs/sources.md from the source declarations."""

from __future__ import annotations

from pathlib import Path

from qiaomen import bank, chains, customers, dispatch, mining, opportunities, parks, registry, supply, tags
from qiaomen.vocab import Table

PAGE = Path(__file__).parent.parent / "docs" / "sources.md"
FOLDERS = (bank, chains, customers, dispatch, mining, opportunities, parks, registry, supply, tags)


def loaded_tables() -> dict[str, Table]:
    """Return every loaded table that a face exports, by name."""
    found = [value for folder in FOLDERS for value in vars(folder).values() if isinstance(value, Table)]
    return {table.name: table for table in found if table.loaded}


if __name__ == "__main__":
    PAGE.write_text(registry.source_docs(registry.load_sources(), loaded_tables()), encoding="utf-8")
