"""Parks in force, from every source that names them. Reads ``park_records``; writes ``parks``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import pyarrow as pa

from qiaomen.chains import with_company_ids
from qiaomen.parks.tables import PARK_RECORDS, PARKS

LARGEST_RADIUS_M: Final = 100_000.0


@dataclass(frozen=True, slots=True)
class Parks:
    """``table`` conforms to PARKS, ``residents`` still null; ``counts`` says what was joined or set aside."""

    table: pa.Table
    counts: Mapping[str, int]


def build_parks(park_records: pa.Table, company_refs: pa.Table | None = None) -> Parks:
    """Return one row per park code; where sources differ the first source by name that says something holds."""
    counts: Counter[str] = Counter(read=park_records.num_rows)
    records = with_company_ids(
        PARK_RECORDS.conform(park_records),
        _no_refs() if company_refs is None else company_refs,
        ref_column="operator_ref",
        id_column="operator_id",
    )
    merged: dict[str, dict[str, Any]] = {}
    for row in records.sort_by([("source", "ascending"), ("record_key", "ascending")]).to_pylist():
        code = (row["park_code"] or "").strip()
        if not code:
            counts["no_code"] += 1
            continue
        counts["joined" if code in merged else "parks"] += 1
        counts["operator_unresolved"] += row["operator_ref"] is not None and row["operator_id"] is None
        clean = _clean(row, counts)
        kept = merged.setdefault(code, {"park_code": code})
        for name, value in clean.items():
            if kept.get(name) is None:
                kept[name] = value
    rows = [{**row, "name": row.get("name") or code} for code, row in sorted(merged.items())]
    return Parks(PARKS.conform(pa.Table.from_pylist(rows, PARKS.schema)), dict(counts))


def _no_refs() -> pa.Table:
    return pa.table({"ref": pa.array([], pa.string()), "company_id": pa.array([], pa.int64())})


def _clean(row: Mapping[str, Any], counts: Counter[str]) -> dict[str, Any]:
    """Return the values of one record; an impossible position or radius becomes null and is counted."""
    lon, lat, radius = row["lon"], row["lat"], row["radius_m"]
    if lon is not None or lat is not None:
        placed = lon is not None and lat is not None and isfinite(lon) and isfinite(lat)
        if not (placed and -180 <= lon <= 180 and -90 <= lat <= 90):
            counts["impossible_position"] += 1
            lon = lat = None
    if radius is not None and not (isfinite(radius) and 0 < radius <= LARGEST_RADIUS_M):
        counts["impossible_radius"] += 1
        radius = None
    names = ("name", "level", "region_code", "trades", "address_words", "operator_id")
    return {name: row[name] for name in names} | {"lon": lon, "lat": lat, "radius_m": radius}
