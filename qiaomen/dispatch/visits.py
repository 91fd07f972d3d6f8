"""Visits: contacts recorded on a task, and whether a firm may be contacted now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import ZONE, Viewer, audit, scope_of, today_of
from qiaomen.dispatch.facts import CONTACTS, OPEN_TASKS
from qiaomen.dispatch.flow import TaskEvent
from qiaomen.dispatch.schema import TASKS, VISIT_RECORDS
from qiaomen.dispatch.tasks import get_task
from qiaomen.dispatch.work import may_do
from qiaomen.store import insert_missing
from qiaomen.vocab import Conflict, InputRejected, NotAllowed, TaskState

CHANNELS: Final = ("拜访", "电话", "微信", "邮件", "来行", "其他")
AT_MOST: Final = 2
WITHIN: Final = timedelta(days=30)
FIRST_HOUR: Final = 9
LAST_HOUR: Final = 18
LONGEST_NOTE: Final = 2_000


@dataclass(frozen=True, slots=True)
class ContactCheck:
    """Whether a firm may be contacted now; the reason in words where not."""

    allowed: bool
    reason: str


def may_contact(connection: Connection, company_id: int, now: datetime) -> ContactCheck:
    """Say whether the bank-wide limits allow an active contact: hours, number in 30 days, refusal.

    Counts contacts of all branches, and tells nothing else of them.
    """
    hour = now.astimezone(ZONE).hour
    if not FIRST_HOUR <= hour < LAST_HOUR:
        return ContactCheck(False, f"只在{FIRST_HOUR}:00至{LAST_HOUR}:00之间主动联系")
    recent = sa.and_(VISIT_RECORDS.c.company_id == company_id, VISIT_RECORDS.c.visited_at > now - WITHIN)
    number = connection.execute(sa.select(sa.func.count()).where(recent)).scalar_one()
    refused = connection.execute(
        sa.select(sa.func.count()).where(
            VISIT_RECORDS.c.company_id == company_id,
            VISIT_RECORDS.c.refused,
            VISIT_RECORDS.c.visited_at > now - timedelta(days=365),
        )
    ).scalar_one()
    if refused:
        return ContactCheck(False, "该企业已表示不愿再被联系")
    if number >= AT_MOST:
        return ContactCheck(False, f"全行在{WITHIN.days}天内已联系{number}次，达到上限")
    return ContactCheck(True, "")


def record_visit(
    viewer: Viewer,
    connection: Connection,
    task_id: int,
    *,
    visited_at: datetime,
    channel: str,
    note: str,
    now: datetime,
    refused: bool = False,
    next_at: datetime | None = None,
    request_key: str | None = None,
) -> None:
    """Record a contact that took place; a repeated ``request_key`` adds nothing."""
    task = get_task(viewer, connection, task_id)
    if not may_do(viewer, task, TaskEvent.INTEND):
        raise NotAllowed("只有经办客户经理或管理员可以登记联系", remedy="先认领任务")
    if task.state in {TaskState.UNCLAIMED, TaskState.CLOSED}:
        raise Conflict("未认领或已结束的任务不能登记联系", remedy="先认领任务")
    if channel not in CHANNELS:
        raise InputRejected(f"联系方式“{channel}”无法识别", remedy=f"填{'、'.join(CHANNELS)}之一")
    if not note.strip() or len(note) > LONGEST_NOTE:
        raise InputRejected(f"联系记录不能为空，且不超过{LONGEST_NOTE}字", remedy="补充或精简内容")
    if visited_at > now or (next_at is not None and next_at <= visited_at):
        raise InputRejected("联系时间不能晚于现在，下次联系应在其后", remedy="改正时间")
    row = {
        "task_id": task_id,
        "company_id": task.company_id,
        "staff_no": viewer.staff_no,
        "visited_at": visited_at,
        "channel": channel,
        "note": note.strip(),
        "refused": refused,
        "next_at": next_at,
        "request_key": request_key,
        "created_at": now,
    }
    if insert_missing(connection, VISIT_RECORDS, [row], unique=("request_key",)):
        detail = {"channel": channel, "refused": refused}
        audit(connection, viewer, "task.visit", f"task:{task_id}", detail, now=now)


def open_tasks(viewer: Viewer, connection: Connection) -> pa.Table:
    """Return every task as OPEN_TASKS; for runs, whose viewer sees the whole bank."""
    _require_whole_bank(viewer)
    names = [name for name in OPEN_TASKS.names if name != "closed_on"]
    rows = connection.execute(sa.select(*(TASKS.c[name] for name in names), TASKS.c.closed_at))
    data = [
        {name: row[name] for name in names}
        | {"closed_on": today_of(row["closed_at"]) if row["closed_at"] else None}
        for row in rows.mappings()
    ]
    return pa.Table.from_pylist(data, schema=OPEN_TASKS.schema)


def contacts(viewer: Viewer, connection: Connection) -> pa.Table:
    """Return every recorded contact as CONTACTS; for runs, whose viewer sees the whole bank."""
    _require_whole_bank(viewer)
    columns = (VISIT_RECORDS.c.company_id, VISIT_RECORDS.c.visited_at, VISIT_RECORDS.c.refused)
    rows = connection.execute(sa.select(*columns).order_by(VISIT_RECORDS.c.visit_id))
    data = [
        {
            "company_id": row.company_id,
            "contacted_on": today_of(row.visited_at),
            "refused": row.refused,
        }
        for row in rows
    ]
    return pa.Table.from_pylist(data, schema=CONTACTS.schema)


def _require_whole_bank(viewer: Viewer) -> None:
    if not scope_of(viewer).whole_bank:
        raise NotAllowed("只有全行范围的用户可以读取全部任务", remedy="由总行分析师办理")
