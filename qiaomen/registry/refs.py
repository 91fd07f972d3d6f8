"""What every reference `scheme:value` stands for: a company with records, a stub for a mere mention, or nobody.

`uscc:`, `stock:` and a source's own key find records; `name:` finds exact legal names, then former names that only one
company had; `brand:` finds short names that only one company has. What is ambiguous stays so: nothing is picked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.arrays import Ints, codes_of, only_per_key, strings, text, whole
from qiaomen.registry.clusters import Clusters, RecordKeys, is_masked, names_agree
from qiaomen.registry.names import looks_like_person, normalise_name, normalise_short_name
from qiaomen.vocab import check_uscc, normalise_code, repair_candidates

NAME_COLUMNS: Final = {
    "company_ref": "company_name",
    "from_ref": "from_name",
    "to_ref": "to_name",
}
CONFIDENCE: Final = {
    "code": 1.0,
    "record": 1.0,
    "name": 0.98,
    "former_name": 0.95,
    "short_name": 0.8,
    "mention": 0.5,
    "ambiguous": 0.0,
    "person": 0.0,
    "empty": 0.0,
}
AMBIGUOUS: Final = -2


def collect_refs(tables: Mapping[str, pa.Table]) -> pa.Table:
    """Return the distinct (ref, name) used in any `*_ref` column of the tables; persons are left out."""
    parts = []
    for table in tables.values():
        for column in table.column_names:
            if not column.endswith("_ref") or column == "person_ref":
                continue
            named = NAME_COLUMNS.get(column, "")
            name = (
                text(table, named) if named in table.column_names else pa.nulls(table.num_rows, pa.string())
            )
            parts.append(pa.table({"ref": text(table, column), "name": name}))
    if not parts:
        return pa.table({"ref": strings([]), "name": strings([])})
    every = pa.concat_tables(parts)
    kept = pc.and_(
        pc.is_valid(every["ref"]), pc.invert(pc.starts_with(pc.fill_null(every["ref"], ""), "person:"))
    )
    return every.filter(kept).group_by(["ref", "name"]).aggregate([])


@dataclass(frozen=True)
class Resolved:
    """For each distinct reference its cluster (stubs follow the records' clusters; -1 is nobody) and how it was found."""

    refs: pa.Array
    cluster: Ints
    how: list[str]
    names: list[str | None]
    stub_keys: list[str]
    stub_names: list[str | None]


@dataclass
class _Finder:
    """Look-up tables from identifying values to clusters; -1 is unknown, ``AMBIGUOUS`` is several."""

    uscc: dict[str, int]
    stock: dict[str, int]
    name: dict[str, int]
    former: dict[str, int]
    short: dict[str, int]
    record: dict[str, int]
    coded: frozenset[int]
    known_names: dict[int, list[str]]


def _unique(codes: Ints, values: pa.Array, cluster: Ints) -> dict[str, int]:
    only, several = only_per_key(codes, cluster, len(values))
    targets = np.where(several, AMBIGUOUS, only)
    used = np.flatnonzero(targets != -1)
    return dict(zip(values.take(pa.array(used)).to_pylist(), targets[used].tolist(), strict=True))


def _finder(keys: RecordKeys, clusters: Clusters, records: pa.Table) -> _Finder:
    own, distinct = codes_of(text(records, "company_ref"))
    sources, record_keys = whole(records["source"]), whole(records["record_key"])
    by_key, key_values = codes_of(pc.binary_join_element_wise(sources, record_keys, ":"))
    former_rows = np.array([row for row, _ in keys.former], dtype=np.int64)
    former, former_values = codes_of(strings([name for _, name in keys.former]))
    known: dict[int, list[str]] = {}
    for codes, values in ((keys.name, keys.names), (clusters.short, keys.shorts)):
        pairs = np.unique(np.column_stack([clusters.cluster, codes])[codes >= 0], axis=0)
        for owner, code in pairs.tolist():
            known.setdefault(owner, []).append(values[code].as_py())
    usccs = _unique(clusters.uscc, keys.usccs, clusters.cluster)
    return _Finder(
        uscc=usccs,
        coded=frozenset(usccs.values()),
        stock=_unique(clusters.stock, keys.stocks, clusters.cluster),
        name=_unique(keys.name, keys.names, clusters.cluster),
        former=_unique(former, former_values, clusters.cluster[former_rows]),
        short=_unique(clusters.short, keys.shorts, clusters.cluster),
        record=_unique(by_key, key_values, clusters.cluster) | _unique(own, distinct, clusters.cluster),
        known_names=known,
    )


def resolve_refs(refs: pa.Table, keys: RecordKeys, clusters: Clusters, records: pa.Table) -> Resolved:
    """Resolve each distinct reference of ``refs`` (ref, name) and of the records themselves."""
    own = pa.table({"ref": text(records, "company_ref"), "name": text(records, "name")})
    by_key = pc.binary_join_element_wise(whole(records["source"]), whole(records["record_key"]), ":")
    keyed = pa.table({"ref": by_key, "name": pa.nulls(records.num_rows, pa.string())})
    asked = pa.concat_tables([refs.select(["ref", "name"]), own, keyed])
    asked = asked.filter(pc.is_valid(asked["ref"]))
    grouped = asked.group_by("ref").aggregate([("name", "distinct")]).sort_by("ref")
    finder = _finder(keys, clusters, records)
    stubs: dict[str, int] = {}
    stub_names: list[str | None] = []
    cluster, how, names = [], [], []
    for ref, given in zip(grouped["ref"].to_pylist(), grouped["name_distinct"].to_pylist(), strict=True):
        written = sorted(name for name in given if name)
        target, manner = _find(ref, written, finder)
        if manner.startswith("mention:"):
            key = manner.removeprefix("mention:")
            target = stubs.setdefault(key, clusters.count + len(stubs))
            if target - clusters.count == len(stub_names):
                stub_names.append(written[0] if written else ref.partition(":")[2])
            manner = "mention"
        cluster.append(target if manner not in {"ambiguous", "person", "empty"} else -1)
        how.append(manner)
        names.append(written[0] if written else None)
    return Resolved(
        whole(grouped["ref"]), np.array(cluster, dtype=np.int64), how, names, list(stubs), stub_names
    )


def _find(ref: str, names: list[str], finder: _Finder) -> tuple[int, str]:
    """Return (cluster, how); a how of `mention:<key>` asks for a stub."""
    scheme, _, value = ref.partition(":")
    if not value.strip():
        return -1, "empty"
    if scheme == "uscc":
        return _find_code(normalise_code(value), names, finder)
    if scheme == "stock":
        return _found(finder.stock.get(value.strip(), -1), "code", f"stock:{value.strip()}")
    if scheme == "name":
        return _find_name(value, finder)
    if scheme == "brand":
        return _find_brand(normalise_short_name(value), finder)
    target = finder.record.get(ref, -1)
    if target == -1 and names:
        by_name = finder.name.get(normalise_name(names[0]), -1)
        if by_name >= 0:
            return by_name, "name"
    return _found(target, "record", ref)


def _found(target: int, how: str, key: str) -> tuple[int, str]:
    if target == AMBIGUOUS:
        return -1, "ambiguous"
    return (target, how) if target >= 0 else (-1, f"mention:{key}")


def _find_code(code: str, names: list[str], finder: _Finder) -> tuple[int, str]:
    """Find a company by credit code; a name beside it that says otherwise makes the reference ambiguous."""
    normal = [normalise_name(name) for name in names]
    by_name = next((finder.name[name] for name in normal if finder.name.get(name, -1) >= 0), -1)
    target = finder.uscc.get(code, -1)
    if target == -1 and check_uscc(code) is not None:
        repaired = {finder.uscc[fixed] for fixed in repair_candidates(code) if fixed in finder.uscc}
        target = repaired.pop() if len(repaired) == 1 else -1
    if target < 0 or not normal:
        if target < 0 and by_name >= 0:
            return (-1, "ambiguous") if by_name in finder.coded else (by_name, "name")
        return _found(target, "code", f"uscc:{code}")
    known = finder.known_names.get(target, [])
    if not known or any(names_agree(one, other) for one in normal for other in known):
        return target, "code"
    former = any(finder.former.get(name, -1) == target for name in normal)
    return (target, "code") if former or by_name in {-1, target} else (-1, "ambiguous")


def _find_name(value: str, finder: _Finder) -> tuple[int, str]:
    if is_masked(value):
        return -1, f"mention:name:{value.strip()}"
    name = normalise_name(value)
    if not name:
        return -1, "empty"
    for table, how in ((finder.name, "name"), (finder.former, "former_name")):
        target = table.get(name, -1)
        if target != -1:
            return _found(target, how, "")
    if name not in finder.short and looks_like_person(name):
        return -1, "person"
    return -1, f"mention:name:{name}"


def _find_brand(name: str, finder: _Finder) -> tuple[int, str]:
    if not name:
        return -1, "empty"
    target = finder.short.get(name, -1)
    if target == -1:
        target = finder.name.get(name, -1)
        return _found(target, "name", f"brand:{name}")
    return _found(target, "short_name", f"brand:{name}")
