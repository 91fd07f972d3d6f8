"""Who is marketed at all: the declared rules, each with the company that it leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest

from qiaomen.customers import CUSTOMERS
from qiaomen.registry import COMPANIES
from qiaomen.scoring import NOT_MARKETABLE, leave_out, load_marketable_rules
from qiaomen.vocab import CatalogInvalid

REAL: dict[str, Any] = {
    "company_id": 1,
    "name": "上海样例制造有限公司",
    "origin": "registry",
    "status": "存续",
    "sources": "companies",
}


def reasons(*firms: dict[str, Any], customers: tuple[int, ...] = ()) -> dict[int, str]:
    companies = pa.Table.from_pylist([REAL | firm for firm in firms], COMPANIES.schema)
    held = pa.Table.from_pylist([{"company_id": number} for number in customers], CUSTOMERS.schema)
    rows = leave_out(ibis.memtable(companies), ibis.memtable(held), load_marketable_rules()).to_pyarrow()
    return {row["company_id"]: row["rule"] for row in NOT_MARKETABLE.conform(rows).to_pylist()}


@pytest.mark.parametrize(
    ("firm", "rule"),
    [
        ({}, None),
        ({"status": None}, None),
        ({"status": "迁出"}, None),
        ({"status": "注销"}, "ended"),
        ({"status": "吊销，未注销"}, "ended"),
        ({"name": "***电器销售有限公司"}, "anonymous"),
        ({"name": "上海××贸易有限公司", "origin": "mention", "sources": None}, "anonymous"),
        ({"name": "有信贷记录/B02434", "origin": "mention", "sources": None}, "mentioned_only"),
        ({"name": "某品牌", "origin": "mention"}, "short_name_only"),
        ({"name": "样例股份", "origin": "mention", "stock_code": "600000"}, None),
    ],
)
def test_each_rule_leaves_out_what_it_names(firm: dict[str, Any], rule: str | None) -> None:
    assert reasons(firm).get(1) == rule


def test_a_customer_is_known_to_the_bank_whatever_the_registry_says() -> None:
    mention = {"name": "某品牌", "origin": "mention", "sources": None}
    assert reasons(mention, customers=(1,)) == {}
    assert reasons({"status": "注销"}, customers=(1,)) == {1: "ended"}


def test_a_rule_without_its_words_is_refused(tmp_path: Path) -> None:
    (tmp_path / "marketable_rules.yaml").write_text(
        "- code: ended\n  name_zh: 已注销\n  check: status\n", encoding="utf-8"
    )
    with pytest.raises(CatalogInvalid, match="words"):
        load_marketable_rules(tmp_path)
