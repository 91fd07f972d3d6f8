"""Whole loads: every row lands, repeats or is rejected; refusals leave nothing; a bank's own source needs no code."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.registry import load_sources, source_docs
from qiaomen.vocab import CatalogInvalid, InputRejected

from .intake_examples import TABLES, SmallLake, write_csv

GOOD_CODE = "913302040933533733"
HEADER = ["企业编号", "统一社会信用代码", "企业名称", "注册资本", "成立日期", "法定代表人"]


def companies(folder: Path, *rows: list[Any], name: str = "companies.csv", encoding: str = "utf-8") -> Path:
    return write_csv(folder / name, [HEADER, *rows], encoding)


def test_a_company_lands_cleaned(tmp_path: Path) -> None:
    lake = SmallLake()
    row = ["1", GOOD_CODE.lower(), "上海（某某）\u00a0有限公司", "500万元人民币", "2014/3/12", "邵一峰"]
    result = lake.load(companies(tmp_path, row, encoding="gb18030"))
    landed = lake.rows("company_records")[0]
    assert landed["company_ref"] == "no:1"
    assert landed["uscc"] == GOOD_CODE
    assert landed["name"] == "上海（某某） 有限公司"
    assert (landed["capital_cny"], landed["capital_text"]) == (5e6, "500万元人民币")
    assert landed["founded_on"] == date(2014, 3, 12)
    assert (landed["source"], landed["line"], landed["load_id"]) == ("companies", 2, "L1")
    assert result.count("inserted") == 1


def test_english_and_chinese_headers_give_the_same_records(tmp_path: Path) -> None:
    english = ["company_no", "uscc", "name", "capital_text", "founded_on", "legal_representative"]
    row = ["1", GOOD_CODE, "甲有限公司", "500万元", "2014-03-12", "邵一峰"]
    lakes = SmallLake(), SmallLake()
    lakes[0].load(companies(tmp_path, row))
    (tmp_path / "e").mkdir()
    lakes[1].load(write_csv(tmp_path / "e" / "companies.csv", [english, row]))
    hashes = [lake.rows("company_records")[0]["record_hash"] for lake in lakes]
    assert hashes[0] == hashes[1]


def test_references_take_the_first_that_is_right(tmp_path: Path) -> None:
    lake = SmallLake()
    rows = [
        ["uscc", "company_no", "name", "goods_name"],
        [GOOD_CODE, "7", "甲有限公司", "芯片"],
        ["", "7", "甲有限公司", "芯片"],
        ["", "", "甲（上海）有限公司", "芯片"],
        ["913302040933533734", "", "乙有限公司", "芯片"],
        ["913302040933533734", "", "", "芯片"],
        ["", "", "", "芯片"],
    ]
    result = lake.load(write_csv(tmp_path / "company_goods.csv", rows))
    refs = [row["company_ref"] for row in lake.rows("company_goods_records")]
    assert sorted(refs) == sorted([f"uscc:{GOOD_CODE}", "no:7", "name:甲（上海）有限公司", "name:乙有限公司"])
    rejects = {row["line"]: row["reason"] for row in result.rejects.to_pylist()}
    assert set(rejects) == {6, 7}
    assert "校验位" in rejects[6]
    assert "必填" in rejects[7]
    assert any("改用名称" in warned.reason for warned in result.warnings), "the fallback is not silent"


def test_loading_twice_changes_nothing_and_a_change_is_an_update(tmp_path: Path) -> None:
    lake = SmallLake()
    first = ["1", GOOD_CODE, "甲有限公司", "500万元", "2014-03-12", "邵一峰"]
    lake.load(companies(tmp_path, first))
    again = lake.load(companies(tmp_path, first))
    assert not again.changed
    assert again.count("unchanged") == 1
    moved = [*first[:3], "800万元", "2014-03-12", "王五"]
    result = lake.load(companies(tmp_path, moved))
    assert result.count("updated") == 1
    changes = {row["field"]: row for row in lake.rows("company_changes")}
    assert set(changes) == {"capital_cny", "legal_representative"}
    assert changes["capital_cny"]["old_value"] == "5000000.00"
    assert changes["legal_representative"]["new_value"] == "王五"
    assert changes["legal_representative"]["changed_on"] == date(2026, 3, 31)
    assert changes["legal_representative"]["company_ref"] == "no:1"


def test_a_value_that_appears_or_vanishes_is_no_registered_change(tmp_path: Path) -> None:
    lake = SmallLake()
    lake.load(companies(tmp_path, ["1", "", "甲有限公司", "", "", "邵一峰"]))
    lake.load(companies(tmp_path, ["1", "", "甲有限公司", "500万元", "", ""]))
    assert lake.rows("company_changes") == []


def test_columns_of_which_the_file_says_nothing_keep_their_values(tmp_path: Path) -> None:
    lake = SmallLake()
    lake.load(companies(tmp_path, ["1", GOOD_CODE, "甲有限公司", "500万元", "2014-03-12", "邵一峰"]))
    (tmp_path / "b").mkdir()
    part = write_csv(
        tmp_path / "b" / "companies.csv",
        [["企业编号", "企业名称", "电话"], ["1", "甲有限公司", "02168888888"]],
    )
    lake.load(part)
    row = lake.rows("company_records")[0]
    assert (row["uscc"], row["legal_representative"], row["phone"]) == (GOOD_CODE, "邵一峰", "02168888888")
    assert not lake.load(part).changed


def test_rejects_name_file_line_column_reason_and_row(tmp_path: Path) -> None:
    lake = SmallLake()
    path = write_csv(
        tmp_path / "dealings.csv",
        [
            ["客户号", "合同号", "业务种类", "余额", "起始日", "到期日"],
            ["C1", "D1", "贷款", "100万", "2025-01-01", "2024-01-01"],
            ["C1", "D2", "炒股", "很多", "2025-02-30", ""],
            ["C1", "D3", "贷款", "1.5亿", "20250101", "2026年1月1日"],
        ],
    )
    result = lake.load(path)
    assert [row["dealing_no"] for row in lake.rows("dealing_records")] == ["D3"]
    first, second = result.rejects.to_pylist()
    assert (first["line"], first["column"], first["reason"]) == (2, "", "到期日早于起始日")
    assert (second["line"], second["column"], second["value"]) == (3, "业务种类", "炒股")
    assert all(word in second["reason"] for word in ("业务种类", "余额", "起始日", "不存在的日期"))
    assert '"合同号": "D2"' in second["row_text"]


def test_a_key_given_twice_is_a_repeat_or_names_the_winner(tmp_path: Path) -> None:
    lake = SmallLake()
    rows = [
        ["1", "", "甲", "", "", ""],
        ["1", "", "甲", "", "", ""],
        ["2", "", "乙", "", "", ""],
        ["2", "", "丙", "", "", ""],
    ]
    result = lake.load(companies(tmp_path, *rows))
    assert (result.count("inserted"), result.count("repeated"), result.count("rejected")) == (2, 1, 1)
    assert {row["name"] for row in lake.rows("company_records")} == {"甲", "丙"}
    assert "第 5 行" in result.rejects.to_pylist()[0]["reason"]


def test_relations_of_persons_and_companies(tmp_path: Path) -> None:
    lake = SmallLake()
    path = write_csv(
        tmp_path / "relations.csv",
        [
            [
                "kind",
                "from_type",
                "from_person_no",
                "from_name",
                "to_company_no",
                "to_name",
                "role",
                "ratio",
                "since",
            ],
            ["任职", "", "P1", "张三", "1", "", "董事", "", ""],
            ["股权", "person", "", "李四", "1", "", "", "12.5%", "2020-01-01"],
            ["股权", "", "", "丙有限公司", "", "甲有限公司", "", "0.4", ""],
            ["股权", "", "", "甲有限公司", "", "甲有限公司", "", "0.4", ""],
            ["股权", "", "", "丁有限公司", "", "甲有限公司", "", "140%", ""],
            ["亲属", "", "", "丁有限公司", "", "甲有限公司", "", "", ""],
        ],
    )
    result = lake.load(path)
    found = {row["from_ref"]: row for row in lake.rows("relation_records")}
    assert set(found) == {"person:no:P1", "person:relations:李四@no:1", "name:丙有限公司"}
    assert found["person:relations:李四@no:1"]["ratio"] == 0.125
    assert [row["line"] for row in result.rejects.to_pylist()] == [5, 6, 7]


def test_invoices_keep_whole_row_repeats_by_ordinal_and_red_ones(tmp_path: Path) -> None:
    lake = SmallLake()
    line = ["甲有限公司", "乙有限公司", "001", "2025/1/5", "100.00", "正常"]
    red = ["甲有限公司", "乙有限公司", "002", "2025/1/6", "-100.00", " 作废发票"]
    header = ["供应商名称", "采购方名称", "发票号码", "开票日期", "金额", "发票状态"]
    path = write_csv(tmp_path / "supply.csv", [header, line, red, line, line])
    result = lake.load(path)
    rows = lake.rows("supply_records")
    assert result.count("inserted") == 4
    assert sorted((row["document_no"], row["ordinal"]) for row in rows) == [
        ("001", 1),
        ("001", 2),
        ("001", 3),
        ("002", 1),
    ]
    assert [(row["amount_cny"], row["status"]) for row in rows if row["document_no"] == "002"] == [
        (-100.0, "void")
    ]
    assert not lake.load(path).changed


def test_refusals_leave_nothing_and_say_what_to_do(tmp_path: Path) -> None:
    lake = SmallLake()
    with pytest.raises(InputRejected) as caught:
        lake.load(write_csv(tmp_path / "staff.csv", [["姓名"], ["张三"]]))
    assert "工号" in caught.value.message
    assert "姓名" in caught.value.remedy
    with pytest.raises(InputRejected, match="没有数据行"):
        lake.load(companies(tmp_path))
    with pytest.raises(InputRejected, match="表头重复"):
        lake.load(write_csv(tmp_path / "goods.csv", [["产品", "产品"], ["甲", "乙"]]))
    folder = tmp_path / "two"
    folder.mkdir()
    companies(folder, ["1", "", "甲", "", "", ""], name="companies-1.csv")
    (folder / "companies-2.csv").write_bytes(b"\xff\xff\xff")
    with pytest.raises(InputRejected, match=r"companies-2\.csv"):
        lake.load(folder)
    assert lake.tables == {}


def test_a_code_stored_as_a_number_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "customers.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["客户号", "客户名称"])
        page.write_number(1, 0, 622848000000000012)
        page.write_string(1, 1, "甲有限公司")
        page.write_string(2, 0, "C2")
        page.write_string(2, 1, " 乙有限公司 ")
    lake = SmallLake()
    result = lake.load(path)
    assert "末尾几位已丢失" in result.rejects.to_pylist()[0]["reason"]
    assert lake.rows("customer_records")[0]["name"] == " 乙有限公司 ", "the list is kept as written"


def test_announcements_as_documents(tmp_path: Path) -> None:
    path = tmp_path / "公告-0001.txt"
    path.write_text("关于中标的公告\n\n本公司中标。\n", encoding="utf-8")
    lake = SmallLake()
    lake.load(path)
    row = lake.rows("announcement_records")[0]
    assert (row["announcement_no"], row["title"]) == ("公告-0001", "关于中标的公告")


def test_amounts_keep_the_unit_of_their_header_and_huge_cells_are_refused(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "客户清单.csv",
        [
            ["客户编码", "单位全称", "注册资金（万元）", "企业地址", "开户时间"],
            ["A1", "甲公司", "1,500", "上海", "2021.3.4"],
            ["A2", "乙公司", "3亿元", "上海", "2021.3.4"],
            ["A3", "丙公司", "10", "长" * 40_000, "2021.3.4"],
        ],
    )
    lake = SmallLake()
    done = lake.load(path)
    assert not done.warnings
    rows = lake.rows("customer_records")
    assert [row["capital_text"] for row in rows] == ["1,500万元", "3亿元"]
    (reject,) = done.rejects.to_pylist()
    assert (reject["line"], reject["column"]) == (4, "企业地址")
    assert "最多 32,767 字" in reject["reason"]


OWN = """
code: our_park
name_zh: 园区管委会名单
supplier: 管委会
authorisation: 合作协议
purpose: 园区获客
retention: 三年
retention_days: 1095
files:
  - patterns: ["管委会名单*"]
    mode: snapshot
    format: {header_row: 2}
    reject: [{where: [{from: 单位, one_of: [合计]}], reason: 合计行}]
    tables:
      - table: park_resident_records
        key: [company_ref, park_code]
        columns:
          company_ref: {ref: [{scheme: name, from: 单位, clean: name}], required: true}
          park_code: {const: P01}
          since: {from: 入驻时间, clean: month, on_bad: "null"}
          until: {from: 退出时间, clean: date}
"""


def test_a_bank_adds_its_own_snapshot_source_without_code(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    (overlay / "sources").mkdir(parents=True)
    (overlay / "sources" / "our_park.yaml").write_text(OWN, encoding="utf-8")
    lake = SmallLake(load_sources(overlay), overlay)
    path = tmp_path / "管委会名单.csv"
    header = [["园区入驻企业", "", ""], ["单位", "入驻时间", "退出时间"]]
    rows = [["甲公司", "2020-05", ""], ["乙公司", "何时", ""], ["丙公司", "2021-01", ""], ["合计", "3", ""]]
    first = lake.load(write_csv(path, header + rows))
    assert (first.count("inserted"), first.count("rejected")) == (3, 1)
    assert first.rejects.to_pylist()[0]["reason"] == "合计行"
    assert any("入驻时间" in warned.column for warned in first.warnings)
    second = lake.load(write_csv(path, header + rows[:1] + [["丙公司", "2021-01", "错"]]))
    assert (second.count("unchanged"), second.count("rejected"), second.count("ended")) == (1, 1, 1)
    until = {row["company_ref"]: row["until"] for row in lake.rows("park_resident_records")}
    assert until == {"name:甲公司": None, "name:乙公司": date(2026, 3, 31), "name:丙公司": None}
    with pytest.raises(InputRejected, match="全量文件将使"):
        SmallLake(lake.sources, overlay, dict(first.tables)).load(
            write_csv(path, [*header, ["丁公司", "", ""]])
        )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("park_resident_records", "nothing", "没有可装载的表"),
        ("until: {from", "til: {from", "没有名为“til”的列"),
        ("clean: month", "clean: magic", "没有名为“magic”的清洗"),
        ("clean: month", "clean: money", "得不到 date"),
        ("{const: P01}", "{}", "恰有一种取值方式"),
        ("key: [company_ref, park_code]", "key: [company_ref, since, region]", "region"),
    ],
)
def test_a_wrong_declaration_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "own.yaml").write_text(OWN.replace(old, new), encoding="utf-8")
    path = write_csv(tmp_path / "管委会名单.csv", [["x"], ["单位"], ["甲公司"]])
    with pytest.raises(CatalogInvalid, match=words):
        SmallLake(load_sources(tmp_path)).load(path)


def test_a_wrong_pattern_is_refused_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    text = OWN.replace("one_of: [合计]", 'matches: "(合计"')
    (tmp_path / "sources" / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogInvalid, match=r"own\.yaml 第 2 行.*正则"):
        load_sources(tmp_path)


def test_a_rule_with_neither_tables_nor_reason_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    text = OWN[: OWN.index("    mode")]
    (tmp_path / "sources" / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogInvalid, match="ignored"):
        load_sources(tmp_path)


CELL = st.sampled_from(["", "1", "2", "甲", "abc", "2025-01-01", "0002-01-01", "1万", "\x00", "是", " ", '"'])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(CELL, min_size=0, max_size=7), max_size=15))
def test_counts_add_up_for_any_rows(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    folder = tmp_path_factory.mktemp("any")
    header = ["客户号", "企业名称", "产品代码", "接触日期", "是否响应", "金额"]
    filled = [["C0", "", "P0", "2025-01-01", "否", ""], *rows]
    path = write_csv(folder / "outcomes.csv", [header, *filled])
    lake = SmallLake()
    first = lake.load(path)
    blank = sum(warned.count for warned in first.warnings if "空行" in warned.reason)
    assert first.count("read") + blank == len(filled)
    assert first.rejects.num_rows == first.count("rejected")
    second = lake.load(path)
    assert not second.changed
    assert second.count("read") == first.count("read")


def test_the_page_on_sources_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "sources.md"
    assert page.read_text(encoding="utf-8") == source_docs(load_sources(), TABLES), (
        "run python scripts/write_source_docs.py"
    )
