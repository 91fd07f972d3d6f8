from __future__ import annotations

import pytest

from qiaomen.parks import PARKS
from qiaomen.prospects.candidates import park_chains
from qiaomen.store import Engine
from tests.prospects.city import NODES, PARK_ROWS, firm, listed, pair, recipe, rows_of, sits, tables


@pytest.fixture(scope="module")
def engine():
    with Engine() as opened:
        yield opened


def brief(rows) -> list[tuple]:
    return [(row["company_id"], row["seed_id"], row["park_code"], row["node_code"]) for row in rows]


def test_trades_of_parks_name_chains_or_nodes():
    found = park_chains(rows_of(PARKS, PARK_ROWS), NODES).to_pylist()
    assert [(row["park_code"], row["trade"], row["chain_code"]) for row in found] == [
        ("P1", "集成电路", "ic"),
        ("P2", "原料药", "bio"),
    ]


def test_park_trades_reach_residents_then_the_district_then_the_city(engine):
    opened = tables(
        engine,
        firms=[firm(1), firm(2, "310104"), firm(3), firm(4, "330100"), firm(5), firm(6, None), firm(7, None)],
        nodes=[sits(n, "ic.fab") for n in (1, 2, 3, 4, 6, 7)] + [sits(5, "ic.fab", 0.4), sits(5, "bio.api")],
        residents=[(3, "P1"), (7, "P1")],
    )
    rows = listed(engine, [recipe("park_trade", min_confidence=0.5)], opened)
    assert brief(rows) == [
        (3, None, "P1", "ic.fab"),
        (7, None, "P1", "ic.fab"),
        (1, None, "P1", "ic.fab"),
        (2, None, "P1", "ic.fab"),
    ]
    assert [row["strength"] for row in rows] == [0.8, 0.8, 0.64, 0.48]
    assert rows[0]["reason"] == (
        "园区“甲园”重点产业为“集成电路”；该企业位于“集成电路/中游/晶圆制造”，在园区内"
    )
    assert rows[2]["reason"].endswith("与园区同区")
    assert rows[3]["reason"].endswith("与园区同市")


def test_partners_of_park_leaders(engine):
    leaders = [
        firm(30, listed_board="科创板"),
        firm(31, revenue_cny=5e8, capital_cny=1.0),
        firm(32, revenue_cny=1e8),
        firm(33, status="注销", listed_board="主板"),
    ]
    opened = tables(
        engine,
        firms=[*leaders, firm(1), firm(2), firm(3)],
        residents=[(number, "P1") for number in (30, 31, 32, 33)],
        pairs=[
            pair(1, 30, 0.5, 0.25, core_supplier=True),
            pair(31, 2, 0.1, 0.05, core_buyer=False),
            pair(3, 32, 0.9, 0.9),
            pair(3, 33, 0.9, 0.9),
        ],
    )
    rows = listed(engine, [recipe("park_leader_supply", leaders=2)], opened)
    assert brief(rows) == [(1, 30, "P1", None), (2, 31, "P1", None)]
    assert [row["strength"] for row in rows] == [0.8, 0.44]
    assert rows[0]["reason"] == (
        "园区“甲园”龙头企业“企业30”的核心供应商（占其已知采购 25.0%，4 个月有交易，最近 2026-05-01）"
    )
    assert rows[1]["reason"].startswith("园区“甲园”龙头企业“企业31”的下游客户（占其已知销售 10.0%")


def test_neighbours_of_park_leaders_on_the_chain(engine):
    opened = tables(
        engine,
        firms=[firm(30, listed_board="科创板"), firm(1), firm(2), firm(3, "310104"), firm(4)],
        residents=[(30, "P1")],
        nodes=[
            sits(30, "ic.fab", 1.0),
            sits(1, "ic.resist", 1.0),
            sits(2, "ic.module", 1.0),
            sits(3, "bio.api", 1.0),
            sits(4, "ic.package", 1.0),
        ],
        links=[{"from_node": "bio.api", "to_node": "ic.fab", "basis": "goods"}],
    )
    rows = listed(engine, [recipe("park_leader_chain")], opened)
    assert [(row["company_id"], row["strength"]) for row in rows] == [(3, 0.48), (1, 0.4), (2, 0.4)]
    assert rows[0]["reason"] == (
        "园区“甲园”龙头企业“企业30”位于“集成电路/中游/晶圆制造”；"
        "该企业位于其上游“生物医药/上游/原料药”（产品供给关系）"
    )
    assert "位于其下游“集成电路/下游/芯片应用模组”（同链相邻段）" in rows[2]["reason"]


def test_partners_of_customers_that_are_core_enterprises(engine):
    opened = tables(
        engine,
        firms=[firm(number) for number in (1, 2, 3, 20, 21)],
        customers=[20, 21],
        core=[(20, 7), (3, 4)],
        pairs=[pair(1, 20, 0.5, 0.2), pair(20, 2, 0.3, 0.1), pair(1, 21, 0.9, 0.9), pair(2, 3, 0.9, 0.9)],
    )
    rows = listed(engine, [recipe("customer_core_supply")], opened)
    assert brief(rows) == [(1, 20, None, None), (2, 20, None, None)]
    assert rows[0]["reason"] == (
        "本行存量核心企业（已知 7 家供应商以其为核心下游客户）的供应商"
        "（占其已知采购 20.0%，4 个月有交易，最近 2026-05-01）"
    )
    assert "企业20" not in rows[0]["reason"]


def test_core_suppliers_of_core_enterprises(engine):
    opened = tables(
        engine,
        firms=[firm(number) for number in (1, 2, 3, 40)],
        core=[(40, 3)],
        pairs=[
            pair(1, 40, 0.5, 0.1, core_buyer=True),
            pair(2, 40, 0.05, 0.1, core_buyer=True),
            pair(3, 40, 0.9, 0.1, core_buyer=None),
        ],
    )
    rows = listed(engine, [recipe("core_supplier", min_share=0.1)], opened)
    assert brief(rows) == [(1, 40, None, None)]
    assert rows[0]["strength"] == pytest.approx(0.8)
    assert "占该企业已知销售 50.0%" in rows[0]["reason"]


def test_firms_on_nodes_where_the_bank_has_few_customers(engine):
    numbers = range(100, 112)
    opened = tables(
        engine,
        firms=[firm(number) for number in (*numbers, *range(200, 212))],
        nodes=[sits(number, "ic.fab") for number in numbers] + [sits(n, "ic.eda") for n in range(200, 212)],
        customers=list(range(200, 206)),
    )
    rows = listed(engine, [recipe("region_gap")], opened)
    assert {row["company_id"] for row in rows} == set(numbers)
    assert rows[0]["reason"] == (
        "“集成电路/中游/晶圆制造”同市有企业 12 户，本行客户 0 户，渗透率 0.0%，低于该链平均 25.0%"
    )
    assert listed(engine, [recipe("region_gap", min_companies=13)], opened) == []


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, [1, 2]),
        ({"chains": ("bio",)}, []),
        ({"regions": ("310104",)}, [2]),
        ({"regions": ("310104", "310115")}, [1, 2]),
        ({"parks": ("P2",)}, []),
    ],
)
def test_a_bank_narrows_a_recipe(engine, more, found):
    opened = tables(engine, firms=[firm(1), firm(2, "310104")], nodes=[sits(1, "ic.fab"), sits(2, "ic.fab")])
    assert [row["company_id"] for row in listed(engine, [recipe("park_trade", **more)], opened)] == found
