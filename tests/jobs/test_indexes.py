"""What the screening index of a run holds: customers of every list, official lists, chains by code and by name."""

from __future__ import annotations

from datetime import date

import pytest

from qiaomen.jobs import init_workspace, load_files, run_all, silent
from qiaomen.membership import Index, WrongExpression, parse

AS_OF = date(2026, 6, 30)
FIRMS = (
    ("上海样例硅片制造有限公司", "C3985", "半导体硅片的研发、生产、销售"),
    ("上海样例咨询服务有限公司", "L7243", "企业管理咨询"),
    ("上海样例药品制造有限公司", "C2710", "化学药品原料药制造"),
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Index of three firms: two customers, of which one list names no institution, and two list entries."""
    workspace = init_workspace(tmp_path_factory.mktemp("bank") / "w", {"as_of": AS_OF})
    files = {
        "企业信息.csv": ["企业名称,行业代码,经营范围,注册地址,登记状态", *(f"{n},{i},{scope},上海市浦东新区张江路1号,存续" for n, i, scope in FIRMS)],
        "机构.csv": ["机构代码,机构名称,机构类型,上级机构", "1,总行,总行,", "11,上海分行,分行,1", "111,张江支行,支行,11"],
        "存量客户.csv": ["客户号,客户名称,开户机构,地址", f"K1,{FIRMS[0][0]},111,上海市浦东新区张江路1号"],
        "客户清单.csv": ["客户号,客户名称,地址", f"K2,{FIRMS[1][0]},上海市浦东新区张江路1号"],
        "名单认定.csv": [
            "企业名称,名单,认定日期,有效期止",
            f"{FIRMS[2][0]},高新技术企业,2025-01-01,2028-01-01",
            f"{FIRMS[0][0]},高新技术企业,2020-01-01,2023-01-01",
        ],
    }  # fmt: skip
    for name, lines in files.items():
        (workspace.inbox / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    load_files(workspace, None, [], silent)
    run_all(workspace, None, silent)
    return Index.open(workspace.lake.snapshot().arrays("membership_index"))


def asked(index: Index, text: str) -> set[int]:
    """Return the companies of a query."""
    return set(index.select(parse(text, index.names)))


def test_a_customer_of_a_list_without_institution_is_a_customer(index: Index) -> None:
    assert len(asked(index, "customer")) == 2
    assert len(asked(index, "!customer")) == 1
    assert asked(index, "customer:none") == asked(index, "客户:未定机构") != set()
    assert not asked(index, "customer:none") & asked(index, "customer:111")


def test_codes_and_names_name_the_same_values(index: Index) -> None:
    for code, name in (
        ("chain:ic", "chain:集成电路"),
        ("chain:ic/上游", "chain:集成电路/上游"),
        ("customer:111", "customer:张江支行"),
        ("industry:C", "industry:制造业"),
        ("region:310115", "region:浦东新区"),
        ("tier:fair", "tier:一般"),
    ):
        assert asked(index, code) == asked(index, name), code
    assert asked(index, "chain:ic")


def test_an_official_list_is_a_dimension_without_its_ended_entries(index: Index) -> None:
    assert len(asked(index, "list:高新技术企业")) == 1
    with pytest.raises(WrongExpression, match="没有"):
        parse("list:没有的名单", index.names)
