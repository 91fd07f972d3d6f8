from __future__ import annotations

import pyarrow as pa
import pytest

from qiaomen.chains import COMPANY_NODES, build_chain_nodes, load_chains
from qiaomen.membership import Index, build_index, parse
from qiaomen.parks import (
    PARK_RESIDENTS,
    leading_firms,
    park_memberships,
    park_names,
    park_page,
    search_parks,
)
from qiaomen.vocab import NotFound
from tests.parks.examples import PARKS, companies

NODES = build_chain_nodes(load_chains()).table


def residents(*pairs: tuple[int, str]) -> pa.Table:
    rows = [{"company_id": company, "park_code": park, "basis": "declared"} for company, park in pairs]
    return pa.Table.from_pylist(rows, PARK_RESIDENTS.schema)


def placed(*rows: tuple[int, str, str, str]) -> pa.Table:
    names = ("company_id", "node_code", "chain_code", "stage")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], COMPANY_NODES.schema)


@pytest.mark.parametrize(
    ("keyword", "region", "codes"),
    [
        ("集成电路", None, ["P1"]),
        ("医药", None, ["P1"]),
        ("集成电路设计", None, ["P1"]),
        ("高新", None, ["P3"]),
        ("", "310000", ["P1", "P2"]),
        ("人工智能", "320000", []),
        ("", None, ["P1", "P2", "P3"]),
        ("无此产业", None, []),
    ],
)
def test_parks_are_found_by_trade_and_region(keyword, region, codes):
    assert [hit.park_code for hit in search_parks(PARKS, keyword, region)] == codes


def test_an_exact_trade_comes_before_a_near_one_and_says_why():
    hit = search_parks(PARKS, "集成电路")[0]
    assert hit.why == "重点产业为“集成电路”"
    assert search_parks(PARKS, "电路")[0].why == "重点产业“集成电路”与“电路”相近"


def test_a_park_page_counts_residents_customers_and_chains():
    firms = companies(
        {"revenue_cny": 5e7},
        {"listed_board": "科创板"},
        {"capital_cny": 1e6},
        {"revenue_cny": 9e9},
    )
    page = park_page(
        "P1",
        PARKS,
        residents((0, "P1"), (1, "P1"), (2, "P1"), (3, "P2")),
        firms,
        placed(
            (0, "ic.fab", "ic", "midstream"),
            (0, "ic.design", "ic", "midstream"),
            (1, "ic.eda", "ic", "upstream"),
            (3, "ic.eda", "ic", "upstream"),
        ),
        NODES,
        [1, 3],
    )
    assert (page.residents, page.customers, page.penetration) == (3, 1, pytest.approx(1 / 3))
    (share,) = page.chains
    assert (share.chain_name, share.companies, share.customers) == ("集成电路", 2, 1)
    assert share.stages == {"midstream": 1, "upstream": 1}
    assert [leader.company_id for leader in page.leaders] == [1, 0, 2]
    assert [leader.is_customer for leader in page.leaders] == [True, False, False]
    assert [leader.why for leader in page.leaders] == [
        "科创板上市",
        "年营业收入 5,000 万元",
        "注册资本 100 万元",
    ]
    assert page.bases == {"declared": 3}


def test_an_empty_park_has_no_penetration():
    page = park_page("P3", PARKS, residents(), companies(), placed(), NODES, [])
    assert page.penetration is None
    assert page.leaders == ()


def test_an_unknown_park_is_not_found():
    with pytest.raises(NotFound):
        park_page("P9", PARKS, residents(), companies(), placed(), NODES, [])


def test_leading_firms_without_figures_say_so():
    (leader,) = leading_firms(companies({}), [])
    assert leader.why == "无营收、资本数据"


def test_a_query_by_park_name_finds_its_residents():
    facts = pa.table({"company_id": pa.array([0, 1], pa.int64())})
    index = Index.open(build_index(park_memberships(residents((1, "P1"))), facts, names=park_names(PARKS)))
    assert sorted(index.select(parse("park:澜江高科技园", index.names))) == [1]
