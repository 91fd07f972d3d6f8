"""Relations by number: loaded relations resolved, branch offices found by name, suspected relations marked unproven.

A relation of a company or person to itself is rejected and reported; one whose end cannot be resolved is returned
apart with its reason; parallel rows of several sources are kept. Rings of shareholdings are lawful, and reported.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.arrays import (
    Bools,
    Ints,
    codes_of,
    ints,
    look_up,
    only_per_key,
    strings,
    text,
    whole,
)
from qiaomen.registry.clusters import is_masked
from qiaomen.registry.names import parse_name
from qiaomen.registry.persons import PERSON_SCHEME, mention_refs, person_names
from qiaomen.registry.suspects import Oversize, suspected_relations
from qiaomen.registry.tables import REJECTS, RELATIONS
from qiaomen.vocab import RelationKind

_SHARED_IDENTITY: Final = 0.6
_MENTION: Final = 0.9
COPIED: Final = ("role", "ratio", "amount_cny", "count", "since", "until", "observed_on", "evidence")


@dataclass(frozen=True)
class RelationsResult:
    """Relations and what did not become one.

    ``unresolved`` has source, record_key, kind, side (from, to), ref and reason; ``rejects`` are self-relations;
    ``rings`` are groups of company numbers that hold shares of each other in a circle; ``oversize`` are groups with one
    phone, e-mail, address or name that are too large to mean anything.
    """

    relations: pa.Table
    unresolved: pa.Table
    rejects: pa.Table
    rings: list[list[int]]
    oversize: list[Oversize]
    counts: dict[str, int]


@dataclass(frozen=True)
class _Side:
    refs: pa.Array
    number: Ints
    is_person: Bools
    confidence: np.ndarray
    how: pa.Array


def resolve_relations(
    relation_records: pa.Table, company_refs: pa.Table, persons: pa.Table, companies: pa.Table
) -> RelationsResult:
    """Resolve both ends of every relation, add branch offices and suspected relations."""
    bare = person_names(relation_records, company_refs)
    start = _side(mention_refs(relation_records, bare), company_refs, persons)
    end = _side(text(relation_records, "to_ref"), company_refs, persons)
    resolved = (start.number >= 0) & (end.number >= 0)
    itself = resolved & (start.number == end.number) & (start.is_person == end.is_person)
    kept = resolved & ~itself
    loaded = _loaded(relation_records, start, end, kept, persons)
    branches = _branches(companies, loaded)
    suspects, oversize = suspected_relations(companies, persons, loaded)
    relations = pa.concat_tables([loaded, branches, suspects])
    keys = [(name, "ascending") for name in RELATIONS.key]
    unresolved = _unresolved(relation_records, start, end)
    rejects = _rejects(relation_records, itself)
    kinds = pc.value_counts(whole(relations["kind"])).to_pylist()
    return RelationsResult(
        relations=relations.sort_by(keys),
        unresolved=unresolved,
        rejects=rejects,
        rings=_rings(loaded),
        oversize=oversize,
        counts={row["values"]: row["counts"] for row in kinds}
        | {"unresolved": unresolved.num_rows, "self_relations": rejects.num_rows},
    )


def _side(refs: pa.Array, company_refs: pa.Table, persons: pa.Table) -> _Side:
    is_person = pc.starts_with(pc.fill_null(refs, ""), PERSON_SCHEME).to_numpy(zero_copy_only=False)
    person = look_up(refs, whole(persons["person_ref"]), ints(persons["person_id"]))
    position = look_up(refs, whole(company_refs["ref"]), np.arange(company_refs.num_rows, dtype=np.int64))
    company = np.where(position >= 0, _at(ints(company_refs["company_id"]), position, -1), -1)
    sure = np.asarray(pc.fill_null(whole(company_refs["confidence"]), 0.0).to_numpy(zero_copy_only=False))
    how = pc.fill_null(whole(company_refs["how"]).take(pa.array(position, mask=position < 0)), "unknown")
    mentioned = pc.equal(how, "mention").to_numpy(zero_copy_only=False)
    confidence = np.where(mentioned, _MENTION, np.where(is_person, 1.0, _at(sure, position, 0.0)))
    return _Side(refs, np.where(is_person, person, company), np.asarray(is_person, np.bool_), confidence, how)


def _at(values: np.ndarray, positions: Ints, missing: float) -> np.ndarray:
    if len(values) == 0:
        return np.full(len(positions), missing)
    return np.where(positions >= 0, values[np.maximum(positions, 0)], missing)


def _loaded(records: pa.Table, start: _Side, end: _Side, kept: Bools, persons: pa.Table) -> pa.Table:
    shared = _shared_identities(start, end, persons)
    confidence = np.minimum(start.confidence, end.confidence) * np.where(shared, _SHARED_IDENTITY, 1.0)
    rows = pa.array(np.flatnonzero(kept))
    kinds = ["company", "person"]
    table = {
        "kind": whole(records["kind"]),
        "from_type": strings(kinds).take(pa.array(start.is_person.astype(np.int64))),
        "from_id": pa.array(start.number.astype(np.int64)),
        "to_type": strings(kinds).take(pa.array(end.is_person.astype(np.int64))),
        "to_id": pa.array(end.number.astype(np.int64)),
        "proven": pa.array(~shared),
        "confidence": pa.array(np.round(confidence, 4)),
        "source": whole(records["source"]),
        "record_key": whole(records["record_key"]),
    } | {name: whole(records[name]) for name in COPIED}
    return RELATIONS.conform(pa.table(table).take(rows))


def _shared_identities(start: _Side, end: _Side, persons: pa.Table) -> Bools:
    """Return which rows hang on a person who is known by name only and yet tied to several companies."""
    if persons.num_rows == 0:
        return np.zeros(len(start.number), np.bool_)
    known = ints(pc.fill_null(persons["identified"], False).cast(pa.int64())).astype(np.bool_)
    identified = np.zeros(int(pc.max(persons["person_id"]).as_py() or 0) + 1, np.bool_)
    identified[ints(persons["person_id"])] = known
    out = np.zeros(len(start.number), np.bool_)
    for side, other in ((start, end), (end, start)):
        on = side.is_person & (side.number >= 0)
        numbers = np.where(on, side.number, -1).astype(np.int64)
        _, several = only_per_key(numbers, np.where(on, other.number, -1).astype(np.int64), len(identified))
        out |= on & several[np.maximum(numbers, 0)] & ~identified[np.maximum(numbers, 0)]
    return out


def _unresolved(records: pa.Table, start: _Side, end: _Side) -> pa.Table:
    parts = []
    for name, side in (("from", start), ("to", end)):
        rows = np.flatnonzero(side.number < 0)
        parts.append(
            pa.table(
                {
                    "source": whole(records["source"]),
                    "record_key": whole(records["record_key"]),
                    "kind": whole(records["kind"]),
                    "side": strings([name] * records.num_rows),
                    "ref": side.refs,
                    "reason": side.how,
                }
            ).take(pa.array(rows))
        )
    return pa.concat_tables(parts)


def _rejects(records: pa.Table, itself: Bools) -> pa.Table:
    rows = records.take(pa.array(np.flatnonzero(itself)))
    count = rows.num_rows
    shown = rows.select(["kind", "from_ref", "to_ref", "from_name", "to_name", "record_key"])
    reason = "起点和终点是同一个主体，关系未采用；请核对两端的名称或代码"
    return REJECTS.conform(
        pa.table(
            {
                **{name: whole(rows[name]) for name in ("load_id", "source", "file", "line")},
                "column": strings([""] * count),
                "reason": strings([reason] * count),
                "value": whole(rows["from_ref"]),
                "row_text": strings([json.dumps(row, ensure_ascii=False) for row in shown.to_pylist()]),
            }
        )
    )


def _branches(companies: pa.Table, loaded: pa.Table) -> pa.Table:
    """Return `branch_of` for every company whose name is another company's legal name and a branch suffix."""
    codes, names = codes_of(whole(companies["name_norm"]))
    only, several = only_per_key(codes, ints(companies["company_id"]), len(names))
    values = names.to_pylist()
    endings = [
        index
        for index, name in enumerate(values)
        if name and name[-1] in "司行处部所厅厂店院校社室心" and not is_masked(name)
    ]
    parents = strings([parse_name(values[index]).parent or None for index in endings])
    target = look_up(parents, names, np.where(several, -1, only))
    child = only[np.array(endings, dtype=np.int64)] if endings else np.zeros(0, np.int64)
    found = (target >= 0) & (child >= 0) & (child != target)
    stated = loaded.filter(pc.equal(loaded["kind"], RelationKind.BRANCH_OF.value))
    pairs = set(zip(stated["from_id"].to_pylist(), stated["to_id"].to_pylist(), strict=True))
    rows = [
        (int(c), int(t), p)
        for c, t, p, ok in zip(child, target, parents.to_pylist(), found, strict=True)
        if ok and (int(c), int(t)) not in pairs
    ]
    return RELATIONS.conform(
        pa.table(
            {
                "kind": strings([RelationKind.BRANCH_OF.value] * len(rows)),
                "from_type": strings(["company"] * len(rows)),
                "from_id": pa.array([row[0] for row in rows], pa.int64()),
                "to_type": strings(["company"] * len(rows)),
                "to_id": pa.array([row[1] for row in rows], pa.int64()),
                "proven": pa.array([True] * len(rows), pa.bool_()),
                "confidence": pa.array([0.95] * len(rows), pa.float64()),
                "evidence": strings([f"名称为“{row[2]}”加分支机构后缀" for row in rows]),
                "source": strings(["derived"] * len(rows)),
                "record_key": strings([f"branch_of:{row[0]}-{row[1]}" for row in rows]),
            }
        )
    )


def _rings(relations: pa.Table) -> list[list[int]]:
    """Return the groups of companies that hold shares of each other in a circle."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    held = relations.filter(
        pc.and_(
            pc.equal(relations["kind"], RelationKind.SHAREHOLDING.value),
            pc.equal(relations["from_type"], "company"),
        )
    )
    if held.num_rows == 0:
        return []
    ends = np.concatenate([ints(held["from_id"]), ints(held["to_id"])])
    numbers, index = np.unique(ends, return_inverse=True)
    start, end = index[: held.num_rows], index[held.num_rows :]
    graph = coo_array((np.ones(held.num_rows, np.int8), (start, end)), shape=(len(numbers), len(numbers)))
    _, labels = connected_components(graph.tocsr(), directed=True, connection="strong")
    large = np.flatnonzero(np.bincount(labels) > 1)
    return sorted(numbers[labels == label].tolist() for label in large)
