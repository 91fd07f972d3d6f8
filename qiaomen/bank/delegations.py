"""Deputies: one person stands in for another between two dates. Table ``delegations``.

What a deputy may see and do follows from ``viewers.stand_ins_of``: the principal's rows and tasks on those days and only
then. Histories and the audit log name both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.access import Action, may, require, scope_of
from qiaomen.bank.schema import DELEGATIONS, POSTS, STAFF
from qiaomen.bank.trail import audit
from qiaomen.bank.viewers import DELEGABLE, Viewer, held_posts, today_of
from qiaomen.vocab import Conflict, InputRejected, NotFound

LONGEST: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Delegation:
    """Who stands in for whom, from when to when (both days included), why, and who ordered it."""

    delegation_id: int
    principal_no: str
    principal: str
    deputy_no: str
    deputy: str
    since: date
    until: date
    reason: str
    made_by: str
    made_at: datetime
    ended_by: str | None
    ended_at: datetime | None
    in_force: bool


def delegate(
    viewer: Viewer,
    connection: Connection,
    principal_no: str,
    deputy_no: str,
    *,
    since: date,
    until: date,
    reason: str,
    now: datetime,
) -> int:
    """Let a colleague stand in for somebody and return the number of the delegation.

    Staff may do so for themselves to a colleague of the same institution, administrators of a unit for those below,
    the system's administrator for all. ``Conflict`` where the deputy stands in for this principal already.
    """
    require(_himself(viewer), Action.DELEGATE)
    _require_dates(since, until, reason, today_of(now))
    if principal_no == deputy_no:
        raise InputRejected("本人不能代理本人", remedy="选择一位同事")
    # The check below and the insert are one: whoever else names a deputy for this person waits.
    connection.execute(sa.select(STAFF.c.staff_no).where(STAFF.c.staff_no == principal_no).with_for_update())
    _require_right(_himself(viewer), connection, principal_no, deputy_no, since)
    table = DELEGATIONS.c
    taken = sa.select(table.delegation_id).where(
        table.principal_no == principal_no,
        table.deputy_no == deputy_no,
        table.ended_at.is_(None),
        table.since <= until,
        table.until >= since,
    )
    if connection.execute(taken).first() is not None:
        raise Conflict("这段时间内已有同样的代理", remedy="先结束原代理，或改日期")
    made = connection.execute(
        sa.insert(DELEGATIONS)
        .values(
            principal_no=principal_no,
            deputy_no=deputy_no,
            since=since,
            until=until,
            reason=reason.strip(),
            made_by=viewer.login,
            made_at=now,
        )
        .returning(table.delegation_id)
    ).scalar_one()
    detail = {"delegation": int(made), "deputy": deputy_no, "since": since, "until": until}
    audit(connection, viewer, "delegate", f"staff:{principal_no}", detail, now=now)
    return int(made)


def _himself(viewer: Viewer) -> Viewer:
    """Return the viewer with his own posts alone: a deputy prolongs no deputyship and passes none on."""
    return replace(viewer, stand_ins=(), acting=None)


def _require_dates(since: date, until: date, reason: str, today: date) -> None:
    if not reason.strip():
        raise InputRejected("代理需要写明原因", remedy="例如：休假、出差、培训")
    if until < since or until < today:
        raise InputRejected("代理止期早于起期或今天", remedy="改正日期")
    if until - since > LONGEST:
        raise InputRejected("代理不超过一年", remedy="长期变动请改岗位或办理交接")


def _require_right(
    viewer: Viewer, connection: Connection, principal_no: str, deputy_no: str, since: date
) -> None:
    """Check both persons; a principal whom the viewer does not govern does not exist for him."""
    day = since
    theirs = [post for post in held_posts(connection, principal_no, day) if post[0] in DELEGABLE]
    colleague = held_posts(connection, deputy_no, day)
    places = {code for _, code in theirs}
    known = connection.execute(sa.select(STAFF.c.staff_no).where(STAFF.c.staff_no == principal_no)).first()
    reachable = may_delegate(viewer, principal_no, places)
    if known is None or not reachable:
        raise NotFound(f"没有工号“{principal_no}”", remedy="检查工号，或由其所属机构的管理员办理")
    if not theirs:
        raise InputRejected(
            f"“{principal_no}”在起始日没有可代理的岗位", remedy="总行岗位与系统管理员不设代理，请另设岗位"
        )
    if may(viewer, Action.MANAGE_STAFF):
        fits = bool(colleague)
    elif viewer.staff_no == principal_no:
        fits = any(code in places | scope_of(viewer).institutions for _, code in colleague)
    else:
        fits = any(code in scope_of(viewer, Action.TRANSFER_TASKS).institutions for _, code in colleague)
    if not fits and not scope_of(viewer, Action.TRANSFER_TASKS).whole_bank:
        raise InputRejected(f"“{deputy_no}”不能代理", remedy="选择同一机构或您管辖内在岗的同事")
    if not colleague:
        raise InputRejected(f"“{deputy_no}”在起始日没有岗位", remedy="选择在岗的同事")


def may_delegate(viewer: Viewer, principal_no: str, places: set[str]) -> bool:
    """Whether the viewer may order or end a delegation for somebody with posts at ``places``, by his own posts."""
    viewer = _himself(viewer)
    if not may(viewer, Action.DELEGATE):
        return False
    if may(viewer, Action.MANAGE_STAFF) or viewer.staff_no == principal_no:
        return True
    scope = scope_of(viewer, Action.TRANSFER_TASKS)
    return scope.whole_bank or (bool(places) and places <= scope.institutions)


def end_delegation(viewer: Viewer, connection: Connection, delegation_id: int, *, now: datetime) -> None:
    """End a delegation at once; its principal, its deputy or who could have ordered it may do so.

    As in ``list_delegations`` the principal's posts on the first day count: who sees it can end it, also of a leaver.
    """
    row = connection.execute(
        sa.select(DELEGATIONS).where(DELEGATIONS.c.delegation_id == delegation_id)
    ).first()
    places = (
        {code for _, code in held_posts(connection, row.principal_no, row.since)}
        if row is not None
        else set()
    )
    own = row is not None and viewer.staff_no is not None and viewer.staff_no == row.deputy_no
    if row is None or not (own or may_delegate(viewer, row.principal_no, places)):
        raise NotFound(f"没有编号为 {delegation_id} 的代理", remedy="用 qiaomen staff show 工号 查看")
    changed = connection.execute(
        sa.update(DELEGATIONS)
        .where(DELEGATIONS.c.delegation_id == delegation_id, DELEGATIONS.c.ended_at.is_(None))
        .values(ended_at=now, ended_by=viewer.login)
    )
    if changed.rowcount != 1:
        raise Conflict("该代理已经结束", remedy="无需再办理")
    audit(
        connection,
        viewer,
        "end_delegation",
        f"staff:{row.principal_no}",
        {"delegation": delegation_id},
        now=now,
    )


def list_delegations(
    viewer: Viewer,
    connection: Connection,
    day: date,
    *,
    staff_no: str | None = None,
    current: bool = False,
) -> list[Delegation]:
    """Return delegations, newest first: the viewer's own, and all of those whom he governs.

    ``current`` leaves out those that have ended or are past; the coming ones stay.
    """
    where: list[sa.ColumnElement[bool]] = []
    if staff_no is not None:
        where.append(sa.or_(DELEGATIONS.c.principal_no == staff_no, DELEGATIONS.c.deputy_no == staff_no))
    if current:
        where += [DELEGATIONS.c.ended_at.is_(None), DELEGATIONS.c.until >= day]
    principal, deputy = STAFF.alias("principal"), STAFF.alias("deputy")
    query = (
        sa.select(DELEGATIONS, principal.c.name.label("principal"), deputy.c.name.label("deputy"))
        .join(principal, principal.c.staff_no == DELEGATIONS.c.principal_no)
        .join(deputy, deputy.c.staff_no == DELEGATIONS.c.deputy_no)
        .where(*where)
        .order_by(DELEGATIONS.c.delegation_id.desc())
    )
    places = _places(connection, where)
    found = []
    for row in connection.execute(query).mappings():
        own = viewer.staff_no is not None and viewer.staff_no == row["deputy_no"]
        if own or may_delegate(viewer, row["principal_no"], places.get(row["delegation_id"], set())):
            in_force = row["ended_at"] is None and row["since"] <= day <= row["until"]
            found.append(Delegation(**row, in_force=in_force))
    return found


def _places(connection: Connection, where: Sequence[sa.ColumnElement[bool]]) -> dict[int, set[str]]:
    """Return by delegation where its principal had posts on its first day."""
    held = sa.and_(
        POSTS.c.staff_no == DELEGATIONS.c.principal_no,
        sa.or_(POSTS.c.since.is_(None), POSTS.c.since <= DELEGATIONS.c.since),
        sa.or_(POSTS.c.until.is_(None), POSTS.c.until >= DELEGATIONS.c.since),
    )
    query = sa.select(DELEGATIONS.c.delegation_id, POSTS.c.institution_code).join(POSTS, held).where(*where)
    places: dict[int, set[str]] = {}
    for number, code in connection.execute(query):
        places.setdefault(int(number), set()).add(code)
    return places
