from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.parks import PARK_RESIDENTS, build_parks, place_companies
from qiaomen.parks.place import distance_m
from tests.parks.examples import PARKS, REFS, companies, park_records, stays

AS_OF = date(2026, 6, 30)


def place(firms, residents=None, parks=PARKS):
    return place_companies(firms, parks, residents, REFS, as_of=AS_OF)


def where(placed) -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = {}
    for row in placed.residents.to_pylist():
        found.setdefault(row["company_id"], []).append((row["park_code"], row["basis"]))
    return found


def test_a_declared_stay_closes_address_and_location():
    firms = companies({"address": "澜江路1号", "region_code": "310115", "lon": 121.6, "lat": 31.2})
    placed = place(firms, stays({"company_ref": "a", "park_code": "P3", "since": date(2020, 1, 1)}))
    assert where(placed) == {0: [("P3", "declared")]}
    (row,) = placed.residents.to_pylist()
    assert row["evidence"] == "来源申报入驻“高新区”（2020-01-01 起）｜park_resident_records/bank/0"
    assert row["since"] == date(2020, 1, 1)


def test_the_address_comes_before_the_location():
    firms = companies(
        {"address": "上海市澜江路1号", "region_code": "310115", "lon": 121.605, "lat": 31.2},
        {"address": "其他路", "region_code": "310115", "lon": 121.606, "lat": 31.2},
    )
    placed = place(firms)
    assert where(placed) == {0: [("P1", "address")], 1: [("P2", "location")]}
    assert placed.residents.column("evidence").to_pylist() == [
        "注册地址“上海市澜江路1号”含“澜江路”，对应“澜江高科技园”｜companies/registry/0",
        "注册位置距“澜江科技园东区”中心 95 米，在 1000 米范围内｜companies/registry/1",
    ]


def test_a_longer_word_of_another_park_wins():
    firms = companies({"address": "澜江科技园东区3幢", "region_code": "310115"})
    assert where(place(firms)) == {0: [("P2", "address")]}


def test_the_same_word_in_another_city_does_not_count():
    firms = companies(
        {"address": "苏州高新区1号", "region_code": "320505"},
        {"address": "无锡高新区1号", "region_code": "320213"},
        {"address": "高新区1号"},
        {"address": "澜江高科技园1号"},
    )
    placed = place(firms)
    assert where(placed) == {0: [("P3", "address")], 3: [("P1", "address")]}
    assert placed.counts["address:other_city"] == 2


def test_the_same_road_in_another_district_does_not_count():
    firms = companies(
        {"address": "上海市闵行区澜江路8号", "region_code": "310112"},
        {"address": "上海市嘉定区澜江路8号"},
        # The address decides, whatever the register's region says.
        {"address": "上海市闵行区澜江路8号", "region_code": "310115"},
        {"address": "澜江路8号", "region_code": "310112"},
        {"address": "上海市浦东新区澜江路8号", "region_code": "310112"},
        {"address": "澜江路8号", "region_code": "310000"},
        # A park of the whole city takes in its districts.
        {"address": "苏州市虎丘区高新区1号", "region_code": "320505"},
    )
    placed = place(firms)
    assert where(placed) == {4: [("P1", "address")], 5: [("P1", "address")], 6: [("P3", "address")]}
    assert placed.counts["address:other_district"] == 4
    assert "address:other_city" not in placed.counts


def test_a_stay_that_has_ended_rules_out_weaker_grounds():
    firms = companies({"address": "澜江路1号", "region_code": "310115", "lon": 121.6, "lat": 31.2})
    ended = {"company_ref": "a", "park_code": "P1", "until": date(2025, 1, 1)}
    placed = place(firms, stays(ended))
    assert where(placed) == {0: [("P2", "location")]}
    assert placed.counts["declared:ended"] == 1
    again = place(firms, stays(ended, {"company_ref": "a", "park_code": "P1", "since": date(2026, 1, 1)}))
    assert where(again) == {0: [("P1", "declared")]}


def test_problems_of_declared_stays_are_counted():
    placed = place(
        companies({}, {}),
        stays(
            {"company_ref": "a", "park_code": "P9"},
            {"company_ref": "z", "park_code": "P1"},
            {"company_ref": "c", "park_code": "P1"},
            {"company_ref": "b", "park_code": "P1", "since": date(2027, 1, 1)},
            {"company_ref": "b", "park_code": "P1"},
            {"company_ref": "b", "park_code": "P1"},
        ),
    )
    assert placed.counts == {
        "declared:read": 6,
        "declared:unknown_park": 1,
        "declared:unresolved": 1,
        "declared:not_a_company": 1,
        "declared:not_begun": 1,
        "declared:repeated": 1,
        "basis:declared": 1,
    }


def test_parks_carry_their_number_of_residents():
    placed = place(companies({"lon": 121.6, "lat": 31.2}, {"lon": 121.6, "lat": 31.2}, {}))
    assert placed.parks.column("residents").to_pylist() == [2, 0, 0]
    assert placed.residents.schema == PARK_RESIDENTS.schema


def test_impossible_positions_are_nowhere():
    firms = companies({"lon": 999.0, "lat": 31.2}, {"lon": float("nan"), "lat": 31.2}, {"lon": 121.6})
    assert where(place(firms)) == {}


def test_no_companies_and_no_parks():
    assert place(companies()).residents.num_rows == 0
    assert (
        place(companies({"address": "澜江路"}), parks=build_parks(park_records()).table).residents.num_rows
        == 0
    )


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        ((0.0, 0.0), (1.0, 0.0), 111_195),
        ((121.47, 31.23), (116.40, 39.90), 1_067_000),
        ((0, 90), (77, 90), 0),
    ],
)
def test_known_distances(a, b, metres):
    found = distance_m(np.array([a[0]], float), np.array([a[1]], float), *b)[0]
    assert found == pytest.approx(metres, rel=0.003, abs=1e-3)


POINTS = st.tuples(st.floats(121.58, 121.63), st.floats(31.18, 31.22))


@given(st.lists(POINTS, max_size=12))
def test_everybody_is_in_the_nearest_park_that_takes_them_in(points):
    firms = companies(*({"lon": lon, "lat": lat} for lon, lat in points))
    found = where(place(firms))
    parks = [row for row in PARKS.to_pylist() if row["radius_m"] is not None]
    for number, (lon, lat) in enumerate(points):
        near = sorted(
            (
                float(distance_m(np.array([lon]), np.array([lat]), park["lon"], park["lat"])[0]),
                park["park_code"],
            )
            for park in parks
        )
        inside = [code for distance, code in near if distance <= 1000.0]
        assert found.get(number, []) == [(code, "location") for code in inside[:1]]
