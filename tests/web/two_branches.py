"""The small city kept by two branches, each protected row marked with a word of its own.

``owners`` say, from the raw rows alone, which unit and manager each mark belongs to.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import small_city
import small_city_rows as base
from small_city import City

from qiaomen.bank import INSTITUTION_RECORDS, STAFF_RECORDS
from qiaomen.customers import DEALINGS

UNITS = (
    ("H00", "示范银行总行", "head_office", None, "31"),
    ("B01", "浦东分行", "branch", "H00", "310115;310112"),
    ("S01", "张江科创支行", "sub_branch", "B01", "310115"),
    ("S02", "闵行支行", "sub_branch", "B01", "310112"),
    ("B02", "嘉定分行", "branch", "H00", "310114"),
    ("S11", "安亭支行", "sub_branch", "B02", "310114"),
)
STAFF = (
    ("E0001", "周明", "analyst", "H00"),
    ("E0002", "吴静", "administrator", "H00"),
    ("E0003", "郑伟", "branch_admin", "B01"),
    ("E0004", "孙丽", "sub_branch_admin", "S01"),
    ("E0005", "陈思远", "manager", "S01"),
    ("E0006", "林嘉怡", "manager", "S01"),
    ("E0007", "赵启航", "manager", "S02"),
    ("E0009", "钱进", "branch_admin", "B02"),
    ("E0011", "何欣", "manager", "S11"),
)
LOGINS = {"manager": "e0005", "sub": "e0004", "branch": "e0003", "analyst": "e0001", "administrator": "e0002"}
BELOW = {"sub": {"S01"}, "branch": {"B01", "S01", "S02"}}
KEEPERS = {
    **dict.fromkeys((0, 5, 10), ("S01", "E0005")),
    **dict.fromkeys((15, 20), ("S01", "E0006")),
    **dict.fromkeys((25, 30), ("S02", "E0007")),
    **dict.fromkeys((35, 40, 45, 50, 55), ("S11", "E0011")),
}
DESKS = (("B01", "S01", "E0005"), ("B01", "S01", "E0006"), ("B01", "S02", "E0007"), ("B02", "S11", "E0011"))


def may_see(role: str, place: str | None, manager: str | None) -> bool:
    """Say again, apart from the product, what each role may see."""
    if role == "analyst":
        return True
    if role == "administrator":
        return False
    return manager == "E0005" if role == "manager" else place in BELOW[role]


def customer_mark(number: int) -> str:
    return f"客户号甲{number:03d}"


def flow_mark(number: int) -> str:
    return f"流水信号{number:03d}"


def deal_mark(number: int) -> str:
    return f"合同乙{number:03d}"


def task_mark(number: int) -> str:
    return f"线索词{number:03d}"


def institutions() -> pa.Table:
    names = ("institution_code", "name", "unit_type", "parent_code", "region_codes")
    return base.rows(
        INSTITUTION_RECORDS,
        [
            dict(zip(names, row, strict=True))
            | {"source": "t", "record_key": row[0], "lon": 121.5, "lat": 31.2, "traits": "", "park_codes": ""}
            for row in UNITS
        ],
    )


def staff() -> pa.Table:
    names = ("staff_no", "name", "role", "institution_code")
    return base.rows(
        STAFF_RECORDS,
        [dict(zip(names, row, strict=True)) | {"source": "t", "record_key": row[0]} for row in STAFF],
    )


def customers() -> list[dict[str, Any]]:
    return [
        {
            "company_id": n,
            "customer_no": customer_mark(n),
            "customer_numbers": customer_mark(n),
            "institution_code": place,
            "manager_no": manager,
            "status": "正常",
            "opened_on": dt.date(2019, 1, 1),
        }
        for n, (place, manager) in KEEPERS.items()
    ]


# Amounts that stand nowhere else.
LOAN = 7_654_321.0
TRADE = 3_456_789.0
PLANTED = "联系人王海峰，电话 13812345678，邮箱 wang@example.com，身份证 310115199001011234"


def opportunities() -> list[dict[str, Any]]:
    shape = base.opportunities()[1]
    flows = [
        shape
        | {
            "opportunity_id": f"F{n:04d}",
            "company_id": n,
            "kind": "inflow_surge",
            "title": flow_mark(n),
            "published_on": base.AS_OF - dt.timedelta(days=1),
            "detector": "in_bank",
            "evidence": f"{flow_mark(n)}｜cashflows/t/{n}",
        }
        for n in KEEPERS
    ]
    public = [
        row | {"evidence": f"{PLANTED}｜{row['evidence'].partition('｜')[2]}"} for row in base.opportunities()
    ]
    return public + flows


def memberships() -> list[dict[str, Any]]:
    found = [row for row in base.memberships() if row["dimension"] != "customer"]
    found += [
        {"company_id": n, "dimension": "customer", "value": place, "evidence": customer_mark(n)}
        for n, (place, _) in KEEPERS.items()
    ]
    found += [{"company_id": n, "dimension": "opportunity", "value": "inflow_surge"} for n in KEEPERS]
    return found


def leads() -> list[dict[str, Any]]:
    return [
        row | {"why_now": task_mark(row["company_id"]), "grounds": row["grounds"]} for row in base.leads()
    ]


def desk_of(number: int) -> tuple[str, str, str]:
    return DESKS[number % 4]


def allocations() -> list[dict[str, Any]]:
    found = []
    for rank, row in enumerate(leads()):
        branch, sub_branch, manager = desk_of(row["company_id"])
        if row["admitted"]:
            found.append(
                {
                    "lead_id": row["lead_id"],
                    "company_id": row["company_id"],
                    "branch_code": branch,
                    "sub_branch_code": sub_branch,
                    "manager_no": manager,
                    "rule": "region",
                    "reason": "注册地",
                    "hold_out": False,
                    "rank": rank,
                }
            )
    return found


def records() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One record and one doubtful match per unit."""
    listed, matches = [], []
    for n, (place, manager) in KEEPERS.items():
        key = {"source": "customers", "record_key": customer_mark(n), "customer_no": customer_mark(n)}
        name = base.company(n)["name"]
        more = {"institution_code": place, "manager_no": manager, "file": "c.csv", "line": n, "load_id": "L0"}
        listed.append(key | more | {"name": name})
        doubtful = n in (10, 20, 30, 55)
        matches.append(
            key
            | {"name": name, "outcome": "ambiguous" if doubtful else "verified", "relation": "self"}
            | ({"candidates": "[]"} if doubtful else {"company_id": n})
        )
    return listed, matches


def pairs() -> list[dict[str, Any]]:
    return [row | {"amount_cny": TRADE} for row in base.pairs()]


def build(root: Path) -> City:
    """Build the city with these rows in place of the small city's."""
    patch = pytest.MonkeyPatch()
    for make in (
        institutions,
        staff,
        customers,
        opportunities,
        memberships,
        leads,
        allocations,
        records,
        pairs,
    ):
        patch.setattr(small_city, make.__name__, make)
    try:
        city = small_city.build_city(root)
    finally:
        patch.undo()
    with city.workspace.lake.stage() as stage:
        loans = stage.arrow(DEALINGS)
        amounts = pa.array([LOAN] * loans.num_rows, pa.float64())
        at = loans.column_names.index("amount_cny")
        stage.write(DEALINGS, loans.set_column(at, loans.schema.field(at), amounts))
        stage.publish(dict(stage.note))
    return city
