"""The shipped standards are whole: codes, parents, points, former names."""

from qiaomen.catalog import division_names, load_divisions, load_industries
from qiaomen.vocab import PROVINCES, region_level


def test_divisions_hang_together():
    rows = {row.code: row for row in load_divisions()}
    assert len(rows) > 3000
    assert {code for code, row in rows.items() if row.level == 1} == set(PROVINCES)
    for row in rows.values():
        assert row.level == 1 or row.parent in rows
        assert region_level(row.code) == row.level
        assert row.lon is None or (73 < row.lon < 136 and 3 < row.lat < 54)


def test_former_names_lead_to_the_present():
    rows = {row.code: row for row in load_divisions()}
    assert ("鄞县", "330227") in rows["330212"].former_places
    assert ("闸北区", "310108") in rows["310106"].former_places
    assert ("襄樊市", "420600") in rows["420600"].former_places


def test_groups_between_province_and_district_have_names():
    names = division_names(load_divisions())
    assert names["310100"] == "上海市市辖区"
    assert names["500200"] == "重庆市县"
    assert names["429000"] == "湖北省直辖县级行政区划"
    assert names["330100"] == "杭州市"
    assert all(f"{row.code[:4]}00" in names for row in load_divisions())


def test_industries_hang_together():
    rows = {row.code: row for row in load_industries()}
    assert len(rows) > 1900
    assert rows["C3973"].name == "集成电路制造"
    assert all(row.level == 1 or row.parent in rows for row in rows.values())
