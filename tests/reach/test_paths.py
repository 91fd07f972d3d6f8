"""Paths and nearness on a small neighbourhood: what comes first, what is said, what is proven."""

from __future__ import annotations

import json

import numpy as np
import pytest

from qiaomen.chains import CHAIN_NODES, COMPANY_NODES
from qiaomen.graph import Graph, build_graph
from qiaomen.parks import PARK_RESIDENTS, PARKS
from qiaomen.reach import (
    REACH,
    Reaching,
    Statements,
    Surroundings,
    explain,
    find_paths,
    from_record,
    load_warmth,
    load_wording,
    nearness,
    prepare,
    reach_all,
    to_record,
    word_introductions,
    word_path,
)
from qiaomen.registry import COMPANIES
from qiaomen.vocab import InputRejected, NotFound
from tests.reach.examples import (
    AS_OF,
    companies,
    customers,
    graph,
    persons,
    relation,
    rows,
    statements,
    tables,
)


@pytest.fixture(scope="module")
def reaching():
    return prepare(graph(), customers(), AS_OF, load_warmth())


@pytest.fixture(scope="module")
def wording():
    return load_wording()


def _only(reaching, company, **options):
    return find_paths(reaching, company, statements(), **options)[0]


def test_a_shared_director(reaching, wording):
    path = _only(reaching, 1)
    assert (path.customer_id, path.basis, path.proven, len(path.hops)) == (10, "direct", True, 2)
    assert word_path(path, wording) == "贵司董事王1同时任我行客户企业10公司董事长，可请其引荐"
    assert [hop.evidence for hop in path.hops] == [
        ("p1officec1｜relations/test/office:p1:c1",),
        ("p1officec10｜relations/test/office:p1:c10",),
    ]


def test_direct_relations_and_shares(reaching, wording):
    paths = find_paths(reaching, 2, statements())
    said = [word_path(path, wording) for path in paths]
    assert said[0] == "贵司向我行客户企业11公司供货，可请其引荐"
    assert (
        said[1] == "企业1公司持有贵司 60.00% 股权；企业1公司董事王1同时任我行客户企业10公司董事长，可请其引荐"
    )
    assert paths[0].warmth > paths[1].warmth


def test_a_same_name_person_is_said_to_be_unproven(reaching, wording):
    path = _only(reaching, 3)
    assert (path.basis, path.proven, path.customer_id) == ("suspected", False, 12)
    assert "王2与王3疑似同名，未经核实" in word_path(path, wording)
    assert "先核实" in word_path(path, wording)


def test_a_chain_path_says_what_it_is(reaching, wording):
    path = _only(reaching, 4)
    assert (path.basis, path.customer_id) == ("chain", 10)
    assert word_path(path, wording).startswith("贵司与我行客户企业10公司同营“光刻胶”（产业关联，非已知往来）")
    assert path.hops[0].evidence == ("主营产品：光刻胶，占收入 50.0%｜company_goods/s/g1",)


def test_a_chain_path_ranks_below_every_direct_one_however_long():
    relations = [
        relation("transaction", f"c{a}", f"c{b}", amount_cny=1.0, count=1)
        for a, b in [(4, 1), (1, 2), (2, 3), (3, 5), (5, 11)]
    ]
    relations.append(relation("same_address", "c4", "c12", confidence=0.1))
    given = tables(relations)
    paths = find_paths(prepare(graph(given), customers(), AS_OF, load_warmth()), 4, statements(given))
    assert [(path.basis, path.customer_id) for path in paths] == [
        ("direct", 11),
        ("suspected", 12),
        ("chain", 10),
    ]
    assert paths[0].warmth < paths[2].warmth


def test_the_warmest_of_several_kinds_is_the_hop_and_the_rest_is_named(reaching, wording):
    path = _only(reaching, 5)
    assert [hop.kind for hop in path.hops] == ["guarantee", "guarantee"]
    assert path.hops[1].also == ("transaction",)
    assert "担保、交易" in explain(path, wording)[1]


def test_no_path_unknown_company_and_wrong_k(reaching):
    assert find_paths(reaching, 14, statements()) == []
    with pytest.raises(NotFound):
        find_paths(reaching, 999, statements())
    with pytest.raises(InputRejected):
        find_paths(reaching, 1, statements(), k=21)


def test_a_customer_gets_the_paths_to_other_customers(reaching):
    assert all(path.customer_id != 10 for path in find_paths(reaching, 10, statements()))


def test_diverse_mode_begins_with_the_best(reaching):
    best = find_paths(reaching, 2, statements(), k=3)
    diverse = find_paths(reaching, 2, statements(), k=3, mode="diverse")
    assert diverse[0] == best[0]
    assert all(path in find_paths(reaching, 2, statements(), k=15) for path in diverse)


def test_records_round_trip(reaching):
    for company in (1, 2, 3, 4, 5):
        for path in find_paths(reaching, company, statements()):
            assert from_record(json.loads(json.dumps(to_record(path)))) == path


def test_reach_agrees_with_the_best_path_of_every_company(reaching):
    table = reach_all(graph(), customers(), AS_OF)
    assert table.schema == REACH.schema
    near = {row["company_id"]: row for row in table.to_pylist()}
    assert set(near) == {1, 2, 3, 4, 5, 6, 10, 11, 12}
    for company, row in near.items():
        if company in (10, 11, 12):
            assert (row["hops"], row["warmth"], row["customer_id"], row["proven"]) == (0, 1.0, company, True)
            assert (row["next_id"], row["first_kind"], row["basis"]) == (None, None, "direct")
            continue
        path = _only(reaching, company)
        assert row["warmth"] == path.warmth
        assert (row["hops"], row["customer_id"]) == (len(path.hops), path.customer_id)
        assert (row["first_kind"], row["next_type"]) == (path.hops[0].kind, path.hops[0].end.type)
        assert row["next_id"] == path.hops[0].end.id
        assert (row["proven"], row["basis"]) == (path.proven, path.basis)
        assert row["fewest_hops"] <= row["hops"]


def test_reach_of_an_empty_graph_and_without_customers():
    nobody = customers().slice(0, 0)
    assert reach_all(graph(), nobody, AS_OF).num_rows == 0
    empty = {name: table.slice(0, 0) for name, table in tables().items()}
    bare = Graph.open(build_graph(**empty, companies=companies(), persons=persons(), as_of=AS_OF))
    assert reach_all(bare, customers(), AS_OF)["company_id"].to_pylist() == [10, 11, 12]
    none = Graph.open(
        build_graph(**empty, companies=COMPANIES.empty(), persons=persons().slice(0, 0), as_of=AS_OF)
    )
    assert reach_all(none, customers(), AS_OF).num_rows == 0


def test_prepared_arrays_reopen(reaching):
    again = Reaching.open(graph(), {name: np.array(array) for name, array in reaching.arrays().items()})
    assert nearness(again) == nearness(reaching)
    assert find_paths(again, 2, statements()) == find_paths(reaching, 2, statements())


SURROUNDINGS = Surroundings(
    parks=rows(PARKS, [{"park_code": "P1", "name": "张江园", "operator_id": 9}]),
    park_residents=rows(
        PARK_RESIDENTS, [{"company_id": number, "park_code": "P1"} for number in (7, 10, 11)]
    ),
    chain_nodes=rows(CHAIN_NODES, [{"node_code": "N7", "chain_code": "ic", "chain_name": "集成电路"}]),
    company_nodes=rows(
        COMPANY_NODES,
        [
            {"company_id": number, "node_code": code, "chain_code": "ic", "confidence": 0.8}
            for number, code in ((7, "N7"), (12, "N8"), (11, "N9"))
        ],
    ),
)


def _with_association() -> Statements:
    given = companies().to_pylist()
    given[13]["name"] = "上海市集成电路行业协会"
    given[11]["revenue_cny"] = 9e9
    return Statements(rows(COMPANIES, given), persons(), tables())


def test_introductions_are_paths_or_else_other_doors(reaching):
    found = word_introductions(
        reaching, [7, 1, 1, 14, 999], customers(), _with_association(), surroundings=SURROUNDINGS
    ).to_pylist()
    paths = [row for row in found if row["company_id"] == 1]
    assert [row["rank"] for row in paths] == list(range(1, len(paths) + 1))
    assert {row["kind"] for row in paths} == {"path"}
    assert len(json.loads(paths[0]["path"])["hops"]) == paths[0]["hops"] == 2
    doors = [row for row in found if row["company_id"] == 7]
    assert [(row["kind"], row["customer_id"]) for row in doors] == [
        ("park", None),
        ("association", None),
        ("chain_leader", 12),
    ]
    assert doors[0]["wording"] == "贵司位于张江园，园内已有我行客户2户，可请园区企业9公司引荐"
    assert doors[1]["wording"] == "贵司属集成电路行业，可请上海市集成电路行业协会引荐"
    assert "我行客户企业12公司" in doors[2]["wording"]
    assert not [row for row in found if row["company_id"] in (14, 999)]
