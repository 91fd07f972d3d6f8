import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from qiaomen.bank import Viewer, create_user, set_active, viewer_by_login, viewer_of
from qiaomen.chains import COMPANY_NODES
from qiaomen.customers import CUSTOMERS
from qiaomen.feed import (
    FeedTables,
    Subscription,
    Wish,
    build_digest,
    change_subscription,
    list_subscriptions,
    mark_read,
    match_subscriptions,
    pause_subscription,
    read_inbox,
    resume_subscription,
    send_digests,
    subscribe,
    unsubscribe,
)
from qiaomen.opportunities import OPPORTUNITIES
from qiaomen.store import outbox, writing
from qiaomen.tags import COMPANY_TAGS
from qiaomen.vocab import Grade, InputRejected, NotAllowed, NotFound, Role, Table

AS_OF = dt.date(2025, 6, 30)
NOW = dt.datetime(2025, 6, 30, 1, 0, tzinfo=dt.UTC)
CHANNELS = ("wecom", "email")
ANALYST = Viewer(1, "ana", "分析师", frozenset({Role.ANALYST}), whole_bank=True)
MANAGER = Viewer(2, "man", "经理", frozenset({Role.MANAGER}), staff_no="M1")
ADMINISTRATOR = Viewer(3, "adm", "管理员", frozenset({Role.ADMINISTRATOR}))


def rows(table: Table, *given: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(given), schema=table.schema)


def event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "opportunity_id": f"o{number:03}",
        "company_id": number,
        "kind": "engineering_bid_won",
        "polarity": "marketing",
        "title": f"企业{number}：工程中标",
        "published_on": AS_OF,
        "region_code": "310115",
        "grade": "high",
        "value": 0.8,
        "status": "active",
        "detector": "feed",
        "evidence": "依据",
    } | more


EVENTS = (
    event(1),
    event(2, kind="equity_financing", grade="low", value=0.1, region_code="320500", counterparty="红杉"),
    event(3, polarity="veto", kind="dishonest_debtor", grade=None, value=0.0, severity="高"),
    event(
        4,
        detector="in_bank",
        kind="bank_loan_due",
        polarity="retention",
        title="企业4：本行贷款到期，500万元",
    ),
    event(5, status="expired"),
)
TABLES = FeedTables(
    rows(OPPORTUNITIES, *EVENTS),
    rows(COMPANY_NODES, {"company_id": 1, "node_code": "ic.design", "chain_code": "ic"}),
    rows(COMPANY_TAGS, {"company_id": 2, "tag": "high_tech"}),
    rows(
        CUSTOMERS,
        {"company_id": 4, "institution_code": "S1", "manager_no": "M1"},
        {"company_id": 1, "institution_code": "S2", "manager_no": "M2"},
    ),
)


def found(viewer: Viewer, **wanted: Any) -> list[int]:
    return match_subscriptions(viewer, Wish("测试", **wanted), TABLES)["company_id"].to_pylist()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [3, 1, 4, 2]),
        ({"kinds": ("equity_financing",)}, [2]),
        ({"chains": ("ic",)}, [1]),
        ({"chains": ("ic.design",)}, [1]),
        ({"tags": ("high_tech",)}, [2]),
        ({"regions": ("31",)}, [3, 1, 4]),
        ({"regions": ("320500",)}, [2]),
        ({"companies": (1, 2)}, [1, 2]),
        ({"keywords": ("红杉", "没有的词")}, [2]),
        ({"minimum_grade": Grade.MEDIUM}, [3, 1, 4]),
        ({"chains": ("ic",), "tags": ("high_tech",)}, []),
    ],
)
def test_an_analyst_gets_what_is_asked_for(wanted: dict[str, Any], expected: list[int]) -> None:
    assert found(ANALYST, **wanted) == expected


def test_the_banks_own_books_are_for_the_customers_manager() -> None:
    assert 4 in found(MANAGER)
    assert 4 not in found(Viewer(9, "other", "他人", frozenset({Role.MANAGER}), staff_no="M2"))
    assert found(MANAGER, own_customers=True) == [4]
    assert found(ADMINISTRATOR) == []


def digest_of(budget: int, sent: frozenset[str] = frozenset(), used: int = 0) -> Any:
    subscription = Subscription(1, 1, True, Wish("我的", daily_budget=budget))
    matched = match_subscriptions(ANALYST, subscription.wish, TABLES)
    return build_digest(subscription, matched, sent, used, AS_OF)


@given(st.integers(1, 6), st.sets(st.sampled_from(["o001", "o002", "o003", "o004"])), st.integers(0, 6))
def test_a_digest_keeps_to_its_budget_and_repeats_nothing(budget: int, sent: set[str], used: int) -> None:
    digest = digest_of(budget, frozenset(sent), used)
    numbers = [item.opportunity_id for item in digest.items]
    assert len(numbers) == min(max(0, budget - used), 4 - len(sent))
    assert len(set(numbers)) == len(numbers)
    assert not set(numbers) & sent
    assert digest.held_back == 4 - len(sent) - len(numbers)


def test_what_leaves_the_bank_tells_nothing_of_its_books() -> None:
    body = digest_of(10).body
    assert "500万元" not in body
    assert "企业4" not in body
    assert "请登录系统查看" in body
    assert "企业1：工程中标" in body
    assert "不作授信审批依据" in body


@pytest.fixture
def user(sql: sa.Engine) -> tuple[sa.Engine, Viewer]:
    with writing(sql) as connection:
        create_user(connection, "ana", "分析师", role=Role.ANALYST, now=NOW)
        viewer = viewer_by_login(connection, "ana", NOW)
    return sql, viewer


def send(connection: Connection, tables: FeedTables = TABLES, days: int = 0) -> dict[str, int]:
    later = dt.timedelta(days=days)
    return send_digests(connection, tables, as_of=AS_OF + later, now=NOW + later)


def test_nothing_is_sent_twice(user: tuple[sa.Engine, Viewer]) -> None:
    sql, viewer = user
    with writing(sql) as connection:
        subscribe(
            viewer, connection, Wish("全部", channel="wecom", daily_budget=3), channels=CHANNELS, now=NOW
        )
        subscribe(viewer, connection, Wish("页面"), channels=CHANNELS, now=NOW)
    with writing(sql) as connection:
        first = send(connection)
    with writing(sql) as connection:
        assert send(connection)["items"] == 0
        assert send(connection, days=1)["items"] == 0
    assert (first["digests"], first["items"], first["held_back"]) == (2, 4, 1)
    messages = outbox.claim(sql, "w", NOW + dt.timedelta(days=2))
    assert [message.topic for message in messages] == ["push.digest"]
    payload = messages[0].payload
    assert payload["channel"] == "wecom"
    assert payload["opportunities"] == ["o003", "o001", "o004"]
    with writing(sql) as connection:
        inbox = read_inbox(viewer, connection)
        assert sorted(item.opportunity_id for item in inbox) == ["o001", "o002", "o003", "o004"]
        assert mark_read(viewer, connection, ["o001", "o999"], NOW) == 1
        assert [item.read for item in read_inbox(viewer, connection) if item.opportunity_id == "o001"] == [
            True
        ]


def test_what_did_not_fit_comes_the_next_day(user: tuple[sa.Engine, Viewer]) -> None:
    sql, viewer = user
    with writing(sql) as connection:
        subscribe(viewer, connection, Wish("少量", daily_budget=3), channels=CHANNELS, now=NOW)
        assert send(connection)["items"] == 3
        assert send(connection)["items"] == 0
        assert send(connection, days=1)["items"] == 1


def test_a_stopped_send_is_repeated_whole(user: tuple[sa.Engine, Viewer]) -> None:
    sql, viewer = user
    with writing(sql) as connection:
        subscribe(viewer, connection, Wish("全部", channel="email"), channels=CHANNELS, now=NOW)
    with pytest.raises(RuntimeError), writing(sql) as connection:
        send(connection)
        raise RuntimeError("stopped")
    with writing(sql) as connection:
        assert send(connection)["items"] == 4
    assert len(outbox.claim(sql, "w", NOW + dt.timedelta(days=1))) == 1


def test_an_inactive_user_gets_nothing(user: tuple[sa.Engine, Viewer]) -> None:
    sql, viewer = user
    with writing(sql) as connection:
        subscribe(viewer, connection, Wish("全部"), channels=CHANNELS, now=NOW)
        create_user(connection, "root", "管理员", role=Role.ADMINISTRATOR, now=NOW)
        set_active(viewer_by_login(connection, "root", NOW), connection, viewer.login, active=False, now=NOW)
        counts = send(connection)
    assert (counts["inactive_users"], counts["items"]) == (1, 0)


def test_subscriptions_belong_to_their_user(user: tuple[sa.Engine, Viewer]) -> None:
    sql, viewer = user
    with writing(sql) as connection:
        create_user(connection, "bob", "他人", role=Role.ANALYST, now=NOW)
        other = viewer_by_login(connection, "bob", NOW)
        mine = subscribe(viewer, connection, Wish("我的", kinds=("gov_bid_won",)), channels=CHANNELS, now=NOW)
        assert list_subscriptions(other, connection) == []
        with pytest.raises(NotFound):
            unsubscribe(other, connection, mine.subscription_id, NOW)
        changed = change_subscription(
            viewer, connection, mine.subscription_id, Wish("改名"), channels=CHANNELS, now=NOW
        )
        assert (changed.wish.name, changed.wish.kinds) == ("改名", ())
        pause_subscription(viewer, connection, mine.subscription_id, NOW)
        assert send(connection)["subscriptions"] == 0
        resume_subscription(viewer, connection, mine.subscription_id, NOW)
        assert send(connection)["subscriptions"] == 1
        unsubscribe(viewer, connection, mine.subscription_id, NOW)
        assert list_subscriptions(viewer, connection) == []
        administrator = create_user(connection, "adm", "管理员", role=Role.ADMINISTRATOR, now=NOW)
        assert administrator.login == "adm"
        with pytest.raises(NotAllowed):
            subscribe(
                viewer_by_login(connection, "adm", NOW), connection, Wish("x"), channels=CHANNELS, now=NOW
            )
        assert viewer.user_id is not None
        assert viewer_of(connection, viewer.user_id, NOW).login == "ana"


@pytest.mark.parametrize(
    "wish",
    [
        Wish(""),
        Wish("x", daily_budget=0),
        Wish("x", daily_budget=10_000),
        Wish("x", regions=("abc",)),
        Wish("x", channel="carrier_pigeon"),
        Wish("x", address="a" * 301),
    ],
)
def test_a_wrong_wish_is_refused(user: tuple[sa.Engine, Viewer], wish: Wish) -> None:
    sql, viewer = user
    with writing(sql) as connection, pytest.raises(InputRejected):
        subscribe(viewer, connection, wish, channels=CHANNELS, now=NOW)
