import datetime as dt
import random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.mining import FINDINGS
from qiaomen.opportunities import OPPORTUNITIES, OPPORTUNITY_SIGNALS, build_opportunities
from tests.opportunities.examples import (
    AS_OF,
    GRADING,
    KINDS,
    PRODUCTS,
    build,
    built,
    companies,
    finding,
)


def days(number: int) -> dt.date:
    return AS_OF - dt.timedelta(days=number)


def test_one_event_told_twice_is_one_opportunity() -> None:
    rows = built(
        finding(1, detector="text", amount_cny=2.3e8, counterparty="某城投集团有限公司", confidence=0.7),
        finding(2, published_on=days(5), amount_cny=2.298e8),
        finding(3, published_on=days(2), counterparty="某城投"),
    )
    assert len(rows) == 1
    row = rows[0]
    assert (row["findings"], row["detector"], row["record_key"]) == (3, "feed", "2")
    assert row["published_on"] == days(5)
    assert row["counterparty"] == "某城投"
    assert row["region_code"] == "310111"


@pytest.mark.parametrize(
    "other",
    [
        {"company_id": 2},
        {"kind": "gov_bid_won"},
        {"subject_role": "招标人", "kind": "merger_acquisition"},
        {"published_on": AS_OF - dt.timedelta(days=31)},
        {"amount_cny": 9e6},
        {"counterparty": "另一业主"},
    ],
)
def test_what_differs_stays_apart(other: dict[str, Any]) -> None:
    assert (
        len(
            built(
                finding(1, amount_cny=5e6, counterparty="业主"), finding(2, **({"amount_cny": 5e6} | other))
            )
        )
        == 2
    )


def test_an_unknown_amount_does_not_bridge_two_amounts() -> None:
    rows = built(finding(1, amount_cny=1e6), finding(2), finding(3, amount_cny=5e6, published_on=days(1)))
    assert sorted(row["findings"] for row in rows) == [1, 2]


def test_duplicates_are_joined_transitively_in_time() -> None:
    rows = built(*(finding(number, published_on=days(25 * number)) for number in range(4)))
    assert [row["findings"] for row in rows] == [4]


def test_schedules_are_told_apart_by_expiry() -> None:
    lease = {"kind": "lease_expiring", "amount_cny": 1e6}
    near = finding(1, **lease, expires_on=AS_OF + dt.timedelta(days=30))
    same = finding(2, **lease, expires_on=AS_OF + dt.timedelta(days=33), published_on=days(90))
    other = finding(3, **lease, expires_on=AS_OF + dt.timedelta(days=60))
    assert sorted(row["findings"] for row in built(near, same, other)) == [1, 2]


def test_identity_outlives_later_findings() -> None:
    first = built(finding(5, published_on=days(10)))[0]["opportunity_id"]
    later = built(finding(5, published_on=days(10)), finding(1, detector="registry_change"))
    assert [row["opportunity_id"] for row in later] == [first]


FACTS = st.fixed_dictionaries(
    {
        "company_id": st.sampled_from([1, 2]),
        "kind": st.sampled_from(
            ["engineering_bid_won", "lease_expiring", "dishonest_debtor", "dishonest_removed"]
        ),
        "published_on": st.integers(0, 90).map(days),
        "expires_on": st.one_of(st.none(), st.integers(-20, 40).map(days)),
        "amount_cny": st.sampled_from([None, 1e6, 1.01e6, 5e6]),
        "counterparty": st.sampled_from([None, "甲城投", "甲城投有限公司", "乙"]),
        "detector": st.sampled_from(["feed", "text", "expiry"]),
        "confidence": st.sampled_from([0.5, 0.9]),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(FACTS, max_size=14), st.randoms(use_true_random=False))
def test_the_order_of_findings_does_not_matter(facts: list[dict[str, Any]], chance: random.Random) -> None:
    given_rows = [finding(number, **fact) for number, fact in enumerate(facts)]
    shuffled = list(given_rows)
    chance.shuffle(shuffled)
    one, other = build(*given_rows), build(*shuffled)
    assert one.opportunities.equals(other.opportunities)
    assert one.signals.equals(other.signals)


@settings(max_examples=60, deadline=None)
@given(st.lists(FACTS, min_size=1, max_size=10))
def test_told_again_word_for_word_nothing_changes_but_the_count(facts: list[dict[str, Any]]) -> None:
    once = [finding(number, **fact) for number, fact in enumerate(facts)]
    again = [finding(f"z{number}", **fact) for number, fact in enumerate(facts)]
    one, other = build(*once).opportunities, build(*once, *again).opportunities
    assert one["opportunity_id"].equals(other["opportunity_id"])
    assert pc.sum(other["findings"]).as_py() == 2 * pc.sum(one["findings"]).as_py()
    assert one.drop_columns(["findings"]).equals(other.drop_columns(["findings"]))


@settings(max_examples=40, deadline=None)
@given(st.lists(FACTS, max_size=12))
def test_companies_may_be_handled_in_parts(facts: list[dict[str, Any]]) -> None:
    rows = [finding(number, **fact) for number, fact in enumerate(facts)]
    whole = build(*rows).opportunities
    parts = [
        build(*(row for row in rows if row["company_id"] == company)).opportunities for company in (1, 2)
    ]
    assert whole.equals(
        pa.concat_tables(parts).sort_by("opportunity_id").combine_chunks()
    ) or whole.to_pylist() == (pa.concat_tables(parts).sort_by("opportunity_id").to_pylist())


@settings(max_examples=40, deadline=None)
@given(st.lists(FACTS, max_size=12))
def test_every_finding_is_in_one_opportunity(facts: list[dict[str, Any]]) -> None:
    result = build(*(finding(number, **fact) for number, fact in enumerate(facts)))
    assert (pc.sum(result.opportunities["findings"]).as_py() or 0) == len(facts)
    assert result.counts["joined"] if len(facts) > result.opportunities.num_rows else True


def test_what_is_left_out_is_counted() -> None:
    result = build(
        finding(1, company_id=None),
        finding(2, published_on=None, occurred_on=None),
        finding(3, published_on=AS_OF + dt.timedelta(days=1)),
        finding(4, kind="tender_published", company_id=None),
        finding(5, kind="share_pledged", subject_role="质权人"),
        finding(6),
    )
    names = (
        "unresolved",
        "undated",
        "future",
        "batch_theme",
        "context_role",
        "opportunities",
        "unknown_kind",
    )
    assert [result.counts[name] for name in names] == [1, 1, 1, 1, 1, 1, 0]


def test_an_unknown_kind_is_counted() -> None:
    table = pa.Table.from_pylist([finding(1) | {"kind": "retired_kind"}], schema=FINDINGS.schema)
    result = build_opportunities(table, companies(), KINDS, AS_OF, grading=GRADING, products=PRODUCTS)
    assert (result.counts["unknown_kind"], result.counts["opportunities"]) == (1, 0)


@pytest.mark.parametrize("age", [0, 30, 90, 180, 359])
def test_the_value_halves_with_each_half_life(age: int) -> None:
    fresh = built(finding(1, amount_cny=5e6))[0]["value"]
    row = built(finding(1, amount_cny=5e6, published_on=days(age)))[0]
    assert row["value"] == pytest.approx(fresh * 0.5 ** (age / 90), abs=1e-6)
    assert row["status"] == "active"
    assert 0 <= row["value"] <= 1


def test_grades_fall_with_time_until_it_is_spent() -> None:
    grades = [built(finding(1, amount_cny=2e8, published_on=days(age)))[0] for age in (0, 90, 180, 365)]
    assert [row["grade"] for row in grades] == ["high", "medium", "low", "low"]
    assert [row["status"] for row in grades] == ["active", "active", "active", "expired"]


def test_a_status_does_not_decay_and_has_no_grade() -> None:
    row = built(finding(1, kind="dishonest_debtor", published_on=days(2000)))[0]
    assert (row["status"], row["polarity"], row["severity"]) == ("active", "veto", "高")
    assert (row["grade"], row["value"]) == (None, 0.0)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, "ended"),
        ({"published_on": AS_OF - dt.timedelta(days=400)}, "active"),
        ({"company_id": 2}, "active"),
    ],
)
def test_removal_ends_a_status_for_good(more: dict[str, Any], status: str) -> None:
    rows = built(
        finding(1, kind="dishonest_debtor", published_on=days(300)),
        finding(2, kind="dishonest_removed", **({"published_on": days(10)} | more)),
    )
    assert {row["kind"]: row["status"] for row in rows}["dishonest_debtor"] == status


def test_a_second_listing_after_removal_stands() -> None:
    rows = built(
        finding(1, kind="dishonest_debtor", published_on=days(300)),
        finding(2, kind="dishonest_removed", published_on=days(100)),
        finding(3, kind="dishonest_debtor", published_on=days(10)),
    )
    assert sorted(row["status"] for row in rows if row["kind"] == "dishonest_debtor") == ["active", "ended"]


def test_a_failed_bid_ends_the_bid_of_the_same_owner_only() -> None:
    rows = built(
        finding(1, counterparty="甲业主", published_on=days(5)),
        finding(2, counterparty="乙业主", published_on=days(5)),
        finding(3, kind="bid_terminated", counterparty="甲业主"),
    )
    assert {row["counterparty"]: row["status"] for row in rows if row["kind"] == "engineering_bid_won"} == {
        "甲业主": "ended",
        "乙业主": "active",
    }


def test_a_schedule_stands_until_its_date() -> None:
    lease = {"kind": "lease_expiring", "published_on": days(900)}
    rows = [
        built(finding(1, **lease, expires_on=AS_OF + dt.timedelta(days=ahead)))[0]["status"]
        for ahead in (0, -1)
    ]
    assert rows == ["active", "expired"]


def test_a_schedule_without_a_date_stands_for_a_year() -> None:
    given_rows = [finding(1, kind="lease_expiring", published_on=days(age)) for age in (365, 366)]
    assert [built(row)[0]["status"] for row in given_rows] == ["active", "expired"]
    assert built(finding(1, kind="enforced_debtor", published_on=days(900)))[0]["status"] == "active"


def test_signals_follow_the_role() -> None:
    def signals(kind: str, role: str) -> dict[str, str]:
        table = build(finding(1, kind=kind, subject_role=role)).signals
        return dict(zip(table["signal"].to_pylist(), table["products"].to_pylist(), strict=True))

    assert "zcd" in signals("gov_bid_won", "中标人")["credit"].split(";")
    assert "bh" in signals("gov_bid_won", "中标人")["guarantee_letter"].split(";")
    assert "zcd" not in signals("engineering_bid_won", "中标人")["credit"]
    assert "jbh" in signals("subsidiary_established", "子公司")["account"]
    assert set(signals("subsidiary_established", "母公司")) == {"settlement"}
    assert signals("guarantee_provided", "担保人") == {}
    assert signals("dishonest_debtor", "失信被执行人") == {}
    assert all(products for products in signals("lease_expiring", "承租人").values())


def test_the_role_decides_the_polarity() -> None:
    rows = built(
        finding(1, kind="guarantee_provided", subject_role="债务人"),
        finding(2, kind="guarantee_provided", subject_role="担保人", company_id=2),
    )
    assert {row["subject_role"]: (row["polarity"], row["grade"] is None) for row in rows} == {
        "债务人": ("both", False),
        "担保人": ("warning", True),
    }


def test_the_source_of_a_text_is_named() -> None:
    row = built(finding(7, detector="text", evidence="甲公司中标。", source="news"))[0]
    assert row["evidence"] == "甲公司中标。｜announcement_records/news/7"


def test_nothing_in_nothing_out() -> None:
    result = build()
    assert result.opportunities.schema == OPPORTUNITIES.schema
    assert result.signals.schema == OPPORTUNITY_SIGNALS.schema


def test_a_flooded_feed_is_joined() -> None:
    rows = built(*(finding(number, amount_cny=1e6) for number in range(2000)))
    assert [row["findings"] for row in rows] == [2000]
