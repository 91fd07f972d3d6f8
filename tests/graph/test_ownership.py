"""Integrated ownership against a dense solve, loops, totals over 1, and control."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.graph import Control, ControlRule, Ownership, direct_holdings, graph_holdings, integrated_shares
from tests.graph.examples import graph, relation


def _random_shares(seed: int, size: int) -> np.ndarray:
    """Return direct shares with cycles; every company leaves something to holders outside."""
    rng = np.random.default_rng(seed)
    shares = rng.random((size, size)) * (rng.random((size, size)) < 0.4)
    np.fill_diagonal(shares, 0)
    shares *= rng.uniform(0.3, 0.98, size) / np.maximum(shares.sum(axis=0), 1e-12)
    shares[shares < 0.001] = 0
    return shares


def _dense(shares: np.ndarray) -> np.ndarray:
    inverse = np.linalg.inv(np.eye(len(shares)) - shares)
    integrated = np.diag(1 / np.diag(inverse)) @ inverse @ shares
    np.fill_diagonal(integrated, 0)
    return integrated


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 12))
def test_integrated_shares_equal_a_dense_solve(seed, size):
    shares = _random_shares(seed, size)
    holder, company = np.nonzero(shares)
    found = integrated_shares(direct_holdings(holder, company, shares[holder, company], size))
    np.testing.assert_allclose(found, _dense(shares), atol=1e-9)


def test_parallel_rows_are_summed_and_small_and_own_ones_left_out():
    held = direct_holdings([0, 0, 1, 2], [1, 1, 1, 1], [0.2, 0.3, 0.4, 0.00005], 3)
    assert held.holders.tolist() == [0]
    assert held.ratios.tolist() == [0.5]
    assert held.rejected == ()


def test_a_total_over_one_is_rejected_with_the_company_named():
    held = direct_holdings([0, 1, 0], [2, 2, 3], [0.7, 0.6, 0.5], 4)
    assert held.rejected == ((2, pytest.approx(1.3)),)
    assert held.companies.tolist() == [3]
    assert direct_holdings([0, 1], [2, 2], [0.5001, 0.5], 3).rejected == ()
    with pytest.raises(ValueError):
        direct_holdings([0], [1], [-0.1], 2)


def test_a_closed_loop_is_reported_and_not_solved():
    ownership = Ownership(direct_holdings([0, 1, 1, 3], [1, 0, 2, 2], [1.0, 1.0, 0.6, 0.4], 4))
    assert ownership.closed_loops == ((0, 1),)
    assert ownership.owners(0) == []
    assert [(owner.node, owner.share) for owner in ownership.owners(2)] == [(1, 0.6), (3, 0.4)]


def test_a_loop_with_an_owner_outside_is_solved():
    ownership = Ownership(direct_holdings([2, 0, 1], [0, 1, 0], [0.5, 1.0, 0.5], 3))
    assert ownership.closed_loops == ()
    shares = {owner.node: owner.share for owner in ownership.owners(1)}
    assert shares == {0: pytest.approx(1.0), 2: pytest.approx(1.0)}


def test_no_holdings_at_all():
    ownership = Ownership(direct_holdings([], [], [], 3))
    assert ownership.owners(1) == []
    assert ownership.closed_loops == ()


SHARES = [
    relation("shareholding", "p1", "c1", ratio=0.8),
    relation("shareholding", "c1", "c2", ratio=0.51),
    relation("shareholding", "c3", "c2", ratio=0.49),
    relation("shareholding", "c2", "c4", ratio=0.35),
    relation("shareholding", "c3", "c4", ratio=0.20),
    relation("shareholding", "c4", "c5", ratio=0.25),
    relation("shareholding", "c6", "c7", ratio=0.9),
    relation("shareholding", "c7", "c6", ratio=0.9),
    relation("shareholding", "p2", "c8", ratio=0.9, proven=False),
    relation("branch_of", "c9", "c5"),
]


def _control(rule: ControlRule | None = None):
    made = graph(SHARES)
    return made, Control(made, rule)


def test_the_chain_to_the_actual_controller():
    made, control = _control()
    chain = control.chain(int(made.company_nodes([4])[0]))
    assert [made.node(step.controller).id for step in chain.steps] == [2, 1, 1]
    assert [step.basis for step in chain.steps] == ["relative", "majority", "majority"]
    assert [step.share for step in chain.steps] == [0.35, 0.51, 0.8]
    assert made.node(chain.controller).type == "person"
    strict = Control(made, ControlRule(relative=0.4)).chain(int(made.company_nodes([4])[0]))
    assert strict.controller is None


def test_circles_unproven_holders_and_branches():
    made, control = _control()
    circle = control.chain(int(made.company_nodes([6])[0]))
    assert circle.circular
    assert circle.controller is None
    assert control.chain(int(made.company_nodes([8])[0])).steps == ()
    branch = control.chain(int(made.company_nodes([9])[0]))
    assert [(made.node(step.controller).id, step.share) for step in branch.steps] == [(5, None)]


def test_groups_by_actual_controller():
    made, control = _control()
    groups = [
        (made.node(group.head).type, made.node(group.head).id, [made.node(m).id for m in group.members])
        for group in control.groups()
    ]
    assert groups == [("person", 1, [1, 2, 4]), ("company", 5, [5, 9]), ("company", 6, [6, 7])]


def test_graph_holdings_take_the_newest_statement_of_a_source_and_the_largest_over_sources():
    import datetime as dt

    made = graph(
        [
            relation("shareholding", "c1", "c2", ratio=0.5, observed_on=dt.date(2024, 1, 1), record_key="1"),
            relation("shareholding", "c1", "c2", ratio=0.2, observed_on=dt.date(2025, 1, 1), record_key="2"),
            relation("shareholding", "c1", "c2", ratio=0.1, observed_on=dt.date(2025, 1, 1), record_key="3"),
            relation("shareholding", "c1", "c2", ratio=0.25, source="other", record_key="1"),
        ]
    )
    assert graph_holdings(made).ratios.tolist() == [pytest.approx(0.3)]
