"""How near every company is to a customer: the table ``reach``, from one pass over the whole graph."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qiaomen.graph import KINDS, Graph, fewest_hops, trace
from qiaomen.reach.pricing import Reaching, prepare, tiers_of, warmth_of
from qiaomen.reach.tables import REACH
from qiaomen.reach.warmth import Warmth, load_warmth

BASES: Final = ("direct", "suspected", "chain")
CHUNK: Final = 1_000_000


def reach_all(
    graph: Graph,
    customers: pa.Table,
    as_of: dt.date,
    *,
    warmth: Warmth | None = None,
    asks: pa.Table | None = None,
) -> pa.Table:
    """Return the table ``reach`` for all companies of a graph (``customers``: ``company_id``, ``status``)."""
    return nearness(prepare(graph, customers, as_of, warmth or load_warmth(), asks=asks))


def nearness(reaching: Reaching) -> pa.Table:
    """Return the table ``reach`` of a graph that is priced already."""
    companies = len(reaching.graph.nodes.company_ids)
    steps = fewest_hops(reaching.priced)
    parts = [
        _part(reaching, np.arange(start, min(companies, start + CHUNK)), steps)
        for start in range(0, companies, CHUNK)
    ]
    return pa.concat_tables(parts) if parts else REACH.empty()


def basis_of(cost: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return 0 (direct), 1 (suspected) or 2 (chain) of path costs."""
    chain, suspected = tiers_of(cost)
    return np.where(chain > 0, 2, np.where(suspected > 0, 1, 0))


def _part(reaching: Reaching, starts: npt.NDArray[np.int64], steps: npt.NDArray[np.int8]) -> pa.Table:
    graph = reaching.graph
    traced = trace(reaching.priced, starts)
    near = traced.hops >= 0
    starts, hops, cost = starts[near], traced.hops[near], traced.cost[near]
    nodes, pairs, last = traced.nodes[near], traced.pairs[near], traced.last[near]
    far = hops > 0
    following = np.where(far, nodes[:, 1], 0)
    types, ids = _following(graph, following)
    kinds, proven = _hops(reaching, pairs)
    basis = basis_of(np.where(far, cost, 0))
    absent = pa.array(~far)
    return REACH.conform(
        pa.table(
            {
                "company_id": graph.nodes.company_ids[starts],
                "customer_id": graph.nodes.company_ids[last],
                "hops": hops,
                "warmth": np.where(far, warmth_of(cost), 1.0),
                "fewest_hops": steps[starts].astype(np.int64),
                "first_kind": _words(KINDS, kinds, absent),
                "next_type": _words(("company", "person", "node"), types, absent),
                "next_id": pa.array(ids, mask=~far),
                "proven": proven,
                "basis": _words(BASES, basis, None),
            }
        )
    )


def _hops(reaching: Reaching, pairs: npt.NDArray[np.int64]) -> tuple[Any, Any]:
    """Return the kind of each way's first hop (0 where it has none) and whether all its hops are proven."""
    if not len(reaching.best_edge):
        return np.zeros(len(pairs), np.uint8), np.ones(len(pairs), bool)
    held = reaching.graph.arrays
    edges = reaching.best_edge[np.maximum(pairs, 0)]
    kinds = np.where(pairs[:, 0] < 0, 0, held["edge_kind"][edges[:, 0]])
    return kinds, ((pairs < 0) | held["edge_proven"][edges]).all(axis=1)


def _following(graph: Graph, nodes: npt.NDArray[np.int64]) -> tuple[Any, Any]:
    """Return the type (0 company, 1 person, 2 node) and the id of nodes."""
    companies, persons = graph.nodes.company_ids, graph.nodes.person_ids
    types = (nodes >= len(companies)).astype(int) + (nodes >= len(companies) + len(persons))
    ids = nodes - len(companies) - len(persons)
    ids[types == 0] = companies[nodes[types == 0]]
    ids[types == 1] = persons[nodes[types == 1] - len(companies)]
    return types, ids


def _words(texts: tuple[str, ...], codes: Any, absent: pa.Array | None) -> pa.Array:
    indices = pa.array(np.asarray(codes, np.int32), mask=None if absent is None else absent.to_numpy(False))
    return pa.DictionaryArray.from_arrays(indices, pa.array(texts)).cast(pa.string())
