"""Small input tables for graphs, random priced graphs, and a plain search to compare with."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from qiaomen.chains import COMPANY_GOODS, COMPANY_NODES
from qiaomen.graph import Graph, build_graph
from qiaomen.registry import COMPANIES, PERSONS, RELATIONS
from qiaomen.supply import SUPPLY_PAIRS
from qiaomen.vocab import Table

AS_OF = dt.date(2025, 6, 30)


def rows(table: Table, values: list[dict]) -> pa.Table:
    """Return rows of a declared table; columns that are not given are null."""
    given = {key for row in values for key in row}
    assert given <= set(table.names)
    return pa.Table.from_pylist([dict.fromkeys(table.names) | row for row in values], schema=table.schema)


def company(number: int) -> dict:
    return {"company_id": number, "name": f"企业{number}"}


def relation(kind: str, start: str, end: str, **values) -> dict:
    """Return a relation between nodes such as ``c1`` and ``p2``."""
    types = {"c": "company", "p": "person"}
    named = {
        "kind": kind,
        "from_type": types[start[0]],
        "from_id": int(start[1:]),
        "to_type": types[end[0]],
        "to_id": int(end[1:]),
        "proven": True,
        "source": "test",
        "record_key": f"{kind}:{start}:{end}",
        "evidence": f"{start} {kind} {end}",
    }
    return named | values


def graph(
    relations: list[dict],
    *,
    companies: int = 10,
    persons: int = 5,
    supply: list[dict] | None = None,
    nodes: list[dict] | None = None,
    goods: list[dict] | None = None,
    as_of: dt.date = AS_OF,
) -> Graph:
    """Build and open a graph of companies 1 to n and persons 1 to m."""
    return Graph.open(
        build_graph(
            rows(RELATIONS, relations),
            rows(SUPPLY_PAIRS, supply or []),
            rows(COMPANY_NODES, nodes or []),
            rows(COMPANY_GOODS, goods or []),
            rows(COMPANIES, [company(number) for number in range(1, companies + 1)]),
            rows(PERSONS, [{"person_id": n, "name": f"人{n}"} for n in range(1, persons + 1)]),
            as_of,
        )
    )


def all_paths(
    adjacency, pair_cost, inner_cost, target_cost, start: int, hops: int
) -> list[tuple[int, tuple]]:
    """Return every loopless path to a first target by walking all of them, in order of (cost, nodes)."""
    found = []

    def walk(path: tuple[int, ...], cost: int) -> None:
        here = path[-1]
        if len(path) > 1 and target_cost[here] >= 0:
            found.append((cost + int(target_cost[here]), path))
            return
        if len(path) > hops:
            return
        passing = int(inner_cost[here]) if len(path) > 1 else 0
        for other, pair in adjacency[here]:
            if other not in path:
                walk((*path, other), cost + passing + int(pair_cost[pair]))

    walk((start,), 0)
    return sorted(found)


def adjacency(made: Graph) -> list[list[tuple[int, int]]]:
    """Return (neighbour, pair) of every node, read from the pairs and not from the packed adjacency."""
    around: list[list[tuple[int, int]]] = [[] for _ in range(made.size)]
    for pair, (low, high) in enumerate(zip(made.arrays["pair_low"], made.arrays["pair_high"], strict=True)):
        around[low].append((int(high), pair))
        around[high].append((int(low), pair))
    return around


def random_graph(rng: np.random.Generator, size: int, edges: int) -> Graph:
    """Return a graph of companies with random guarantees."""
    ends = rng.integers(1, size + 1, (edges, 2))
    return graph(
        [
            relation("guarantee", f"c{a}", f"c{b}", record_key=str(n))
            for n, (a, b) in enumerate(ends.tolist())
        ],
        companies=size,
        persons=0,
    )
