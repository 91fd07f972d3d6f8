from __future__ import annotations

import pyarrow as pa

from qiaomen.chains import CHAIN_NODE_RECORDS, CHAIN_NODES, build_chain_nodes, load_plans
from tests.chains.examples import CHAINS


def records(*rows: dict) -> pa.Table:
    full = [{"source": "bank", "record_key": str(number), **row} for number, row in enumerate(rows)]
    return CHAIN_NODE_RECORDS.conform(pa.Table.from_pylist(full, CHAIN_NODE_RECORDS.schema))


def by_code(built) -> dict[str, dict]:
    return {row["node_code"]: row for row in built.table.to_pylist()}


def test_paths_run_from_chain_over_stage_to_node():
    rows = by_code(build_chain_nodes(CHAINS))
    assert rows["ic.design.power"]["path"] == "集成电路/中游/芯片设计/功率芯片"
    assert rows["ic.design.power"]["parent_code"] == "ic.design"
    assert rows["ic.resist"]["path"] == "集成电路/上游/光刻胶"
    assert rows["ic.resist"]["origin"] == "catalogue"


def test_plans_that_name_the_chain_are_listed():
    plans = load_plans()
    rows = by_code(build_chain_nodes(CHAINS, None, plans))
    assert rows["ic.resist"]["plans"] == "sh_sei_14;sh_amf_14"


def test_loaded_nodes_stand_beside_the_catalogue():
    loaded = records(
        {
            "node_code": "t1",
            "node_name": "茶/叶",
            "chain_code": "tea",
            "chain_name": "茶",
            "stage": "upstream",
        },
        {
            "node_code": "t2",
            "node_name": "绿茶",
            "chain_code": "tea",
            "chain_name": "茶",
            "parent_code": "t1",
        },
        {"node_code": "ic.resist", "node_name": "另一个"},
        {"node_code": None, "node_name": "无代码"},
        {"node_code": "t3", "chain_code": "ic", "parent_code": "missing", "keywords": "掩膜;膜"},
    )
    built = build_chain_nodes(CHAINS, loaded)
    rows = by_code(built)
    assert rows["t2"]["path"] == "茶/上游/茶／叶/绿茶"
    assert rows["t2"]["stage"] == "upstream"
    assert rows["ic.resist"]["node_name"] == "光刻胶"
    assert rows["t3"]["path"] == "集成电路/t3"
    assert built.counts == {
        "catalogue": 8,
        "loaded": 3,
        "shadowed": 1,
        "no_code": 1,
        "no_parent": 1,
        "cycles": 0,
    }
    rule = next(rule for rule in built.rules if rule.node_code == "t3")
    assert rule.keywords == ("掩膜",)


def test_a_cycle_of_parents_is_cut_and_counted():
    loaded = records(
        {"node_code": "a", "node_name": "甲", "chain_code": "x", "parent_code": "b"},
        {"node_code": "b", "node_name": "乙", "chain_code": "x", "parent_code": "a"},
        {"node_code": "c", "node_name": "丙", "chain_code": "x", "parent_code": "c"},
    )
    built = build_chain_nodes(CHAINS, loaded)
    assert built.counts["cycles"] == 2
    assert {row["path"] for row in built.table.to_pylist() if row["chain_code"] == "x"} == {
        "x/乙",
        "x/乙/甲",
        "x/丙",
    }


def test_rules_follow_the_order_of_the_table():
    built = build_chain_nodes(CHAINS)
    assert [rule.node_code for rule in built.rules] == built.table.column("node_code").to_pylist()
    assert built.table.schema == CHAIN_NODES.schema
