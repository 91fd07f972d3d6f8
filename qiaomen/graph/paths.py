"""The exact best k loopless paths from a node to any target, and a diverse choice among them.

Lawler's partition over the A* kernel: each found path splits the paths not yet seen into disjoint sets, the best of
each set waits in a heap. Among equal costs the least sequence of node numbers comes first.
"""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from qiaomen.graph.ways import BLOCKED, Priced

MAX_PATHS: Final = 20
DIVERSE_POOL: Final = 5


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """One path: its cost and its nodes from the start to the target."""

    cost: int
    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True, order=True)
class _Waiting:
    """The best path of one set: all paths that begin with ``nodes[: turn + 1]`` and do not go on with ``shut``."""

    way: Way
    turn: int
    shut: tuple[int, ...]


def best_paths(priced: Priced, start: int, k: int) -> list[Way]:
    """Return the exact best k loopless paths in order of cost; fewer where there are fewer.

    A start that is itself a target gets the paths to the other targets.
    """
    found: list[Way] = []
    waiting: list[_Waiting] = []
    costs: list[int] = []
    _add(priced, waiting, (start,), (), BLOCKED, costs)
    while waiting and len(found) < k:
        best = heapq.heappop(waiting)
        found.append(best.way)
        if len(found) == k:
            break
        for turn in range(best.turn, len(best.way.nodes) - 1):
            shut = (*(best.shut if turn == best.turn else ()), best.way.nodes[turn + 1])
            limit = costs[k - 1] if len(costs) >= k else BLOCKED
            _add(priced, waiting, best.way.nodes[: turn + 1], shut, limit, costs)
    return found


def diverse_paths(priced: Priced, start: int, k: int, overlap: float) -> list[Way]:
    """Pick k paths greedily from the exact best 5k, none sharing more than ``overlap`` with one picked before."""
    picked: list[Way] = []
    for way in best_paths(priced, start, k * DIVERSE_POOL):
        if len(picked) < k and all(shared(way.nodes, other.nodes) <= overlap for other in picked):
            picked.append(way)
    return picked


def shared(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the share of common nodes after the start, of the shorter path."""
    first, second = set(one[1:]), set(other[1:])
    return len(first & second) / min(len(first), len(second)) if first and second else 0.0


def _add(
    priced: Priced,
    waiting: list[_Waiting],
    root: tuple[int, ...],
    shut: tuple[int, ...],
    limit: int,
    costs: list[int],
) -> None:
    """Put the best path that begins with a root and does not go on with ``shut`` among the waiting.

    ``costs`` holds the costs of all paths seen so far in order; its k-th is the limit above which no path matters.
    """
    from qiaomen.graph import kernels

    paid = _root_cost(priced, root)
    if paid > limit:
        return
    cost, nodes = kernels.complete(
        priced.ways,
        priced.layers,
        root[-1],
        priced.hops - len(root) + 1,
        np.array(root, dtype=np.int64),
        np.array(shut, dtype=np.int64),
        min(limit - paid, BLOCKED - 1),
    )
    if cost >= 0:
        way = Way(paid + int(cost), (*root[:-1], *(int(node) for node in nodes)))
        heapq.heappush(waiting, _Waiting(way, len(root) - 1, shut))
        bisect.insort(costs, way.cost)


def _root_cost(priced: Priced, root: tuple[int, ...]) -> int:
    """Return the cost of a root's pairs and of its nodes after the start, all of which are passed through."""
    ways, cost = priced.ways, 0
    for one, other in pairwise(root):
        first, last = ways.offsets[one], ways.offsets[one + 1]
        slot = first + int(np.searchsorted(ways.neighbours[first:last], other))
        cost += int(ways.pair_cost[ways.slot_pair[slot]]) + int(ways.inner_cost[other])
    return cost
