"""What the digits of a division code say."""

from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.vocab import (
    PROVINCES,
    RegionLevel,
    is_region_code,
    region_ancestors,
    region_contains,
    region_level,
    region_prefix,
)


def test_levels():
    assert region_level("310000") is RegionLevel.PROVINCE
    assert region_level("330200") is RegionLevel.CITY
    assert region_level("330212") is RegionLevel.DISTRICT
    assert region_level("990000") is RegionLevel.NONE
    assert region_level("") is RegionLevel.NONE


def test_ancestors_and_prefixes():
    assert region_ancestors("330212") == ("330212", "330200", "330000")
    assert region_ancestors("330000") == ("330000",)
    assert region_ancestors("12") == ()
    assert region_prefix("330200") == "3302"
    assert region_contains("330200", "330212")
    assert region_contains("33", "330212")
    assert not region_contains("330212", "330200")
    assert not region_contains("", "330200")


@settings(deadline=None)
@given(st.sampled_from(sorted(PROVINCES)), st.integers(0, 9999))
def test_a_division_lies_in_all_its_ancestors(province, rest):
    code = f"{province[:2]}{rest:04d}"
    assert is_region_code(code)
    assert all(region_contains(ancestor, code) for ancestor in region_ancestors(code))
