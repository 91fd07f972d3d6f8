"""Asks (转介请求): a colleague asks a customer's manager for an introduction; the answer and the consent are recorded.

SQL table ``referral_asks``. A customer is asked for at most ``AT_MOST`` introductions within ``WINDOW``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import Action, Viewer, audit, require, scope_of, today_of
from qiaomen.store import METADATA, BigKey, Moment
from qiaomen.vocab import Conflict, InputRejected, NotFound

AT_MOST: Final = 3
WINDOW: Final = timedelta(days=90)
STATES: Final = ("waiting", "agreed", "declined")

REFERRAL_ASKS: Final = sa.Table(
    "referral_asks",
    METADATA,
    sa.Column("ask_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("prospect_id", BigKey, nullable=False, index=True),
    sa.Column("customer_id", BigKey, nullable=False, index=True),
    # Whose customer it was when the ask was made: the answer is theirs.
    sa.Column("institution_code", sa.String(64)),
    sa.Column("manager_no", sa.String(64), index=True),
    sa.Column("asked_by", BigKey, nullable=False),
    sa.Column("asked_by_name", sa.String(100), nullable=False),
    sa.Column("wording", sa.Text, nullable=False),
    sa.Column("asked_at", Moment, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("answered_at", Moment),
    sa.Column("answer", sa.Text, nullable=False),
    # The customer's own consent to introduce, as the manager confirms it.
    sa.Column("consent", sa.Boolean, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for an introduction."""

    ask_id: int
    prospect_id: int
    customer_id: int
    asked_by_name: str
    wording: str
    asked_at: datetime
    state: str
    answer: str
    consent: bool


def ask_referral(
    viewer: Viewer,
    connection: Connection,
    prospect_id: int,
    customer_id: int,
    *,
    institution_code: str | None,
    manager_no: str | None,
    wording: str,
    now: datetime,
) -> int:
    """Ask for an introduction and return the ask's number; ``Conflict`` where it waits already or the customer is tired."""
    require(viewer, Action.WORK_TASKS)
    if viewer.user_id is None:
        raise InputRejected("令牌不能发起转介请求", remedy="由员工在页面上发起")
    table = REFERRAL_ASKS.c
    waiting = sa.select(table.ask_id).where(
        table.prospect_id == prospect_id,
        table.customer_id == customer_id,
        table.asked_by == viewer.user_id,
        table.state == "waiting",
    )
    if connection.execute(waiting).first() is not None:
        raise Conflict("您已发出过这条转介请求，正等待回应", remedy="等客户经理回应，或换一位引荐人")
    recent = sa.select(sa.func.count()).where(table.customer_id == customer_id, table.asked_at > now - WINDOW)
    if connection.execute(recent).scalar_one() >= AT_MOST:
        raise Conflict(
            f"这位客户 {WINDOW.days} 天内已被请求引荐 {AT_MOST} 次", remedy="换一位引荐人，避免过度打扰"
        )
    row = connection.execute(
        sa.insert(REFERRAL_ASKS)
        .values(
            prospect_id=prospect_id,
            customer_id=customer_id,
            institution_code=institution_code,
            manager_no=manager_no,
            asked_by=viewer.user_id,
            asked_by_name=viewer.name,
            wording=wording,
            asked_at=now,
            state="waiting",
            answer="",
            consent=False,
        )
        .returning(table.ask_id)
    ).scalar_one()
    audit(connection, viewer, "ask_referral", f"company:{prospect_id}", {"ask": int(row)}, now=now)
    return int(row)


def waiting_asks(viewer: Viewer, connection: Connection, *, limit: int = 50) -> list[Ask]:
    """Return the asks that wait for the viewer's answer, oldest first."""
    table = REFERRAL_ASKS.c
    scope = scope_of(viewer).clause([table.institution_code], table.manager_no)
    columns = [table[name] for name in Ask.__dataclass_fields__]
    rows = connection.execute(
        sa.select(*columns).where(table.state == "waiting", scope).order_by(table.asked_at).limit(limit)
    )
    return [Ask(**row) for row in rows.mappings()]


def answer_ask(
    viewer: Viewer,
    connection: Connection,
    ask_id: int,
    *,
    agreed: bool,
    consent: bool,
    answer: str,
    now: datetime,
) -> None:
    """Answer an ask; agreeing needs the customer's consent. ``NotFound`` outside the viewer's scope."""
    table = REFERRAL_ASKS.c
    scope = scope_of(viewer).clause([table.institution_code], table.manager_no)
    row = connection.execute(sa.select(table.state).where(table.ask_id == ask_id, scope)).first()
    if row is None:
        raise NotFound("没有这条转介请求", remedy="刷新页面")
    if agreed and not consent:
        raise InputRejected("同意引荐前须征得客户同意", remedy="勾选“客户已同意引荐”")
    changed = connection.execute(
        sa.update(REFERRAL_ASKS)
        .where(table.ask_id == ask_id, table.state == "waiting")
        .values(state="agreed" if agreed else "declined", answered_at=now, answer=answer, consent=consent)
    )
    if changed.rowcount != 1:
        raise Conflict("这条请求已有人回应", remedy="刷新页面")
    audit(connection, viewer, "answer_referral", str(ask_id), {"agreed": agreed, "consent": consent}, now=now)


def asks_made(connection: Connection) -> pa.Table:
    """Return ``company_id`` of the customer and ``asked_on`` of every ask, for the fatigue of introducers in a run."""
    rows = connection.execute(sa.select(REFERRAL_ASKS.c.customer_id, REFERRAL_ASKS.c.asked_at)).all()
    return pa.table(
        {
            "company_id": pa.array([row.customer_id for row in rows], pa.int64()),
            "asked_on": pa.array([today_of(row.asked_at) for row in rows], pa.date32()),
        }
    )


def waiting_asks_of(connection: Connection, manager_no: str) -> int:
    """Count the asks that wait for a manager's answer, for a preview of a hand-over."""
    table = REFERRAL_ASKS.c
    held = sa.and_(table.manager_no == manager_no, table.state == "waiting")
    return int(connection.execute(sa.select(sa.func.count()).where(held)).scalar_one())


def move_asks(
    connection: Connection, giver: str, receivers: Mapping[int, str], institutions: Mapping[str, str]
) -> int:
    """Let those who take over a manager's customers answer the asks that wait, and return how many.

    ``receivers`` gives the new manager by company, ``institutions`` the institution of each new manager.
    """
    table = REFERRAL_ASKS.c
    held = sa.and_(table.manager_no == giver, table.state == "waiting")
    rows = connection.execute(sa.select(table.ask_id, table.customer_id).where(held)).all()
    for row in rows:
        receiver = receivers.get(row.customer_id, min(institutions))
        connection.execute(
            sa.update(REFERRAL_ASKS)
            .where(table.ask_id == row.ask_id)
            .values(manager_no=receiver, institution_code=institutions[receiver])
        )
    return len(rows)
