"""Places the nodes of several paths for drawing: layers from left to right, few crossings, unit coordinates.

Nodes stand in the layer of their latest place on any path, customers in the last. An edge over several layers bends at
places of its own. Orders come from barycentre sweeps; the order with the fewest crossings wins, the first one included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from qiaomen.reach.paths import Hop, Path, PathNode

SWEEPS: Final = 12
Key = tuple[str, int | str]
Layers = list[list[Key]]
Lines = list[list[Key]]


@dataclass(frozen=True, slots=True)
class LaidNode:
    """A node with its layer and its place; x and y run from 0 to 1."""

    key: str
    node: PathNode
    layer: int
    x: float
    y: float
    role: str


@dataclass(frozen=True, slots=True)
class LaidEdge:
    """An edge between two nodes with the points that it runs through."""

    start: str
    end: str
    hop: Hop
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The drawing of paths; ``crossings`` counts crossing edges."""

    nodes: tuple[LaidNode, ...]
    edges: tuple[LaidEdge, ...]
    layers: int
    crossings: int


def layout_paths(paths: Sequence[Path]) -> Layout:
    """Lay out paths that start from one company; nodes that they share are drawn once."""
    nodes: dict[Key, PathNode] = {}
    hops: dict[tuple[Key, Key], Hop] = {}
    for number, path in enumerate(paths):
        for at, hop in enumerate(path.hops):
            start, end = _key(hop.start, number, at), _key(hop.end, number, at + 1)
            nodes.setdefault(start, hop.start)
            nodes.setdefault(end, hop.end)
            if (end, start) not in hops:
                hops.setdefault((start, end), hop)
    layer = _layers(paths)
    order, lines = _proper(layer, list(hops))
    placed = _fewest(order, lines)
    place = _places(placed)
    last = {_key(path.hops[-1].end, n, len(path.hops)) for n, path in enumerate(paths) if path.hops}
    first = {_key(path.hops[0].start, n, 0) for n, path in enumerate(paths) if path.hops}
    laid = tuple(
        LaidNode(
            _text(key),
            node,
            layer[key],
            *place[key],
            "start" if key in first else "customer" if key in last else "",
        )
        for key, node in nodes.items()
    )
    edges = tuple(
        LaidEdge(_text(start), _text(end), hop, tuple(place[key] for key in line))
        for ((start, end), hop), line in zip(hops.items(), lines, strict=True)
    )
    return Layout(laid, edges, len(placed), count_crossings(placed, lines))


def _key(node: PathNode, path: int, at: int) -> Key:
    """Return what makes a node one: hidden customers are never joined, so that nobody can count on them."""
    if node.id is None:
        return (f"hidden{path}", at)
    return (node.type, node.id)


def _text(key: Key) -> str:
    return f"{key[0]}:{key[1]}"


def _layers(paths: Sequence[Path]) -> dict[Key, int]:
    deepest = max((len(path.hops) for path in paths), default=0)
    layer: dict[Key, int] = {}
    for number, path in enumerate(paths):
        for at, node in enumerate(path.nodes()):
            key = _key(node, number, at)
            place = deepest if at == len(path.hops) else at
            layer[key] = max(layer.get(key, 0), place)
    return layer


def _proper(layer: dict[Key, int], edges: list[tuple[Key, Key]]) -> tuple[Layers, Lines]:
    """Return the layers with a bend for every layer that an edge passes, and each edge as a line of keys."""
    layers: Layers = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for key, at in layer.items():
        layers[at].append(key)
    lines: Lines = []
    for number, (start, end) in enumerate(edges):
        low, high = layer[start], layer[end]
        step = 1 if high >= low else -1
        bends: list[Key] = [(f"bend{number}", at) for at in range(low + step, high, step)]
        for bend in bends:
            layers[int(bend[1])].append(bend)
        lines.append([start, *bends, end])
    return layers, lines


def _fewest(layers: Layers, lines: Lines) -> Layers:
    best, least = layers, count_crossings(layers, lines)
    current = layers
    for sweep in range(SWEEPS):
        if not least:
            break
        current = _swept(current, lines, down=sweep % 2 == 0)
        crossings = count_crossings(current, lines)
        if crossings < least:
            best, least = current, crossings
    return best


def _swept(layers: Layers, lines: Lines, *, down: bool) -> Layers:
    """Order each layer by the mean place of its neighbours in the layer before; a node without any keeps its place."""
    at = {key: number for number, keys in enumerate(layers) for key in keys}
    around: dict[Key, list[Key]] = {key: [] for key in at}
    for line in lines:
        for one, other in pairwise(line):
            around[one].append(other)
            around[other].append(one)
    swept: Layers = [list(keys) for keys in layers]
    numbers = range(1, len(swept)) if down else range(len(swept) - 2, -1, -1)
    for number in numbers:
        before = number - 1 if down else number + 1
        place = {key: position for position, key in enumerate(swept[before])}
        weights = {}
        for position, key in enumerate(swept[number]):
            near = [place[other] for other in around[key] if at[other] == before]
            weights[key] = sum(near) / len(near) if near else float(position)
        swept[number] = sorted(swept[number], key=lambda key: weights[key])
    return swept


def count_crossings(layers: Layers, lines: Lines) -> int:
    """Count pairs of segments between the same two layers that cross."""
    spot = {
        key: (number, position) for number, keys in enumerate(layers) for position, key in enumerate(keys)
    }
    segments: dict[int, list[tuple[int, int]]] = {}
    for line in lines:
        for one, other in pairwise(line):
            left, right = sorted((spot[one], spot[other]))
            if left[0] != right[0]:
                segments.setdefault(left[0], []).append((left[1], right[1]))
    return sum(
        (a[0] - b[0]) * (a[1] - b[1]) < 0
        for gap in segments.values()
        for at, a in enumerate(gap)
        for b in gap[:at]
    )


def _places(layers: Layers) -> dict[Key, tuple[float, float]]:
    width = max(1, len(layers) - 1)
    return {
        key: (number / width, (position + 1) / (len(keys) + 1))
        for number, keys in enumerate(layers)
        for position, key in enumerate(keys)
    }
