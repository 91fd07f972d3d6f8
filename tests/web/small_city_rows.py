"""Rows of a small made-up city: enough of everything that each page has something to show."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from qiaomen.bank import INSTITUTION_RECORDS, STAFF_RECORDS
from qiaomen.chains import CHAIN_NODES, COMPANY_NODES
from qiaomen.vocab import Table

AS_OF = dt.date(2026, 6, 30)
NOW = dt.datetime(2026, 6, 30, 2, tzinfo=dt.UTC)
FIRMS = 60
TIER_ORDER = ("prime", "sound", "fair")
CUSTOMER_NUMBERS = tuple(range(0, FIRMS, 5))
DISTRICTS = (("310115", 121.60, 31.20), ("310112", 121.38, 31.11), ("310114", 121.26, 31.38))
TRADES = ("集成电路设计", "半导体材料", "封装测试", "汽车电子")
NODES = (
    ("ic-mat", "半导体材料", "upstream"),
    ("ic-eda", "设计工具", "upstream"),
    ("ic-design", "芯片设计", "midstream"),
    ("ic-pack", "封装测试", "midstream"),
    ("ic-auto", "汽车电子", "downstream"),
)


def rows(table: Table, values: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Build rows of a declared table; a column that is not given is null."""
    return pa.Table.from_pylist(
        [{name: row.get(name) for name in table.names} for row in values], table.schema
    )


def company(number: int) -> dict[str, Any]:
    """One company; every fifth is a customer."""
    code, lon, lat = DISTRICTS[number % 3]
    return {
        "company_id": number,
        "uscc": f"91310{code[:3]}MA1FW{number:05d}",
        "name": f"上海{'澜瑞恒芯'[number % 4]}{'微光华科'[number // 4 % 4]}{number:02d}{TRADES[number % 4][:2]}有限公司",
        "short_name": f"{'澜瑞恒芯'[number % 4]}{'微光华科'[number // 4 % 4]}{number:02d}",
        "origin": "registry",
        "status": "存续",
        "founded_on": dt.date(2008 + number % 15, 3, 1),
        "capital_cny": 1e6 * (1 + number * 7 % 90),
        "region_code": code,
        "address": f"创新路 {number} 号",
        "industry_name": TRADES[number % 4],
        "scope": "集成电路设计、销售；技术服务",
        "legal_representative": "王海峰",
        "phone": "021-55550000",
        "employees": 20 + number,
        "lon": lon + (number * 37 % 20 - 10) / 200,
        "lat": lat + (number * 53 % 20 - 10) / 220,
        "observed_on": AS_OF,
        "sources": "registry",
    }


def institutions() -> pa.Table:
    """One branch with two sub-branches below the head office."""
    listed = [
        ("H00", "示范银行总行", "head_office", None, "31", 121.49, 31.23),
        ("B01", "浦东分行", "branch", "H00", "310115;310112;310114", 121.53, 31.22),
        ("S01", "张江科创支行", "sub_branch", "B01", "310115", 121.60, 31.20),
        ("S02", "闵行支行", "sub_branch", "B01", "310112;310114", 121.38, 31.11),
    ]
    names = ("institution_code", "name", "unit_type", "parent_code", "region_codes", "lon", "lat")
    return rows(
        INSTITUTION_RECORDS,
        [
            dict(zip(names, row, strict=True))
            | {"source": "t", "record_key": row[0], "traits": "科技", "park_codes": "PK01"}
            for row in listed
        ],
    )


def staff() -> pa.Table:
    """One person per role and two managers at the first sub-branch."""
    listed = [
        ("E0001", "周明", "analyst", "H00"),
        ("E0002", "吴静", "administrator", "H00"),
        ("E0003", "郑伟", "branch_admin", "B01"),
        ("E0004", "孙丽", "sub_branch_admin", "S01"),
        ("E0005", "陈思远", "manager", "S01"),
        ("E0006", "林嘉怡", "manager", "S01"),
        ("E0007", "赵启航", "manager", "S02"),
    ]
    names = ("staff_no", "name", "role", "institution_code")
    return rows(
        STAFF_RECORDS,
        [dict(zip(names, row, strict=True)) | {"source": "t", "record_key": row[0]} for row in listed],
    )


def opportunities() -> list[dict[str, Any]]:
    """Two opportunities per company over the last year, some of them warnings."""
    found = []
    for number in range(FIRMS * 2):
        warning = number % 17 == 0
        found.append(
            {
                "opportunity_id": f"O{number:04d}",
                "company_id": number % FIRMS,
                "kind": "litigation_defendant"
                if warning
                else ("gov_bid_won", "capital_increased", "proposed_project")[number % 3],
                "group": "new_project",
                "polarity": "warning" if warning else "marketing",
                "title": f"中标智慧园区项目 {number} 标段",
                "published_on": AS_OF - dt.timedelta(days=number * 3 % 360),
                "occurred_on": AS_OF - dt.timedelta(days=number * 3 % 360 + 2),
                "amount_cny": 1e6 * (number % 40 + 1) if number % 4 else None,
                "amount_text": "详见公告",
                "counterparty": "某集团",
                "region_code": DISTRICTS[number % FIRMS % 3][0],
                "grade": None if warning else ("high", "medium", "low")[number % 3],
                "value": 0.9 - number % 10 / 20,
                "severity": "高" if warning else None,
                "status": "active",
                "detector": "feed",
                "evidence": f"公告载明中标金额与日期｜opportunity_records/feed/{number}",
                "confidence": 0.9,
                "findings": 1,
                "source": "feed",
                "record_key": str(number),
            }
        )
    return found


def chains() -> tuple[pa.Table, pa.Table]:
    nodes = rows(
        CHAIN_NODES,
        [
            {
                "node_code": code,
                "node_name": name,
                "chain_code": "ic",
                "chain_name": "集成电路",
                "sector": "新一代信息技术",
                "stage": stage,
                "path": f"集成电路/{name}",
                "plans": "sh_strategic",
                "origin": "catalogue",
            }
            for code, name, stage in NODES
        ],
    )
    placed = rows(
        COMPANY_NODES,
        [
            {
                "company_id": number,
                "node_code": NODES[number % 5][0],
                "chain_code": "ic",
                "stage": NODES[number % 5][2],
                "basis": "scope",
                "confidence": 0.7,
                "evidence": "经营范围含“集成电路”｜company_records/registry/1",
            }
            for number in range(FIRMS)
        ],
    )
    return nodes, placed


def customers() -> list[dict[str, Any]]:
    shared = {"institution_code": "S01", "manager_no": "E0005", "status": "正常"}
    return [
        shared | {"company_id": n, "customer_no": f"C{n:04d}", "opened_on": dt.date(2019, 1, 1)}
        for n in CUSTOMER_NUMBERS
    ]


def tiers() -> list[dict[str, Any]]:
    return [
        {
            "company_id": n,
            "tier": TIER_ORDER[n % 3],
            "priority": 95.0 - n,
            "response_index": 90.0 - n,
            "product": "kqd",
        }
        for n in range(FIRMS)
    ]


def memberships() -> list[dict[str, Any]]:
    found = [{"company_id": n, "dimension": "customer", "value": "S01"} for n in CUSTOMER_NUMBERS]
    found += [{"company_id": n, "dimension": "region", "value": DISTRICTS[n % 3][0]} for n in range(FIRMS)]
    found += [{"company_id": n, "dimension": "tier", "value": TIER_ORDER[n % 3]} for n in range(FIRMS)]
    found += [{"company_id": n, "dimension": "park", "value": "PK01"} for n in range(0, FIRMS, 2)]
    found += [{"company_id": n, "dimension": "tag", "value": "high_tech"} for n in range(0, FIRMS, 3)]
    return found


def leads() -> list[dict[str, Any]]:
    return [
        {
            "lead_id": f"L{n:03d}",
            "company_id": n,
            "origin": ("opportunity", "long_list", "retention", "expiry")[n % 4],
            "opportunity_id": f"O{n:04d}",
            "product": "kqd",
            "is_customer": n % 5 == 0,
            "priority": 95.0 - n,
            "why_now": f"中标智慧园区项目 {n} 标段，1,200 万元（2026-06-20，来源：opportunities）",
            "admitted": n % 9 != 0,
            "rules": "blacklist" if n % 9 == 0 else None,
            "grounds": "在行内黑名单" if n % 9 == 0 else None,
        }
        for n in range(36)
    ]


def allocations() -> list[dict[str, Any]]:
    return [
        {
            "lead_id": row["lead_id"],
            "company_id": row["company_id"],
            "branch_code": "B01",
            "sub_branch_code": "S01",
            "manager_no": "E0005" if row["company_id"] % 2 else None,
            "rule": "region",
            "reason": "注册地在浦东新区",
            "hold_out": False,
            "rank": rank,
        }
        for rank, row in enumerate(leads())
        if row["admitted"]
    ]


def pairs() -> list[dict[str, Any]]:
    shared = {
        "count": 6, "amount_cny": 3e6, "months": 4, "first_on": dt.date(2025, 1, 1), "last_on": AS_OF,
        "share_of_sales": 0.3, "share_of_purchases": 0.4, "rank_of_buyer": 1, "rank_of_supplier": 1,
        "core_buyer": True, "core_supplier": False, "rule": "份额", "evidence": "近 24 月 6 张发票",
    }  # fmt: skip
    return [shared | {"supplier_id": n, "buyer_id": n + 1} for n in range(FIRMS - 1)]


def relations() -> list[dict[str, Any]]:
    """Person n is a director of company n and of the customer before it: every prospect has a way of two hops."""
    shared = {
        "kind": "office",
        "from_type": "person",
        "to_type": "company",
        "role": "董事",
        "proven": True,
        "confidence": 1.0,
    }
    return [
        shared
        | {
            "from_id": n,
            "to_id": to,
            "observed_on": AS_OF,
            "evidence": f"任董事（{to}）",
            "source": "t",
            "record_key": f"{n}-{to}",
        }
        for n in range(FIRMS)
        for to in {n, n - n % 5}
    ]


def records() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Two customer rows as the bank has them: one matched, one that waits for a person."""
    place = {
        "source": "customers",
        "file": "customers.csv",
        "line": 2,
        "load_id": "L0",
        "institution_code": "S01",
    }
    records = [
        place | {"record_key": "C0000", "customer_no": "C0000", "name": company(0)["name"]},
        place | {"record_key": "C9000", "customer_no": "C9000", "name": "澜微零五", "address": "创新路 5 号"},
    ]
    candidates = [
        {"company_id": n, "name": company(n)["name"], "probability": 0.5, "evidence": {}} for n in (5, 6)
    ]
    matches = [
        {"source": "customers", "record_key": "C0000", "customer_no": "C0000", "name": company(0)["name"], "company_id": 0, "outcome": "verified", "relation": "self"},
        {"source": "customers", "record_key": "C9000", "customer_no": "C9000", "name": "澜微零五", "outcome": "ambiguous", "candidates": json.dumps(candidates, ensure_ascii=False)},
    ]  # fmt: skip
    return records, matches
