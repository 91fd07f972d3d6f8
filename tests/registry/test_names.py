"""Normal form and structure of company names."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.registry import (
    looks_like_person,
    normalise_name,
    normalise_names,
    normalise_short_name,
    parse_name,
)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("　广东 辰铭建筑装饰工程有限公司  ", "广东辰铭建筑装饰工程有限公司"),
        ("世金資產管理有限公司", "世金资产管理有限公司"),
        ("顺成（杭州）运输有限公司", "顺成(杭州)运输有限公司"),
        ("顺成【杭州】运输有限公司", "顺成(杭州)运输有限公司"),
        ("北京恒通贸易有限公司（筹）", "北京恒通贸易有限公司"),
        ("北京恒通贸易有限公司-一般户", "北京恒通贸易有限公司"),
        ("北京恒通贸易有限公司一般户", "北京恒通贸易有限公司"),
        ("*北京恒通贸易有限公司*", "北京恒通贸易有限公司"),
        ("北京恒通贸易有限公司待核实", "北京恒通贸易有限公司"),
        ("北京恒通贸易有限公司（原北京恒达公司）", "北京恒通贸易有限公司"),
        ("ＡＢＣ（中国）有限公司", "ABC(中国)有限公司"),
        ("中国平安人寿保险股份有限公司-传统-普通保险产品", "中国平安人寿保险股份有限公司"),
        ("乾坤有限公司", "乾坤有限公司"),
    ],
)
def test_normal_form(written, normal):
    assert normalise_name(written) == normal


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("*ST国华", "国华"),
        ("万科A", "万科"),
        ("万 科Ａ", "万科"),
        ("TCL科技", "TCL科技"),
        ("XD贵州茅", "贵州茅"),
    ],
)
def test_short_names(written, normal):
    assert normalise_short_name(written) == normal


@settings(deadline=None)
@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing_and_never_fails(text):
    once = normalise_name(text)
    assert normalise_name(once) == once or once[-1:] in set("-)0123456789户")
    parse_name(once)
    normalise_short_name(text)
    looks_like_person(once)


@settings(deadline=None)
@given(st.text(alphabet="上海北京深圳市恒通科技贸易有限责任公司集团股份分支行厂(一般户-", max_size=25))
def test_parts_never_invent_text(text):
    parts = parse_name(normalise_name(text))
    for part in (parts.trade_name, parts.trade, parts.form):
        assert set(part) <= set(normalise_name(text))


def test_arrow_entry_keeps_nulls_and_order():
    names = pa.chunked_array([["甲（上海）有限公司", None], ["甲（上海）有限公司", ""]])
    assert normalise_names(names).to_pylist() == ["甲(上海)有限公司", None, "甲(上海)有限公司", None]


@pytest.mark.parametrize(
    ("name", "region", "trade_name", "trade", "form"),
    [
        ("邵阳维克液压股份有限公司", "430500", "维克", "液压", "股份有限公司"),
        ("亨龙(乌海)建筑装饰工程有限公司", "150300", "亨龙", "建筑装饰工程", "有限公司"),
        ("兰州市七里河区民发小额贷款股份有限公司", "620103", "民发", "小额贷款", "股份有限公司"),
        ("广州市政工程有限公司", "440100", "市政", "工程", "有限公司"),
        ("国药(集团)股份有限公司", "", "国药", "", "股份有限公司"),
        ("内蒙古双河羊绒有限公司", "150000", "双河羊绒", "", "有限公司"),
    ],
)
def test_structure(name, region, trade_name, trade, form):
    parts = parse_name(name)
    assert (parts.region_code, parts.trade_name, parts.trade, parts.form) == (region, trade_name, trade, form)
    assert parts.branch == ""


@pytest.mark.parametrize(
    ("name", "parent", "branch"),
    [
        ("河南熊星企业管理咨询有限公司苏州分公司", "河南熊星企业管理咨询有限公司", "苏州分公司"),
        ("宁波银行股份有限公司鄞州支行", "宁波银行股份有限公司", "鄞州支行"),
        (
            "内蒙古双河羊绒集团菏泽羊绒纺织有限公司苏州办事处",
            "内蒙古双河羊绒集团菏泽羊绒纺织有限公司",
            "苏州办事处",
        ),
        ("中国联通江门分公司", "中国联通", "江门分公司"),
        ("上海恒通有限公司", "", ""),
    ],
)
def test_branches(name, parent, branch):
    parts = parse_name(name)
    assert (parts.parent, parts.branch) == (parent, branch)


def test_persons_are_told_from_organisations():
    assert all(looks_like_person(name) for name in ("张三", "李伟", "欧阳锋", "司马相如"))
    others = ("中国移动", "平安银行", "张江高科", "恒通有限公司", "Google", "上海", "陈", "")
    assert not any(looks_like_person(name) for name in others)
