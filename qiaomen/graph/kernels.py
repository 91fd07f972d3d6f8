"""Compiled kernels over the packed adjacency. Import late: compiling or loading them takes time.

Costs are int32 units; ``BLOCKED`` is no way at all. Every cost of a pair is at least 1, so that the best walk is
loopless. All kernels are single-threaded and take read-only arrays.
"""

from __future__ import annotations

import heapq
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from qiaomen.graph.ways import BLOCKED, Ways


class _Labels(NamedTuple):
    """Labels of one search (a node at a hop) and the open-addressed table that finds them."""

    keys: Any
    found: Any
    node: Any
    hop: Any
    cost: Any
    before: Any


@njit(cache=True, nogil=True)
def spread(ways: Ways, hops: int) -> Any:
    """Return layers[h, v]: the least cost from v to a target in at most h hops; a path ends at its first target."""
    nodes = len(ways.offsets) - 1
    layers = np.full((hops + 1, nodes), BLOCKED, np.int32)
    frontier = np.empty(nodes, np.int64)
    following = np.empty(nodes, np.int64)
    queued = np.zeros(nodes, np.int8)
    size = 0
    for node in range(nodes):
        if ways.target_cost[node] >= 0:
            layers[0, node] = ways.target_cost[node]
            frontier[size] = node
            size += 1
    for hop in range(1, hops + 1):
        layers[hop] = layers[hop - 1]
        found = 0
        for at in range(size):
            node = frontier[at]
            base = np.int64(layers[hop - 1, node]) + _inner(ways, node)
            for slot in range(ways.offsets[node], ways.offsets[node + 1]):
                other = ways.neighbours[slot]
                total = base + ways.pair_cost[ways.slot_pair[slot]]
                if ways.target_cost[other] < 0 and total < layers[hop, other]:
                    layers[hop, other] = total
                    if queued[other] == 0:
                        queued[other] = 1
                        following[found] = other
                        found += 1
        for at in range(found):
            queued[following[at]] = 0
        frontier, following = following, frontier
        size = found
    return layers


@njit(cache=True, nogil=True)
def _inner(ways: Ways, node: int) -> Any:
    """Return what passing through a node costs; a target is never passed through, so arriving there is free."""
    return np.int64(0) if ways.target_cost[node] >= 0 else np.int64(ways.inner_cost[node])


@njit(cache=True, nogil=True)
def fewest(ways: Ways, hops: int) -> Any:
    """Return the fewest hops from every node to a target, -1 beyond ``hops``."""
    nodes = len(ways.offsets) - 1
    distance = np.full(nodes, -1, np.int8)
    queue = np.empty(nodes, np.int64)
    size = 0
    for node in range(nodes):
        if ways.target_cost[node] >= 0:
            distance[node] = 0
            queue[size] = node
            size += 1
    at = 0
    while at < size:
        node = queue[at]
        at += 1
        if distance[node] == hops:
            break
        for slot in range(ways.offsets[node], ways.offsets[node + 1]):
            other = ways.neighbours[slot]
            if distance[other] < 0 and ways.pair_cost[ways.slot_pair[slot]] < BLOCKED:
                distance[other] = distance[node] + 1
                queue[size] = other
                size += 1
    return distance


@njit(cache=True, nogil=True)
def _first_best_slot(ways: Ways, layers: Any, node: int, left: int) -> int:
    """Return the slot to the least neighbour on a best way of at most ``left`` hops, -1 where there is none."""
    best = np.int64(layers[left, node])
    for slot in range(ways.offsets[node], ways.offsets[node + 1]):
        other = ways.neighbours[slot]
        total = np.int64(layers[left - 1, other]) + ways.pair_cost[ways.slot_pair[slot]] + _inner(ways, other)
        if total == best:
            return slot
    return -1


@njit(cache=True, nogil=True)
def trace(ways: Ways, layers: Any, starts: Any) -> Any:
    """Return the nodes and the pairs of the best way from each start, least nodes first; -1 fills the rest."""
    most = len(layers) - 1
    nodes = np.full((len(starts), most + 1), -1, np.int64)
    pairs = np.full((len(starts), most), -1, np.int64)
    for at in range(len(starts)):
        node = np.int64(starts[at])
        if layers[most, node] >= BLOCKED:
            continue
        nodes[at, 0] = node
        step = 0
        while ways.target_cost[node] < 0:
            slot = _first_best_slot(ways, layers, node, most - step)
            node = np.int64(ways.neighbours[slot])
            pairs[at, step] = ways.slot_pair[slot]
            step += 1
            nodes[at, step] = node
    return nodes, pairs


@njit(cache=True, nogil=True)
def _place(keys: Any, key: int) -> int:
    """Return the place of a key in an open-addressed table of a power-of-two size: its own or the first free one."""
    mask = len(keys) - 1
    at = ((key * 0x9E3779B1) >> 7) & mask
    while keys[at] != -1 and keys[at] != key:
        at = (at + 1) & mask
    return at


@njit(cache=True, nogil=True)
def _walk(labels: _Labels, label: int) -> Any:
    """Return the nodes of a label's walk from the start."""
    size = labels.hop[label] + 1
    walk = np.empty(size, np.int64)
    for at in range(size - 1, -1, -1):
        walk[at] = labels.node[label]
        label = labels.before[label]
    return walk


@njit(cache=True, nogil=True)
def _earlier(labels: _Labels, one: int, other: int) -> bool:
    """Tell whether the walk of one label precedes that of another node by node."""
    first, second = _walk(labels, one), _walk(labels, other)
    for at in range(min(len(first), len(second))):
        if first[at] != second[at]:
            return first[at] < second[at]
    return len(first) < len(second)


@njit(cache=True, nogil=True)
def _room(labels: _Labels, size: int) -> _Labels:
    """Return labels with room for one more than ``size``."""
    if size < len(labels.node):
        return labels
    more = np.empty(size, np.int64)
    keys = np.full(size * 8, -1, np.int64)
    found = np.empty(size * 8, np.int64)
    for label in range(1, size):
        key = labels.node[label] * 8 + labels.hop[label]
        place = _place(keys, key)
        keys[place] = key
        found[place] = label
    return _Labels(
        keys,
        found,
        np.concatenate((labels.node, more)),
        np.concatenate((labels.hop, more)),
        np.concatenate((labels.cost, more)),
        np.concatenate((labels.before, more)),
    )


@njit(cache=True, nogil=True)
def _dominated(labels: _Labels, node: int, depth: int, total: int) -> bool:
    """Tell whether the node was reached in fewer hops for less."""
    for sooner in range(1, depth):
        place = _place(labels.keys, node * 8 + sooner)
        if labels.keys[place] != -1 and labels.cost[labels.found[place]] < total:
            return True
    return False


@njit(cache=True, nogil=True)
def _among(nodes: Any, node: int) -> bool:
    for known in nodes:  # noqa: SIM110 - compiled code has no any()
        if known == node:
            return True
    return False


@njit(cache=True, nogil=True)
def _offer(labels: _Labels, heap: Any, size: int, node: int, total: int, bound: int, label: int) -> int:
    """Reach a node from a label: a new label, a cheaper one, or an earlier walk of the same cost. Returns the size."""
    depth = labels.hop[label] + 1
    key = node * 8 + depth
    place = _place(labels.keys, key)
    if labels.keys[place] == -1:
        labels.keys[place] = key
        labels.found[place] = size
        labels.node[size] = node
        labels.hop[size] = depth
        labels.cost[size] = total
        labels.before[size] = label
        heapq.heappush(heap, (bound, depth, np.int64(size), total))
        return size + 1
    known = labels.found[place]
    if total < labels.cost[known]:
        labels.cost[known] = total
        labels.before[known] = label
        heapq.heappush(heap, (bound, depth, known, total))
    elif total == labels.cost[known] and _earlier(labels, label, labels.before[known]):
        labels.before[known] = label
    return size


@njit(cache=True, nogil=True)
def _expand(
    ways: Ways,
    layers: Any,
    labels: _Labels,
    heap: Any,
    size: int,
    label: int,
    shut: Any,
    left: int,
    limit: int,
) -> Any:
    """Offer every neighbour of a label whose best completion in ``left`` hops is within the limit."""
    here = labels.node[label]
    depth = labels.hop[label] + 1
    base = labels.cost[label]
    if label != 0:
        base += ways.inner_cost[here]
    for slot in range(ways.offsets[here], ways.offsets[here + 1]):
        other = np.int64(ways.neighbours[slot])
        total = base + ways.pair_cost[ways.slot_pair[slot]]
        bound = total + layers[left, other] + _inner(ways, other)
        if bound > limit or _among(shut, other) or _dominated(labels, other, depth, total):
            continue
        labels = _room(labels, size)
        size = _offer(labels, heap, size, other, total, bound, label)
    return labels, size


@njit(cache=True, nogil=True)
def complete(
    ways: Ways, layers: Any, start: int, hops: int, shut_nodes: Any, shut_steps: Any, limit: int
) -> Any:
    """Return (cost, nodes) of the best way from start to a target in at most ``hops``, least nodes first among equals.

    ``shut_nodes`` (the start among them) may not be entered, ``shut_steps`` may not be the first step; a way dearer
    than ``limit`` is not looked for. The cost holds no inner cost of the start. ``layers``, made with nothing shut,
    never exceed the rest of a way, so this is A*. Cost -1: there is none.
    """
    size = 1
    labels = _Labels(
        np.full(256, -1, np.int64),
        np.empty(256, np.int64),
        np.empty(64, np.int64),
        np.zeros(64, np.int64),
        np.zeros(64, np.int64),
        np.full(64, -1, np.int64),
    )
    labels.node[0] = start
    heap = [(np.int64(0), np.int64(0), np.int64(0), np.int64(0))]
    best, best_cost = np.int64(-1), np.int64(limit)
    first = np.concatenate((shut_nodes, shut_steps))
    while len(heap) > 0:
        rank, depth, label, cost = heapq.heappop(heap)
        if rank > best_cost:
            break
        if cost != labels.cost[label]:
            continue
        if label != 0 and ways.target_cost[labels.node[label]] >= 0:
            if best < 0 or rank < best_cost or _earlier(labels, label, best):
                best, best_cost = label, rank
        elif depth < hops:
            shut = first if label == 0 else shut_nodes
            left = hops - depth - 1
            labels, size = _expand(ways, layers, labels, heap, size, label, shut, left, best_cost)
    if best < 0:
        return np.int64(-1), np.empty(0, np.int64)
    return best_cost, _walk(labels, best)
