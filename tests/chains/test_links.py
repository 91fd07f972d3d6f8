from __future__ import annotations

import pyarrow as pa

from qiaomen.chains import GOODS_RELATION_RECORDS, NODE_LINK_RECORDS, NODE_LINKS, link_nodes
from tests.chains.examples import MATCHER, RULES


def loaded(table, *rows: dict) -> pa.Table:
    full = [{"source": "s", "record_key": str(number), **row} for number, row in enumerate(rows)]
    return pa.Table.from_pylist(full, table.schema)


def test_stated_links_by_code_or_name():
    records = loaded(
        NODE_LINK_RECORDS,
        {"from_node": "光刻胶", "to_node": "ic.design", "weight": 3.0},
        {"from_node": "ic.resist", "to_node": "芯片设计"},
        {"from_node": "ic.resist", "to_node": "ic.resist"},
        {"from_node": "无此环节", "to_node": "ic.design"},
    )
    result = link_nodes(RULES, MATCHER, node_link_records=records)
    assert result.table.to_pylist() == [
        {
            "from_node": "ic.resist",
            "to_node": "ic.design",
            "basis": "declared",
            "weight": 3.0,
            "evidence": "来源载明“光刻胶”供给“ic.design”｜node_link_records/s/0",
        }
    ]
    assert result.counts == {
        "declared:read": 4,
        "declared:repeated": 1,
        "declared:self": 1,
        "declared:unknown_node": 1,
    }


def test_goods_relations_link_their_nodes_in_the_direction_of_supply():
    records = loaded(
        GOODS_RELATION_RECORDS,
        {"from_goods": "片剂", "to_goods": "特色原料药", "kind": "material"},
        {"from_goods": "原料药", "to_goods": "肠溶片剂", "kind": "downstream"},
        {"from_goods": "光刻胶", "to_goods": "ArF光刻胶", "kind": "narrower"},
        {"from_goods": "牛肉", "to_goods": "牛肉芋头丁", "kind": "material"},
        {"from_goods": None, "to_goods": "片剂", "kind": "material"},
    )
    result = link_nodes(RULES, MATCHER, goods_relation_records=records)
    (row,) = result.table.to_pylist()
    assert (row["from_node"], row["to_node"], row["weight"]) == ("bio.api", "bio.drug", 2.0)
    assert row["evidence"] == "“特色原料药”供给“片剂”等 2 条产品关系｜goods_relation_records/s/0"
    assert result.counts["goods:read"] == 5
    assert result.counts["goods:other_kind"] == 1
    assert result.counts["goods:no_node"] == 2


def test_no_records_give_no_links():
    assert link_nodes(RULES, MATCHER).table.schema == NODE_LINKS.schema
