"""Applying tags: evidence on each row, nothing from the future, one row per company and tag."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.tags import (
    COMPANY_TAGS,
    apply_tags,
    coverage,
    load_size_standards,
    load_tags,
    missing_tables,
    needed_tags,
    size_rank,
    tag_memberships,
    tagged_rows,
)
from qiaomen.tags.examples import EXAMPLES_AS_OF, example_tables
from qiaomen.tags.rules import usable_tables

AS_OF = date(2026, 6, 30)


def tables(**given: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: ibis.memtable(pa.Table.from_pylist(rows, schema=usable_tables()[name].schema))
        for name, rows in given.items()
    }


def listed(since: date | None, until: date | None = None, **more: Any) -> dict[str, Any]:
    row = {"company_id": 1, "list_code": "高新技术企业", "since": since, "until": until}
    return {**row, "source": "lists", "record_key": "k1", **more}


def applied(codes: list[str], **given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    tags = load_tags()
    return apply_tags(needed_tags(tags, codes), tables(**given), AS_OF).to_pylist()


def test_evidence_ends_in_the_source_row() -> None:
    rows = applied(
        ["high_tech"], list_tag_records=[listed(date(2024, 11, 1), level="国家级", authority="科委")]
    )
    assert rows == [
        {
            "company_id": 1,
            "tag": "high_tech",
            "since": date(2024, 11, 1),
            "until": None,
            "evidence": "列入“高新技术企业”，国家级，科委，自2024-11-01｜list_tag_records/lists/k1",
        }
    ]


def test_the_newest_fact_leads_and_stands_alone() -> None:
    older, newer = listed(date(2024, 1, 1)), listed(date(2025, 1, 1), record_key="k2")
    rows = applied(["high_tech"], list_tag_records=[older, newer])
    assert [row["since"] for row in rows] == [date(2025, 1, 1)]


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 900), st.booleans())
def test_facts_after_as_of_change_nothing(days: int, as_list: bool) -> None:
    future = AS_OF + timedelta(days=days)
    event = {"company_id": 1, "kind": "high_tech_certified", "published_on": future, "occurred_on": future}
    given_rows: dict[str, list[dict[str, Any]]] = {
        "list_tag_records": [listed(future)] if as_list else [],
        "opportunities": [] if as_list else [event],
    }
    assert applied(["high_tech", "tech_enterprise"], **given_rows) == []


def test_an_unresolved_row_gives_no_tag() -> None:
    assert applied(["high_tech"], list_tag_records=[listed(date(2025, 1, 1), company_id=None)]) == []


def test_combination_says_what_it_is_made_of() -> None:
    rows = applied(["tech_enterprise"], list_tag_records=[listed(date(2025, 1, 1))])
    assert rows[-1]["evidence"] == "具有标签：高新技术企业｜company_tags/1"


def test_size_falls_to_the_lowest_known_class() -> None:
    rows = [
        {"company_id": 1, "industry_code": "C3973", "employees": 1200, "revenue_cny": 30e6},
        {"company_id": 2, "industry_code": "C3973", "employees": 1200},
        {"company_id": 3, "employees": 1200},
        {"company_id": 4, "industry_code": "G5911", "employees": 150},
        {"company_id": 5, "industry_code": "G5930", "employees": 150},
    ]
    companies = tables(companies=rows)["companies"]
    ranked = companies.select("company_id", rank=size_rank(companies, load_size_standards()))
    assert ranked.to_pyarrow().sort_by("company_id").column("rank").to_pylist() == [2, 3, None, 1, 2]


def test_negated_and_foreign_words_do_not_count() -> None:
    rows = [
        {"company_id": 1, "scope": "软件开发（不含人工智能）", "sources": "s"},
        {"company_id": 2, "scope": "人工智能应用软件开发", "sources": "s"},
        {"company_id": 3, "scope": "OLEDX零售", "sources": "s"},
        {"company_id": 4, "description": "主营 OLED 显示面板", "sources": "s"},
        {"company_id": 5, "scope": "日用百货；" * 40 + "芯片设计", "sources": "s"},
    ]
    found = applied(["artificial_intelligence", "new_display", "integrated_circuit"], companies=rows)
    assert [(row["company_id"], row["tag"]) for row in found] == [
        (2, "artificial_intelligence"),
        (4, "new_display"),
    ]
    assert found[0]["evidence"] == "经营范围含“人工智能”｜companies/s/2"


def test_goods_carry_a_concept() -> None:
    goods = {"company_id": 7, "goods_name": "光伏组件支架", "source": "chain", "record_key": "g1"}
    found = applied(["photovoltaic"], companies=[{"company_id": 7}], company_goods=[goods])
    assert found[0]["evidence"] == "主营产品含“光伏”（光伏组件支架）｜company_goods/chain/g1"


@pytest.fixture(scope="module")
def everything() -> pa.Table:
    tags = load_tags()
    given, _ = example_tables(tags)
    return apply_tags(tags, {name: ibis.memtable(table) for name, table in given.items()}, EXAMPLES_AS_OF)


def test_rows_are_as_declared_and_sorted(everything: pa.Table) -> None:
    assert everything.schema == COMPANY_TAGS.schema
    keys = list(
        zip(everything.column("company_id").to_pylist(), everything.column("tag").to_pylist(), strict=True)
    )
    assert keys == sorted(set(keys))
    evidence = everything.column("evidence")
    assert evidence.null_count == 0
    assert pc.all(pc.match_substring(evidence, "｜")).as_py()


def test_memberships_carry_every_row(everything: pa.Table) -> None:
    memberships = tag_memberships(everything)
    assert memberships.num_rows == everything.num_rows
    assert set(memberships.column("dimension").to_pylist()) == {"tag"}


def test_coverage_counts_carriers(everything: pa.Table) -> None:
    counted = {row["tag"]: row for row in coverage(load_tags(), everything, 1000)}
    assert sum(row["carriers"] for row in counted.values()) == everything.num_rows
    assert set(counted) == set(load_tags())


def test_missing_tables_are_named() -> None:
    gaps = missing_tables(load_tags(), tables(companies=[]))
    assert "high_tech" in gaps["list_tag_records"]
    assert "companies" not in gaps
    assert applied(["high_tech"], companies=[{"company_id": 1}]) == []


def test_dated_rules_alone_answer_for_any_day() -> None:
    tags = {"high_tech": load_tags()["high_tech"]}
    given = tables(list_tag_records=[listed(date(2024, 11, 1), date(2027, 10, 31))])
    before, after = tagged_rows(tags, given, date(2024, 10, 1)), tagged_rows(tags, given, date(2025, 1, 1))
    assert before is not None
    assert after is not None
    assert before.to_pyarrow().num_rows == 0
    assert after.to_pyarrow().to_pylist() == [{"company_id": 1, "tag": "high_tech"}]
    assert tagged_rows(tags, {}, AS_OF) is None
