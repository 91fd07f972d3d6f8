"""Builds the graph's arrays from relations, supply pairs, chain nodes and goods, as known on a date.

Rows of one pair, kind and direction make one edge; edges of one unordered pair make one pair; the adjacency (CSR, both
directions, sorted) runs over pairs. Where a shareholding covers the pair of an investment, the investment is evidence
of the shareholding and no edge of its own.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qiaomen.graph.kinds import CHAIN_NODE, GOODS, KIND_CODES, SYMMETRIC
from qiaomen.graph.rows import (
    UNKNOWN_DAY,
    NodeIndex,
    Rows,
    Vocabulary,
    concept_rows,
    in_force,
    joined,
    relation_rows,
    supply_rows,
)

FORMAT: Final = 1
Array = npt.NDArray[Any]


def build_graph(
    relations: pa.Table,
    supply_pairs: pa.Table,
    company_nodes: pa.Table,
    company_goods: pa.Table,
    companies: pa.Table,
    persons: pa.Table,
    as_of: dt.date,
    *,
    chain_nodes: pa.Table | None = None,
) -> dict[str, np.ndarray]:
    """Return the arrays of the graph; the same input gives the same bytes.

    Evidence is a row number in the table as it is passed here, so pass the tables in their published order. Edges to
    a company or person that is not in ``companies`` or ``persons`` are left out and counted in ``Graph.left_out``.
    ``chain_nodes`` gives chain nodes their paths of words.
    """
    left_out: Counter[str] = Counter()
    roles, sources = Vocabulary(), Vocabulary()
    nodes = _node_index(companies, persons, company_nodes, company_goods)
    rows = joined(
        [
            relation_rows(relations, nodes, roles, sources, left_out),
            supply_rows(supply_pairs, nodes, sources, left_out),
            concept_rows(company_nodes, CHAIN_NODE, nodes, left_out),
            concept_rows(company_goods, GOODS, nodes, left_out),
        ]
    )
    rows = in_force(rows, as_of, left_out)
    arrays = _edges(rows, nodes.size, left_out)
    arrays |= {
        "company_ids": nodes.company_ids,
        "person_ids": nodes.person_ids,
        "concept_kinds": nodes.concept_kinds,
        "concept_keys": _blob(nodes.concepts),
        "concept_labels": _blob(_labels(nodes, chain_nodes)),
        "roles": _blob(list(roles.texts)),
    }
    meta = {
        "format": FORMAT,
        "as_of": as_of.isoformat(),
        "left_out": {k: v for k, v in sorted(left_out.items()) if v},
    }
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    return arrays


def _node_index(companies: pa.Table, persons: pa.Table, nodes: pa.Table, goods: pa.Table) -> NodeIndex:
    codes = sorted(code for code in nodes["node_code"].unique().to_pylist() if code)
    names = sorted(name for name in goods["goods_name"].unique().to_pylist() if name)
    return NodeIndex(
        company_ids=np.unique(companies["company_id"].to_numpy().astype(np.int64)),
        person_ids=np.unique(persons["person_id"].to_numpy().astype(np.int64)),
        concept_kinds=np.array([CHAIN_NODE] * len(codes) + [GOODS] * len(names), dtype=np.uint8),
        concepts=codes + names,
    )


def _labels(nodes: NodeIndex, chain_nodes: pa.Table | None) -> list[str]:
    words: dict[str, str] = {}
    if chain_nodes is not None:
        for row in chain_nodes.select(["node_code", "node_name", "path"]).to_pylist():
            words[row["node_code"]] = row["path"] or row["node_name"] or row["node_code"]
    return [
        words.get(key, key) if kind == CHAIN_NODE else key
        for key, kind in zip(nodes.concepts, nodes.concept_kinds, strict=True)
    ]


def _edges(rows: Rows, size: int, left_out: Counter[str]) -> dict[str, np.ndarray]:
    rows, stated = _ordered(rows, size, left_out)
    low, high = np.minimum(rows.start, rows.end), np.maximum(rows.start, rows.end)
    backward = rows.start > rows.end
    new_pair = _changes(low, high)
    new_edge = new_pair | _changes(rows.kind, backward)
    edge_of_row = np.cumsum(new_edge) - 1
    pair_of_row = np.cumsum(new_pair) - 1
    first_rows = np.flatnonzero(new_edge)
    pair_rows = np.flatnonzero(new_pair)
    narrow = np.int32 if max(size, len(rows) + 1) < 2**31 else np.int64
    arrays = {
        "edge_kind": rows.kind[first_rows].astype(np.uint8),
        "edge_backward": backward[first_rows],
        "edge_rows": np.append(first_rows, len(rows)).astype(np.int64),
        "pair_low": low[pair_rows].astype(narrow),
        "pair_high": high[pair_rows].astype(narrow),
        "pair_edges": np.append(
            np.searchsorted(pair_of_row[first_rows], np.arange(len(pair_rows))), len(first_rows)
        ).astype(np.int64),
        "row_kind": stated.astype(np.uint8),
        "row_role": rows.role,
        "row_table": rows.table,
        "row_number": rows.row,
    }
    arrays |= _merged(rows, stated == rows.kind, edge_of_row, first_rows)
    return arrays | _adjacency(arrays["pair_low"], arrays["pair_high"], size, narrow)


def _ordered(rows: Rows, size: int, left_out: Counter[str]) -> tuple[Rows, Array]:
    """Sort rows by pair, kind and direction; return them with the kind that each row states itself."""
    stated = rows.kind.copy()
    holding = stated == KIND_CODES["shareholding"]
    investment = stated == KIND_CODES["investment"]
    directed = rows.start.astype(np.int64) * size + rows.end
    covered = investment & np.isin(directed, directed[holding])
    left_out["investment_as_evidence"] += int(covered.sum())
    kind = np.where(covered, KIND_CODES["shareholding"], stated).astype(np.int16)
    flip = np.isin(kind, list(SYMMETRIC)) & (rows.start > rows.end)
    start, end = np.where(flip, rows.end, rows.start), np.where(flip, rows.start, rows.end)
    low, high = np.minimum(start, end), np.maximum(start, end)
    order = np.lexsort((rows.row, rows.table, stated != kind, start > end, kind, high, low))
    columns = {name: getattr(rows, name)[order] for name in rows.__dataclass_fields__}
    columns |= {"kind": kind[order], "start": start[order], "end": end[order]}
    return Rows(**columns), stated[order]


def _changes(*keys: Array) -> npt.NDArray[np.bool_]:
    if not len(keys[0]):
        return np.zeros(0, bool)
    changed = np.ones(len(keys[0]), bool)
    changed[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return changed


def _merged(rows: Rows, own: Array, edge: Array, first: Array) -> dict[str, np.ndarray]:
    """Merge the rows of each edge; covered investments (``own`` false) lend dates and evidence, not values.

    Ratio: the parallel rows of one source's newest statement are summed, the largest over the sources counts. Amount
    and count: summed within a source, the largest over the sources counts. An edge is open where any row is.
    """
    edges = len(first)
    if not edges:
        empty = np.empty(0, np.float64)
        days = np.empty(0, np.int32)
        return {
            **{f"edge_{name}": empty for name in ("ratio", "amount", "count", "confidence")},
            **{f"edge_{name}": days for name in ("since", "until", "observed")},
            "edge_proven": np.empty(0, bool),
        }
    open_until = np.where(rows.until == UNKNOWN_DAY, np.iinfo(np.int32).max, rows.until)
    latest = np.maximum.reduceat(open_until, first)
    open_since = np.where(rows.since == UNKNOWN_DAY, np.iinfo(np.int32).max, rows.since)
    earliest = np.minimum.reduceat(open_since, first)
    proven = np.logical_or.reduceat(rows.proven, first)
    trusted = np.where(rows.proven >= proven[edge], rows.confidence, 0.0)
    counts = np.where(np.isnan(rows.count), 1.0, rows.count)
    return {
        "edge_ratio": _largest_source(rows, own, edge, edges, rows.ratio, newest=True),
        "edge_amount": _largest_source(rows, own, edge, edges, rows.amount, newest=False),
        "edge_count": _largest_source(rows, own, edge, edges, counts, newest=False),
        "edge_since": np.where(earliest == np.iinfo(np.int32).max, UNKNOWN_DAY, earliest).astype(np.int32),
        "edge_until": np.where(latest == np.iinfo(np.int32).max, UNKNOWN_DAY, latest).astype(np.int32),
        "edge_observed": np.maximum.reduceat(rows.observed, first),
        "edge_proven": proven,
        "edge_confidence": np.maximum.reduceat(trusted, first),
    }


def _largest_source(rows: Rows, own: Array, edge: Array, edges: int, values: Array, *, newest: bool) -> Array:
    """Sum values per edge and source (only its newest day if asked), then take the largest sum per edge."""
    result = np.full(edges, np.nan)
    chosen = np.flatnonzero(own & ~np.isnan(values))
    if not chosen.size:
        return result
    day = rows.observed[chosen] if newest else np.zeros(chosen.size, np.int32)
    chosen = chosen[np.lexsort((day, rows.source[chosen], edge[chosen]))]
    day = rows.observed[chosen] if newest else np.zeros(chosen.size, np.int32)
    starts = np.flatnonzero(_changes(edge[chosen], rows.source[chosen], day))
    sums = np.add.reduceat(values[chosen], starts)
    group_edge, group_source = edge[chosen][starts], rows.source[chosen][starts]
    last = np.append(_changes(group_edge, group_source)[1:], True)
    np.fmax.at(result, group_edge[last], sums[last])
    return result


def _adjacency(low: Array, high: Array, size: int, narrow: Any) -> dict[str, np.ndarray]:
    start, end = np.concatenate([low, high]), np.concatenate([high, low])
    pair = np.concatenate([np.arange(len(low)), np.arange(len(low))]).astype(narrow)
    order = np.lexsort((end, start))
    offsets = np.zeros(size + 1, np.int64)
    np.cumsum(np.bincount(start, minlength=size), out=offsets[1:])
    return {"offsets": offsets, "neighbours": end[order].astype(narrow), "slot_pair": pair[order]}


def _blob(texts: list[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(json.dumps(texts, ensure_ascii=False).encode(), dtype=np.uint8)
