"""The funnel: from leads to landed firms, by unit, origin, kind, tier, product; treated against control.

Firms (户) and items (条) are counted apart and never mixed. 落地率 = 曾落地户数 ÷ 已认领户数.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from math import sqrt
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import Action, Viewer, require, scope_of, today_of
from qiaomen.dispatch.schema import CONTROLS, TASKS
from qiaomen.dispatch.tasks import visible
from qiaomen.vocab import InputRejected, TaskState

GROUPS: Final = ("branch_code", "sub_branch_code", "manager_no", "origin", "kind", "tier", "product")
_Z95: Final = 1.96


@dataclass(frozen=True, slots=True)
class FunnelRow:
    """One group: items (条), then distinct firms (户) that ever reached each step."""

    group: str
    items: int
    firms: int
    claimed_firms: int
    intended_firms: int
    landed_firms: int
    open_items: int
    overdue_items: int
    landed_amount_fen: int

    @property
    def landed_rate(self) -> float | None:
        """曾落地户数 ÷ 已认领户数; None where none was claimed."""
        return self.landed_firms / self.claimed_firms if self.claimed_firms else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Treated firms against the control group; ``low`` and ``high`` bound the difference (95 %)."""

    treated_firms: int
    treated_responses: int
    control_firms: int
    control_responses: int
    difference: float | None
    low: float | None
    high: float | None


def _firms(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count(sa.distinct(sa.case((condition, TASKS.c.company_id))))


def _items(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count(sa.case((condition, TASKS.c.task_id)))


def funnel(
    viewer: Viewer,
    connection: Connection,
    *,
    by: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    now: datetime,
) -> list[FunnelRow]:
    """Return one row per group of the viewer's tasks created in a span (one row in all without ``by``)."""
    require(viewer, Action.SEE_DASHBOARD)
    if by is not None and by not in GROUPS:
        raise InputRejected(f"不能按“{by}”分组", remedy=f"可用：{'、'.join(GROUPS)}")
    group = sa.func.coalesce(TASKS.c[by], "") if by else sa.literal("")
    steps = (TASKS.c.claimed_at, TASKS.c.intended_at, TASKS.c.landed_at)
    is_open = TASKS.c.state != TaskState.CLOSED.value
    query = sa.select(
        group.label("group"),
        sa.func.count().label("items"),
        sa.func.count(sa.distinct(TASKS.c.company_id)).label("firms"),
        *(_firms(step.is_not(None)).label(step.name) for step in steps),
        _items(is_open).label("open_items"),
        _items(sa.and_(is_open, TASKS.c.due_at < now)).label("overdue_items"),
        sa.func.coalesce(sa.func.sum(TASKS.c.landed_amount_fen), 0).label("amount"),
    ).where(visible(viewer), *_span(TASKS.c.created_at, since, until))
    if by:
        query = query.group_by(group).order_by(group)
    return [
        FunnelRow(
            row.group,
            row.items,
            row.firms,
            row.claimed_at,
            row.intended_at,
            row.landed_at,
            row.open_items,
            row.overdue_items,
            int(row.amount),
        )
        for row in connection.execute(query)
    ]


def _span(
    column: sa.ColumnElement[Any], since: datetime | None, until: datetime | None
) -> list[sa.ColumnElement[bool]]:
    parts: list[sa.ColumnElement[bool]] = []
    if since is not None:
        parts.append(column >= since)
    if until is not None:
        parts.append(column < until)
    return parts


def compare_controls(
    viewer: Viewer,
    connection: Connection,
    responses: pa.Table,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Comparison:
    """Return how many more treated firms than control firms responded.

    ``responses`` has ``company_id`` and ``responded_on`` (outcomes that responded); a response counts for a firm
    where it came on or after the day of its task or of its keeping back. Expiries and retention, which have no
    control, are left out on both sides. Firms of both groups are compared as they were sent, claimed or not.
    """
    require(viewer, Action.SEE_DASHBOARD)
    scope = scope_of(viewer)
    where = scope.clause([CONTROLS.c.sub_branch_code, CONTROLS.c.branch_code], sa.literal(None))
    kept = connection.execute(
        sa.select(CONTROLS.c.company_id, CONTROLS.c.since).where(
            where, *_span(CONTROLS.c.since, since, until)
        )
    ).all()
    comparable = TASKS.c.origin.in_(["opportunity", "long_list"])
    sent = connection.execute(
        sa.select(TASKS.c.company_id, sa.func.min(TASKS.c.created_at))
        .where(visible(viewer), comparable, *_span(TASKS.c.created_at, since, until))
        .group_by(TASKS.c.company_id)
    ).all()
    control = {company: today_of(at) for company, at in kept}
    treated = {company: today_of(at) for company, at in sent if company not in control}
    days: dict[int, list[date]] = {}
    for row in responses.select(["company_id", "responded_on"]).to_pylist():
        if row["company_id"] is not None and row["responded_on"] is not None:
            days.setdefault(row["company_id"], []).append(row["responded_on"])
    return _compared(treated, control, days)


def _compared(treated: dict[int, date], control: dict[int, date], days: dict[int, list[date]]) -> Comparison:
    def responded(firms: dict[int, date]) -> int:
        return sum(any(day >= since for day in days.get(firm, ())) for firm, since in firms.items())

    won, kept = responded(treated), responded(control)
    if not treated or not control:
        return Comparison(len(treated), won, len(control), kept, None, None, None)
    p, q = won / len(treated), kept / len(control)
    error = _Z95 * sqrt(p * (1 - p) / len(treated) + q * (1 - q) / len(control))
    return Comparison(len(treated), won, len(control), kept, p - q, p - q - error, p - q + error)
