"""Drawing: every node once, edges run through their layers, crossings never more than in the first order."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.reach import Hop, Path, PathNode, layout_paths
from qiaomen.reach.layout import _key, _layers, _proper, count_crossings


def _path(numbers: list[int]) -> Path:
    nodes = [PathNode("company", number, f"企业{number}") for number in numbers]
    hops = tuple(
        Hop("guarantee", a, b, True, None, None, None, None, None, None, None, True, 1.0)
        for a, b in pairwise(nodes)
    )
    return Path(numbers[0], numbers[-1], 0.5, "direct", True, hops)


PATHS = st.lists(
    st.tuples(st.permutations(range(2, 12)), st.integers(0, 5), st.integers(20, 24)).map(
        lambda drawn: _path([1, *drawn[0][: drawn[1]], drawn[2]])
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=150, deadline=None)
@given(PATHS)
def test_crossings_do_not_exceed_the_first_order(paths):
    laid = layout_paths(paths)
    edges = [(edge.start, edge.end) for edge in laid.edges]
    keys = {f"{kind}:{number}": (kind, number) for kind, number in _layers(paths)}
    order, lines = _proper(_layers(paths), [(keys[start], keys[end]) for start, end in edges])
    assert laid.crossings <= count_crossings(order, lines)


@settings(max_examples=100, deadline=None)
@given(PATHS)
def test_nodes_and_edges_are_drawn_once_in_unit_coordinates(paths):
    laid = layout_paths(paths)
    nodes = {node.key: node for node in laid.nodes}
    wanted = {node.id for path in paths for node in path.nodes()}
    assert sorted(node.node.id for node in laid.nodes) == sorted(wanted)
    assert len({(node.x, node.y) for node in laid.nodes}) == len(laid.nodes)
    pairs = {frozenset((edge.start, edge.end)) for edge in laid.edges}
    assert len(pairs) == len(laid.edges)
    for edge in laid.edges:
        assert edge.points[0] == (nodes[edge.start].x, nodes[edge.start].y)
        assert edge.points[-1] == (nodes[edge.end].x, nodes[edge.end].y)
        assert all(0 <= x <= 1 and 0 < y < 1 for x, y in edge.points)
    for path in paths:
        assert nodes[f"company:{path.company_id}"].x == 0
        assert nodes[f"company:{path.customer_id}"].role == "customer"


def test_two_crossing_paths_are_untangled():
    laid = layout_paths(
        [_path([1, 2, 5, 20]), _path([1, 3, 4, 21]), _path([1, 2, 4, 21]), _path([1, 3, 5, 20])]
    )
    assert laid.layers == 4
    straight = layout_paths([_path([1, 2, 5, 20]), _path([1, 3, 4, 21])])
    assert straight.crossings == 0


def test_nothing_to_draw():
    assert layout_paths([]).nodes == ()
    assert _key(PathNode("company", None, "x", hidden=True), 3, 2) == ("hidden3", 2)
