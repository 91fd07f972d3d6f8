"""Best paths against a plain walk over all paths, the one pass against it too, and the diverse choice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.graph import BLOCKED, best_paths, diverse_paths, fewest_hops, price, reopen, shared, trace
from tests.graph.examples import adjacency, all_paths, random_graph


def _priced(seed: int, size: int, edges: int, hops: int, dear: int):
    """Return a random priced graph; few distinct costs make many ties."""
    rng = np.random.default_rng(seed)
    made = random_graph(rng, size, edges)
    pair_cost = rng.integers(1, dear + 1, len(made.arrays["pair_low"])).astype(np.int32)
    inner_cost = rng.integers(0, dear + 1, made.size).astype(np.int32)
    target_cost = np.where(rng.random(made.size) < 0.25, rng.integers(0, dear + 1, made.size), -1)
    return made, price(made, pair_cost, inner_cost, target_cost, hops=hops)


CASES = st.tuples(
    st.integers(0, 2**32),
    st.integers(2, 9),
    st.integers(1, 24),
    st.integers(1, 6),
    st.sampled_from([1, 2, 50]),
)


@settings(max_examples=150, deadline=None)
@given(CASES, st.integers(1, 30))
def test_best_paths_equal_a_plain_search(case, k):
    made, priced = _priced(*case)
    around = adjacency(made)
    for start in range(made.size):
        found = [(way.cost, way.nodes) for way in best_paths(priced, start, k)]
        assert found == all_paths(around, *priced.ways[3:], start, priced.hops)[:k]


@settings(max_examples=100, deadline=None)
@given(CASES)
def test_the_one_pass_gives_each_node_its_best_path(case):
    made, priced = _priced(*case)
    around = adjacency(made)
    starts = np.arange(made.size)
    traced, steps = trace(priced, starts), fewest_hops(priced)
    for start in starts:
        ways = all_paths(around, *priced.ways[3:], start, priced.hops)
        if priced.ways.target_cost[start] >= 0:
            assert (traced.hops[start], traced.last[start], steps[start]) == (0, start, 0)
        elif not ways:
            assert (traced.hops[start], traced.last[start], steps[start]) == (-1, -1, -1)
            assert traced.cost[start] == BLOCKED
        else:
            cost, nodes = ways[0]
            assert traced.cost[start] == cost
            assert tuple(traced.nodes[start][: len(nodes)]) == nodes
            assert traced.last[start] == nodes[-1]
            assert steps[start] == min(len(way) for _, way in ways) - 1


@settings(max_examples=25, deadline=None)
@given(CASES)
def test_layers_are_exact_for_every_hop_limit(case):
    made, priced = _priced(*case)
    around = adjacency(made)
    for hop in range(1, priced.hops + 1):
        for start in np.flatnonzero(priced.ways.target_cost < 0):
            ways = all_paths(around, *priced.ways[3:], int(start), hop)
            assert priced.layers[hop, start] == (ways[0][0] if ways else BLOCKED)


def test_larger_graphs_with_many_ties_equal_a_plain_search():
    made, priced = _priced(11, 40, 90, 5, 2)
    around = adjacency(made)
    for start in range(made.size):
        found = [(way.cost, way.nodes) for way in best_paths(priced, start, 100)]
        assert found == all_paths(around, *priced.ways[3:], start, priced.hops)[:100]


@pytest.mark.parametrize("seed", range(10))
def test_diverse_paths_keep_to_the_overlap(seed):
    _, priced = _priced(seed, 20, 60, 6, 50)
    for start in range(20):
        best = best_paths(priced, start, 25)
        picked = diverse_paths(priced, start, 5, 0.5)
        assert picked[:1] == best[:1]
        assert set(picked) <= set(best)
        for at, way in enumerate(picked):
            assert all(shared(way.nodes, other.nodes) <= 0.5 for other in picked[:at])
        passed = [way for way in best if way not in picked]
        if len(picked) < 5:
            assert all(any(shared(way.nodes, other.nodes) > 0.5 for other in picked) for way in passed)


def test_blocked_pairs_are_no_way():
    made = random_graph(np.random.default_rng(1), 6, 12)
    pairs = len(made.arrays["pair_low"])
    target = np.where(np.arange(made.size) == 5, 0, -1)
    priced = price(made, np.full(pairs, BLOCKED), np.zeros(made.size), target)
    assert best_paths(priced, 0, 3) == []
    assert fewest_hops(priced).tolist() == [-1, -1, -1, -1, -1, 0]


def test_reopened_arrays_give_the_same_paths():
    made, priced = _priced(3, 9, 20, 6, 5)
    again = reopen(made, {name: array.copy() for name, array in priced.arrays().items()})
    assert [best_paths(again, node, 5) for node in range(made.size)] == [
        best_paths(priced, node, 5) for node in range(made.size)
    ]


@pytest.mark.parametrize(("cost", "hops"), [(0, 6), (1, 7), (1, 0)])
def test_refuses_costs_and_limits_out_of_range(cost, hops):
    made = random_graph(np.random.default_rng(1), 6, 12)
    with pytest.raises(ValueError):
        price(
            made,
            np.full(len(made.arrays["pair_low"]), cost),
            np.zeros(made.size),
            np.full(made.size, -1),
            hops=hops,
        )
