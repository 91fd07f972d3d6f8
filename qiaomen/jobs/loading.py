"""Loads files into the lake: reads and checks every file first, then publishes one generation, or nothing.

Reads and writes the loaded tables, ``loads`` and ``rejects``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.bank import audit
from qiaomen.jobs.observer import Observer
from qiaomen.jobs.tables import LOADED_TABLES
from qiaomen.jobs.workspace import Workspace
from qiaomen.registry import LOADS, REJECTS, LoadResult, PlannedFile, load_sources, plan_files, read_files
from qiaomen.store import Stage, writing
from qiaomen.vocab import QiaomenError

COUNTS: Final = ("read", "inserted", "updated", "unchanged", "repeated", "rejected", "ended")
# Counts that say that a load left something behind.
CHANGING: Final = ("inserted", "updated", "rejected", "ended")
# Rows after which an upload of unknown length shows half of its file's share of the bar.
HALF_WAY_ROWS: Final = 200_000


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did, file by file."""

    HEADER: ClassVar[tuple[str, ...]] = (
        "来源", "文件", "目标表", "读入", "新增", "更新", "未变", "重复", "拒绝", "终止",
    )  # fmt: skip

    load_id: str
    generation: int
    files: tuple[dict[str, Any], ...]
    warnings: tuple[dict[str, Any], ...] = ()
    ignored: tuple[dict[str, str], ...] = ()
    unknown: tuple[str, ...] = ()
    totals: dict[str, int] = field(default_factory=dict)

    @property
    def rejected(self) -> int:
        """Rows refused in all files."""
        return self.totals.get("rejected", 0)

    def rows(self) -> list[list[Any]]:
        """Return the rows of the printed table."""
        return [
            [item["source"], item["file"], item["table"], *(f"{item[name]:,}" for name in COUNTS)]
            for item in self.files
        ]

    def summary(self) -> str:
        """Return the closing words of the printed report."""
        lines = [
            "读入 {read:,} = 新增 {inserted:,} + 更新 {updated:,} + 未变 {unchanged:,} + 重复 {repeated:,} + 拒绝 "
            "{rejected:,}".format(**self.totals)
        ]
        if self.rejected:
            lines.append(f"被拒的行及原因：qiaomen rejects --load {self.load_id}")
        lines += [
            f"提示 {item['file']} {item['column']}：{item['reason']}（{item['count']:,} 处）"
            for item in self.warnings
        ]
        lines += [f"未装载 {item['file']}：{item['reason']}" for item in self.ignored]
        lines += [f"未识别 {name}：没有来源声明这种文件名" for name in self.unknown]
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """Return the report for ``--json``."""
        return {
            "load_id": self.load_id,
            "generation": self.generation,
            "totals": self.totals,
            "files": list(self.files),
            "warnings": list(self.warnings),
            "ignored": list(self.ignored),
            "unknown": list(self.unknown),
        }


def load_files(
    workspace: Workspace,
    source: str | None,
    paths: Sequence[Path],
    observer: Observer,
    *,
    holding: Callable[[], AbstractContextManager[Any]] = nullcontext,
    again: bool = False,
) -> LoadReport:
    """Load files or folders (default: the inbox) and publish them as one generation, within ``holding``.

    With ``again`` (the same rows may have been loaded before the caller was stopped) nothing is published where no row
    changes. Raises ``InputRejected`` for a file that cannot be read; then no file of the call is loaded.
    """
    sources = load_sources(workspace.overlay)
    plan = plan_files(sources, paths or [workspace.inbox], source=source)
    load_id = f"L{workspace.now():%Y%m%dT%H%M%S}{uuid.uuid4().hex[:6]}"
    results: list[LoadResult] = []
    grouped = plan.by_source()
    with workspace.lake.stage() as stage:
        done = 0
        for code, files in grouped.items():
            result = read_files(
                sources[code],
                files,
                LOADED_TABLES,
                stage.arrow,
                load_id=load_id,
                now=workspace.now(),
                observer=_per_file(observer, files, done, len(plan.files)),
                overlay=workspace.overlay,
            )
            for name, data in result.tables.items():
                stage.write(LOADED_TABLES[name], data)
            results.append(result)
            done += len(files)
        if again and not any(result.count(name) for result in results for name in CHANGING):
            return _report(load_id, stage.number, results, plan.ignored, plan.unknown)
        report = _report(load_id, stage.number + bool(results), results, plan.ignored, plan.unknown)
        # The row comes first: there is no change without one, and a full disk stops the load before it is seen.
        _note(workspace, "change.load", report, sorted(grouped))
        try:
            with holding():
                _publish(stage, results, {**stage.note, "load_id": load_id})
        except Exception:
            with suppress(QiaomenError):
                _note(workspace, "change.load_failed", report, sorted(grouped))
            raise
    observer("已发布", 1.0)
    return report


def _note(workspace: Workspace, action: str, report: LoadReport, sources: Sequence[str]) -> None:
    detail = {"generation": report.generation, "sources": sources, "totals": report.totals}
    with writing(workspace.sql) as connection:
        audit(connection, None, action, f"load:{report.load_id}", detail, now=workspace.now())


def _per_file(observer: Observer, files: Sequence[PlannedFile], done: int, total: int) -> Any:
    order = {file.name: position for position, file in enumerate(files)}

    def tell(name: str, rows: int) -> None:
        within = rows / (rows + HALF_WAY_ROWS)
        observer(f"{name} {rows:,} 行", (done + order.get(name, 0) + within) / max(1, total))

    return tell


def _publish(stage: Stage, results: Sequence[LoadResult], note: Mapping[str, Any]) -> None:
    """Write the books of the load and publish; the rejects of a file are those of its newest load.

    A load without a file to read publishes nothing.
    """
    if not results:
        return
    loads = pa.concat_tables([stage.arrow(LOADS), *(result.loads for result in results)])
    files = pa.concat_arrays([_places(result.loads).combine_chunks() for result in results])
    former = stage.arrow(REJECTS)
    kept = former.filter(pc.invert(pc.is_in(_places(former), value_set=files)))
    stage.write(LOADS, LOADS.conform(loads))
    stage.write(REJECTS, REJECTS.conform(pa.concat_tables([kept, *(result.rejects for result in results)])))
    stage.publish(note)


def _places(table: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(table["source"], table["file"], "/")


def _report(
    load_id: str,
    generation: int,
    results: Sequence[LoadResult],
    ignored: Sequence[Any],
    unknown: Sequence[Path],
) -> LoadReport:
    files = tuple(row for result in results for row in result.loads.drop_columns(["loaded_at"]).to_pylist())
    totals = {name: sum(int(row[name] or 0) for row in files) for name in COUNTS}
    return LoadReport(
        load_id,
        generation,
        files,
        tuple(
            {
                "source": result.source,
                "file": item.file,
                "column": item.column,
                "reason": item.reason,
                "count": item.count,
            }
            for result in results
            for item in result.warnings
        ),
        tuple({"file": item.path.name, "source": item.source, "reason": item.reason} for item in ignored),
        tuple(path.name for path in unknown),
        totals,
    )
