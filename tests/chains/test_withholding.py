"""Small counts of others' customers are not told, and cannot be computed from what is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qiaomen.chains import Atlas, AtlasNode, AtlasStage, Count, withheld, withhold

LEAST = 5


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_count_is_told_where_nobody_or_enough_are_elsewhere(own: int, elsewhere: int) -> None:
    count = withheld(Count(100, own + elsewhere), own, LEAST)
    if 0 < elsewhere < LEAST:
        assert (count.customers, count.below, count.penetration, count.prospects) == (
            own,
            own + LEAST,
            None,
            None,
        )
    else:
        assert count == Count(100, own + elsewhere)


def atlas(nodes: list[list[int]], regions: list[int]) -> Atlas:
    """A chain whose stages have nodes with so many customers elsewhere."""
    stages = tuple(
        AtlasStage(
            f"s{at}",
            "",
            Count(100, sum(counts)),
            tuple(AtlasNode(f"n{at}-{n}", "", "", Count(50, count), ()) for n, count in enumerate(counts)),
        )
        for at, counts in enumerate(nodes)
    )
    total = Count(1000, sum(sum(counts) for counts in nodes))
    return Atlas(
        "c",
        "c",
        None,
        (),
        None,
        total,
        stages,
        {f"r{n}": Count(50, c) for n, c in enumerate(regions)},
        (),
        (),
    )


COUNTS = st.lists(st.integers(0, 12), min_size=1, max_size=5)


@given(st.lists(COUNTS, min_size=1, max_size=4), COUNTS)
def test_a_total_does_not_tell_its_one_withheld_part(nodes: list[list[int]], regions: list[int]) -> None:
    seen = withhold(atlas(nodes, regions), lambda kind, code: 0, LEAST)
    for stage in seen.stages:
        hidden = [node for node in stage.nodes if node.count.below is not None]
        assert len(hidden) != 1 or stage.count.below is not None or stage.count.customers == 0
    hidden_stages = [stage for stage in seen.stages if stage.count.below is not None]
    assert len(hidden_stages) != 1 or seen.count.below is not None
    small = [count for count in seen.regions.values() if count.below is not None]
    told = [count for count in seen.regions.values() if count.below is None and count.customers]
    assert len(small) != 1 or not told
    for count in (seen.count, *(stage.count for stage in seen.stages), *seen.regions.values()):
        assert count.below is not None or not 0 < count.customers < LEAST


def test_the_viewers_own_are_told_exactly() -> None:
    view = atlas([[3, 4], [9]], [2, 7])
    own = {"s0": 7, "s1": 9, "n0-0": 3, "n0-1": 4, "n1-0": 9, "r0": 2, "r1": 7, "": 16}
    assert withhold(view, lambda kind, code: own[code], LEAST) == view
