from __future__ import annotations

import pyarrow as pa
import pytest

from qiaomen.parks import PARKS as DECLARED
from qiaomen.parks import build_parks
from tests.parks.examples import park_records


def test_sources_fill_each_others_blanks():
    records = park_records(
        {"park_code": "P1", "name": "甲园", "source": "b", "trades": "新材料", "level": "市级"},
        {"park_code": "P1", "name": "甲园区", "source": "a", "radius_m": 500.0},
    )
    built = build_parks(records)
    (row,) = built.table.to_pylist()
    assert (row["name"], row["trades"], row["level"], row["radius_m"]) == ("甲园区", "新材料", "市级", 500.0)
    assert row["residents"] is None
    assert built.counts["joined"] == 1
    assert built.table.schema == DECLARED.schema


def test_a_park_without_a_name_is_called_by_its_code():
    assert build_parks(park_records({"park_code": "P1"})).table.column("name").to_pylist() == ["P1"]


def test_operators_are_resolved():
    refs = pa.table({"ref": ["uscc:1"], "company_id": pa.array([5], pa.int64())})
    built = build_parks(
        park_records(
            {"park_code": "P1", "operator_ref": "uscc:1"}, {"park_code": "P2", "operator_ref": "uscc:2"}
        ),
        refs,
    )
    assert built.table.column("operator_id").to_pylist() == [5, None]
    assert built.counts["operator_unresolved"] == 1


@pytest.mark.parametrize(
    ("row", "count"),
    [
        ({"lon": 500.0, "lat": 31.0}, "impossible_position"),
        ({"lon": float("nan"), "lat": 31.0}, "impossible_position"),
        ({"lon": 121.0}, "impossible_position"),
        ({"radius_m": -1.0}, "impossible_radius"),
        ({"radius_m": float("inf")}, "impossible_radius"),
    ],
)
def test_impossible_values_become_unknown_and_are_counted(row, count):
    built = build_parks(park_records({"park_code": "P1", **row}))
    (park,) = built.table.to_pylist()
    assert (park["lon"], park["lat"], park["radius_m"]) == (None, None, None)
    assert built.counts[count] == 1


def test_a_row_without_a_code_is_counted():
    built = build_parks(park_records({"name": "无代码"}, {"park_code": "  "}))
    assert built.table.num_rows == 0
    assert built.counts["no_code"] == 2
