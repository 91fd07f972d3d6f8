"""The schematic map divides the plane without overlap; drawn paths hold every hop once."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from qiaomen.reach import Hop, Path, PathNode
from qiaomen.web.drawing import draw
from qiaomen.web.outlines import Place, cross, hull, nearer, outlines

PLACES = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 200)).map(lambda p: (120 + p[0] / 100, 30 + p[1] / 100)),
    min_size=3,
    max_size=30,
    unique=True,
)


def area(ring: list[Place]) -> float:
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, ring[1:] + ring[:1], strict=True))) / 2


@given(PLACES)
def test_every_place_lies_within_the_hull(places: list[Place]) -> None:
    ring = hull(places)
    if len(ring) > 2:
        for place in places:
            assert all(cross(a, b, place) >= -1e-9 for a, b in zip(ring, ring[1:] + ring[:1], strict=True))


def test_districts_divide_the_plane_without_overlap() -> None:
    chance = random.Random(7)
    places = [(121 + chance.random(), 31 + chance.random()) for _ in range(300)]
    shapes = outlines(places[:12], places)
    assert all(shape and shape[0] == shape[-1] for shape in shapes)
    edge = hull(places)
    assert abs(sum(area(shape[:-1]) for shape in shapes) / area(edge) - 1.06**2) < 0.01


def test_a_cut_keeps_the_nearer_half() -> None:
    square = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)]
    assert area(nearer(square, (0.5, 1.0), (1.5, 1.0))) == 2.0


def test_no_places_give_no_outline() -> None:
    assert outlines([], []) == []
    assert outlines([(121.0, 31.0)], [(121.0, 31.0)]) == [[]]


def path(*names: str) -> Path:
    nodes = [PathNode("company", number, name) for number, name in enumerate(names)]
    hops = tuple(
        Hop(
            "shareholding",
            a,
            b,
            True,
            None,
            0.3,
            None,
            None,
            None,
            None,
            None,
            True,
            1.0,
            ("持股｜relations/t/1",),
        )
        for a, b in pairwise(nodes)
    )
    return Path(0, nodes[-1].id, 0.5, "direct", True, hops)


def test_paths_share_their_nodes_and_name_their_hops() -> None:
    drawn = draw([path("甲", "乙", "丙"), path("甲", "乙", "丙")])
    assert drawn
    assert len(drawn.vertices) == 3
    assert len(drawn.lines) == 2
    assert drawn.lines[0].label == "股权 30%"
    assert drawn.lines[0].paths == "0 1"
    assert all(0 <= vertex.x <= drawn.width and 0 <= vertex.y <= drawn.height for vertex in drawn.vertices)


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw([]) is None
