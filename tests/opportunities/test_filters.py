import datetime as dt

import pytest

from qiaomen.opportunities import (
    OpportunityFilter,
    by_region,
    daily_counts,
    filter_opportunities,
    signal_trend,
)
from qiaomen.vocab import Grade, InputRejected
from tests.opportunities.examples import AS_OF, build, finding

BUILT = build(
    finding(1, amount_cny=2e8, counterparty="城投"),
    finding(
        2, company_id=2, kind="equity_financing", amount_cny=5e6, published_on=AS_OF - dt.timedelta(days=40)
    ),
    finding(3, company_id=2, kind="dishonest_debtor"),
    finding(
        4, company_id=3, kind="lease_expiring", expires_on=AS_OF + dt.timedelta(days=9), title="设备租赁"
    ),
    finding(5, company_id=9, kind="award_honor"),
)


def kinds(**wanted: object) -> list[str]:
    expression = filter_opportunities(BUILT.opportunities, BUILT.signals, OpportunityFilter(**wanted))  # type: ignore[arg-type]
    return expression.to_pyarrow()["kind"].to_pylist()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"kinds": ("award_honor",)}, {"award_honor"}),
        ({"groups": ("procurement",)}, {"engineering_bid_won"}),
        ({"polarities": ("veto",)}, {"dishonest_debtor"}),
        ({"severities": ("高",)}, {"dishonest_debtor"}),
        ({"signals": ("payroll",)}, {"engineering_bid_won"}),
        ({"products": ("zlzh",)}, {"lease_expiring"}),
        ({"regions": ("310112",)}, {"equity_financing", "dishonest_debtor"}),
        ({"regions": ("310000",), "minimum_grade": Grade.HIGH}, {"engineering_bid_won", "lease_expiring"}),
        ({"companies": (3,)}, {"lease_expiring"}),
        ({"published_to": AS_OF - dt.timedelta(days=1)}, {"equity_financing"}),
        ({"expires_from": AS_OF, "expires_to": AS_OF + dt.timedelta(days=30)}, {"lease_expiring"}),
        ({"amount_from_cny": 1e8}, {"engineering_bid_won"}),
        ({"words": ("设备", "租赁")}, {"lease_expiring"}),
        ({"statuses": ("expired",)}, set()),
    ],
)
def test_filters(wanted: dict[str, object], expected: set[str]) -> None:
    assert set(kinds(**wanted)) == expected


def test_sorting() -> None:
    assert kinds(sort="amount")[0] == "engineering_bid_won"
    assert kinds(sort="expiry")[0] == "lease_expiring"
    assert kinds(sort="newest")[-1] == "equity_financing"


@pytest.mark.parametrize("wanted", [{"sort": "luck"}, {"regions": ("3101155",)}, {"regions": ("' OR 1=1",)}])
def test_a_wrong_filter_is_refused(wanted: dict[str, object]) -> None:
    with pytest.raises(InputRejected):
        kinds(**wanted)


def test_signals_need_their_table() -> None:
    with pytest.raises(InputRejected, match="商机信号"):
        filter_opportunities(BUILT.opportunities, None, OpportunityFilter(signals=("credit",)))


def test_regions_count_items_and_firms_apart() -> None:
    rows = {row["region"]: row for row in by_region(BUILT.opportunities).to_pyarrow().to_pylist()}
    assert (rows["310112"]["items"], rows["310112"]["firms"], rows["310112"]["warnings"]) == (2, 1, 1)
    assert rows["未知"]["items"] == 1
    assert rows["310111"]["amount_cny"] == 2e8
    assert [row["region"] for row in by_region(BUILT.opportunities, 2).to_pyarrow().to_pylist()] == [
        "31",
        "未知",
    ]


def test_trends() -> None:
    days = daily_counts(BUILT.opportunities, AS_OF).to_pyarrow().to_pylist()
    assert {(row["published_on"], row["group"]) for row in days} >= {(AS_OF, "procurement"), (AS_OF, "risk")}
    assert all(row["published_on"] > AS_OF - dt.timedelta(days=30) for row in days)
    trend = signal_trend(BUILT.opportunities, BUILT.signals, AS_OF).to_pyarrow().to_pylist()
    assert {row["signal"] for row in trend} >= {"guarantee_letter", "payroll", "credit"}
