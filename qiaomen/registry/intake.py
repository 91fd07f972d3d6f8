"""Loads files of one source: every row lands, is a repeat, or is in the rejects; nothing is written here.

Reads files and the existing loaded tables; returns the whole new content of each changed table with the rows of
``loads`` and ``rejects`` (and ``company_changes`` where tracked fields changed), for ``jobs`` to publish.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from qiaomen.registry.cells import Cells, holds, missing_words
from qiaomen.registry.filling import Fault, Filled, TableFiller
from qiaomen.registry.landing import merge_tables
from qiaomen.registry.load_result import Gathered, Landing, LoadResult, Warned, load_rows, reject_rows
from qiaomen.registry.plan import PlannedFile
from qiaomen.registry.readers import RowBatch, RowFile, normal_header, open_rows
from qiaomen.registry.sources import (
    PLACEHOLDER,
    FileRule,
    Source,
    TableRule,
    check_sources,
    hashed_names,
    is_template,
)
from qiaomen.registry.upsert import content_hashes, ordinals, record_keys
from qiaomen.vocab import InputRejected, Table

SHANGHAI: Final = timezone(timedelta(hours=8))
Observer = Callable[[str, int], None]
"""Called with the file name and the rows read from it so far."""


def read_files(
    source: Source,
    files: Iterable[PlannedFile],
    tables: Mapping[str, Table],
    existing: Callable[[Table], pa.Table],
    *,
    load_id: str,
    now: datetime,
    observer: Observer | None = None,
    overlay: Path | None = None,
) -> LoadResult:
    """Read the planned files of one source and merge them into the existing tables.

    Raises ``InputRejected`` for a file that cannot be read, lacks a required column or is outside its expectations;
    then nothing of the load counts. ``now`` is aware; the business date is Asia/Shanghai.
    """
    check_sources([source], tables)
    gathered = Gathered()
    for file in files:
        _read_file(file, source.files[file.rule], tables, gathered, observer, overlay)
    contents = merge_tables(source, tables, existing, gathered, load_id, now.astimezone(SHANGHAI).date())
    _check_shares(source, gathered)
    return LoadResult(
        source.code,
        load_id,
        contents,
        load_rows(source.code, gathered, load_id, now.astimezone(UTC)),
        reject_rows(source.code, gathered, load_id),
        tuple(Warned(*key, count) for key, count in gathered.warned.items()),
    )


def _read_file(
    file: PlannedFile,
    rule: FileRule,
    tables: Mapping[str, Table],
    gathered: Gathered,
    observer: Observer | None,
    overlay: Path | None,
) -> None:
    fillers = [TableFiller(part, tables[part.table], overlay) for part in rule.tables]
    filled: list[list[tuple[Filled, RowBatch]]] = [[] for _ in fillers]
    read = 0
    with open_rows(file.path, rule.format) as opened:
        _check_headers(file.name, opened, rule, gathered)
        for batch in opened.batches:
            read += len(batch.lines) + len(batch.broken)
            _fill_batch(file.name, rule, opened, batch, fillers, filled, gathered)
            if observer is not None:
                observer(file.name, read)
        if opened.blank_rows[0]:
            gathered.warned[file.name, "", "空行，不计入读取行数"] += opened.blank_rows[0]
    if read < rule.expect.min_rows or (rule.expect.max_rows is not None and read > rule.expect.max_rows):
        raise InputRejected(
            "没有数据行" if read == 0 else f"有 {read} 行，不在声明的范围之内",
            where=file.name,
            remedy="检查导出是否完整，或修改来源声明中的 expect",
        )
    with file.path.open("rb") as stream:
        gathered.hashes[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    for filler, parts in zip(fillers, filled, strict=True):
        absent = _absent(filler.rule, opened)
        gathered.landings.append(_landing(file, rule, filler, parts, absent))


def _check_headers(name: str, opened: RowFile, rule: FileRule, gathered: Gathered) -> None:
    present = set(opened.headers)
    used: set[str] = set()
    for part in rule.tables:
        made = {normal_header(part.split.into)} if part.split else set()
        if part.split and normal_header(part.split.header) not in present:
            raise _no_header(name, (part.split.header,), opened)
        for column in part.columns.values():
            headers = [normal_header(header) for header in column.inputs]
            used.update(headers)
            if (
                column.required
                and column.default is None
                and headers
                and not column_given(headers, present | made)
            ):
                if any(ref.template for ref in column.ref):
                    continue
                raise _no_header(name, column.inputs, opened)
    if clash := [header for header in opened.repeated_headers if normal_header(header) in used]:
        raise InputRejected(
            f"表头重复：{'、'.join(dict.fromkeys(clash))}",
            where=f"{name} 第 {rule.format.header_row} 行",
            remedy="删去或改名其中一列",
        )
    if unused := [opened.written[header] for header in _unused(opened, rule, used)]:
        gathered.warned[name, "、".join(unused), "来源没有用到这些列"] += len(unused)


def column_given(headers: Iterable[str], present: set[str]) -> bool:
    """Return whether the file has any of the headers."""
    return any(header in present for header in headers)


def _absent(rule: TableRule, opened: RowFile) -> tuple[str, ...]:
    """Return the columns about which the file says nothing: none of their headers is there."""
    present = set(opened.headers)
    return tuple(
        name
        for name, column in rule.columns.items()
        if column.headers
        and column.default is None
        and not column_given((normal_header(header) for header in column.headers), present)
        and not (rule.split and rule.split.into in column.headers)
    )


def _no_header(name: str, headers: Sequence[str], opened: RowFile) -> InputRejected:
    return InputRejected(
        f"缺少必需的列：{' 或 '.join(headers)}",
        where=f"{name} 表头",
        remedy=f"认出的表头是 {'、'.join(list(opened.written.values())[:30])}；改列名，或换来源",
    )


def _unused(opened: RowFile, rule: FileRule, used: set[str]) -> list[str]:
    seen = set(used)
    for part in rule.tables:
        templates = [column.template or "" for column in part.columns.values()]
        templates += [ref.template or "" for column in part.columns.values() for ref in column.ref]
        seen |= {normal_header(match[1]) for text in templates for match in PLACEHOLDER.finditer(text)}
        seen |= {normal_header(header) for test in part.where for header in test.headers}
        if part.split:
            seen.add(normal_header(part.split.header))
    seen |= {normal_header(header) for test in rule.reject for part in test.where for header in part.headers}
    return [header for header in opened.headers if header not in seen]


def _fill_batch(
    name: str,
    rule: FileRule,
    opened: RowFile,
    batch: RowBatch,
    fillers: Sequence[TableFiller],
    filled: list[list[tuple[Filled, RowBatch]]],
    gathered: Gathered,
) -> None:
    cells = Cells(batch.columns, len(batch.lines), missing_words(rule.format.missing), opened.written)
    usable = np.ones(cells.rows, dtype=bool)
    for test in rule.reject:
        hit = holds(test.where, cells) & usable
        usable &= ~hit
        for row in np.flatnonzero(hit).tolist():
            gathered.reject(name, int(batch.lines[row]), [Fault("", test.reason, "")], cells.row_text(row))
    refused = len(batch.broken) + int((~usable).sum())
    for row_broken in batch.broken:
        text = ",".join(row_broken.cells)
        gathered.reject(name, row_broken.line, [Fault("", row_broken.reason, text)], text)
    taken = ~usable
    counted: set[str] = set()
    for filler, parts in zip(fillers, filled, strict=True):
        table = filler.rule.table
        counts = gathered.counts[name, table]
        if table not in counted:
            # A row that cannot be read at all counts once for each table that the file feeds.
            counted.add(table)
            counts["read"] += refused
            counts["rejected"] += refused
        part = _fill_one(name, filler, cells, batch, usable, gathered)
        taken[part.origin] = True
        parts.append((part, batch))
    for row in np.flatnonzero(~taken).tolist():
        line = int(batch.lines[row])
        gathered.reject(name, line, [Fault("", "没有一张表接收这样的行", "")], cells.row_text(row))
        gathered.counts[name, fillers[0].rule.table].update(read=1, rejected=1)


def _fill_one(
    name: str, filler: TableFiller, cells: Cells, batch: RowBatch, usable: Any, gathered: Gathered
) -> Filled:
    if not usable.all():
        rows = np.flatnonzero(usable).astype(np.int64)
        chosen, within, ignored = filler.select(cells.take(rows))
        origin = rows[within]
    else:
        chosen, origin, ignored = filler.select(cells)
    if ignored and filler.rule.split:
        gathered.warned[name, filler.rule.split.header, "拆分后不指向任何主体的词，略去"] += ignored
    part = filler.fill(chosen, origin)
    counts = gathered.counts[name, filler.rule.table]
    counts["read"] += chosen.rows
    counts["rejected"] += len(part.faults)
    for row, faults in part.faults.items():
        gathered.reject(name, int(batch.lines[origin[row]]), faults, chosen.row_text(row))
    for (column, reason), count in part.lenient.items():
        gathered.warned[name, column, f"{reason}（该格留空，行已装载）"] += count
    return part


def _landing(
    file: PlannedFile,
    rule: FileRule,
    filler: TableFiller,
    parts: list[tuple[Filled, RowBatch]],
    absent: tuple[str, ...],
) -> Landing:
    table, table_rule = filler.table, filler.rule
    ordinal = next((name for name, column in table_rule.columns.items() if column.ordinal), None)
    good: list[pa.Table] = []
    bad: list[pa.Table] = []
    for part, batch in parts:
        lines = pa.array(batch.lines[part.origin], pa.int64())
        data = part.data.append_column("line", lines)
        refused = np.zeros(data.num_rows, dtype=bool)
        refused[list(part.faults)] = True
        good.append(data.filter(pa.array(~refused)))
        bad.append(data.filter(pa.array(refused)))
    data = pa.concat_tables(good).combine_chunks()
    hashed = hashed_names(table, table_rule)
    hashes = content_hashes(data, hashed)
    if ordinal is not None:
        data = data.set_column(data.column_names.index(ordinal), ordinal, ordinals(hashes))
    keys = record_keys(data, table_rule.key, table_rule.key_prefix, hashes)
    data = data.drop_columns([part for part in table_rule.key if is_template(part)])
    data = data.append_column("record_hash", hashes).append_column("record_key", keys)
    broken = pa.concat_tables(bad)
    broken_keys = record_keys(broken, table_rule.key, table_rule.key_prefix, content_hashes(broken, hashed))
    return Landing(file, rule, table_rule, data, broken_keys, absent)


def _check_shares(source: Source, gathered: Gathered) -> None:
    shares = {
        landing.file.name: landing.rule.expect.max_rejected_share
        for landing in gathered.landings
        if landing.rule.expect.max_rejected_share is not None
    }
    for (file, _), counts in gathered.counts.items():
        share = shares.get(file)
        if share is not None and counts["rejected"] > share * counts["read"]:
            raise InputRejected(
                f"{counts['read']} 行中有 {counts['rejected']} 行不合规，超过声明的 {share:.0%}",
                where=file,
                remedy=f"检查文件是否属于来源“{source.code}”",
            )
