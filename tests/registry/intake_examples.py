"""Shared set-up of the intake tests: every loaded table, a small lake in memory, files written by the test."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from qiaomen import bank, chains, customers, dispatch, mining, opportunities, parks, registry, supply, tags
from qiaomen.registry import LoadResult, Source, load_sources, plan_files, read_files
from qiaomen.vocab import Table

FOLDERS = (bank, chains, customers, dispatch, mining, opportunities, parks, registry, supply, tags)
TABLES: dict[str, Table] = {
    table.name: table
    for folder in FOLDERS
    for table in vars(folder).values()
    if isinstance(table, Table) and table.loaded
}
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
OUTCOMES = ("inserted", "updated", "unchanged", "repeated", "rejected")


def write_csv(path: Path, rows: Iterable[Sequence[Any]], encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


@dataclass
class SmallLake:
    """Loads files one load after the other, the way jobs does."""

    sources: dict[str, Source] = field(default_factory=load_sources)
    overlay: Path | None = None
    tables: dict[str, pa.Table] = field(default_factory=dict)
    loads: int = 0

    def existing(self, table: Table) -> pa.Table:
        return self.tables.get(table.name, table.empty())

    def load(self, *paths: Path, source: str | None = None) -> LoadResult:
        plan = plan_files(self.sources, paths, source=source)
        (code, files), *others = plan.by_source().items()
        assert not others, "one source a time"
        self.loads += 1
        result = read_files(
            self.sources[code],
            files,
            TABLES,
            self.existing,
            load_id=f"L{self.loads}",
            now=NOW,
            overlay=self.overlay,
        )
        assert_counts_add_up(result)
        self.tables |= result.tables
        return result

    def rows(self, name: str) -> list[dict[str, Any]]:
        return self.existing(TABLES[name]).to_pylist()


def assert_counts_add_up(result: LoadResult) -> None:
    for row in result.loads.to_pylist():
        assert row["read"] == sum(row[name] for name in OUTCOMES), row
    keys = [(row["load_id"], row["file"], row["line"], row["column"]) for row in result.rejects.to_pylist()]
    assert len(keys) == len(set(keys))
    for name, data in result.tables.items():
        assert data.schema == TABLES[name].schema
        pairs = list(zip(data["source"].to_pylist(), data["record_key"].to_pylist(), strict=True))
        assert len(pairs) == len(set(pairs)), f"{name}: a key stands twice"
