"""The surviving value of every column of a company: newest statement first, then the declared priority of sources."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.addresses import resolve_addresses
from qiaomen.registry.arrays import Ints, codes_of, first_per_group, present, strings, taken, text, whole
from qiaomen.registry.names import normalise_name, parse_name
from qiaomen.registry.tables import COMPANIES, COMPANY_RECORDS

SURVIVING: Final = tuple(
    column.name
    for column in COMPANIES.columns
    if column.name in COMPANY_RECORDS.names and column.name not in {"uscc", "stock_code", "observed_on"}
)
COMPARED: Final = (
    "name",
    "stock_code",
    "org_type",
    "status",
    "founded_on",
    "capital_cny",
    "legal_representative",
    "region_code",
    "industry_code",
)
_SHOWN: Final = 5


def order_by_worth(records: pa.Table, priority: dict[str, int]) -> pa.Table:
    """Return the records newest first; ties by the source's priority (lower is better), source and key."""
    sources = whole(records.column("source"))
    codes, distinct = codes_of(sources)
    ranks = np.array(
        [priority.get(value or "", len(priority)) for value in distinct.to_pylist()] or [0], np.int64
    )
    days = pc.fill_null(whole(records.column("observed_on")).cast(pa.int32()), -(2**31) + 1)
    newest = -np.asarray(days.to_numpy(zero_copy_only=False), dtype=np.int64)
    keyed = pa.table(
        {
            "newest": newest,
            "rank": ranks[np.maximum(codes, 0)],
            "source": sources,
            "key": whole(records.column("record_key")),
        }
    )
    names = ("newest", "rank", "source", "key")
    return records.take(pc.sort_indices(keyed, sort_keys=[(name, "ascending") for name in names]))


def surviving_columns(records: pa.Table, cluster: Ints, count: int) -> dict[str, pa.Array]:
    """Return for each cluster 0..count-1 the first present value of each column; records are in order of worth."""
    out: dict[str, pa.Array] = {}
    for name in SURVIVING:
        column = (
            text(records, name)
            if pa.types.is_string(records.schema.field(name).type)
            else whole(records[name])
        )
        out[name] = taken(column, first_per_group(cluster, present(column), count))
    observed = whole(records.column("observed_on"))
    out["observed_on"] = taken(observed, first_per_group(cluster, present(observed), count))
    out["sources"] = _joined_sources(records, cluster, count)
    return out


def _joined_sources(records: pa.Table, cluster: Ints, count: int) -> pa.Array:
    codes, distinct = codes_of(text(records, "source"))
    pairs = (
        np.unique(cluster * max(len(distinct), 1) + np.maximum(codes, 0))
        if len(codes)
        else np.zeros(0, np.int64)
    )
    owners, which = np.divmod(pairs, max(len(distinct), 1))
    order = np.searchsorted(owners, np.arange(count + 1))
    values = distinct.to_pylist()
    cache: dict[tuple[int, ...], str] = {}
    out = []
    for low, high in zip(order[:-1].tolist(), order[1:].tolist(), strict=True):
        key = tuple(which[low:high].tolist())
        if key not in cache:
            cache[key] = ";".join(sorted(str(values[item]) for item in key))
        out.append(cache[key] or None)
    return strings(out)


def conflicts(records: pa.Table, cluster: Ints, count: int, struck: list[tuple[int, str, str]]) -> pa.Array:
    """Return for each cluster a JSON object: column to the [value, source] pairs on which its records disagree.

    ``struck`` are (row, column, code) of records whose code contradicted their name.
    """
    found: dict[int, dict[str, list[list[Any]]]] = defaultdict(dict)
    sources = text(records, "source").to_pylist()
    for name in COMPARED:
        _disagreements(records, name, cluster, sources, found)
    for row, column, code in struck:
        found[int(cluster[row])].setdefault(column, []).append([code, sources[row]])
    texts: list[str | None] = [None] * count
    for owner, columns in found.items():
        texts[owner] = json.dumps(columns, ensure_ascii=False, default=str)
    return strings(texts)


def _disagreements(
    records: pa.Table,
    name: str,
    cluster: Ints,
    sources: list[Any],
    found: dict[int, dict[str, list[list[Any]]]],
) -> None:
    column = whole(records.column(name))
    codes, _ = codes_of(column)
    rows = np.flatnonzero(codes >= 0)
    order = rows[np.argsort(cluster[rows], kind="stable")]
    groups = cluster[order]
    if len(order) == 0:
        return
    first = np.r_[True, groups[1:] != groups[:-1]]
    leader = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    for owner in np.unique(groups[codes[order] != codes[order[leader]]]).tolist():
        low, high = np.searchsorted(groups, [owner, owner + 1])
        values: dict[Any, Any] = {}
        for row in order[low:high].tolist():
            value = column[row].as_py()
            values.setdefault(normalise_name(value) if name == "name" else value, [value, sources[row]])
        if len(values) > 1:
            found[owner][name] = list(values.values())[:_SHOWN]


def located(columns: dict[str, pa.Array], names: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the division of each company and where it is known from: declared, its address, or its name."""
    declared = columns["region_code"]
    by_address = resolve_addresses(columns["address"])
    by_name = _regions_of_names(names)
    code = pc.coalesce(declared, by_address, by_name)
    basis = pc.if_else(
        pc.is_valid(declared),
        "declared",
        pc.if_else(pc.is_valid(by_address), "address", pc.if_else(pc.is_valid(by_name), "name", None)),
    )
    return code, basis.cast(pa.string())


def _regions_of_names(names: pa.Array) -> pa.Array:
    codes, distinct = codes_of(names)
    found = strings([parse_name(value).region_code or None for value in distinct.to_pylist()])
    return taken(found, codes) if len(found) else pa.nulls(len(codes), pa.string())
