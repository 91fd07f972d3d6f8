"""A small seeded city for scoring tests: every table that indicators read, by lake name."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import ibis
import pyarrow as pa

from qiaomen.chains import CHAIN_NODES, COMPANY_GOODS, COMPANY_NODES
from qiaomen.customers import CASHFLOWS, CUSTOMERS, DEALINGS, OUTCOMES
from qiaomen.opportunities import OPPORTUNITIES, OPPORTUNITY_SIGNALS
from qiaomen.parks import PARK_RESIDENTS, PARKS
from qiaomen.reach import REACH
from qiaomen.registry import COMPANIES, COMPANY_CHANGES, RELATIONS
from qiaomen.supply import SUPPLY_RECORDS
from qiaomen.tags import LIST_TAG_RECORDS

AS_OF = date(2026, 6, 30)
NUMBER = pa.field("company_id", pa.int64())
SCHEMAS = {
    table.name: table.schema
    for table in (
        COMPANIES,
        RELATIONS,
        OPPORTUNITIES,
        OPPORTUNITY_SIGNALS,
        CUSTOMERS,
        DEALINGS,
        CASHFLOWS,
        OUTCOMES,
        PARKS,
        PARK_RESIDENTS,
        CHAIN_NODES,
        COMPANY_NODES,
        COMPANY_GOODS,
        REACH,
    )
} | {
    COMPANY_CHANGES.name: COMPANY_CHANGES.schema.insert(0, NUMBER),
    LIST_TAG_RECORDS.name: LIST_TAG_RECORDS.schema.insert(0, NUMBER),
    SUPPLY_RECORDS.name: SUPPLY_RECORDS.schema.append(pa.field("supplier_id", pa.int64())).append(
        pa.field("buyer_id", pa.int64())
    ),
}
KINDS = (
    "gov_bid_won",
    "equity_financing",
    "high_tech_certified",
    "admin_penalty",
    "lease_expiring",
    "hiring_surge",
)
COMPANIES_MADE = 60

Rows = dict[str, list[dict[str, Any]]]


def _day(rng: random.Random, back: int, as_of: date = AS_OF) -> date:
    return as_of - timedelta(days=rng.randrange(back))


def _companies(rng: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "company_id": number,
            "name": f"样例{number}有限公司",
            "status": "存续" if number % 13 else "注销",
            "industry_code": rng.choice(["C3973", "C3975", "I6513", None]),
            "capital_cny": rng.choice([None, 5e5, 3e6, 2e7, 3e8]),
            "employees": rng.choice([None, 0, 8, 60, 900]),
            "revenue_cny": rng.choice([None, 4e6, 9e7]),
            "founded_on": _day(rng, 7000),
            "observed_on": AS_OF,
            "listed_board": "科创板" if number % 20 == 0 else None,
            "sources": "city",
        }
        for number in range(COMPANIES_MADE)
    ]


def _events(rng: random.Random) -> list[dict[str, Any]]:
    return [
        {
            "opportunity_id": f"o{place}",
            "company_id": rng.randrange(COMPANIES_MADE),
            "kind": (kind := rng.choice(KINDS)),
            "polarity": "warning" if kind == "admin_penalty" else "marketing",
            "title": f"样例事件{place}",
            "occurred_on": (on := _day(rng, 900)),
            "published_on": on,
            "expires_on": on + timedelta(days=400) if kind == "lease_expiring" else None,
            "amount_cny": rng.choice([None, 1e5, 2.5e6]),
            "status": "active",
            "source": "feed",
            "record_key": f"{place}",
        }
        for place in range(400)
    ]


def _bank(rng: random.Random) -> Rows:
    clients = list(range(0, COMPANIES_MADE, 3))
    months = [date(2025 + month // 12, month % 12 + 1, 1) for month in range(5, 17)]
    source = {"source": "bank"}
    return {
        "customers": [{"company_id": n, "customer_no": f"C{n}", "opened_on": _day(rng, 2000)} for n in clients],
        "dealings": [
            {**source, "record_key": f"{n}-{place}", "company_id": n, "customer_no": f"C{n}", "status": "active",
             "kind": rng.choice(["loan", "credit_line", "deposit", "time_deposit"]), "amount_cny": 1e6,
             "balance_cny": 8e5, "limit_cny": 1e6, "started_on": _day(rng, 600),
             "due_on": AS_OF + timedelta(days=rng.randrange(-200, 300))}
            for n in clients for place in range(3)
        ],
        "cashflows": [
            {**source, "record_key": f"{n}-{month}", "company_id": n, "month": month,
             "inflow_cny": rng.randrange(10**6) / 1.0, "deposit_average_cny": rng.randrange(10**5) / 1.0,
             "same_name_out_cny": rng.randrange(10**5) / 1.0}
            for n in clients for month in months
        ],
        "outcomes": [
            {**source, "record_key": f"{place}", "company_id": rng.randrange(COMPANIES_MADE), "product": "kqd",
             "contacted_on": (on := _day(rng, 500)), "channel": rng.choice(["拜访", "电话"]),
             "responded": (won := rng.random() < 0.3), "responded_on": on + timedelta(days=30) if won else None}
            for place in range(200)
        ],
    }  # fmt: skip


def make_rows(seed: int = 7) -> Rows:
    """Draw the rows of every table."""
    rng = random.Random(seed)
    events = _events(rng)
    rows: Rows = {"companies": _companies(rng), "opportunities": events, **_bank(rng)}
    rows["opportunity_signals"] = [
        {"opportunity_id": event["opportunity_id"], "company_id": event["company_id"], "signal": "credit",
         "products": "zcd;kqd"} for event in events if event["polarity"] == "marketing"
    ]  # fmt: skip
    rows["relations"] = [
        {"kind": rng.choice(["shareholding", "same_phone", "shared_ip", "guarantee"]), "from_type": "company",
         "from_id": rng.randrange(60), "to_type": "company", "to_id": rng.randrange(60), "ratio": 0.6,
         "since": _day(rng, 1500), "proven": True, "source": "r", "record_key": f"{place}"}
        for place in range(150)
    ] + [
        {"kind": "office", "from_type": "person", "from_id": rng.randrange(25), "to_type": "company",
         "to_id": rng.randrange(60), "role": "董事", "since": _day(rng, 1500), "proven": True, "source": "p",
         "record_key": f"{place}"} for place in range(80)
    ]  # fmt: skip
    rows["supply_records"] = [
        {"supplier_id": rng.randrange(60), "buyer_id": rng.randrange(60), "traded_on": _day(rng, 900),
         "amount_cny": rng.randrange(10**6) / 1.0, "status": "valid", "ordinal": 1, "document_no": f"d{place}",
         "source": "s", "record_key": f"{place}"} for place in range(900)
    ]  # fmt: skip
    rows["list_tag_records"] = [
        {"company_id": rng.randrange(60), "list_code": rng.choice(["高新技术企业", "专精特新", "绿色工厂"]),
         "since": _day(rng, 1400), "source": "l", "record_key": f"{place}"} for place in range(60)
    ]  # fmt: skip
    rows["company_changes"] = [
        {"company_id": rng.randrange(60), "field": "name", "changed_on": _day(rng, 900)} for _ in range(20)
    ]
    rows["parks"] = [{"park_code": f"P{place}", "level": "国家级"} for place in range(4)]
    rows["park_residents"] = [
        {"company_id": n, "park_code": f"P{n % 4}", "basis": "address"} for n in range(30)
    ]
    rows["chain_nodes"] = [
        {"node_code": f"n{place}", "plans": "plan" if place % 2 else None} for place in range(6)
    ]
    rows["company_nodes"] = [
        {"company_id": n, "node_code": f"n{n % 6}", "chain_code": f"c{n % 3}", "confidence": 0.8}
        for n in range(40)
    ]
    rows["company_goods"] = [{"company_id": n, "goods_name": f"g{n % 5}", "source": "g"} for n in range(40)]
    rows["reach"] = [{"company_id": n, "hops": 2, "fewest_hops": 2, "warmth": 0.3} for n in range(20)]
    return rows


def as_tables(rows: Rows) -> dict[str, pa.Table]:
    """Return Arrow tables of the declared shapes."""
    return {name: pa.Table.from_pylist(rows.get(name, []), schema=schema) for name, schema in SCHEMAS.items()}


def lend(tables: dict[str, pa.Table]) -> dict[str, Any]:
    """Return the tables as Ibis tables."""
    return {name: ibis.memtable(table) for name, table in tables.items()}
