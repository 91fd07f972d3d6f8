from __future__ import annotations

from datetime import date

import pytest
from pydantic import ConfigDict

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.chains import (
    SECTORS,
    load_chains,
    load_goods_noise,
    load_grounds,
    load_plans,
    plans_in_force,
)
from qiaomen.vocab import CatalogInvalid, Stage


class Trade(CatalogRow):
    """A row of the standard, as far as it is needed here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


@pytest.fixture(scope="module")
def chains():
    return load_chains()


def test_every_chain_has_three_stages_and_ten_nodes_or_more(chains):
    assert len(chains) >= 12
    for chain in chains:
        assert {node.stage for node in chain.nodes} == set(Stage), chain.code
        assert 10 <= len(chain.nodes) <= 25, chain.code


def test_the_nine_sectors_are_all_in_use(chains):
    assert {chain.sector for chain in chains} == set(SECTORS)


def test_every_node_has_words_and_none_excludes_its_own(chains):
    for chain in chains:
        for node in chain.nodes:
            assert node.keywords, node.code
            assert not [k for k in node.keywords for e in node.excludes if e in k], node.code


def test_node_codes_are_unique_over_all_chains(chains):
    codes = [node.code for chain in chains for node in chain.nodes]
    assert len(codes) == len(set(codes))


def test_the_two_plans_name_their_industries(chains):
    plans = load_plans(chains=chains)
    strategic = [row.industry for row in plans if row.plan == "sh_sei_14"]
    manufacturing = [row.industry for row in plans if row.plan == "sh_amf_14"]
    assert strategic == [
        "集成电路",
        "生物医药",
        "人工智能",
        "新能源汽车",
        "高端装备",
        "航空航天",
        "信息通信",
        "新材料",
        "新兴数字产业",
    ]
    assert len(manufacturing) == 9
    assert plans_in_force(plans, date(2021, 7, 4)) == ()
    assert len(plans_in_force(plans, date(2021, 7, 5))) == 9
    assert len(plans_in_force(plans, date(2025, 12, 31))) == 18
    assert {row.period for row in plans} == {"2021-2025"}


def test_a_plan_ends_with_its_last_day(tmp_path, chains):
    head = "code,plan,plan_name,document,period,industry,level,chains,in_force_from,in_force_to,source\n"
    row = "sh_sei_14.ic,sh_sei_14,规划,文号,2021-2025,集成电路,核心产业,ic,2021-07-21,2026-03-01,\n"
    overlay = write(tmp_path, "industry_plans.csv", head + row)
    plans = load_plans(overlay, chains=chains)
    assert len(plans_in_force(plans, date(2026, 3, 1))) == 18
    assert len(plans_in_force(plans, date(2026, 3, 2))) == 17


def test_other_catalogues_load():
    assert load_goods_noise()
    assert 0 < load_grounds()["scope"].confidence < load_grounds()["goods"].confidence < 1


def write(tmp_path, name, text):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return tmp_path


BANK_CHAIN = """
code: tea
name: 茶产业
sector: 大消费
nodes:
  - {code: tea.field, name: 茶园, stage: upstream, keywords: 茶叶种植, industries: A0164}
  - {code: tea.make, name: 制茶, stage: midstream, keywords: 精制茶;制茶}
"""


def test_a_bank_adds_and_retires_chains(tmp_path):
    overlay = write(tmp_path, "chains/tea.yaml", BANK_CHAIN)
    write(tmp_path, "chains/off.yaml", "{code: culture, retired: true}")
    codes = {chain.code for chain in load_chains(overlay)}
    assert "tea" in codes
    assert "culture" not in codes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("sector: 大消费", "sector: 农业"), "板块"),
        (("tea.make, name: 制茶", "tea.field, name: 制茶"), "重复"),
        (("code: tea.make", "code: coffee.make"), "开头"),
        (("code: tea.make", "code: Tea.Make"), "小写"),
        (("keywords: 茶叶种植", "keywords: 茶"), "至少两个字"),
        (("industries: A0164", "industries: X99"), "GB/T 4754"),
        (("code: tea.make, name: 制茶", "code: tea.field.make, name: 制茶"), "不在同一段"),
        (("stage: upstream", "stage: 上游"), "stage"),
        (("name: 茶园", "name: 茶/园"), "name"),
        (("name: 茶产业", "name: 集成电路"), "重复"),
    ],
)
def test_a_wrong_chain_is_refused_with_file_and_line(tmp_path, change, words):
    assert change[0] in BANK_CHAIN
    overlay = write(tmp_path, "chains/tea.yaml", BANK_CHAIN.replace(*change))
    with pytest.raises(CatalogInvalid) as refused:
        load_chains(overlay)
    assert words in str(refused.value)
    assert "chains" in refused.value.where


@pytest.mark.parametrize(
    "row",
    [
        "x.y,x,计划,文,业,级,no_such_chain,2021-01-01,,",
        "x.y,x,计划,文,业,级,ic,2021-01-01,2020-01-01,",
    ],
)
def test_a_wrong_plan_is_refused(tmp_path, chains, row):
    head = "code,plan,plan_name,document,industry,level,chains,in_force_from,in_force_to,source\n"
    overlay = write(tmp_path, "industry_plans.csv", head + row + "\n")
    with pytest.raises(CatalogInvalid):
        load_plans(overlay, chains=chains)


def test_the_kinds_of_grounds_are_fixed(tmp_path):
    overlay = write(tmp_path, "classification.csv", "code,name,confidence,words,note\nrumour,传闻,0.5,,\n")
    with pytest.raises(CatalogInvalid, match="rumour"):
        load_grounds(overlay)


def test_every_industry_code_is_in_the_standard(chains):
    standard = {row.code for row in read_rows("gbt4754", Trade)}
    used = {code for chain in chains for node in chain.nodes for code in node.industries}
    assert used
    assert used <= standard
