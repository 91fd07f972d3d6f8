"""The graph opened from its arrays: which node is whom, and what stands between two nodes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from qiaomen.graph.build import FORMAT
from qiaomen.graph.kinds import CHAIN_NODE, KINDS, TABLES, NodeType
from qiaomen.graph.rows import UNKNOWN_DAY, NodeIndex
from qiaomen.vocab import Unavailable


@dataclass(frozen=True, slots=True)
class Node:
    """One node: ``id`` is the company_id, the person_id, or the number of the chain node or goods in the graph.

    ``key`` and ``label`` are set for chain nodes and goods only; ``goods`` tells them apart.
    """

    number: int
    type: NodeType
    id: int
    key: str = ""
    label: str = ""
    goods: bool = False


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where the evidence stands: a row of one of the tables that the graph was built from."""

    table: str
    row: int
    kind: str


@dataclass(frozen=True, slots=True)
class Edge:
    """All rows of one kind and direction between two nodes, merged; ``start`` holds, supplies, guarantees…"""

    kind: str
    start: int
    end: int
    roles: tuple[str, ...]
    ratio: float | None
    amount_cny: float | None
    count: int
    since: dt.date | None
    until: dt.date | None
    observed_on: dt.date | None
    proven: bool
    confidence: float
    evidence: tuple[Pointer, ...]


class Graph:
    """Read-only view of the arrays that ``build_graph`` made; they may be mapped from disk."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        meta = json.loads(arrays["meta"].tobytes())
        if meta["format"] != FORMAT:
            raise Unavailable("关系图的格式已变", remedy="重新运行 qiaomen run")
        self.arrays: dict[str, np.ndarray] = {name: _plain(array) for name, array in arrays.items()}
        self.as_of = dt.date.fromisoformat(meta["as_of"])
        self.left_out: dict[str, int] = meta["left_out"]
        self.nodes = NodeIndex(
            company_ids=self.arrays["company_ids"],
            person_ids=self.arrays["person_ids"],
            concept_kinds=self.arrays["concept_kinds"],
            concepts=json.loads(self.arrays["concept_keys"].tobytes()),
        )

    @classmethod
    def open(cls, arrays: Mapping[str, np.ndarray]) -> Graph:
        """Open the arrays of a graph."""
        return cls(arrays)

    @property
    def size(self) -> int:
        """Number of nodes."""
        return self.nodes.size

    @cached_property
    def roles(self) -> list[str]:
        """Texts of the roles that rows refer to by number."""
        return json.loads(self.arrays["roles"].tobytes())

    @cached_property
    def _labels(self) -> list[str]:
        return json.loads(self.arrays["concept_labels"].tobytes())

    def company_nodes(self, company_ids: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return node numbers of companies, -1 for a company that is not in the graph."""
        return self.nodes.companies(np.asarray(company_ids, dtype=np.int64))

    def person_nodes(self, person_ids: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return node numbers of persons, -1 for a person who is not in the graph."""
        return self.nodes.persons(np.asarray(person_ids, dtype=np.int64))

    def node(self, number: int) -> Node:
        """Return the node of a number."""
        companies, persons = len(self.nodes.company_ids), len(self.nodes.person_ids)
        if number < companies:
            return Node(number, "company", int(self.nodes.company_ids[number]))
        if number < companies + persons:
            return Node(number, "person", int(self.nodes.person_ids[number - companies]))
        at = number - companies - persons
        is_goods = int(self.nodes.concept_kinds[at]) != CHAIN_NODE
        return Node(number, "node", at, self.nodes.concepts[at], self._labels[at], is_goods)

    def degrees(self) -> npt.NDArray[np.int64]:
        """Return the number of distinct neighbours of every node."""
        return np.diff(self.arrays["offsets"])

    def neighbours(self, number: int) -> npt.NDArray[Any]:
        """Return the neighbours of a node in ascending order."""
        start, end = self.arrays["offsets"][number : number + 2]
        return self.arrays["neighbours"][start:end]

    def edges_between(self, one: int, other: int) -> list[Edge]:
        """Return the edges between two nodes, in the order of the kinds; empty where there are none."""
        start = int(self.arrays["offsets"][one])
        around = self.neighbours(one)
        at = int(np.searchsorted(around, other))
        if at == len(around) or int(around[at]) != other:
            return []
        pair = int(self.arrays["slot_pair"][start + at])
        first, last = self.arrays["pair_edges"][pair : pair + 2]
        return [
            self._edge(number, min(one, other), max(one, other)) for number in range(int(first), int(last))
        ]

    def edge_numbers(self, kind: str) -> npt.NDArray[np.int64]:
        """Return the numbers of all edges of a kind."""
        return np.flatnonzero(self.arrays["edge_kind"] == KINDS.index(kind))

    def edge_ends(self, numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return the start and end nodes of edges."""
        pair = np.searchsorted(self.arrays["pair_edges"], numbers, side="right") - 1
        low, high = self.arrays["pair_low"][pair], self.arrays["pair_high"][pair]
        backward = self.arrays["edge_backward"][numbers]
        return np.where(backward, high, low), np.where(backward, low, high)

    def _edge(self, number: int, low: int, high: int) -> Edge:
        held = self.arrays
        backward = bool(held["edge_backward"][number])
        first, last = (int(row) for row in held["edge_rows"][number : number + 2])
        return Edge(
            kind=KINDS[held["edge_kind"][number]],
            start=high if backward else low,
            end=low if backward else high,
            roles=tuple(dict.fromkeys(self._roles(first, last))),
            ratio=_known(held["edge_ratio"][number]),
            amount_cny=_known(held["edge_amount"][number]),
            count=int(_known(held["edge_count"][number]) or 0),
            since=_day(held["edge_since"][number]),
            until=_day(held["edge_until"][number]),
            observed_on=_day(held["edge_observed"][number]),
            proven=bool(held["edge_proven"][number]),
            confidence=float(held["edge_confidence"][number]),
            evidence=tuple(
                Pointer(
                    TABLES[held["row_table"][row]], int(held["row_number"][row]), KINDS[held["row_kind"][row]]
                )
                for row in range(first, last)
            ),
        )

    def _roles(self, first: int, last: int) -> Iterator[str]:
        for code in self.arrays["row_role"][first:last]:
            if code:
                yield self.roles[code]


def _plain(array: np.ndarray) -> np.ndarray:
    """Return a read-only base-class view, so that one compiled kernel serves memory and mapped files alike."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def _known(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def _day(value: Any) -> dt.date | None:
    return None if value == UNKNOWN_DAY else dt.date(1970, 1, 1) + dt.timedelta(days=int(value))
