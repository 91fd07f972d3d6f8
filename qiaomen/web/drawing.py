"""Draws paths: turns the laid-out graph into points, curves and labels of an SVG picture."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from qiaomen.reach import Hop, LaidEdge, LaidNode, Layout, Path, layout_paths
from qiaomen.vocab import RELATION_LABELS
from qiaomen.web import formats
from qiaomen.web.firms import brief

DRAWN_WIDTH: Final = 600
LEAST_LAYER: Final = 150
ROW_HEIGHT: Final = 98
LEAST_HEIGHT: Final = 300
MARGIN_X: Final = 88
MARGIN_TOP: Final = 14
LABEL_AT: Final = 0.5
LONGEST_NAME: Final = 12


@dataclass(frozen=True, slots=True)
class Vertex:
    """A node on the picture."""

    x: float
    y: float
    radius: int
    kind: str
    label: str
    second: str
    title: str
    href: str
    paths: str


@dataclass(frozen=True, slots=True)
class Line:
    """An edge on the picture with its label and what is known of it."""

    curve: str
    label: str
    label_x: float
    label_y: float
    best: bool
    proven: bool
    words: str
    paths: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """The whole picture."""

    width: int
    height: int
    vertices: tuple[Vertex, ...]
    lines: tuple[Line, ...]
    kinds: tuple[tuple[str, str], ...]
    summary: str


KIND_LABELS: Final = {
    "target": "目标企业",
    "customer": "存量客户",
    "person": "自然人",
    "company": "企业",
    "node": "产业链环节",
    "hidden": "他处客户（需转介）",
}


def kind_of(laid: LaidNode) -> str:
    """Name the sort of a node as the legend does."""
    if laid.role == "start":
        return "target"
    if laid.node.hidden:
        return "hidden"
    if laid.role == "customer":
        return "customer"
    return laid.node.type


def hop_label(hop: Hop) -> str:
    """Say a relation in two or three words."""
    kind = RELATION_LABELS.get(hop.kind, hop.kind)
    if hop.role:
        return hop.role.split("、")[0]
    if hop.ratio is not None:
        return f"{kind} {formats.percent(hop.ratio)}"
    if hop.amount_cny:
        return f"{kind} {formats.money(hop.amount_cny)}"
    return kind


def hop_words(hop: Hop) -> str:
    """Say what is known of a relation, with dates and proof."""
    facts = [f"{hop.start.name} — {hop.end.name}：{hop_label(hop)}"]
    facts += [formats.statement(text)[0] for text in hop.evidence[:2]]
    if hop.observed_on:
        facts.append(f"截至 {formats.day(hop.observed_on)}")
    if not hop.proven:
        facts.append("疑似，未证实")
    return "；".join(part for part in facts if part)


def curve(points: list[tuple[float, float]]) -> str:
    """Return a smooth line from left to right through the points."""
    first, *rest = points
    text = f"M{first[0]:.1f} {first[1]:.1f}"
    before = first
    for point in rest:
        middle = (before[0] + point[0]) / 2
        text += f" C{middle:.1f} {before[1]:.1f} {middle:.1f} {point[1]:.1f} {point[0]:.1f} {point[1]:.1f}"
        before = point
    return text


def on_curve(points: list[tuple[float, float]], t: float) -> tuple[float, float]:
    """Return a point of the first part of the curve: labels stand nearer to its start, where fewer lines meet."""
    (x0, y0), (x1, y1) = points[0], points[1]
    middle = (x0 + x1) / 2
    u = 1 - t
    weights = (u**3, 3 * u * u * t, 3 * u * t * t, t**3)
    xs, ys = (x0, middle, middle, x1), (y0, y0, y1, y1)
    return sum(w * x for w, x in zip(weights, xs, strict=True)), sum(
        w * y for w, y in zip(weights, ys, strict=True)
    )


def members(paths: list[Path]) -> tuple[dict[str, set[int]], dict[tuple[str, str], set[int]]]:
    """Tell which paths go through each node and hop, by the keys of the layout."""
    at_node: dict[str, set[int]] = defaultdict(set)
    at_hop: dict[tuple[str, str], set[int]] = defaultdict(set)
    for number, path in enumerate(paths):
        keys = []
        for place, node in enumerate(path.nodes()):
            keys.append(f"hidden{number}:{place}" if node.id is None else f"{node.type}:{node.id}")
        for key in keys:
            at_node[key].add(number)
        for one, other in pairwise(keys):
            at_hop[one, other].add(number)
            at_hop[other, one].add(number)
    return at_node, at_hop


def draw(paths: list[Path]) -> Drawing | None:
    """Draw paths of one company; nothing where there are none."""
    if not paths:
        return None
    layout = layout_paths(paths)
    tallest = max(Counter(node.layer for node in layout.nodes).values())
    gaps = max(1, layout.layers - 1)
    width = 2 * MARGIN_X + max(DRAWN_WIDTH, LEAST_LAYER * gaps)
    height = max(LEAST_HEIGHT, ROW_HEIGHT * tallest + 40)
    at_node, at_hop = members(paths)

    def place(x: float, y: float) -> tuple[float, float]:
        return MARGIN_X + x * (width - 2 * MARGIN_X), MARGIN_TOP + y * (height - 2 * MARGIN_TOP)

    vertices = tuple(_vertex(node, place(node.x, node.y), at_node[node.key]) for node in layout.nodes)
    lines = tuple(
        _line(edge, [place(x, y) for x, y in edge.points], at_hop[edge.start, edge.end])
        for edge in layout.edges
    )
    used = list(dict.fromkeys(vertex.kind for vertex in vertices))
    kinds = tuple((kind, KIND_LABELS[kind]) for kind in KIND_LABELS if kind in used)
    return Drawing(width, height, vertices, lines, kinds, _summary(paths, layout))


def _summary(paths: list[Path], layout: Layout) -> str:
    return f"{len(paths)} 条路径，经过 {len(layout.nodes)} 个节点"


def _vertex(laid: LaidNode, spot: tuple[float, float], paths: set[int]) -> Vertex:
    kind = kind_of(laid)
    name, _, second = laid.node.name.partition("（") if laid.node.hidden else (brief(laid.node.name), "", "")
    label = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
    href = f"/companies/{laid.node.id}" if laid.node.type == "company" and laid.node.id is not None else ""
    radius = 20 if kind in {"target", "customer", "hidden"} else 14
    return Vertex(
        round(spot[0], 1),
        round(spot[1], 1),
        radius,
        kind,
        label,
        f"（{second}" if second else "",
        laid.node.name,
        href,
        " ".join(map(str, sorted(paths))),
    )


def _line(edge: LaidEdge, points: list[tuple[float, float]], paths: set[int]) -> Line:
    x, y = on_curve(points, LABEL_AT)
    return Line(
        curve=curve(points),
        label=hop_label(edge.hop),
        label_x=round(x, 1),
        label_y=round(y - 5, 1),
        best=0 in paths,
        proven=edge.hop.proven,
        words=hop_words(edge.hop),
        paths=" ".join(map(str, sorted(paths))),
    )
