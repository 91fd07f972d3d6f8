"""The customer book: duplicates joined, the leading number, and what hangs on a customer number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from qiaomen.customers import (
    CASHFLOW_RECORDS,
    CASHFLOWS,
    CUSTOMER_MATCHES,
    CUSTOMER_RECORDS,
    CUSTOMERS,
    DEALING_RECORDS,
    DEALINGS,
    OUTCOME_RECORDS,
    OUTCOMES,
    attach_cashflows,
    attach_dealings,
    attach_outcomes,
    build_customers,
)
from qiaomen.registry import COMPANY_REFS
from qiaomen.store import Engine
from qiaomen.vocab import Table


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as opened:
        yield opened


def rows_of(table: Table, *rows: dict[str, Any]) -> pa.Table:
    keyed = []
    for number, row in enumerate(rows):
        base = {"source": "customers", "record_key": str(number)} if "record_key" in table.names else {}
        keyed.append(base | row)
    return pa.Table.from_pylist(keyed, schema=table.schema)


RECORDS = rows_of(
    CUSTOMER_RECORDS,
    {"customer_no": "C1", "manager_no": None, "opened_on": date(2010, 1, 1), "status": "销户"},
    {"customer_no": "C2", "manager_no": "M2", "opened_on": date(2015, 1, 1), "institution_code": "B2"},
    {"customer_no": "C3", "manager_no": "M3", "opened_on": date(2012, 1, 1), "status": "正常"},
    {"customer_no": "C4", "manager_no": "M4"},
    {"customer_no": "C5", "status": "睡眠", "opened_on": date(2020, 5, 5)},
)
MATCHES = rows_of(
    CUSTOMER_MATCHES,
    {"customer_no": "C1", "company_id": 7, "relation": "self", "outcome": "verified"},
    {"customer_no": "C2", "company_id": 7, "relation": "self", "outcome": "matched"},
    {"customer_no": "C3", "company_id": 7, "relation": "branch", "outcome": "matched"},
    {"customer_no": "C4", "company_id": None, "outcome": "ambiguous"},
    {"customer_no": "C5", "company_id": 9, "relation": "self", "outcome": "matched"},
)


def test_duplicates_are_joined_under_the_liveliest_own_number(engine: Engine) -> None:
    outcomes = rows_of(
        OUTCOMES,
        {"company_id": 7, "contacted_on": date(2024, 1, 1)},
        {"company_id": 7, "contacted_on": date(2025, 3, 1)},
    )
    table = engine.arrow(
        build_customers(engine.memory(RECORDS), engine.memory(MATCHES), engine.memory(outcomes)), CUSTOMERS
    )
    first, second = sorted(table.to_pylist(), key=lambda row: row["company_id"])
    assert first == {
        "company_id": 7,
        "customer_no": "C2",
        "customer_numbers": "C1;C2;C3",
        "institution_code": "B2",
        "manager_no": "M2",
        "opened_on": date(2010, 1, 1),
        "status": "正常",
        "last_contact_on": date(2025, 3, 1),
    }
    assert (second["company_id"], second["status"], second["last_contact_on"]) == (9, "睡眠", None)


def test_dealings_and_cashflows_keep_every_row(engine: Engine) -> None:
    matches = pa.concat_tables(
        [MATCHES, rows_of(CUSTOMER_MATCHES, {"source": "old", "customer_no": "C5", "company_id": 11})]
    )
    dealings = rows_of(DEALING_RECORDS, *({"customer_no": number} for number in ("C2", "C4", "C5", "CX")))
    attached = engine.arrow(
        attach_dealings(engine.memory(dealings), engine.memory(matches)), DEALINGS
    ).to_pylist()
    found = {row["customer_no"]: row["company_id"] for row in attached}
    # C5 stands for two companies in two sources: nothing is picked.
    assert found == {"C2": 7, "C4": None, "C5": None, "CX": None}
    flows = rows_of(CASHFLOW_RECORDS, {"customer_no": "C2", "month": date(2025, 1, 1), "inflow_cny": 5.0})
    flow = engine.arrow(attach_cashflows(engine.memory(flows), engine.memory(matches)), CASHFLOWS)
    assert flow.column("company_id").to_pylist() == [7]


def test_outcomes_take_the_reference_before_the_number(engine: Engine) -> None:
    records = rows_of(
        OUTCOME_RECORDS,
        {"company_ref": "name:甲", "customer_no": "C2"},
        {"company_ref": None, "customer_no": "C2"},
        {"company_ref": "name:乙", "customer_no": None},
    )
    refs = rows_of(COMPANY_REFS, {"ref": "name:甲", "company_id": 3}, {"ref": "name:乙", "company_id": None})
    table = engine.arrow(
        attach_outcomes(engine.memory(records), engine.memory(MATCHES), engine.memory(refs)), OUTCOMES
    )
    found = {row["record_key"]: row["company_id"] for row in table.to_pylist()}
    assert found == {"0": 3, "1": 7, "2": None}
