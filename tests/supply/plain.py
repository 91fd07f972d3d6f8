"""Documents for tests, and the rollup written out plainly as a second opinion."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

import pyarrow as pa

from qiaomen.store import Engine
from qiaomen.supply import (
    CORE_ENTERPRISES,
    SUPPLY_PAIRS,
    SUPPLY_RECORDS,
    SUPPLY_TOTALS,
    CoreRule,
    rollup_supply,
)

AS_OF = date(2025, 12, 31)
START = date(2024, 1, 1)
RULE = CoreRule(code="default", name="默认")


def document(
    supplier: int | None, buyer: int | None, amount: float | None, day: date | None = None, **more: Any
):
    """Return one valid document; ``more`` overrides."""
    return {
        "supplier_id": supplier,
        "buyer_id": buyer,
        "amount_cny": amount,
        "traded_on": day or date(2025, 6, 1),
        "status": "valid",
        "ordinal": 1,
        **more,
    }


def records(rows: list[dict[str, Any]]) -> pa.Table:
    ids = [pa.field("supplier_id", pa.int64()), pa.field("buyer_id", pa.int64())]
    return pa.Table.from_pylist(rows, pa.schema([*SUPPLY_RECORDS.schema, *ids]))


def roll(engine: Engine, rows: list[dict[str, Any]], rule: CoreRule = RULE, reported: pa.Table | None = None):
    """Return (pairs, totals, core enterprises, left out) as dictionaries and lists of rows."""
    result = rollup_supply(
        engine.memory(records(rows)),
        AS_OF,
        rule,
        reported=None if reported is None else engine.memory(reported),
        keep=engine.keep,
    )
    pairs = engine.arrow(result.pairs, SUPPLY_PAIRS).to_pylist()
    totals = engine.arrow(result.totals, SUPPLY_TOTALS).to_pylist()
    core = engine.arrow(result.core_enterprises, CORE_ENTERPRISES).to_pylist()
    left_out = engine.arrow(result.left_out).to_pylist()
    return (
        {(row["supplier_id"], row["buyer_id"]): row for row in pairs},
        {(row["company_id"], row["side"]): row for row in totals},
        {row["company_id"]: row for row in core},
        {row["reason"]: row["rows"] for row in left_out},
    )


def why_left_out(row: dict[str, Any]) -> str | None:
    checks = (
        ("unresolved", row["supplier_id"] is None or row["buyer_id"] is None),
        ("self", row["supplier_id"] == row["buyer_id"]),
        ("undated", row["traded_on"] is None),
        ("outside", row["traded_on"] is not None and not START <= row["traded_on"] <= AS_OF),
        ("void", (row["status"] or "").strip().lower() == "void"),
        ("repeated", (row["ordinal"] or 1) > 1),
        ("no_amount", row["amount_cny"] is None),
    )
    return next((reason for reason, applies in checks if applies), None)


def net_fen(rows: list[dict[str, Any]]) -> dict[tuple[int, int], int]:
    """Return the net of every pair in fen."""
    sums: dict[tuple[int, int], int] = defaultdict(int)
    for row in rows:
        if why_left_out(row) is None:
            sums[row["supplier_id"], row["buyer_id"]] += round(row["amount_cny"] * 100)
    return dict(sums)
