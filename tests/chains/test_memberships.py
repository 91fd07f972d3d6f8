from __future__ import annotations

import pyarrow as pa

from qiaomen.chains import COMPANY_GOODS, COMPANY_NODES, chain_memberships, chain_names, goods_memberships
from qiaomen.membership import Index, build_index, parse
from tests.chains.examples import NODES


def test_a_query_for_a_stage_finds_the_companies_below_it():
    placed = pa.Table.from_pylist(
        [
            {"company_id": 1, "node_code": "ic.resist", "evidence": "甲"},
            {"company_id": 2, "node_code": "ic.design.power", "evidence": "乙"},
        ],
        COMPANY_NODES.schema,
    )
    memberships = chain_memberships(placed)
    assert memberships.column("evidence").to_pylist() == ["甲", "乙"]
    facts = pa.table({"company_id": pa.array([1, 2, 3], pa.int64())})
    index = Index.open(build_index(memberships, facts, names=chain_names(NODES.table)))

    def ask(text: str) -> list[int]:
        return sorted(index.select(parse(text, index.names)))

    assert ask("chain:集成电路/上游") == [1]
    assert ask("chain:集成电路") == [1, 2]
    assert ask("chain:芯片设计") == [2]
    assert ask("chain:ic.resist") == [1]
    assert ask("chain:ic") == [1, 2]
    assert ask("chain:IC/上游") == [1]
    assert ask("产业链:ic & !chain:ic.resist") == [2]


def test_goods_of_several_sources_are_one_membership():
    goods = pa.Table.from_pylist(
        [
            {"company_id": 1, "goods_name": "光刻胶", "source": "b", "record_key": "1"},
            {"company_id": 1, "goods_name": "光刻胶", "source": "a", "record_key": "2"},
        ],
        COMPANY_GOODS.schema,
    )
    (row,) = goods_memberships(goods).to_pylist()
    assert (row["dimension"], row["value"]) == ("goods", "光刻胶")
    assert row["evidence"] == "主营产品“光刻胶”｜company_goods/a"
