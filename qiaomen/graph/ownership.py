"""Who owns a company through all layers, cycles and cross-holdings: integrated ownership.

With A the direct shares (fractions, no diagonal) and N = (I - A)^-1, the integrated share of i in j is N[i, j] / N[i, i]:
own holdings are taken out. A loop of companies with no owner outside is reported, not solved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qiaomen.graph.graph import Graph

MIN_RATIO: Final = 0.0001
ROUNDING: Final = 0.0005
"""Published shares are rounded; a total may exceed 1 by this much."""
CLOSED: Final = 1e-9
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Holdings:
    """Direct shares: ``holders[i]`` holds ``ratios[i]`` of ``companies[i]``, one row per pair, sorted by both.

    ``rejected`` lists companies whose shares add up to more than 1 with the total; none of their holdings is used.
    """

    size: int
    holders: Array
    companies: Array
    ratios: Array
    rejected: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Owner:
    """A holder with its integrated and its direct share of a company."""

    node: int
    share: float
    direct: float


def direct_holdings(
    holders: npt.ArrayLike,
    companies: npt.ArrayLike,
    ratios: npt.ArrayLike,
    size: int,
    *,
    min_ratio: float = MIN_RATIO,
) -> Holdings:
    """Sum parallel rows, leave out own holdings and shares under ``min_ratio``, reject totals over 1.

    Raises ``ValueError`` for a negative share.
    """
    start, end = np.asarray(holders, np.int64), np.asarray(companies, np.int64)
    share = np.asarray(ratios, np.float64)
    if (share < 0).any():
        raise ValueError("a share is negative")
    key, inverse = np.unique(start * size + end, return_inverse=True)
    summed = np.bincount(inverse, weights=share, minlength=len(key))
    start, end = key // size if size else key, key % size if size else key
    keep = (start != end) & (summed >= min_ratio)
    start, end, summed = start[keep], end[keep], summed[keep]
    totals = np.bincount(end, weights=summed, minlength=size)
    over = np.flatnonzero(totals > 1 + ROUNDING)
    fair = ~np.isin(end, over)
    rejected = tuple((int(node), float(totals[node])) for node in over)
    return Holdings(size, start[fair], end[fair], summed[fair], rejected)


def graph_holdings(graph: Graph, *, min_ratio: float = MIN_RATIO) -> Holdings:
    """Return the direct shares of a graph: proven shareholdings with a known ratio."""
    edges = graph.edge_numbers("shareholding")
    ratios = graph.arrays["edge_ratio"][edges]
    used = graph.arrays["edge_proven"][edges] & ~np.isnan(ratios)
    start, end = graph.edge_ends(edges[used])
    return direct_holdings(start, end, ratios[used], graph.size, min_ratio=min_ratio)


class Ownership:
    """Integrated ownership over direct holdings."""

    def __init__(self, holdings: Holdings) -> None:
        self.holdings = holdings

    @cached_property
    def _matrix(self) -> Any:
        from scipy import sparse

        held = self.holdings
        shape = (held.size, held.size)
        return sparse.csc_array((held.ratios, (held.holders, held.companies)), shape=shape)

    @cached_property
    def _parts(self) -> tuple[Array, tuple[tuple[int, ...], ...], Any]:
        """Return the strong component of each node, the closed loops, and the shares without those loops' own."""
        from scipy.sparse.csgraph import connected_components

        held = self.holdings
        _, part = connected_components(self._matrix, directed=True, connection="strong")
        inner = part[held.holders] == part[held.companies]
        within = np.bincount(held.companies[inner], weights=held.ratios[inner], minlength=held.size)
        largest = np.bincount(part, minlength=1)
        open_part = np.zeros(len(largest), bool)
        np.logical_or.at(open_part, part, within < 1 - CLOSED)
        closed = np.flatnonzero((largest > 1) & ~open_part)
        loops = tuple(tuple(int(node) for node in np.flatnonzero(part == number)) for number in closed)
        matrix = self._matrix
        if loops:
            keep = ~(inner & np.isin(part[held.companies], closed))
            matrix = _rebuilt(held, keep)
        return part, loops, matrix

    @property
    def closed_loops(self) -> tuple[tuple[int, ...], ...]:
        """Loops of companies that own each other wholly; their members count as last holders."""
        return self._parts[1]

    def owners(self, company: int) -> list[Owner]:
        """Return every holder of a company with its integrated share, largest first, ties by node number.

        Empty for a company nobody is known to hold and for a member of a closed loop.
        """
        _, _, matrix = self._parts
        above = _closure(matrix, company)
        if len(above) == 1:
            return []
        part = matrix[above][:, above].tocsc()
        column = _column(part, int(np.searchsorted(above, company)))
        own = self._own(above, part)
        direct = matrix[:, [company]].toarray().ravel()[above]
        share = column / own
        found = [
            Owner(int(node), float(value), float(straight))
            for node, value, straight in zip(above, share, direct, strict=True)
            if node != company and value > 0
        ]
        return sorted(found, key=lambda owner: (-owner.share, owner.node))

    def _own(self, nodes: Array, matrix: Any) -> Array:
        """Return N[i, i]: 1 outside of cycles, solved within each strong component otherwise."""
        part = self._parts[0][nodes]
        own = np.ones(len(nodes))
        for number in np.flatnonzero(np.bincount(part) > 1):
            members = np.flatnonzero(part == number)
            shares = matrix[members][:, members].toarray()
            own[members] = np.diag(np.linalg.inv(np.eye(len(members)) - shares))
        return own


def integrated_shares(holdings: Holdings) -> npt.NDArray[np.float64]:
    """Return the whole matrix of integrated shares (holder × company, no diagonal); for small graphs."""
    ownership = Ownership(holdings)
    shares = np.zeros((holdings.size, holdings.size))
    for company in range(holdings.size):
        for owner in ownership.owners(company):
            shares[owner.node, company] = owner.share
    return shares


def _rebuilt(held: Holdings, keep: Array) -> Any:
    from scipy import sparse

    ends = (held.holders[keep], held.companies[keep])
    return sparse.csc_array((held.ratios[keep], ends), shape=(held.size, held.size))


def _closure(matrix: Any, company: int) -> Array:
    """Return a company and all that stand above it, in order."""
    seen = {company}
    waiting: list[int] = [company]
    while waiting:
        node = waiting.pop()
        holders: Iterable[int] = matrix.indices[matrix.indptr[node] : matrix.indptr[node + 1]].tolist()
        for holder in holders:
            if holder not in seen:
                seen.add(holder)
                waiting.append(holder)
    return np.array(sorted(seen), dtype=np.int64)


def _column(matrix: Any, company: int) -> Array:
    """Return N[:, company] by one sparse solve."""
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    size = matrix.shape[0]
    unit = np.zeros(size)
    unit[company] = 1.0
    return spsolve((sparse.eye_array(size, format="csc") - matrix).tocsc(), unit)
