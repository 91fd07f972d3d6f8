"""What a view says where the source says nothing."""

from __future__ import annotations

from datetime import date

import ibis
import pyarrow as pa
import pytest

from qiaomen.registry import COMPANIES
from qiaomen.scoring import compute_indicators, load_indicators


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("存续（在营、开业、在册）", 1.0),
        ("正常", 1.0),
        ("注销", 0.0),
        ("吊销，未注销", 0.0),
        ("", None),
        (None, None),
    ],
)
def test_an_unknown_status_is_neither_normal_nor_not(status: str | None, expected: float | None) -> None:
    rows = COMPANIES.conform(
        pa.table({"company_id": pa.array([1], pa.int64()), "status": pa.array([status], pa.string())})
    )
    indicators = {"qual_status_normal": load_indicators()["qual_status_normal"]}
    found = compute_indicators(indicators, {"companies": ibis.memtable(rows)}, date(2026, 6, 30))
    assert found.to_pyarrow()["qual_status_normal"].to_pylist() == [expected]
