"""Made-up findings for the tests of opportunities."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from qiaomen.mining import FINDINGS
from qiaomen.opportunities import (
    Built,
    build_opportunities,
    load_grading,
    load_kinds,
    load_signal_products,
)
from qiaomen.registry import COMPANIES

AS_OF = dt.date(2025, 6, 30)
KINDS = load_kinds()
GRADING = load_grading()
PRODUCTS = load_signal_products()


def finding(number: int | str, **more: Any) -> dict[str, Any]:
    kind = more.get("kind", "engineering_bid_won")
    return {
        "finding_id": f"{number:>03}",
        "detector": "feed",
        "kind": kind,
        "company_id": 1,
        "company_name": "甲公司",
        "subject_role": KINDS[kind].subject_role,
        "title": "甲公司：事件",
        "occurred_on": AS_OF,
        "published_on": AS_OF,
        "evidence": "依据｜opportunity_records/s/1",
        "confidence": 1.0,
        "source": "s",
        "record_key": str(number),
    } | more


def companies() -> pa.Table:
    return pa.Table.from_pylist(
        [{"company_id": number, "region_code": f"31011{number}"} for number in range(1, 6)],
        schema=COMPANIES.schema,
    )


def build(*given: Mapping[str, Any], as_of: dt.date = AS_OF) -> Built:
    table = pa.Table.from_pylist([dict(row) for row in given], schema=FINDINGS.schema)
    return build_opportunities(table, companies(), KINDS, as_of, grading=GRADING, products=PRODUCTS)


def built(*given: Mapping[str, Any], as_of: dt.date = AS_OF) -> list[dict[str, Any]]:
    return build(*given, as_of=as_of).opportunities.to_pylist()
