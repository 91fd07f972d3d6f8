"""Indicators: right by hand, blind to the future, traceable to their rows."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import qiaomen.catalog
from qiaomen.scoring import compute_indicators, is_dated, load_indicators, trace, wide_table
from qiaomen.scoring.indicators import wanted_tags
from qiaomen.scoring.view_columns import VIEW_COLUMNS
from qiaomen.tags import load_tags
from qiaomen.vocab import CatalogInvalid

from .city import AS_OF, as_tables, lend, make_rows

INDICATORS = load_indicators()
TAGS = load_tags()


def compute(rows: dict[str, list[dict[str, Any]]], as_of: date = AS_OF) -> pa.Table:
    tables = lend(as_tables(rows))
    wide = compute_indicators(INDICATORS, tables, as_of, tags=TAGS).to_pyarrow()
    return wide_table(INDICATORS).conform(wide).sort_by("company_id")


def one(code: str, as_of: date = AS_OF, **rows: list[dict[str, Any]]) -> float | None:
    rows.setdefault("companies", [{"company_id": 1}])
    tables = lend({name: table for name, table in as_tables(rows).items() if name in rows})
    needed = {code: INDICATORS[code]}
    while missing := [of for row in needed.values() for of in row.of if of not in needed]:
        needed |= {of: INDICATORS[of] for of in missing}
    wide = compute_indicators(needed, tables, as_of, tags=TAGS).to_pyarrow()
    value: float | None = dict(
        zip(wide.column("company_id").to_pylist(), wide.column(code).to_pylist(), strict=True)
    )[1]
    return value


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, Any]]]:
    return make_rows()


@pytest.fixture(scope="module")
def wide(rows: dict[str, list[dict[str, Any]]]) -> pa.Table:
    return compute(rows)


def test_one_row_per_company_one_column_per_indicator(wide: pa.Table) -> None:
    assert len(INDICATORS) >= 150
    assert wide.num_rows == 60
    assert wide.column_names == ["company_id", *INDICATORS]


def test_most_indicators_say_something_here(wide: pa.Table) -> None:
    silent = [code for code in INDICATORS if wide.column(code).null_count == wide.num_rows]
    assert len(silent) < 15


@pytest.mark.parametrize("days", [1, 400])
def test_future_rows_change_nothing(rows: dict[str, list[dict[str, Any]]], wide: pa.Table, days: int) -> None:
    """The same rows a second time, dated after as_of, leave every number as it was."""
    later = AS_OF + timedelta(days=days)
    dated = {
        "opportunities": ("published_on", "occurred_on"),
        "outcomes": ("contacted_on", "responded_on"),
        "supply_records": ("traded_on",),
        "dealings": ("started_on",),
        "cashflows": ("month",),
        "relations": ("since", "observed_on"),
        "list_tag_records": ("since",),
        "company_changes": ("changed_on",),
        "park_residents": ("since",),
        "customers": ("opened_on",),
    }
    grown = dict(rows)
    for table, columns in dated.items():
        added = []
        for place, row in enumerate(rows[table]):
            moved = {**row, **dict.fromkeys(columns, later)}
            for key in ("record_key", "opportunity_id", "document_no"):
                moved |= {key: f"later-{place}"} if key in moved else {}
            added.append({**moved, "park_code": "P0"} if table == "park_residents" else moved)
        grown[table] = rows[table] + added
    grown["customers"] = rows["customers"] + [
        {"company_id": n, "customer_no": f"L{n}", "opened_on": later} for n in range(1, 60, 3)
    ]
    assert compute(grown).equals(wide)


def test_past_answers_stay_when_later_rows_are_taken_away(rows: dict[str, list[dict[str, Any]]]) -> None:
    past = AS_OF - timedelta(days=120)
    cut = dict(rows)
    cut["opportunities"] = [row for row in rows["opportunities"] if row["published_on"] <= past]
    cut["supply_records"] = [row for row in rows["supply_records"] if row["traded_on"] <= past]
    cut["outcomes"] = [
        row
        | (
            {"responded": False, "responded_on": None}
            if row["responded_on"] and row["responded_on"] > past
            else {}
        )
        for row in rows["outcomes"]
        if row["contacted_on"] <= past
    ]
    assert compute(cut, past).equals(compute(rows, past))


def test_windows_count_from_as_of() -> None:
    events = [
        {"company_id": 1, "opportunity_id": f"{back}", "kind": "gov_bid_won", "published_on": AS_OF - timedelta(days=back),
         "amount_cny": 100.01, "polarity": "marketing"} for back in (0, 89, 90, 364, 365)
    ]  # fmt: skip
    assert one("evt_gov_bid_90d", opportunities=events) == 2
    assert one("evt_gov_bid_365d", opportunities=events) == 4
    assert one("val_gov_bid_amt_365d", opportunities=events) == 400.04
    assert one("evt_days_since_last", opportunities=events) == 0


def test_decay_halves_in_its_half_life() -> None:
    events = [
        {
            "company_id": 1,
            "opportunity_id": "a",
            "polarity": "marketing",
            "published_on": AS_OF - timedelta(days=90),
        }
    ]
    assert one("evt_heat", opportunities=events) == pytest.approx(0.5)


def test_answers_count_only_once_they_arrived() -> None:
    contact = {
        "company_id": 1, "product": "kqd", "contacted_on": date(2026, 3, 1), "responded": True,
        "responded_on": date(2026, 4, 15), "channel": "拜访",
    }  # fmt: skip
    assert one("resp_reply_rate_365d", date(2026, 4, 1), outcomes=[contact]) == 0
    assert one("resp_reply_rate_365d", date(2026, 4, 15), outcomes=[contact]) == 1
    assert one("resp_reply_rate_365d", outcomes=[]) is None


def test_peers_leave_the_company_itself_out() -> None:
    companies = [{"company_id": n, "industry_code": "C3973"} for n in (1, 2)]
    answered = {
        "product": "kqd",
        "contacted_on": date(2026, 1, 1),
        "responded": True,
        "responded_on": date(2026, 1, 9),
    }
    alone = one("resp_peer_rate_trade", companies=companies, outcomes=[{**answered, "company_id": 1}])
    both = one(
        "resp_peer_rate_trade",
        companies=companies,
        outcomes=[{**answered, "company_id": n, "responded": n == 1, "record_key": str(n)} for n in (1, 2)],
    )
    assert alone == pytest.approx(1.0)
    assert both == pytest.approx(0.5 * 20 / 21)


def test_growth_compares_months_before() -> None:
    flows = [
        {"company_id": 1, "month": date(2026, month, 1), "deposit_average_cny": 100.0 if month < 3 else 50.0,
         "record_key": str(month)} for month in range(1, 6)
    ]  # fmt: skip
    assert one("bank_dep_trend", cashflows=flows) == -0.5


def test_supply_uses_only_documents_known_then() -> None:
    documents = [
        {"supplier_id": 1, "buyer_id": 10 + place % 6, "traded_on": date(2026, 1 + place % 5, 3), "ordinal": 1,
         "amount_cny": 900.0 if place % 6 == 0 else 50.0, "status": "valid", "document_no": str(place)}
        for place in range(60)
    ]  # fmt: skip
    assert one("size_buyers", supply_records=documents) == 6
    share = one("sc_top1_buyer_share", supply_records=documents)
    assert share == pytest.approx(9000 / (9000 + 50 * 50))
    assert one("sc_core_buyers", supply_records=documents) == 1
    assert one("size_buyers", date(2025, 12, 31), supply_records=documents) == 0


def test_a_table_that_was_not_given_gives_null_not_zero() -> None:
    assert one("evt_total_90d") is None
    assert one("evt_total_90d", opportunities=[]) == 0
    assert one("size_employees_log", companies=[{"company_id": 1}]) is None


def test_rank_counts_ties_and_skips_missing() -> None:
    companies = [
        {"company_id": n, "industry_code": "C3973", "capital_cny": value}
        for n, value in ((1, 5.0), (2, 5.0), (3, 9.0), (4, None))
    ]
    assert one("size_capital_rank", companies=companies) == pytest.approx(2 / 3)


def test_every_fold_is_traced_to_its_rows(rows: dict[str, list[dict[str, Any]]], wide: pa.Table) -> None:
    tables = lend(as_tables(rows))
    values = {row["company_id"]: row for row in wide.to_pylist()}
    for code in ("evt_gov_bid_365d", "sc_core_buyers", "bank_dep_avg_3m", "qual_hightech", "grow_bid_yoy"):
        for company in (3, 6):
            traced = trace(INDICATORS, code, tables, AS_OF, company)
            if INDICATORS[code].formula is None:
                assert set(traced) == {code}
            counted = {of: found.num_rows for of, found in traced.items()}
            for of, number in counted.items():
                row = INDICATORS[of]
                if row.fold == "count":
                    assert values[company][of] == number
                elif row.fold == "any":
                    assert (values[company][of] == 1) is (number > 0)


def test_snapshot_facts_are_told_from_dated_ones() -> None:
    assert is_dated(INDICATORS, "evt_total_90d")
    assert is_dated(INDICATORS, "resp_reply_rate_365d")
    assert not is_dated(INDICATORS, "val_capital_log")
    assert not is_dated(INDICATORS, "size_capital_rank")


def test_every_kind_and_tag_named_is_declared() -> None:
    data = Path(qiaomen.catalog.__file__).parent / "data"
    with (data / "opportunity_kinds.csv").open(encoding="utf-8") as file:
        kinds = {row["code"] for row in csv.DictReader(file)}
    named = {
        kind
        for row in INDICATORS.values()
        if row.view == "opportunities" and row.where
        for leaf in row.where.leaves()
        if leaf.column == "kind"
        for kind in ([leaf.value] if isinstance(leaf.value, str) else leaf.value)
    }
    assert named <= kinds
    assert wanted_tags(INDICATORS) <= set(TAGS)


def test_every_declared_view_column_exists() -> None:
    from qiaomen.scoring.bank_views import VIEWS
    from qiaomen.scoring.views import Facts

    facts = Facts(lend(as_tables(make_rows())), AS_OF, tags=TAGS)
    for name, columns in VIEW_COLUMNS.items():
        view = VIEWS[name](facts)
        assert view is not None, name
        assert {*columns, "company_id", "known_on"} <= set(view.columns), name


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("view: nothing, fold: count", "没有视图"),
        ("view: opportunities, fold: sum", "column"),
        ("view: opportunities, fold: sum, column: kind", "不是数值"),
        ("view: opportunities, fold: decayed", "half_life_days"),
        ("view: opportunities, fold: count, where: {column: price, op: known}", "没有列"),
        ("formula: ratio, of: [val_capital]", "个数"),
        ("formula: log1p, of: [no_such_indicator]", "不存在"),
        ("formula: log1p, of: [own]", "互相引用"),
        ("view: opportunities, fold: count, formula: log1p", "须且只须写一个"),
    ],
)
def test_a_broken_indicator_is_refused(tmp_path: Path, row: str, said: str) -> None:
    text = f"- {{code: own, name_zh: 自定, dimension: 商机事件, definition: 自定指标, unit: 次, {row}}}\n"
    (tmp_path / "indicators").mkdir()
    (tmp_path / "indicators" / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogInvalid, match=said):
        load_indicators(tmp_path)
