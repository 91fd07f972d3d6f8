"""A priced graph: what each pair, inner node and target costs, and what follows from it in one pass.

Costs are int32 units; who prices gives them their meaning. A path's cost is the sum over its pairs, its inner nodes
and its final target. A path ends at the first target that it meets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from qiaomen.graph.graph import Graph

BLOCKED: Final = 2_000_000_000
MAX_HOPS: Final = 6


class Ways(NamedTuple):
    """Adjacency and costs as the kernels take them; ``target_cost`` is -1 for a node that is no target."""

    offsets: Any
    neighbours: Any
    slot_pair: Any
    pair_cost: Any
    inner_cost: Any
    target_cost: Any


@dataclass(frozen=True)
class Priced:
    """A priced graph with ``layers[h, v]``, the least cost from node v to a target in at most h hops."""

    ways: Ways
    layers: npt.NDArray[np.int32]

    @property
    def hops(self) -> int:
        """The most hops a path may have."""
        return len(self.layers) - 1

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what ``reopen`` needs beside the graph, for the array store."""
        return {
            "pair_cost": self.ways.pair_cost,
            "inner_cost": self.ways.inner_cost,
            "target_cost": self.ways.target_cost,
            "layers": self.layers,
        }


@dataclass(frozen=True)
class Traced:
    """Best way of each start: ``nodes[i, 0]`` is the start (-1: no way), ``pairs[i, j]`` lies between j and j + 1."""

    nodes: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.int64]
    cost: npt.NDArray[np.int64]

    @property
    def hops(self) -> npt.NDArray[np.int64]:
        """Hops of each way, -1 where there is none."""
        return (self.nodes >= 0).sum(axis=1) - 1

    @property
    def last(self) -> npt.NDArray[np.int64]:
        """The target of each way, -1 where there is none."""
        hops = self.hops
        return np.where(hops < 0, -1, self.nodes[np.arange(len(hops)), np.maximum(hops, 0)])


def price(
    graph: Graph,
    pair_cost: npt.NDArray[Any],
    inner_cost: npt.NDArray[Any],
    target_cost: npt.NDArray[Any],
    *,
    hops: int = MAX_HOPS,
) -> Priced:
    """Price a graph and run the one pass over it. Pair costs are 1 to ``BLOCKED`` (no way), the others not negative."""
    if not 1 <= hops <= MAX_HOPS:
        raise ValueError(f"hops must be 1 to {MAX_HOPS}")
    if len(pair_cost) and int(pair_cost.min()) < 1:
        raise ValueError("a pair cost must be at least 1")
    from qiaomen.graph import kernels

    ways = _ways(graph, pair_cost, inner_cost, target_cost)
    return Priced(ways, _still(kernels.spread(ways, hops), np.int32))


def reopen(graph: Graph, arrays: Mapping[str, np.ndarray]) -> Priced:
    """Open what ``Priced.arrays`` gave, over the same graph."""
    ways = _ways(graph, arrays["pair_cost"], arrays["inner_cost"], arrays["target_cost"])
    return Priced(ways, _still(arrays["layers"], np.int32))


def fewest_hops(priced: Priced) -> npt.NDArray[np.int8]:
    """Return the fewest hops from every node to a target by any path, -1 where it takes too many."""
    from qiaomen.graph import kernels

    return kernels.fewest(priced.ways, priced.hops)


def trace(priced: Priced, starts: npt.NDArray[np.int64]) -> Traced:
    """Return the best way of each start; among equal costs the least sequence of node numbers."""
    from qiaomen.graph import kernels

    wanted = _still(starts, np.int64)
    nodes, pairs = kernels.trace(priced.ways, priced.layers, wanted)
    return Traced(nodes, pairs, priced.layers[-1, wanted].astype(np.int64))


def use_cache(directory: Path) -> None:
    """Keep compiled kernels in a directory. Takes effect before the first kernel is used in a process."""
    os.environ["NUMBA_CACHE_DIR"] = str(directory)


def _ways(graph: Graph, pair_cost: Any, inner_cost: Any, target_cost: Any) -> Ways:
    held = graph.arrays
    return Ways(
        held["offsets"],
        held["neighbours"],
        held["slot_pair"],
        _still(pair_cost, np.int32),
        _still(inner_cost, np.int32),
        _still(target_cost, np.int32),
    )


def _still(array: Any, kind: Any) -> Any:
    """Return a contiguous read-only base-class array, so that each kernel is compiled once."""
    view = np.ascontiguousarray(array, dtype=kind).view(np.ndarray)[...]
    view.flags.writeable = False
    return view
