from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.chains import COMPANY_GOODS, COMPANY_NODE_RECORDS, COMPANY_NODES, classify_companies
from qiaomen.registry import COMPANIES
from tests.chains.examples import GROUNDS, MATCHER, RULES


def companies(*rows: dict) -> pa.Table:
    full = [{"company_id": number, "origin": "registry", **row} for number, row in enumerate(rows)]
    return pa.Table.from_pylist(full, COMPANIES.schema)


def goods(*rows: tuple) -> pa.Table:
    full = [
        {"company_id": company, "goods_name": name, "share": share, "source": "s", "record_key": f"g{number}"}
        for number, (company, name, share) in enumerate(rows)
    ]
    return pa.Table.from_pylist(full, COMPANY_GOODS.schema)


def declared(*rows: tuple) -> pa.Table:
    full = [
        {"company_ref": ref, "node_code": node, "observed_on": day, "source": "s", "record_key": f"d{number}"}
        for number, (ref, node, day) in enumerate(rows)
    ]
    return pa.Table.from_pylist(full, COMPANY_NODE_RECORDS.schema)


def classify(firms: pa.Table, **tables):
    return classify_companies(firms, RULES, GROUNDS, matcher=MATCHER, **tables)


def rows(result) -> dict[tuple[int, str], dict]:
    return {(row["company_id"], row["node_code"]): row for row in result.table.to_pylist()}


def test_each_ground_gives_its_confidence_and_its_evidence():
    firms = companies(
        {"scope": "光刻胶的研发"},
        {"description": "公司生产光刻胶。"},
        {"industry_code": "I6520"},
        {"industry_code": "2710"},
        {"industry_name": "光刻胶行业"},
    )
    found = rows(classify(firms))
    assert {key: (row["basis"], row["confidence"]) for key, row in found.items()} == {
        (0, "ic.resist"): ("scope", 0.55),
        (1, "ic.resist"): ("description", 0.45),
        (2, "ic.design"): ("industry", 0.72),
        (3, "bio.api"): ("industry", 0.72),
        (4, "ic.resist"): ("industry", 0.6),
    }
    assert found[0, "ic.resist"]["evidence"] == "经营范围含“光刻胶”｜companies/registry/0"
    assert found[3, "bio.api"]["evidence"] == "行业代码 2710（GB/T 4754）属“原料药”｜companies/registry/3"
    assert found[0, "ic.resist"]["chain_code"] == "ic"
    assert found[0, "ic.resist"]["stage"] == "upstream"


def test_goods_name_share_and_source_row_as_evidence():
    firms = companies({}, {})
    found = rows(
        classify(
            firms, company_goods=goods((0, "高端光刻胶", 0.351), (0, "ArF光刻胶", 0.5), (1, "光刻胶", 0.001))
        )
    )
    assert found[0, "ic.resist"]["evidence"] == (
        "主营产品“ArF光刻胶”（占收入 50%）含“光刻胶”｜company_goods_records/s/g1"
    )
    assert found[0, "ic.resist"]["confidence"] == pytest.approx(0.88)
    assert found[1, "ic.resist"]["confidence"] == pytest.approx(0.7)


def test_goods_of_a_stated_node_need_no_keyword():
    table = goods((0, "神秘产品", None))
    table = table.set_column(3, "node_code", pa.array(["bio.drug"]))
    found = rows(classify(companies({}), company_goods=table))
    assert found[0, "bio.drug"]["evidence"] == "主营产品“神秘产品”属“制剂”｜company_goods_records/s/g0"


def test_the_strongest_ground_decides_and_others_support():
    firms = companies({"scope": "集成电路设计", "industry_code": "I6520", "description": "从事集成电路设计"})
    found = rows(classify(firms, company_goods=goods((0, "集成电路设计服务", None))))
    row = found[0, "ic.design"]
    assert row["basis"] == "goods"
    assert row["confidence"] == pytest.approx(0.99)
    assert "；所属行业、经营范围、企业简介亦支持｜" in row["evidence"]


def test_a_declared_row_comes_first_and_problems_are_counted():
    refs = pa.table({"ref": ["a", "x"], "company_id": pa.array([0, 99], pa.int64())})
    records = declared(
        ("a", "ic.resist", date(2024, 1, 1)),
        ("a", "ic.resist", date(2025, 1, 1)),
        ("a", "nowhere", None),
        ("b", "ic.resist", None),
        ("x", "ic.resist", None),
    )
    result = classify(companies({"scope": "光刻胶"}), company_node_records=records, company_refs=refs)
    (row,) = result.table.to_pylist()
    assert row["basis"] == "declared"
    assert row["evidence"] == ("来源申报为“光刻胶”（2025-01-01）；经营范围亦支持｜company_node_records/s/d1")
    assert row["confidence"] <= 0.99
    assert result.counts["declared:unknown_node"] == 1
    assert result.counts["declared:unresolved"] == 1
    assert result.counts["not_a_company"] == 1


def test_trade_alone_falls_below_the_floor_and_is_counted():
    result = classify(companies({"scope": "光刻胶的销售"}, {"scope": "元器件的销售"}))
    assert list(rows(result)) == [(1, "ic.sell")]
    assert result.counts["below_floor"] == 1


def test_an_exclude_word_holds_within_its_own_ground():
    firms = companies({"scope": "兽用原料药的生产", "industry_code": "C2710"})
    found = rows(classify(firms))
    assert found[0, "bio.api"]["basis"] == "industry"


def test_no_companies_and_no_findings():
    assert classify(companies()).table.num_rows == 0
    assert classify(companies({}), company_goods=goods()).table.schema == COMPANY_NODES.schema


TEXTS = st.one_of(
    st.none(),
    st.lists(
        st.sampled_from(["光刻胶", "原料药", "兽用", "的销售", "制造", "；", "（不含", "片剂", "IGBT"]),
        max_size=8,
    ).map("".join),
)


@given(
    st.lists(st.tuples(TEXTS, TEXTS, st.sampled_from([None, "I6520", "C2710", "C39", ""])), max_size=8),
    st.randoms(use_true_random=False),
)
def test_the_order_of_companies_changes_nothing_and_keys_are_unique(drawn, random):
    firms = companies(*({"scope": a, "description": b, "industry_code": c} for a, b, c in drawn))
    order = list(range(firms.num_rows))
    random.shuffle(order)
    first = classify(firms, company_goods=goods((0, "光刻胶", 0.5)))
    second = classify(firms.take(pa.array(order, pa.int64())), company_goods=goods((0, "光刻胶", 0.5)))
    assert rows(first) == rows(second)
    assert len(rows(first)) == first.table.num_rows
    assert pc.all(pc.less_equal(first.table.column("confidence"), 0.99)).as_py() in (True, None)
    assert first.counts["classified"] == len({company for company, _ in rows(first)})
