"""Confirmation: staff dispatch leads that they have seen planned, in one transaction, with a record of each firm.

Writes tasks (through ``create``), dispatch_batches, dispatch_items and the audit log. A repeated request is the same
batch; ``Conflict`` where anything differs from what was shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import (
    Action,
    Viewer,
    audit,
    institution_names,
    require,
    scope_of,
    staff_names,
)
from qiaomen.dispatch.batch_schema import DISPATCH_BATCHES, DISPATCH_ITEMS
from qiaomen.dispatch.create import Placed, place_tasks
from qiaomen.dispatch.planning import Planned
from qiaomen.dispatch.schema import TASK_LEADS
from qiaomen.dispatch.task_rows import TaskWords, introducers, task_row
from qiaomen.vocab import Conflict, InputRejected, NotFound

LONGEST_NOTE: Final = 500
# Changes named in a conflict; the others are counted.
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What staff ask for: the mark of each lead as it was ``seen``, and those that they took out (``dropped``)."""

    request_key: str
    source: str
    seen: Mapping[str, str]
    note: str
    target: str = ""
    product: str | None = None
    dropped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Batch:
    """One confirmation."""

    batch_id: int
    source: str
    target: str
    product: str | None
    note: str
    generation: int
    actor: str
    at: datetime
    created: int
    joined: int
    refused: int


@dataclass(frozen=True, slots=True)
class BatchItem:
    """What became of one firm: created, joined or refused, by which rule and why."""

    company_id: int
    company_name: str
    task_id: int | None
    branch_code: str | None
    sub_branch_code: str | None
    manager_no: str | None
    outcome: str
    rule: str
    reason: str


def batch_of_request(viewer: Viewer, connection: Connection, request_key: str) -> int | None:
    """Return the batch that a request has made; none where it is new. ``Conflict`` where it was somebody else's."""
    row = connection.execute(
        sa.select(DISPATCH_BATCHES.c.batch_id, DISPATCH_BATCHES.c.actor).where(
            DISPATCH_BATCHES.c.request_key == request_key
        )
    ).first()
    if row is None:
        return None
    if row.actor != viewer.login:
        raise Conflict("这个请求已由他人提交", remedy="重新预览后确认")
    return int(row.batch_id)


def confirm_dispatch(
    viewer: Viewer,
    connection: Connection,
    planned: Sequence[Planned],
    request: BatchRequest,
    *,
    words: TaskWords,
    introductions: pa.Table,
    customers: pa.Table,
    generation: int,
    now: datetime,
) -> int:
    """Make the tasks of a plan and return the number of the batch; the caller has locked the tasks and planned anew.

    ``Conflict`` names what has changed since it was shown; ``InputRejected`` where nothing can be dispatched.
    """
    require(viewer, Action.DISPATCH)
    if len(request.note) > LONGEST_NOTE:
        raise InputRejected(f"说明不超过{LONGEST_NOTE}字", remedy="精简说明")
    _compare(connection, planned, request.seen, words.companies)
    planned = [_without_dropped(each, request.dropped) for each in planned]
    going = [each for each in planned if each.outcome != "refused"]
    if not going:
        raise InputRejected("所选企业都不能下发", remedy="查看每户的规则与理由，改选后再确认")
    who = introducers(introductions, customers)
    rows = [task_row(each.lead, _allocation(each), words, who, generation, now) for each in going]
    reason = f"{viewer.name}确认下发" + (f"：{request.note.strip()}" if request.note.strip() else "")
    made = place_tasks(connection, rows, generation=generation, now=now, actor=viewer.login, reason=reason)
    return _record(viewer, connection, planned, request, words.companies, made, generation, now)


def _without_dropped(planned: Planned, dropped: frozenset[str]) -> Planned:
    if planned.outcome == "refused" or planned.lead_id not in dropped:
        return planned
    return replace(planned, outcome="refused", rule="dropped", reason="下发人在确认时去除")


def _allocation(planned: Planned) -> dict[str, Any]:
    return {
        "rule": planned.rule,
        "reason": planned.reason,
        "branch_code": planned.branch_code,
        "sub_branch_code": planned.sub_branch_code,
        "manager_no": planned.manager_no,
    }


def _compare(
    connection: Connection,
    planned: Sequence[Planned],
    seen: Mapping[str, str],
    companies: Mapping[int, str],
) -> None:
    changed = [each for each in planned if seen.get(each.lead_id) != each.mark]
    gone = len(seen.keys() - {each.lead_id for each in planned})
    if not changed and not gone:
        return
    units, staff = institution_names(connection), staff_names(connection)
    told = []
    for each in changed[:_NAMED]:
        name = companies.get(each.company_id, f"企业{each.company_id}")
        before = _in_words(seen.get(each.lead_id, ""), "", units, staff)
        told.append(f"{name}（预览时{before}，现在{_in_words(each.mark, each.reason, units, staff)}）")
    if len(changed) > _NAMED:
        told.append(f"另有{len(changed) - _NAMED}户")
    if gone:
        told.append(f"{gone}条线索已不在最新一期数据中")
    raise Conflict(f"预览之后情况有变：{'；'.join(told)}", remedy="核对最新情况后再次确认，本次没有下发")


def _in_words(mark: str, reason: str, units: Mapping[str, str], staff: Mapping[str, str]) -> str:
    outcome, *places = mark.split("|")
    if outcome == "refused":
        return f"不能下发：{reason}" if reason else "不能下发"
    if len(places) < 3:
        return "没有这条线索"
    branch, sub_branch, manager = places
    unit = units.get(sub_branch or branch, sub_branch or branch)
    return f"归{unit}{staff.get(manager, manager) if manager else '待认领'}"


def _record(
    viewer: Viewer,
    connection: Connection,
    planned: Sequence[Planned],
    request: BatchRequest,
    companies: Mapping[int, str],
    made: Placed,
    generation: int,
    now: datetime,
) -> int:
    refused = sum(each.outcome == "refused" for each in planned)
    counts = {"created": len(made.created), "joined": len(made.joined), "refused": refused}
    number = connection.execute(
        sa.insert(DISPATCH_BATCHES)
        .values(
            request_key=request.request_key,
            source=request.source,
            target=request.target,
            product=request.product,
            note=request.note.strip(),
            generation=generation,
            actor=viewer.login,
            institution_code=min(viewer.homes, default=None),
            at=now,
            **counts,
        )
        .returning(DISPATCH_BATCHES.c.batch_id)
    ).scalar_one()
    tasks = {**made.joined, **made.created}
    rows = [
        {
            "batch_id": number,
            "lead_id": each.lead_id,
            "company_id": each.company_id,
            "company_name": companies.get(each.company_id, f"企业{each.company_id}"),
            "task_id": tasks.get(each.lead_id) if each.outcome != "refused" else None,
            "outcome": each.outcome,
            **_allocation(each),
        }
        for each in planned
    ]
    connection.execute(sa.insert(DISPATCH_ITEMS), rows)
    detail = {"source": request.source, "generation": generation, "target": request.target, **counts}
    audit(connection, viewer, "dispatch", str(number), detail, now=now)
    return int(number)


def sent_leads(viewer: Viewer, connection: Connection) -> frozenset[str]:
    """Return the leads that have become tasks or joined one, for those who dispatch."""
    require(viewer, Action.DISPATCH)
    return frozenset(str(lead_id) for (lead_id,) in connection.execute(sa.select(TASK_LEADS.c.lead_id)))


def _visible(viewer: Viewer) -> sa.ColumnElement[bool]:
    scope = scope_of(viewer)
    if scope.whole_bank:
        return sa.true()
    return sa.or_(
        DISPATCH_BATCHES.c.actor == viewer.login,
        DISPATCH_BATCHES.c.institution_code.in_(sorted(scope.institutions)),
    )


def list_batches(viewer: Viewer, connection: Connection, *, limit: int = 50) -> list[Batch]:
    """Return the newest confirmations of the viewer and of the institutions governed, newest first."""
    require(viewer, Action.DISPATCH)
    columns = [DISPATCH_BATCHES.c[name] for name in Batch.__dataclass_fields__]
    query = sa.select(*columns).where(_visible(viewer)).order_by(DISPATCH_BATCHES.c.batch_id.desc())
    return [Batch(**row) for row in connection.execute(query.limit(limit)).mappings()]


def get_batch(viewer: Viewer, connection: Connection, batch_id: int) -> tuple[Batch, list[BatchItem]]:
    """Return one confirmation with every firm, those dispatched first; ``NotFound`` outside the viewer's scope."""
    require(viewer, Action.DISPATCH)
    columns = [DISPATCH_BATCHES.c[name] for name in Batch.__dataclass_fields__]
    query = sa.select(*columns).where(DISPATCH_BATCHES.c.batch_id == batch_id, _visible(viewer))
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFound("没有这次下发记录", remedy="回到下发页查看记录")
    fields = [DISPATCH_ITEMS.c[name] for name in BatchItem.__dataclass_fields__]
    items = connection.execute(
        sa.select(*fields)
        .where(DISPATCH_ITEMS.c.batch_id == batch_id)
        .order_by(DISPATCH_ITEMS.c.outcome == "refused", DISPATCH_ITEMS.c.item_id)
    ).mappings()
    return Batch(**row), [BatchItem(**item) for item in items]
