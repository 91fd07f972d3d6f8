"""Who controls a company: the chain of direct control up to the actual controller, and groups (集团派系) by it.

First depth: control is by direct shares (over one half, or the largest of at least 30 %) and by being a branch office;
shares held through several controlled companies are not added up yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from qiaomen.graph.graph import Graph
from qiaomen.graph.ownership import Holdings, graph_holdings

Basis = Literal["majority", "relative", "branch"]
BASES: Final[tuple[Basis, ...]] = ("majority", "relative", "branch")


@dataclass(frozen=True, slots=True)
class ControlRule:
    """``majority`` must be exceeded; ``relative`` must be reached by the single largest holder."""

    majority: float = 0.5
    relative: float = 0.3


@dataclass(frozen=True, slots=True)
class ControlStep:
    """``controller`` controls ``company`` directly with a share (unknown for a branch office)."""

    company: int
    controller: int
    share: float | None
    basis: Basis


@dataclass(frozen=True, slots=True)
class ControlChain:
    """Steps from a company up to its actual controller; a chain that runs in a circle has no controller."""

    steps: tuple[ControlStep, ...]
    circular: bool

    @property
    def controller(self) -> int | None:
        """Node of the actual controller; ``None`` where nobody controls or the chain is circular."""
        return self.steps[-1].controller if self.steps and not self.circular else None


@dataclass(frozen=True, slots=True)
class Group:
    """Companies under one actual controller; ``head`` is the controller, or the least node of a circle."""

    head: int
    members: tuple[int, ...]


class Control:
    """Direct controllers of all companies of a graph."""

    def __init__(self, graph: Graph, rule: ControlRule | None = None) -> None:
        used = rule or ControlRule()
        self._parent, self._share, self._basis = _controllers(graph_holdings(graph), used)
        branches = graph.edge_numbers("branch_of")
        branches = branches[graph.arrays["edge_proven"][branches]]
        branch, parent = graph.edge_ends(branches)
        self._parent[branch], self._share[branch], self._basis[branch] = parent, np.nan, BASES.index("branch")
        self._companies = len(graph.nodes.company_ids)

    def chain(self, company: int) -> ControlChain:
        """Return the chain of control above a company."""
        steps: list[ControlStep] = []
        seen = {company}
        node = company
        while (above := int(self._parent[node])) >= 0:
            share = float(self._share[node])
            basis = BASES[self._basis[node]]
            steps.append(ControlStep(node, above, None if np.isnan(share) else share, basis))
            if above in seen:
                return ControlChain(tuple(steps), circular=True)
            seen.add(above)
            node = above
        return ControlChain(tuple(steps), circular=False)

    def heads(self) -> npt.NDArray[np.int64]:
        """Return for every node the top of its chain: itself where nobody controls it, the least node of a circle."""
        parent = self._parent
        own = np.arange(len(parent))
        top = np.where(parent >= 0, parent, own)
        for _ in range(int(np.ceil(np.log2(max(2, len(parent))))) + 1):
            top = top[top]
        for node in np.unique(top[parent[top] >= 0]):
            top[top == node] = _least_of_circle(parent, int(node))
        return top

    def groups(self) -> list[Group]:
        """Return the groups of two companies or more, largest first, ties by head."""
        top = self.heads()[: self._companies]
        order = np.argsort(top, kind="stable")
        change = np.flatnonzero(top[order][1:] != top[order][:-1]) + 1
        edges = [0, *change.tolist(), len(top)]
        found = [
            Group(int(top[order[start]]), tuple(order[start:end].tolist()))
            for start, end in pairwise(edges)
            if end - start > 1
        ]
        return sorted(found, key=lambda group: (-len(group.members), group.head))


def _controllers(holdings: Holdings, rule: ControlRule) -> tuple[Any, Any, Any]:
    """Return per node its direct controller (-1 none), the share and the basis."""
    parent = np.full(holdings.size, -1, np.int64)
    share = np.full(holdings.size, np.nan)
    basis = np.zeros(holdings.size, np.int8)
    order = np.lexsort((holdings.holders, -holdings.ratios, holdings.companies))
    company, holder, ratio = (
        column[order] for column in (holdings.companies, holdings.holders, holdings.ratios)
    )
    if not len(company):
        return parent, share, basis
    first = np.flatnonzero(np.r_[True, company[1:] != company[:-1]])
    second = np.append(first[1:], len(company)) - first > 1
    runner_up = np.where(second, ratio[np.minimum(first + 1, len(ratio) - 1)], 0.0)
    majority = ratio[first] > rule.majority
    relative = (ratio[first] >= rule.relative) & (ratio[first] > runner_up)
    chosen = first[majority | relative]
    parent[company[chosen]], share[company[chosen]] = holder[chosen], ratio[chosen]
    basis[company[first[relative & ~majority]]] = BASES.index("relative")
    return parent, share, basis


def _least_of_circle(parent: npt.NDArray[np.int64], node: int) -> int:
    circle = [node]
    while int(parent[circle[-1]]) != node:
        circle.append(int(parent[circle[-1]]))
    return min(circle)
