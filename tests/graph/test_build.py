"""Building the graph: merging, evidence, dates, typed nodes, and what is left out."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from qiaomen.graph import Graph, Pointer
from qiaomen.vocab import Unavailable
from tests.graph.examples import AS_OF, adjacency, graph, relation


def _number(made: Graph, name: str) -> int:
    find = made.company_nodes if name[0] == "c" else made.person_nodes
    return int(find([int(name[1:])])[0])


def _between(made: Graph, one: str, other: str):
    return made.edges_between(_number(made, one), _number(made, other))


def test_rows_of_one_pair_kind_and_direction_make_one_edge_and_keep_their_evidence():
    made = graph(
        [
            relation("office", "p1", "c1", role="董事", since=dt.date(2020, 1, 1), record_key="1"),
            relation("shareholding", "p1", "c1", ratio=0.2),
            relation("office", "p1", "c1", role="董事长", since=dt.date(2018, 1, 1), record_key="2", count=3),
        ]
    )
    holding, office = _between(made, "c1", "p1")
    assert (holding.kind, holding.ratio) == ("shareholding", 0.2)
    assert office.roles == ("董事", "董事长")
    assert office.since == dt.date(2018, 1, 1)
    assert office.until is None
    assert office.count == 4
    assert office.evidence == (Pointer("relations", 0, "office"), Pointer("relations", 2, "office"))
    assert (made.node(office.start).type, made.node(office.end).type) == ("person", "company")


def test_directions_are_apart_except_for_kinds_without_one():
    made = graph(
        [
            relation("guarantee", "c1", "c2"),
            relation("guarantee", "c2", "c1"),
            relation("shared_ip", "c1", "c2"),
            relation("shared_ip", "c2", "c1"),
        ]
    )
    kinds = [edge.kind for edge in _between(made, "c1", "c2")]
    assert kinds == ["guarantee", "guarantee", "shared_ip"]
    assert len(adjacency(made)[_number(made, "c1")]) == 1


def test_an_investment_covered_by_a_shareholding_is_evidence_of_it():
    made = graph(
        [
            relation("investment", "c1", "c2", amount_cny=5e6, since=dt.date(2019, 1, 1)),
            relation("shareholding", "c1", "c2", ratio=0.3, since=dt.date(2020, 1, 1)),
            relation("investment", "c2", "c1", amount_cny=1e6),
        ]
    )
    edges = _between(made, "c1", "c2")
    assert [edge.kind for edge in edges] == ["shareholding", "investment"]
    assert edges[0].ratio == 0.3
    assert edges[0].amount_cny is None
    assert [pointer.kind for pointer in edges[0].evidence] == ["shareholding", "investment"]
    assert made.left_out["investment_as_evidence"] == 1


def test_supply_pairs_and_relations_of_one_pair_are_one_edge():
    made = graph(
        [relation("supply", "c1", "c2", amount_cny=100.0, count=1)],
        supply=[
            {
                "supplier_id": 1,
                "buyer_id": 2,
                "count": 12,
                "amount_cny": 300.0,
                "first_on": dt.date(2024, 1, 1),
                "last_on": dt.date(2025, 5, 1),
            }
        ],
    )
    (edge,) = _between(made, "c2", "c1")
    assert (edge.count, edge.amount_cny, edge.observed_on) == (12, 300.0, dt.date(2025, 5, 1))
    assert [pointer.table for pointer in edge.evidence] == ["relations", "supply_pairs"]


def test_chains_run_through_typed_nodes_and_never_from_company_to_company():
    made = graph(
        [],
        nodes=[
            {"company_id": 1, "node_code": "N1", "confidence": 0.9, "evidence": "主营硅片"},
            {"company_id": 2, "node_code": "N1", "confidence": 0.6},
        ],
        goods=[
            {"company_id": 1, "goods_name": "硅片", "share": 0.4, "source": "s"},
            {"company_id": 3, "goods_name": "硅片", "source": "s"},
        ],
    )
    around = made.neighbours(_number(made, "c1"))
    nodes = [made.node(int(number)) for number in around]
    assert [(node.type, node.key, node.goods) for node in nodes] == [
        ("node", "N1", False),
        ("node", "硅片", True),
    ]
    assert _between(made, "c1", "c2") == []
    (edge,) = made.edges_between(_number(made, "c1"), nodes[0].number)
    assert (edge.kind, edge.confidence, edge.evidence) == (
        "chain",
        0.9,
        (Pointer("company_nodes", 0, "chain"),),
    )


@pytest.mark.parametrize(
    ("dates", "valid", "reason"),
    [
        ({}, True, None),
        ({"since": AS_OF, "until": AS_OF}, True, None),
        ({"until": AS_OF - dt.timedelta(1)}, False, "ended"),
        ({"since": AS_OF + dt.timedelta(1)}, False, "not_yet_known"),
        ({"observed_on": AS_OF + dt.timedelta(1)}, False, "not_yet_known"),
        ({"since": AS_OF, "until": AS_OF - dt.timedelta(9)}, False, "dates_reversed"),
    ],
)
def test_as_of(dates, valid, reason):
    made = graph([relation("guarantee", "c1", "c2", **dates)])
    assert bool(_between(made, "c1", "c2")) is valid
    assert made.left_out.get(reason, 0) == (0 if valid else 1)


def test_rows_that_cannot_be_edges_are_counted():
    made = graph(
        [
            relation("guarantee", "c1", "c1"),
            relation("guarantee", "c1", "c99"),
            relation("office", "p99", "c1"),
            relation("friendship", "c1", "c2"),
            relation("shareholding", "c1", "c2", ratio=1.7),
            relation("shareholding", "c1", "c3", ratio=-0.2),
            relation("guarantee", "c1", "c2", to_id=None),
        ]
    )
    assert made.left_out == {
        "ratio_ignored": 2,
        "relations.self_relation": 1,
        "relations.unknown_kind": 1,
        "relations.unknown_node": 3,
    }
    assert [edge.ratio for edge in _between(made, "c1", "c2")] == [None]


def test_suspected_kinds_are_never_proven():
    made = graph(
        [relation("same_phone", "c2", "c1"), relation("office", "p1", "c1", proven=False, confidence=None)]
    )
    (phone,), (office,) = _between(made, "c1", "c2"), _between(made, "p1", "c1")
    assert (phone.proven, office.proven, office.confidence) == (False, False, 0.5)


def test_an_edge_is_open_where_any_row_is_and_proven_where_any_row_is():
    later = dt.date(2030, 1, 1)
    made = graph(
        [
            relation("guarantee", "c1", "c2", until=later, proven=False, confidence=0.9, record_key="1"),
            relation("guarantee", "c1", "c2", until=later, confidence=0.7, record_key="2"),
            relation("guarantee", "c1", "c3", until=later, record_key="1"),
            relation("guarantee", "c1", "c3", record_key="2"),
        ]
    )
    (first,), (second,) = _between(made, "c1", "c2"), _between(made, "c1", "c3")
    assert (first.until, first.proven, first.confidence) == (later, True, 0.7)
    assert second.until is None


def test_adjacency_is_sorted_and_holds_each_pair_both_ways():
    rng = np.random.default_rng(5)
    made = graph(
        [
            relation("guarantee", f"c{a}", f"c{b}", record_key=str(n))
            for n, (a, b) in enumerate(rng.integers(1, 11, (60, 2)))
        ]
    )
    for node, around in enumerate(adjacency(made)):
        assert made.neighbours(node).tolist() == sorted(other for other, _ in around)
    assert made.degrees().sum() == 2 * len(made.arrays["pair_low"])


def test_edge_ends_agree_with_the_edges():
    made = graph(
        [
            relation("shareholding", "c3", "c1"),
            relation("shareholding", "p1", "c2"),
            relation("guarantee", "c1", "c3"),
        ]
    )
    start, end = made.edge_ends(made.edge_numbers("shareholding"))
    assert [(made.node(a).id, made.node(b).id) for a, b in zip(start, end, strict=True)] == [(3, 1), (1, 2)]


def test_an_empty_graph_opens():
    made = graph([], companies=0, persons=0)
    assert made.size == 0
    assert made.degrees().tolist() == []


def test_unknown_companies_have_no_node():
    made = graph([])
    assert made.company_nodes([1, 99]).tolist() == [0, -1]
    assert made.person_nodes([1, 99]).tolist() == [10, -1]


def test_the_same_rows_give_the_same_bytes_and_arrays_may_be_mapped(tmp_path):
    relations = [relation("guarantee", "c1", "c2"), relation("office", "p1", "c2", role="监事")]
    first, second = graph(relations).arrays, graph(relations).arrays
    assert all(
        np.array_equal(first[name], second[name], equal_nan=first[name].dtype.kind == "f") for name in first
    )
    for name, array in first.items():
        np.save(tmp_path / f"{name}.npy", array)
    mapped = Graph.open({name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in first})
    assert _between(mapped, "p1", "c2")[0].roles == ("监事",)


def test_an_index_of_another_format_is_refused():
    arrays = dict(graph([]).arrays)
    arrays["meta"] = np.frombuffer(b'{"format": 0}', dtype=np.uint8)
    with pytest.raises(Unavailable):
        Graph.open(arrays)
