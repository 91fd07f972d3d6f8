"""Small parks and companies."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from qiaomen.parks import PARK_RECORDS, PARK_RESIDENT_RECORDS, build_parks
from qiaomen.registry import COMPANIES


def loaded(table: Any, *rows: dict[str, Any]) -> pa.Table:
    full = [{"source": "bank", "record_key": str(number), **row} for number, row in enumerate(rows)]
    return pa.Table.from_pylist(full, table.schema)


def park_records(*rows: dict[str, Any]) -> pa.Table:
    return loaded(PARK_RECORDS, *rows)


def stays(*rows: dict[str, Any]) -> pa.Table:
    return loaded(PARK_RESIDENT_RECORDS, *rows)


def companies(*rows: dict[str, Any]) -> pa.Table:
    full = [
        {"company_id": number, "origin": "registry", "name": f"企业{number}", **row}
        for number, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(full, COMPANIES.schema)


PARKS = build_parks(
    park_records(
        {
            "park_code": "P1",
            "name": "澜江高科技园",
            "region_code": "310115",
            "address_words": "澜江路;澜江科技园",
            "trades": "集成电路;生物医药",
            "lon": 121.6,
            "lat": 31.2,
            "radius_m": 1000.0,
        },
        {
            "park_code": "P2",
            "name": "澜江科技园东区",
            "region_code": "310115",
            "trades": "人工智能",
            "lon": 121.605,
            "lat": 31.2,
            "radius_m": 1000.0,
        },
        {"park_code": "P3", "name": "高新区", "region_code": "320500", "trades": "新材料"},
    )
).table
REFS = pa.table({"ref": ["a", "b", "c"], "company_id": pa.array([0, 1, 99], pa.int64())})
