"""What a user wants to hear of: made, listed, changed and ended by the user alone. Table ``subscriptions``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import Action, Viewer, audit, require
from qiaomen.feed.schema import SUBSCRIPTIONS
from qiaomen.vocab import Grade, InputRejected, NotFound

PAGE_CHANNEL: Final = "page"
LARGEST_BUDGET: Final = 200
MOST_PER_USER: Final = 50
_LISTS: Final = ("kinds", "chains", "regions", "tags", "companies", "keywords")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a subscription asks for; an empty field filters nothing.

    ``chains`` are codes of chains or nodes, ``regions`` division codes with all below. A keyword must occur in the
    title, evidence or counterparty (one of them suffices). ``own_customers`` keeps to the customers in the user's
    scope. ``daily_budget`` is the most items a day; ``channel`` is ``page`` or a code of ``push_channels``.
    """

    name: str
    kinds: tuple[str, ...] = ()
    chains: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    companies: tuple[int, ...] = ()
    keywords: tuple[str, ...] = ()
    minimum_grade: Grade | None = None
    own_customers: bool = False
    channel: str = PAGE_CHANNEL
    address: str = ""
    daily_budget: int = 20


@dataclass(frozen=True, slots=True)
class Subscription:
    """A wish as stored, with its owner."""

    subscription_id: int
    user_id: int
    active: bool
    wish: Wish


def _checked(wish: Wish, channels: Sequence[str]) -> dict[str, Any]:
    """Return the values to store; ``InputRejected`` says what is wrong."""
    if not wish.name.strip() or len(wish.name) > 100:
        raise InputRejected("订阅名称须为 1 至 100 个字", remedy="填写一个名称")
    if not 1 <= wish.daily_budget <= LARGEST_BUDGET:
        raise InputRejected(f"每日条数须在 1 至 {LARGEST_BUDGET} 之间", remedy="调整每日条数")
    if any(len(code) not in (2, 4, 6) or not code.isdigit() for code in wish.regions):
        raise InputRejected("行政区划代码须为 2、4 或 6 位数字", remedy="例如 31、3101、310115")
    if wish.channel != PAGE_CHANNEL and wish.channel not in channels:
        allowed = "、".join([PAGE_CHANNEL, *channels])
        raise InputRejected(f"没有推送渠道“{wish.channel}”", remedy=f"可用：{allowed}")
    if len(wish.address) > 300:
        raise InputRejected("推送地址过长", remedy="不超过 300 个字符")
    values = asdict(wish)
    return values | {name: sorted(set(values[name])) for name in _LISTS} | {"name": wish.name.strip()}


def _owner(viewer: Viewer) -> int:
    require(viewer, Action.SUBSCRIBE)
    if viewer.user_id is None:
        raise InputRejected("接口令牌不能订阅", remedy="由用户本人登录后订阅")
    return viewer.user_id


def _subscription(row: sa.RowMapping) -> Subscription:
    lists: dict[str, Any] = {name: tuple(row[name]) for name in _LISTS}
    wish = Wish(
        name=row["name"],
        minimum_grade=Grade(row["minimum_grade"]) if row["minimum_grade"] else None,
        own_customers=row["own_customers"],
        channel=row["channel"],
        address=row["address"],
        daily_budget=row["daily_budget"],
        **lists,
    )
    return Subscription(row["subscription_id"], row["user_id"], row["active"], wish)


def subscribe(
    viewer: Viewer, connection: Connection, wish: Wish, *, channels: Sequence[str], now: datetime
) -> Subscription:
    """Make a subscription of the viewer's own; ``channels`` are the codes in force."""
    user_id = _owner(viewer)
    held = connection.execute(
        sa.select(sa.func.count()).select_from(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.user_id == user_id)
    ).scalar_one()
    if held >= MOST_PER_USER:
        raise InputRejected(f"每人最多 {MOST_PER_USER} 个订阅", remedy="合并或删除已有订阅")
    values = _checked(wish, channels) | {"user_id": user_id, "active": True}
    number = connection.execute(
        sa.insert(SUBSCRIPTIONS)
        .values(**values, created_at=now, updated_at=now)
        .returning(SUBSCRIPTIONS.c.subscription_id)
    ).scalar_one()
    audit(connection, viewer, "change.subscribe", f"subscription:{number}", now=now)
    return _own(connection, user_id, number)


def change_subscription(
    viewer: Viewer,
    connection: Connection,
    subscription_id: int,
    wish: Wish,
    *,
    channels: Sequence[str],
    now: datetime,
) -> Subscription:
    """Replace what an own subscription asks for; ``NotFound`` for another's."""
    user_id = _owner(viewer)
    _own(connection, user_id, subscription_id)
    connection.execute(
        sa.update(SUBSCRIPTIONS)
        .where(SUBSCRIPTIONS.c.subscription_id == subscription_id)
        .values(**_checked(wish, channels), updated_at=now)
    )
    audit(connection, viewer, "change.subscription", f"subscription:{subscription_id}", now=now)
    return _own(connection, user_id, subscription_id)


def pause_subscription(viewer: Viewer, connection: Connection, subscription_id: int, now: datetime) -> None:
    """Stop an own subscription for the time being."""
    _set_active(viewer, connection, subscription_id, now, False)


def resume_subscription(viewer: Viewer, connection: Connection, subscription_id: int, now: datetime) -> None:
    """Start an own subscription again."""
    _set_active(viewer, connection, subscription_id, now, True)


def _set_active(
    viewer: Viewer, connection: Connection, subscription_id: int, now: datetime, value: bool
) -> None:
    _own(connection, _owner(viewer), subscription_id)
    connection.execute(
        sa.update(SUBSCRIPTIONS)
        .where(SUBSCRIPTIONS.c.subscription_id == subscription_id)
        .values(active=value, updated_at=now)
    )
    detail = {"active": value}
    audit(connection, viewer, "change.subscription", f"subscription:{subscription_id}", detail, now=now)


def unsubscribe(viewer: Viewer, connection: Connection, subscription_id: int, now: datetime) -> None:
    """Delete an own subscription; what was sent stays noted, so that it is not sent again."""
    _own(connection, _owner(viewer), subscription_id)
    connection.execute(sa.delete(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.subscription_id == subscription_id))
    audit(connection, viewer, "change.unsubscribe", f"subscription:{subscription_id}", now=now)


def list_subscriptions(viewer: Viewer, connection: Connection) -> list[Subscription]:
    """Return the viewer's own subscriptions, oldest first."""
    query = sa.select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.user_id == _owner(viewer))
    rows = connection.execute(query.order_by(SUBSCRIPTIONS.c.subscription_id)).mappings()
    return [_subscription(row) for row in rows]


def active_subscriptions(connection: Connection) -> list[Subscription]:
    """Return all active subscriptions by user, for the digest step; no viewer sees them."""
    query = sa.select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.active)
    order = query.order_by(SUBSCRIPTIONS.c.user_id, SUBSCRIPTIONS.c.subscription_id)
    return [_subscription(row) for row in connection.execute(order).mappings()]


def _own(connection: Connection, user_id: int, subscription_id: int) -> Subscription:
    row = (
        connection.execute(
            sa.select(SUBSCRIPTIONS).where(
                SUBSCRIPTIONS.c.subscription_id == subscription_id, SUBSCRIPTIONS.c.user_id == user_id
            )
        )
        .mappings()
        .first()
    )
    if row is None:
        raise NotFound("没有这个订阅", remedy="刷新订阅列表")
    return _subscription(row)
