"""The one list of companies: which records are one company, its number, its surviving values, its names, its references.

Reads company_records, every reference used in other loaded tables, and company_ids; gives company_ids (append-only),
company_refs, companies and company_names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.arrays import (
    Ints,
    first_per_group,
    ints,
    look_up,
    only_per_key,
    present,
    strings,
    taken,
    text,
    whole,
)
from qiaomen.registry.clusters import Clusters, RecordKeys, cluster_records, comparable_names, record_keys
from qiaomen.registry.names import normalise_short_names
from qiaomen.registry.refs import CONFIDENCE, Resolved, resolve_refs
from qiaomen.registry.survivors import conflicts, located, order_by_worth, surviving_columns
from qiaomen.registry.tables import COMPANIES, COMPANY_IDS, COMPANY_NAMES, COMPANY_REFS

_STRENGTH = {"uscc": 0, "stock": 1, "name": 2}
_BY_NAME, _BY_RECORD = 2, 3


@dataclass(frozen=True)
class IdentifyResult:
    """The identity tables, and what to report.

    ``merged`` maps a number issued earlier to the number that its company has now; ``counts`` says how references were
    found, how many codes contradicted a name, and how many legal names belong to companies with different codes.
    """

    company_ids: pa.Table
    company_refs: pa.Table
    companies: pa.Table
    company_names: pa.Table
    merged: dict[int, int]
    counts: dict[str, int]


@dataclass(frozen=True)
class _Claims:
    """The identifying keys of clusters, strongest first within a cluster (0 uscc, 1 stock, 2 name, 3 record)."""

    cluster: Ints
    key: pa.Array
    strength: Ints


def identify(
    company_records: pa.Table, refs: pa.Table, known_ids: pa.Table, source_priority: Sequence[str] = ()
) -> IdentifyResult:
    """Build the list of companies.

    ``refs`` has the distinct (ref, name) used anywhere (see ``collect_refs``); ``known_ids`` is the COMPANY_IDS table so
    far. Sources earlier in ``source_priority`` win ties between statements of one day.
    """
    records = order_by_worth(company_records, {code: rank for rank, code in enumerate(source_priority)})
    keys = record_keys(records)
    clusters = cluster_records(keys)
    records = _without_short_names(records, clusters)
    resolved = resolve_refs(refs, keys, clusters, records)
    claims = _claims(records, keys, clusters, resolved)
    total = clusters.count + len(resolved.stub_keys)
    numbers, issued, merged = _numbers(claims, known_ids, total)
    companies = _companies(records, keys, clusters, resolved, numbers)
    how = pa.array(resolved.how, pa.string())
    company_refs = pa.table(
        {
            "ref": resolved.refs,
            "company_id": taken(pa.array(numbers), resolved.cluster),
            "how": how,
            "confidence": pa.array([CONFIDENCE[item] for item in resolved.how], pa.float64()),
        }
    )
    counts = {row["values"]: row["counts"] for row in pc.value_counts(how).to_pylist()}
    return IdentifyResult(
        company_ids=issued,
        company_refs=COMPANY_REFS.conform(company_refs.sort_by("ref")),
        companies=companies,
        company_names=_names(records, keys, clusters, resolved, numbers, companies),
        merged=merged,
        counts={f"refs_{key}": count for key, count in counts.items()}
        | {"contradicted_codes": len(clusters.struck), "shared_names": clusters.shared_names},
    )


def _without_short_names(records: pa.Table, clusters: Clusters) -> pa.Table:
    """Blank the short names that came with a stock code which was struck."""
    rows = [row for row, column, _ in clusters.struck if column == "stock_code"]
    if not rows:
        return records
    mask = np.zeros(records.num_rows, np.bool_)
    mask[rows] = True
    blanked = pc.if_else(pa.array(mask), pa.scalar(None, pa.string()), text(records, "short_name"))
    return records.set_column(records.column_names.index("short_name"), "short_name", blanked)


def _claims(records: pa.Table, keys: RecordKeys, clusters: Clusters, resolved: Resolved) -> _Claims:
    parts: list[tuple[Ints, pa.Array, int]] = []
    for strength, (scheme, codes, values) in enumerate(
        (
            ("uscc", clusters.uscc, keys.usccs),
            ("stock", clusters.stock, keys.stocks),
            ("name", keys.name, keys.names),
        )
    ):
        only, several = only_per_key(codes, clusters.cluster, len(values))
        used = np.flatnonzero((only >= 0) & ~several)
        prefixed = pc.binary_join_element_wise(scheme, values.take(pa.array(used)), ":")
        parts.append((only[used], prefixed, strength))
    own = pc.binary_join_element_wise(whole(records["source"]), whole(records["record_key"]), ":")
    parts.append((clusters.cluster, own, _BY_RECORD))
    stubs = np.arange(len(resolved.stub_keys), dtype=np.int64) + clusters.count
    cluster = np.concatenate([part[0] for part in parts] + [stubs])
    key = pa.concat_arrays([part[1].cast(pa.string()) for part in parts] + [strings(resolved.stub_keys)])
    strengths = np.concatenate(
        [np.full(len(part[0]), part[2], np.int64) for part in parts]
        + [
            np.array(
                [_STRENGTH.get(item.partition(":")[0], _BY_RECORD) for item in resolved.stub_keys], np.int64
            )
        ]
    )
    return _Claims(cluster, key, strengths)


def _numbers(claims: _Claims, known_ids: pa.Table, total: int) -> tuple[Ints, pa.Table, dict[int, int]]:
    """Return the number of each cluster, the id table with what was issued now, and numbers that were given up.

    A number goes to the cluster with the strongest key that it was issued for; a cluster with several keeps the one of
    its strongest key. A name alone never hands a number with a credit code to a company with another code.
    """
    latest = known_ids.group_by("key").aggregate([("company_id", "max")])
    known = look_up(claims.key, whole(latest["key"]), ints(latest["company_id_max"]))
    hit = (known >= 0) & ~_name_only(claims, known, known_ids)
    cluster, number, strength = claims.cluster[hit], known[hit], claims.strength[hit]
    order = np.lexsort((cluster, strength, number))
    _, first = np.unique(number[order], return_index=True)
    owner = dict(zip(number[order][first].tolist(), cluster[order][first].tolist(), strict=True))
    won = cluster == np.array([owner[item] for item in number.tolist()], dtype=np.int64)
    cluster, number, strength = cluster[won], number[won], strength[won]
    order = np.lexsort((number, strength, cluster))
    who, first = np.unique(cluster[order], return_index=True)
    numbers = np.full(total, -1, dtype=np.int64)
    numbers[who] = number[order][first]
    merged = {
        int(old): int(numbers[new]) for old, new in zip(number, cluster, strict=True) if numbers[new] != old
    }
    start = int(pc.max(known_ids["company_id"]).as_py() or 0) + 1
    _issue(numbers, claims, start)
    added = numbers[claims.cluster] > known
    new = pa.table({"company_id": numbers[claims.cluster[added]], "key": claims.key.filter(pa.array(added))})
    new = (
        new.group_by(["company_id", "key"])
        .aggregate([])
        .sort_by([("company_id", "ascending"), ("key", "ascending")])
    )
    return (
        numbers,
        COMPANY_IDS.conform(pa.concat_tables([COMPANY_IDS.conform(known_ids), COMPANY_IDS.conform(new)])),
        merged,
    )


def _name_only(claims: _Claims, known: Ints, known_ids: pa.Table) -> np.ndarray:
    """Return which claims are by name alone on a number that was issued for another credit code."""
    coded = known_ids.filter(pc.starts_with(known_ids["key"], "uscc:"))
    has_code = np.isin(known, ints(coded["company_id"]))
    by_code = claims.strength == 0
    cluster_coded = np.isin(claims.cluster, claims.cluster[by_code])
    pairs = np.stack([claims.cluster, known], axis=1)
    agreed = {tuple(pair) for pair in pairs[by_code].tolist()}
    doubtful = (claims.strength == _BY_NAME) & has_code & cluster_coded
    for index in np.flatnonzero(doubtful).tolist():
        doubtful[index] = tuple(pairs[index].tolist()) not in agreed
    return np.asarray(doubtful)


def _issue(numbers: Ints, claims: _Claims, start: int) -> None:
    """Give new numbers to clusters without one, in order of their strongest key, so that order of input is nothing."""
    waiting = np.flatnonzero(numbers[claims.cluster] < 0)
    if len(waiting) == 0:
        return
    table = pa.table(
        {
            "strength": claims.strength[waiting],
            "key": claims.key.take(pa.array(waiting)),
            "cluster": claims.cluster[waiting],
        }
    ).sort_by([("strength", "ascending"), ("key", "ascending")])
    order = ints(table["cluster"])
    _, first = np.unique(order, return_index=True)
    ranked = order[np.sort(first)]
    numbers[ranked] = start + np.arange(len(ranked))


def _companies(
    records: pa.Table, keys: RecordKeys, clusters: Clusters, resolved: Resolved, numbers: Ints
) -> pa.Table:
    count, stubs = clusters.count, len(resolved.stub_keys)
    columns = surviving_columns(records, clusters.cluster, count)
    empty = {name: pa.nulls(stubs, column.type) for name, column in columns.items()}
    columns = {name: pa.concat_arrays([column, empty[name]]) for name, column in columns.items()}
    legal = columns["name"]
    fallback = pa.concat_arrays([pa.nulls(count, pa.string()), strings(resolved.stub_names)])
    columns["name"] = pc.coalesce(legal, columns["short_name"], fallback)
    columns["name_norm"] = comparable_names(columns["name"])
    columns["origin"] = pc.if_else(pc.is_valid(legal), "registry", "mention")
    for column, codes, values in (
        ("uscc", clusters.uscc, keys.usccs),
        ("stock_code", clusters.stock, keys.stocks),
    ):
        rows = first_per_group(clusters.cluster, codes >= 0, count)
        own = (
            taken(values, np.where(rows >= 0, codes[np.maximum(rows, 0)], -1))
            if len(codes)
            else pa.nulls(0, pa.string())
        )
        scheme = column.removesuffix("_code")
        given = [
            key.partition(":")[2] if key.startswith(f"{scheme}:") else None for key in resolved.stub_keys
        ]
        columns[column] = pa.concat_arrays([own.cast(pa.string()), strings(given)])
    disagreed = conflicts(records, clusters.cluster, count, clusters.struck)
    columns["conflicts"] = pa.concat_arrays([disagreed, pa.nulls(stubs, pa.string())])
    columns["region_code"], columns["region_basis"] = located(columns, columns["name_norm"])
    columns["company_id"] = pa.array(numbers)
    return COMPANIES.conform(pa.table(columns).sort_by("company_id"))


def _names(
    records: pa.Table,
    keys: RecordKeys,
    clusters: Clusters,
    resolved: Resolved,
    numbers: Ints,
    companies: pa.Table,
) -> pa.Table:
    """Return every name of every company; a legal name that did not survive is a former one."""
    owner = pa.array(numbers[clusters.cluster])
    former_rows = pa.array([row for row, _ in keys.former], pa.int64())
    written, short = text(records, "name"), text(records, "short_name")
    mentioned = np.flatnonzero(resolved.cluster >= 0)
    parts = [
        _part(
            companies["company_id"], companies["name"], companies["name_norm"], "legal", companies["origin"]
        ),
        _part(owner, written, comparable_names(written), "former"),
        _part(
            owner.take(former_rows),
            strings([n for _, n in keys.former]),
            strings([n for _, n in keys.former]),
            "former",
        ),
        _part(owner, short, normalise_short_names(short), "short"),
        _mentions(resolved, mentioned, numbers),
    ]
    every = pa.concat_tables(parts).filter(pc.field("name_norm").is_valid())
    every = every.append_column("order", pa.array(np.arange(every.num_rows)))
    first = every.group_by(["company_id", "name_norm"]).aggregate([("order", "min")])
    kept = pa.concat_tables([every.take(first["order_min"]), every.filter(pc.equal(every["kind"], "short"))])
    kept = kept.group_by(["company_id", "kind", "name_norm"]).aggregate([("name", "min")])
    kept = kept.rename_columns(["company_id", "kind", "name_norm", "name"])
    return COMPANY_NAMES.conform(
        kept.sort_by([("company_id", "ascending"), ("kind", "ascending"), ("name_norm", "ascending")])
    )


def _part(
    owner: pa.Array, name: pa.Array, norm: pa.Array, kind: str, origin: pa.Array | None = None
) -> pa.Table:
    kinds = pa.array([kind] * len(name), pa.string())
    if origin is not None:
        kinds = pc.if_else(pc.equal(whole(origin), "registry"), kind, "mention")
    return pa.table(
        {"company_id": whole(owner), "name": whole(name), "name_norm": whole(norm), "kind": kinds}
    )


def _mentions(resolved: Resolved, rows: Ints, numbers: Ints) -> pa.Table:
    names = strings(resolved.names).take(pa.array(rows)) if len(rows) else strings([])
    owner = pa.array(numbers[resolved.cluster[rows]])
    return _part(owner, names, comparable_names(names), "mention").filter(pa.array(present(names)))
