"""The best paths from one company to the bank's customers, each hop with its relations, evidence and dates."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

from qiaomen.graph import MAX_PATHS, Edge, Graph, Node, Way, best_paths, diverse_paths
from qiaomen.reach.nearness import BASES, basis_of
from qiaomen.reach.pricing import Reaching, warmth_of
from qiaomen.reach.statements import Statements
from qiaomen.reach.warmth import Warmth, load_warmth
from qiaomen.vocab import InputRejected, NotFound

Mode = Literal["best", "diverse"]
Basis = Literal["direct", "suspected", "chain"]
EVIDENCE_PER_HOP: Final = 5


@dataclass(frozen=True, slots=True)
class PathNode:
    """A company, person, chain node or goods on a path; ``id`` is ``None`` where the viewer may not know it."""

    type: str
    id: int | None
    name: str
    goods: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop in walking direction; ``along`` tells whether the relation runs that way.

    ``also`` names further kinds of relation between the two. ``evidence`` holds at most five statements.
    """

    kind: str
    start: PathNode
    end: PathNode
    along: bool
    role: str | None
    ratio: float | None
    amount_cny: float | None
    count: int | None
    since: dt.date | None
    until: dt.date | None
    observed_on: dt.date | None
    proven: bool
    confidence: float
    evidence: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """A way from a company to a customer with its warmth; ``basis`` is that of its weakest hop."""

    company_id: int
    customer_id: int | None
    warmth: float
    basis: Basis
    proven: bool
    hops: tuple[Hop, ...]

    def nodes(self) -> tuple[PathNode, ...]:
        """Return the nodes from the company to the customer."""
        return (self.hops[0].start, *(hop.end for hop in self.hops)) if self.hops else ()


def find_paths(
    reaching: Reaching,
    company_id: int,
    statements: Statements,
    *,
    k: int = 5,
    mode: Mode = "best",
    warmth: Warmth | None = None,
) -> list[Path]:
    """Return the best k paths of a company to the customers, or k diverse ones of the best 5k.

    Raises ``NotFound`` for a company that is not in the graph and ``InputRejected`` for k outside 1 to 20.
    """
    if not 1 <= k <= MAX_PATHS:
        raise InputRejected(f"路径数 k 应为 1 到 {MAX_PATHS}", remedy="改小 k")
    start = int(reaching.graph.company_nodes([company_id])[0])
    if start < 0:
        raise NotFound("关系图中没有这家企业", remedy="检查编号；新企业在下一次运行后进入关系图")
    if mode == "diverse":
        overlap = (warmth or load_warmth()).row("diverse.overlap").factor
        ways = diverse_paths(reaching.priced, start, k, overlap)
    else:
        ways = best_paths(reaching.priced, start, k)
    return [read_way(reaching, way, statements) for way in ways]


def read_way(reaching: Reaching, way: Way, statements: Statements) -> Path:
    """Return a way through the graph with names, relations and evidence."""
    graph = reaching.graph
    nodes = [_named(graph.node(number), statements) for number in way.nodes]
    hops = tuple(
        _hop(reaching, way.nodes[at], way.nodes[at + 1], nodes[at], nodes[at + 1], statements)
        for at in range(len(nodes) - 1)
    )
    return Path(
        company_id=graph.node(way.nodes[0]).id,
        customer_id=graph.node(way.nodes[-1]).id,
        warmth=float(warmth_of(way.cost)),
        basis=_basis(way.cost),
        proven=all(hop.proven for hop in hops),
        hops=hops,
    )


def _basis(cost: int) -> Basis:
    names: tuple[Basis, ...] = ("direct", "suspected", "chain")
    assert names == BASES  # noqa: S101 - one list for the table and the type
    return names[int(basis_of(cost))]


def _named(node: Node, statements: Statements) -> PathNode:
    if node.type == "company":
        return PathNode("company", node.id, statements.company_name(node.id))
    if node.type == "person":
        return PathNode("person", node.id, statements.person_name(node.id))
    return PathNode("node", node.id, node.label, goods=node.goods)


def _hop(
    reaching: Reaching, one: int, other: int, start: PathNode, end: PathNode, statements: Statements
) -> Hop:
    edges = reaching.graph.edges_between(one, other)
    best = edges[_best(reaching, one, other)]
    words = [statements.evidence(pointer) for pointer in best.evidence[:EVIDENCE_PER_HOP]]
    return Hop(
        kind=best.kind,
        start=start,
        end=end,
        along=best.start == one,
        role="、".join(best.roles) or None,
        ratio=best.ratio,
        amount_cny=best.amount_cny,
        count=best.count or None,
        since=best.since,
        until=best.until,
        observed_on=best.observed_on,
        proven=best.proven,
        confidence=best.confidence,
        evidence=tuple(word for word in words if word),
        also=_further(edges, best),
    )


def _further(edges: list[Edge], best: Edge) -> tuple[str, ...]:
    return tuple(dict.fromkeys(edge.kind for edge in edges if edge is not best and edge.kind != best.kind))


def _best(reaching: Reaching, one: int, other: int) -> int:
    """Return which of the edges between two nodes is the warmest."""
    graph: Graph = reaching.graph
    start = int(graph.arrays["offsets"][one])
    slot = start + int(np.searchsorted(graph.neighbours(one), other))
    pair = int(graph.arrays["slot_pair"][slot])
    return int(reaching.best_edge[pair]) - int(graph.arrays["pair_edges"][pair])


def to_record(path: Path) -> dict[str, Any]:
    """Return a path as JSON values (dates as ISO text)."""
    return _plain(asdict(path))


def from_record(record: dict[str, Any]) -> Path:
    """Read what ``to_record`` wrote."""
    hops = tuple(
        Hop(
            **{
                **hop,
                "start": PathNode(**hop["start"]),
                "end": PathNode(**hop["end"]),
                "evidence": tuple(hop["evidence"]),
                "also": tuple(hop["also"]),
                **{name: _date(hop[name]) for name in ("since", "until", "observed_on")},
            }
        )
        for hop in record["hops"]
    )
    return Path(**{**record, "hops": hops})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None
