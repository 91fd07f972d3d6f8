from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qiaomen.chains import (
    COMPANY_NODES,
    NODE_COUNTS,
    NODE_LINKS,
    Count,
    atlas,
    count_nodes,
    live_companies,
)
from qiaomen.customers import CUSTOMERS
from qiaomen.registry import COMPANIES
from qiaomen.store import Engine
from qiaomen.vocab import NotFound
from tests.chains.examples import NODES

REGIONS = ("310115", "310104", "320500", None)


@pytest.fixture(scope="module")
def engine():
    with Engine() as opened:
        yield opened


def counted(engine, placed, regions, held, statuses=None) -> pa.Table:
    statuses = statuses or ["存续"] * len(regions)
    companies = pa.Table.from_pylist(
        [
            {"company_id": number, "origin": "registry", "region_code": region, "status": status}
            for number, (region, status) in enumerate(zip(regions, statuses, strict=True))
        ],
        COMPANIES.schema,
    )
    nodes = pa.Table.from_pylist(
        [{"company_id": company, "node_code": node} for company, node in placed], COMPANY_NODES.schema
    )
    customers = pa.Table.from_pylist([{"company_id": company} for company in held], CUSTOMERS.schema)
    memory = engine.memory
    return engine.arrow(
        count_nodes(memory(nodes), NODES.table, memory(companies), memory(customers)), NODE_COUNTS
    )


def test_a_firm_on_two_nodes_counts_once_per_stage_and_chain(engine):
    counts = counted(
        engine,
        [(0, "ic.resist"), (0, "ic.clean"), (1, "ic.design.power"), (1, "ic.design"), (2, "ic.resist")],
        ["310115", "310104", "320500"],
        [1, 9],
    )
    page = atlas("ic", NODES.table, counts)
    assert page.count == Count(3, 1)
    upstream, midstream, _ = page.stages
    assert upstream.count == Count(2, 0)
    assert midstream.count == Count(1, 1)
    (design,) = midstream.nodes
    assert design.count == Count(1, 1)
    assert design.children[0].count == Count(1, 1)
    assert design.children[0].path == "集成电路/中游/芯片设计/功率芯片"


def test_a_region_takes_in_what_lies_below_it(engine):
    counts = counted(
        engine, [(0, "ic.resist"), (1, "ic.resist"), (2, "ic.resist"), (3, "ic.resist")], list(REGIONS), []
    )
    assert atlas("ic", NODES.table, counts, region_code="310000").count.companies == 2
    assert atlas("ic", NODES.table, counts, region_code="310115").count.companies == 1
    assert atlas("ic", NODES.table, counts).count.companies == 4
    assert dict(atlas("ic", NODES.table, counts).regions)[""] == Count(1, 0)


def test_ended_and_merely_mentioned_firms_do_not_count(engine):
    counts = counted(
        engine,
        [(0, "ic.resist"), (1, "ic.resist"), (2, "ic.resist")],
        ["310115"] * 3,
        [],
        ["注销", "存续", "吊销，未注销"],
    )
    assert atlas("ic", NODES.table, counts).count.companies == 1


def test_a_gap_is_a_full_node_with_few_customers(engine):
    placed = [(number, "ic.resist") for number in range(12)] + [
        (number, "ic.sell") for number in range(12, 24)
    ]
    counts = counted(engine, placed, ["310115"] * 24, list(range(12, 18)))
    (gap,) = atlas("ic", NODES.table, counts).gaps
    assert gap.node_code == "ic.resist"
    assert gap.missing == 3.0
    assert gap.reason == "本地企业 12 户，存量客户 0 户，渗透率 0.0%，低于全链 25.0%"


def test_links_that_touch_the_chain_are_shown(engine):
    links = pa.Table.from_pylist(
        [
            {"from_node": "ic.resist", "to_node": "ic.design", "basis": "declared"},
            {"from_node": "bio.api", "to_node": "bio.drug", "basis": "goods"},
        ],
        NODE_LINKS.schema,
    )
    page = atlas("ic", NODES.table, NODE_COUNTS.empty(), node_links=links)
    assert [(link.from_node, link.to_node) for link in page.links] == [("ic.resist", "ic.design")]
    assert page.count.penetration is None


def test_an_unknown_chain_is_not_found():
    with pytest.raises(NotFound):
        atlas("none", NODES.table, NODE_COUNTS.empty())


def test_unknown_status_counts_as_live(engine):
    rows = [{"company_id": 1, "origin": "registry"}, {"company_id": 2, "origin": "mention"}]
    table = engine.memory(pa.Table.from_pylist(rows, COMPANIES.schema))
    assert engine.arrow(live_companies(table)).column("company_id").to_pylist() == [1]


CODES = st.sampled_from(NODES.table.column("node_code").to_pylist())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 7), CODES), max_size=20, unique=True),
    st.lists(st.sampled_from(REGIONS), min_size=8, max_size=8),
    st.sets(st.integers(0, 7)),
)
def test_counts_equal_a_plain_count(engine, placed, regions, held):
    totals: dict[tuple, set[int]] = {}
    rows = {row["node_code"]: row for row in NODES.table.to_pylist()}
    for company, code in placed:
        chain = rows[code]["chain_code"]
        keys = [("chain", chain), ("stage", rows[code]["stage"])]
        above = code
        while above is not None:
            keys.append(("node", above))
            above = rows[above]["parent_code"]
        for level, key in keys:
            totals.setdefault((chain, level, key, regions[company] or ""), set()).add(company)
    expected = {key: (len(firms), len(firms & held)) for key, firms in totals.items()}
    found = {
        (row["chain_code"], row["level"], row["code"], row["region_code"]): (
            row["companies"],
            row["customers"],
        )
        for row in counted(engine, placed, regions, sorted(held)).to_pylist()
    }
    assert found == expected
