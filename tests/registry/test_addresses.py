"""Addresses to divisions."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.catalog import load_divisions
from qiaomen.registry import normalise_address, region_from_words, resolve_address, resolve_addresses
from qiaomen.vocab import RegionLevel


@pytest.mark.parametrize(
    ("address", "code", "former"),
    [
        ("浙江省宁波市鄞州区百丈路158号", "330212", False),
        ("鄞州区百丈路158号", "330212", False),
        ("宁波鄞州区百丈路158号", "330212", False),
        ("浙江省鄞县下应镇", "330212", True),
        ("上海市闸北区共和新路", "310106", True),
        ("湖北省襄樊市襄阳区", "420607", True),
        ("朝阳市双塔区", "211302", False),
        ("北京朝阳区望京", "110105", False),
        ("上海南京东路100号", "310000", False),
        ("苏州工业园区星湖街", "320500", False),
        ("南京市鼓楼区", "320106", False),
        ("中国（四川）自由贸易试验区成都高新区益州大道", "510100", False),
        ("江蘇崑山花橋", "320583", False),
        ("未知", "", False),
        ("", "", False),
    ],
)
def test_division_of_an_address(address, code, former):
    region = resolve_address(address)
    assert (region.code, region.former) == (code, former)


def test_a_name_that_many_divisions_share_is_not_guessed():
    assert resolve_address("鼓楼区中山路1号").level is RegionLevel.NONE


def test_full_paths_of_all_present_districts_lead_home():
    rows = {row.code: row for row in load_divisions()}
    wrong = []
    for row in rows.values():
        path, code = "", row.code
        while code:
            path, code = rows[code].name + path, rows[code].parent
        if resolve_address(path).code != row.code:
            wrong.append(path)
    assert len(wrong) <= len(rows) * 0.005, wrong[:20]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_an_address(text):
    region = resolve_address(text)
    assert (region.code == "") == (region.level is RegionLevel.NONE)
    normalise_address(text)


def test_same_place_differently_written_compares_equal():
    assert normalise_address("浙江省宁波市鄞州区百丈路158号") == normalise_address("鄞州区百丈路１５８号")


def test_arrow_entry_and_bare_words():
    assert resolve_addresses(pa.array(["深圳南山区", None, "？"])).to_pylist() == ["440305", None, None]
    assert region_from_words("深圳").code == "440300"
    assert region_from_words("330227").code == "330212"
    assert region_from_words("330227").former
