"""Matching of files without a workspace: a registry, a customer list, what came out. For anyone's own measurement.

Registry: columns ``rid`` (whole number, once), ``name``, ``uscc``. Customers: ``cid`` (text, once), ``name``, ``uscc``.
Former names: ``rid``, ``old``. CSV (encoding and delimiter found out), XLSX or Parquet; other columns are not read.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.clusters import comparable_names
from qiaomen.registry.lookup import Matcher
from qiaomen.registry.match_index import build_match_index
from qiaomen.registry.matching import match_customers
from qiaomen.registry.readers import normal_header, open_rows, suffix
from qiaomen.registry.sources import FileFormat
from qiaomen.registry.tables import COMPANIES, COMPANY_NAMES
from qiaomen.vocab import InputRejected

# A change of how an index is made or read gives it another number, so that a kept one is not read wrongly.
INDEX_VERSION: Final = 2
AT_ONCE: Final = 20_000
LARGEST_ID: Final = 2**62
WRITABLE: Final = (".csv", ".parquet")
STAMP: Final = "index.json"
Tell = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of a list: rows by outcome, and the size of the registry."""

    rows: int
    outcomes: Mapping[str, int]
    companies: int
    names: int
    index_reused: bool


def read_case(path: Path, needed: Sequence[str], optional: Sequence[str] = ()) -> pa.Table:
    """Return the named columns as text with the line of each row; ``InputRejected`` with file and line.

    A column that is optional and absent is null throughout.
    """
    parts: list[pa.Table] = []
    columns = [*needed, *optional]
    with open_rows(path, FileFormat()) as file:
        missing = [name for name in needed if normal_header(name) not in file.headers]
        if missing:
            raise InputRejected(
                f"缺少列 {'、'.join(missing)}",
                where=path.name,
                remedy=f"需要的列：{'、'.join(needed)}；现有：{'、'.join(file.written.values()) or '没有'}",
            )
        for batch in file.batches:
            if batch.broken:
                row = batch.broken[0]
                raise InputRejected(row.reason, where=f"{path.name} 第 {row.line} 行", remedy="改正这一行")
            rows = len(batch.lines)
            cells = {
                name: batch.columns.get(normal_header(name), pa.nulls(rows, pa.string())) for name in columns
            }
            parts.append(pa.table({**cells, "line": pa.array(batch.lines, pa.int64())}))
    schema = pa.schema([*((name, pa.string()) for name in columns), ("line", pa.int64())])
    return pa.concat_tables(parts).cast(schema) if parts else schema.empty_table()


def read_registry(path: Path, former: Path | None) -> tuple[pa.Table, pa.Table]:
    """Return COMPANIES and COMPANY_NAMES of the files; a former name of an unknown ``rid`` is refused by its line."""
    rows = read_case(path, ("rid", "name"), ("uscc",))
    numbers = _numbers(rows, "rid", path)
    _refuse_repeats(numbers, rows, "rid", path)
    names = pc.fill_null(rows["name"], "")
    norm = _comparable(names)
    companies = COMPANIES.conform(
        pa.table(
            {
                "company_id": numbers,
                "uscc": rows["uscc"],
                "name": names,
                "name_norm": norm,
                "origin": pa.array(["registry"] * rows.num_rows, pa.string()),
            }
        )
    )
    listed = [_named(numbers, names, norm, "legal")]
    if former is not None:
        old = read_case(former, ("rid", "old"))
        owners = _numbers(old, "rid", former)
        _refuse_unknown(owners, numbers, old, former)
        earlier = pc.fill_null(old["old"], "")
        listed.append(_named(owners, earlier, _comparable(earlier), "former"))
    return companies, pa.concat_tables(listed)


def read_customers(path: Path) -> pa.Table:
    """Return customer records of a list; each ``cid`` stands once."""
    rows = read_case(path, ("cid", "name"), ("uscc",))
    keys = pc.utf8_trim_whitespace(pc.fill_null(rows["cid"], ""))
    empty = pc.indices_nonzero(pc.equal(keys, "")).to_pylist()
    if empty:
        raise InputRejected(
            "cid 为空", where=f"{path.name} 第 {rows['line'][empty[0]].as_py()} 行", remedy="每行给一个编号"
        )
    _refuse_repeats(keys, rows, "cid", path)
    source = pa.array([path.name] * rows.num_rows, pa.string())
    return pa.table(
        {
            "source": source,
            "record_key": keys,
            "customer_no": keys,
            "name": rows["name"],
            "uscc_text": rows["uscc"],
        }
    )


def open_index(registry: Path, former: Path | None, folder: Path | None) -> tuple[Matcher, int, int, bool]:
    """Return the matcher, its companies and names, and whether an index kept in ``folder`` was used.

    One that was made from other files, or by another version, is made anew; it is mapped into memory, not read.
    """
    stamp = _stamp(registry, former)
    arrays = _kept(folder, stamp) if folder is not None else None
    reused = arrays is not None
    if arrays is None:
        arrays = build_match_index(*read_registry(registry, former))
        if folder is not None:
            _keep(folder, stamp, arrays)
            arrays = _kept(folder, stamp) or arrays
    return Matcher.open(arrays), len(arrays["company_id"]), len(arrays["entry_company"]), reused


def match_files(
    registry: Path,
    customers: Path,
    out: Path,
    *,
    former: Path | None = None,
    candidates: Path | None = None,
    index: Path | None = None,
    overlay: Path | None = None,
    tell: Tell = lambda _words, _share: None,
) -> CaseResult:
    """Match every row of a list and write one row per ``cid``: cid, rid, outcome, relation, probability, evidence.

    ``rid`` is -1 unless the outcome is automatic. ``candidates`` gets cid, rank, rid, probability. Both files appear
    whole or not at all.
    """
    for target in filter(None, (out, candidates)):
        _require_writable(target, [registry, customers, *filter(None, (former,))])
    if candidates is not None and candidates.resolve() == out.resolve():
        raise InputRejected("--out 与 --candidates 是同一个文件", remedy="换一个文件名")
    tell("读取名单", 0.0)
    records = read_customers(customers)
    tell("建立索引", 0.05)
    matcher, companies, names, reused = open_index(registry, former, index)
    parts = []
    for start in range(0, records.num_rows, AT_ONCE):
        tell("匹配", 0.4 + 0.55 * start / records.num_rows)
        parts.append(match_customers(records.slice(start, AT_ONCE), matcher, overlay=overlay))
    matched = pa.concat_tables(parts) if parts else match_customers(records, matcher, overlay=overlay)
    tell("写出", 0.95)
    if candidates is not None:
        _write(candidates, candidate_rows(matched))
    _write(out, result_rows(matched))
    counted = {row["values"]: row["counts"] for row in pc.value_counts(matched["outcome"]).to_pylist()}
    return CaseResult(matched.num_rows, counted, companies, names, reused)


def result_rows(matched: pa.Table) -> pa.Table:
    """Return what is written of each row; the evidence names rule and model beside what agreed."""
    evidence = [
        json.dumps({"rule": row["rule"], **json.loads(row["evidence"])}, ensure_ascii=False)
        for row in matched.select(["rule", "evidence"]).to_pylist()
    ]
    return pa.table(
        {
            "cid": matched["record_key"],
            "rid": pc.fill_null(matched["company_id"], -1),
            "outcome": matched["outcome"],
            "relation": matched["relation"],
            "probability": matched["probability"],
            "evidence": pa.array(evidence, pa.string()),
        }
    )


def candidate_rows(matched: pa.Table) -> pa.Table:
    """Return the companies considered for each row, best first."""
    found: dict[str, list[Any]] = {"cid": [], "rank": [], "rid": [], "probability": []}
    for row in matched.select(["record_key", "candidates"]).to_pylist():
        for rank, item in enumerate(json.loads(row["candidates"]), 1):
            for name, value in zip(
                found, (row["record_key"], rank, item["company_id"], item["probability"]), strict=True
            ):
                found[name].append(value)
    schema = pa.schema(
        [("cid", pa.string()), ("rank", pa.int64()), ("rid", pa.int64()), ("probability", pa.float64())]
    )
    return pa.table(found, schema=schema)


def _numbers(rows: pa.Table, name: str, path: Path) -> pa.Array:
    texts = rows[name].to_pylist()
    found = []
    for text, line in zip(texts, rows["line"].to_pylist(), strict=True):
        plain = (text or "").strip()
        if not (plain.isascii() and plain.isdecimal()) or int(plain) > LARGEST_ID:
            raise InputRejected(
                f"{name}“{plain[:40]}”不是非负整数", where=f"{path.name} 第 {line} 行", remedy="改正编号"
            )
        found.append(int(plain))
    return pa.array(found, pa.int64())


def _refuse_repeats(values: Any, rows: pa.Table, name: str, path: Path) -> None:
    first: dict[Any, int] = {}
    for value, line in zip(values.to_pylist(), rows["line"].to_pylist(), strict=True):
        if value in first:
            raise InputRejected(
                f"{name}“{value}”重复，前一处在第 {first[value]} 行",
                where=f"{path.name} 第 {line} 行",
                remedy="每个编号保留一行",
            )
        first[value] = line


def _refuse_unknown(owners: pa.Array, numbers: pa.Array, rows: pa.Table, path: Path) -> None:
    unknown = pc.indices_nonzero(pc.invert(pc.is_in(owners, value_set=numbers))).to_pylist()
    if unknown:
        raise InputRejected(
            f"曾用名的 rid“{owners[unknown[0]].as_py()}”不在登记企业中",
            where=f"{path.name} 第 {rows['line'][unknown[0]].as_py()} 行",
            remedy="改正 rid，或删去这一行",
        )


def _comparable(names: Any) -> pa.Array:
    """Return normal forms; a masked name (**商贸有限公司) stays as written, so that the index leaves it out."""
    return comparable_names(names.combine_chunks() if isinstance(names, pa.ChunkedArray) else names)


def _named(numbers: pa.Array, names: Any, norm: Any, kind: str) -> pa.Table:
    kinds = pa.array([kind] * len(numbers), pa.string())
    return COMPANY_NAMES.conform(
        pa.table({"company_id": numbers, "name": names, "name_norm": norm, "kind": kinds})
    )


def _require_writable(path: Path, inputs: Sequence[Path]) -> None:
    if suffix(path) not in WRITABLE or path.name.lower().endswith(".gz"):
        raise InputRejected(f"不能写成“{path.name}”", remedy="写成 .csv 或 .parquet")
    if any(path.resolve() == each.resolve() for each in inputs):
        raise InputRejected(f"“{path.name}”是输入文件，不会覆盖", remedy="换一个输出文件名")
    if not path.parent.is_dir():
        raise InputRejected(f"没有文件夹“{path.parent}”", remedy="先建立文件夹")


def _write(path: Path, table: pa.Table) -> None:
    """Write a file beside its place and put it there whole."""
    from pyarrow import csv, parquet

    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        if path.suffix.lower() == ".csv":
            csv.write_csv(table, draft)
        else:
            parquet.write_table(table, draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _stamp(registry: Path, former: Path | None) -> dict[str, Any]:
    files = [path for path in (registry, former) if path is not None]
    return {"version": INDEX_VERSION, "files": [_digest(path) for path in files]}


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputRejected("文件读不出来", where=path.name, remedy="检查路径与读取权限") from error


def _kept(folder: Path, stamp: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]] | None:
    """Open an index kept for exactly these files, mapped into memory; none where there is no such or it is broken."""
    try:
        said = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        if said["stamp"] != stamp:
            return None
        # An empty array cannot be mapped.
        return {
            name: np.load(folder / f"{name}.npy", mmap_mode="r" if size else None, allow_pickle=False)
            for name, size in said["arrays"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _keep(folder: Path, stamp: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write an index; its stamp comes last, so that a half-written one is none."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STAMP).unlink(missing_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
    sizes = {name: int(array.size) for name, array in arrays.items()}
    draft = folder / f".{STAMP}.{uuid.uuid4().hex}"
    draft.write_text(json.dumps({"stamp": dict(stamp), "arrays": sizes}), encoding="utf-8")
    draft.replace(folder / STAMP)
