import datetime as dt
from typing import Any

import pytest

from qiaomen.customers import CASHFLOWS, DEALINGS
from qiaomen.mining import (
    FINDINGS,
    Detected,
    find_expiries,
    find_in_bank,
    find_in_feed,
    find_registry_changes,
    join_findings,
    load_change_rules,
    load_expiry_rules,
    load_in_bank_rules,
)
from qiaomen.opportunities import OPPORTUNITY_RECORDS
from qiaomen.registry import COMPANY_CHANGES, RELATIONS
from qiaomen.vocab import Column, Table
from tests.mining.examples import AS_OF, FIRMS, KINDS, MONEY, companies, company_refs, rows

REF = {number: f"name:{name}" for number, (name, _) in FIRMS.items()}
PLACED = Table(
    "placed",
    "tests",
    "d",
    (Column("company_id", "int64", "d"), Column("place", "string", "d")),
    ("company_id",),
)


def feed(*given: dict[str, Any]) -> Detected:
    filled = [
        {"source": "opportunities", "record_key": str(number), "occurred_on": AS_OF, "company_ref": REF[1]}
        | row
        for number, row in enumerate(given)
    ]
    return find_in_feed(rows(OPPORTUNITY_RECORDS, *filled), company_refs(), kinds=KINDS, as_of=AS_OF)


def test_a_feed_may_write_code_name_or_alias() -> None:
    found = feed({"kind": "gov_bid_won"}, {"kind": " 政府采购中标 "}, {"kind": "政采中标"}).findings
    assert set(found["kind"].to_pylist()) == {"gov_bid_won"}
    assert set(found["subject_role"].to_pylist()) == {"中标人"}


def test_an_unknown_kind_is_counted_and_named() -> None:
    detected = feed({"kind": "天上掉馅饼"}, {"kind": "天上掉馅饼"}, {"kind": "增资"})
    assert detected.counts["unknown_kind"] == 2
    assert detected.counts["unknown_kind:天上掉馅饼"] == 2
    assert detected.counts["found"] == 1


def test_every_row_of_the_feed_is_found_or_counted() -> None:
    counts = feed(
        {"kind": "增资"},
        {"kind": "增资", "occurred_on": None},
        {"kind": "增资", "occurred_on": AS_OF + dt.timedelta(days=1)},
        {"kind": "??"},
        {"kind": "增资", "company_ref": "name:无此企业"},
    ).counts
    assert counts["read"] == 5
    assert counts["found"] + counts["undated"] + counts["future"] + counts["unknown_kind"] == 5
    assert counts["unresolved"] == 1


def test_the_feed_may_state_the_role() -> None:
    detected = feed(
        {"kind": "subsidiary_established", "arguments": '{"subject_role": "母公司"}'},
        {"kind": "subsidiary_established", "arguments": '{"subject_role": "路人"}'},
        {"kind": "subsidiary_established", "arguments": '"subject_role" not json'},
    )
    assert sorted(detected.findings["subject_role"].to_pylist()) == ["子公司", "子公司", "母公司"]


def test_identities_are_stable_and_distinct() -> None:
    given_rows = [{"kind": "增资"}, {"kind": "中标候选人公示"}]
    first, second = feed(*given_rows).findings, feed(*given_rows).findings
    assert first.equals(second)
    assert len(set(first["finding_id"].to_pylist())) == 2


def expiries(record: dict[str, Any] | None = None, relation: dict[str, Any] | None = None) -> Detected:
    records = [{"source": "s", "record_key": "1", "company_ref": REF[1]} | record] if record else []
    relations = (
        [
            {
                "source": "r",
                "record_key": "1",
                "from_type": "company",
                "to_type": "company",
                "from_id": 1,
                "to_id": 2,
                "since": dt.date(2024, 1, 1),
            }
            | relation
        ]
        if relation
        else []
    )
    return find_expiries(
        rows(OPPORTUNITY_RECORDS, *records),
        company_refs(),
        rows(RELATIONS, *relations),
        companies(),
        rules=load_expiry_rules(),
        kinds=KINDS,
        as_of=AS_OF,
    )


@pytest.mark.parametrize(("days", "found"), [(-1, 0), (0, 1), (180, 1), (181, 0)])
def test_a_lease_counts_within_its_lead_days(days: int, found: int) -> None:
    lease = {
        "kind": "融资租赁",
        "occurred_on": dt.date(2023, 1, 1),
        "expires_on": AS_OF + dt.timedelta(days=days),
        "amount_cny": 3e6,
        "amount_text": "300万元",
    }
    detected = expiries(lease)
    assert detected.findings.num_rows == found
    if found:
        row = detected.findings.to_pylist()[0]
        assert (row["kind"], row["subject_role"], row["company_id"]) == ("lease_expiring", "承租人", 1)
        assert "登记到期推算，仅供核实" in row["evidence"]
        assert "登记金额300万元" in row["evidence"]
        assert row["evidence"].endswith("｜opportunity_records/s/1")


def test_both_sides_of_a_guarantee_are_told() -> None:
    guarantee = {
        "kind": "guarantee",
        "until": AS_OF + dt.timedelta(days=30),
        "amount_cny": 5e6,
        "confidence": 1.0,
    }
    found = expiries(relation=guarantee).findings.to_pylist()
    assert {(row["company_id"], row["subject_role"]) for row in found} == {(1, "担保人"), (2, "债务人")}
    assert all("500万元" in row["evidence"] for row in found)
    assert expiries(relation=guarantee | {"since": AS_OF + dt.timedelta(days=1)}).findings.num_rows == 0


def changes(*given: tuple[str, str | None, str | None], days: int = 10, **more: Any) -> Detected:
    table = rows(
        COMPANY_CHANGES,
        *(
            {
                "company_ref": REF[1],
                "field": field,
                "old_value": old,
                "new_value": new,
                "changed_on": AS_OF - dt.timedelta(days=days),
                "source": "company_changes",
                "record_key": str(number),
            }
            for number, (field, old, new) in enumerate(given)
        ),
    )
    firms = more.pop("firms", companies())
    return find_registry_changes(
        table,
        company_refs(),
        firms,
        more.pop("relations", rows(RELATIONS)),
        more.pop("placed", None),
        rules=load_change_rules(),
        kinds=KINDS,
        money=MONEY,
        as_of=AS_OF,
    )


@pytest.mark.parametrize(
    ("field", "old", "new", "kinds"),
    [
        ("capital_cny", "1000万元", "5000万元", {"capital_increased"}),
        ("capital_cny", "10000000.0", "50000000.0", {"capital_increased"}),
        ("capital_text", "5000万元人民币", "1000万元人民币", {"capital_decreased"}),
        ("capital_cny", "1000万元", "1000万元", set()),
        ("capital_cny", "未知", "1000万元", set()),
        ("legal_representative", "甲某", "乙某", {"executive_changed"}),
        ("legal_representative", None, "乙某", set()),
        ("region_code", "310101", "310115", {"relocation"}),
        ("address", "张江路1号（A座）", "张江路1号(A座) ", set()),
        ("scope", "芯片设计；技术服务", "芯片设计；技术服务；货物进出口", {"scope_changed"}),
        ("scope", "芯片设计；技术服务", "芯片设计", set()),
        (
            "shareholders",
            "甲某；乙某",
            "甲某；临港国有资产投资集团",
            {"shareholder_changed", "soe_investor_entered"},
        ),
        ("name", "甲公司", "乙公司", {"name_changed"}),
        ("status", "存续", "注销", {"liquidation_notice"}),
        ("listed_board", None, "科创板", {"ipo_listed"}),
        ("org_type", "有限责任公司", "有限责任公司（中外合资）", {"foreign_invested_new"}),
        ("website", "a", "b", set()),
    ],
)
def test_changes(field: str, old: str | None, new: str | None, kinds: set[str]) -> None:
    found = changes((field, old, new)).findings
    assert set(found["kind"].to_pylist()) == kinds


def test_a_raised_capital_says_by_how_much() -> None:
    row = changes(("capital_cny", "1000万元", "5000万元")).findings.to_pylist()[0]
    assert row["amount_cny"] == 4e7
    assert row["evidence"] == "注册资本1,000.00万元变更为5,000.00万元｜company_changes/company_changes/0"


def test_old_and_future_changes_are_not_news() -> None:
    assert changes(("name", "甲", "乙"), days=181).findings.num_rows == 0
    assert changes(("name", "甲", "乙"), days=-1).findings.num_rows == 0


def young_firms() -> Any:
    table = companies()
    founded = [AS_OF - dt.timedelta(days=20) if number == 2 else dt.date(2010, 1, 1) for number in FIRMS]
    return table.set_column(
        table.column_names.index("founded_on"), table.schema.field("founded_on"), [founded]
    )


def test_a_new_subsidiary_speaks_for_both_sides() -> None:
    held = {
        "kind": "shareholding",
        "from_type": "company",
        "from_id": 1,
        "to_type": "company",
        "to_id": 2,
        "ratio": 0.8,
        "source": "r",
        "record_key": "1",
    }
    found = changes(firms=young_firms(), relations=rows(RELATIONS, held)).findings.to_pylist()
    assert {(row["company_id"], row["subject_role"]) for row in found} == {(1, "母公司"), (2, "子公司")}
    minority = changes(firms=young_firms(), relations=rows(RELATIONS, held | {"ratio": 0.3})).findings
    assert minority.num_rows == 0


def test_a_new_branch_is_told_of_its_parent() -> None:
    branch = {
        "kind": "branch_of",
        "from_type": "company",
        "from_id": 2,
        "to_type": "company",
        "to_id": 1,
        "source": "r",
        "record_key": "1",
    }
    found = changes(firms=young_firms(), relations=rows(RELATIONS, branch)).findings.to_pylist()
    assert [(row["kind"], row["company_id"]) for row in found] == [("branch_established", 1)]


def test_a_new_company_counts_where_it_is_placed() -> None:
    assert changes(firms=young_firms()).counts["skipped_without_places"] == 1
    placed = rows(PLACED, {"company_id": 2, "place": "临港产业园"}, {"company_id": 1, "place": "张江"})
    found = changes(firms=young_firms(), placed=placed).findings.to_pylist()
    assert [(row["kind"], row["company_id"]) for row in found] == [("company_registered", 2)]
    assert "临港产业园" in found[0]["evidence"]


def dealing(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "company_id": 1,
        "customer_no": "C1",
        "kind": kind,
        "status": "active",
        "started_on": dt.date(2024, 1, 1),
        "source": "dealings",
        "record_key": "1",
    } | more


def flow(month: dt.date, customer: int | None = 1, **more: float) -> dict[str, Any]:
    return {
        "company_id": customer,
        "customer_no": "C1",
        "month": month,
        "source": "cashflows",
        "record_key": f"{customer}/{month}",
    } | more


def in_bank(dealings: list[dict[str, Any]], flows: list[dict[str, Any]]) -> Detected:
    return find_in_bank(
        rows(DEALINGS, *dealings),
        rows(CASHFLOWS, *flows),
        companies(),
        rules=load_in_bank_rules(),
        kinds=KINDS,
        as_of=AS_OF,
    )


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("loan", "bank_loan_due"),
        ("time_deposit", "time_deposit_due"),
        ("wealth", "wealth_due"),
        ("guarantee_letter", "guarantee_letter_due"),
        ("bill", "bill_due"),
    ],
)
def test_dealings_that_fall_due(kind: str, found: str) -> None:
    due = dealing(kind, due_on=AS_OF + dt.timedelta(days=20), balance_cny=2e6, amount_cny=3e6)
    row = in_bank([due], []).findings.to_pylist()[0]
    assert (row["kind"], row["company_id"]) == (found, 1)
    assert row["expires_on"] == AS_OF + dt.timedelta(days=20)
    assert row["title"].count("到期日") == 1
    label = next(rule.label for rule in load_in_bank_rules() if rule.kind == found)
    assert row["title"].count(label) == 1, "what the kind's name says is not said again"
    assert in_bank([due | {"status": "ended"}], []).findings.num_rows == 0
    assert in_bank([due | {"due_on": AS_OF - dt.timedelta(days=1)}], []).findings.num_rows == 0


@pytest.mark.parametrize(
    ("balance", "kinds"), [(1e6, {"credit_unused"}), (9.5e6, {"limit_usage_high"}), (7e6, set())]
)
def test_use_of_a_limit(balance: float, kinds: set[str]) -> None:
    line = dealing("credit_line", limit_cny=1e7, balance_cny=balance, due_on=dt.date(2027, 1, 1))
    found = in_bank([line], []).findings.to_pylist()
    assert {row["kind"] for row in found} == kinds
    for row in found:
        assert ("，未用900万元" in row["title"]) == (row["kind"] == "credit_unused")
        assert row["title"].count("已用") == 1


MONTHS = [dt.date(2024, 11, 1), dt.date(2024, 12, 1), *(dt.date(2025, month, 1) for month in range(1, 6))]
STEADY = {
    "inflow_cny": 2e6,
    "outflow_cny": 2e6,
    "deposit_average_cny": 5e6,
    "payroll_cny": 6e5,
    "tax_cny": 2e5,
    "same_name_out_cny": 4e5,
    "largest_inflow_cny": 1e6,
    "fx_cny": 0.0,
    "counterparties": 20,
}


@pytest.mark.parametrize(
    ("last_months", "change", "kind"),
    [
        (2, {"deposit_average_cny": 1e6}, "existing_customer_churn"),
        (1, {"payroll_cny": 1e5}, "payroll_drop"),
        (2, {"tax_cny": 0.0}, "tax_payment_moved"),
        (1, {"same_name_out_cny": 3e6}, "same_name_outflow"),
        (1, {"largest_inflow_cny": 8e6}, "large_inflow"),
        (1, {"fx_cny": 3e5}, "first_fx"),
        (2, {"counterparties": 60}, "counterparties_surge"),
    ],
)
def test_flows(last_months: int, change: dict[str, float], kind: str) -> None:
    steady = [flow(month, **STEADY) for month in MONTHS]
    assert in_bank([], steady).findings.num_rows == 0
    changed = [
        flow(month, **(STEADY | (change if month in MONTHS[-last_months:] else {}))) for month in MONTHS
    ]
    found = in_bank([], changed).findings.to_pylist()
    assert [row["kind"] for row in found] == [kind]
    assert found[0]["occurred_on"] == dt.date(2025, 5, 31)
    assert found[0]["evidence"].endswith("｜cashflows/cashflows/1/2025-05-01")


def test_a_sleeping_customer() -> None:
    quiet = [flow(month, inflow_cny=0.0, outflow_cny=0.0) for month in MONTHS]
    assert [row["kind"] for row in in_bank([], quiet).findings.to_pylist()] == ["customer_dormant"]


def test_the_month_of_today_is_not_complete() -> None:
    steady = [flow(month, **STEADY) for month in MONTHS]
    running = flow(dt.date(2025, 6, 1), **dict.fromkeys(STEADY, 0.0))
    assert in_bank([], [*steady, running]).findings.num_rows == 0


def test_an_unmatched_customer_is_found_without_a_company() -> None:
    changed = [
        flow(month, None, **(STEADY | ({"payroll_cny": 0.0} if month == MONTHS[-1] else {})))
        for month in MONTHS
    ]
    detected = in_bank([], changed)
    assert detected.counts["unresolved"] == 1
    assert detected.findings["company_name"].to_pylist() == ["客户号C1"]


def test_empty_tables_give_empty_findings() -> None:
    parts = [feed(), expiries(), changes(), in_bank([], [])]
    joined = join_findings(*parts)
    assert joined.num_rows == 0
    assert joined.schema == FINDINGS.schema
