"""Hand-over: every customer and open task of one manager to one or several others, in one transaction.

Reads and writes tasks, customer_keepers, referral_asks and hand_overs; the history of each task, the audit log and the
outbox change with them. A preview says what would move and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import (
    Action,
    Institution,
    Post,
    Viewer,
    acting_on,
    audit,
    institutions_in_force,
    posts_held,
    require,
    scope_of,
    staff_names,
    today_of,
)
from qiaomen.customers import Keeping, keep_customers, move_asks, waiting_asks_of
from qiaomen.dispatch import flow
from qiaomen.dispatch.flow import TaskEvent
from qiaomen.dispatch.hand_over_rows import HAND_OVERS
from qiaomen.dispatch.rules import load_deadlines
from qiaomen.dispatch.schema import TASKS
from qiaomen.dispatch.tasks import Task, read_task
from qiaomen.dispatch.work import apply_step, unit_path
from qiaomen.store import outbox
from qiaomen.vocab import Conflict, InputRejected, NotFound, Role, TaskState

TOPIC: Final = "customers.handed_over"


@dataclass(frozen=True, slots=True)
class Share:
    """What one receiver gets: customers (户), of these from another institution, unmatched numbers, tasks (条)."""

    manager_no: str
    name: str
    institution_code: str
    customers: int
    moved_customers: int
    unmatched: int
    tasks: int
    open_tasks_before: int


@dataclass(frozen=True, slots=True)
class HandOver:
    """A hand-over made or, where ``hand_over_id`` is nothing, one that would be."""

    hand_over_id: int | None
    from_manager_no: str
    from_name: str
    customers: int
    unmatched: int
    tasks: int
    asks: int
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    giver: str
    receivers: Mapping[str, Post]
    keepings: tuple[Keeping, ...]
    companies: Mapping[int, str]
    tasks: tuple[tuple[Task, str], ...]


def preview_hand_over(
    viewer: Viewer,
    connection: Connection,
    giver: str,
    receivers: Sequence[str],
    *,
    customers: pa.Table,
    records: pa.Table,
    now: datetime,
) -> HandOver:
    """Say what a hand-over would move; nothing is changed.

    ``customers`` and ``records`` are the tables CUSTOMERS and CUSTOMER_RECORDS with earlier hand-overs applied.
    ``NotFound`` for a giver outside the viewer's scope, ``InputRejected`` for a receiver who may not have the rows.
    """
    plan = _plan(viewer, connection, giver, receivers, customers, records, now)
    return _described(connection, plan, None, waiting_asks_of(connection, giver))


def hand_over(
    viewer: Viewer,
    connection: Connection,
    giver: str,
    receivers: Sequence[str],
    *,
    customers: pa.Table,
    records: pa.Table,
    reason: str,
    now: datetime,
) -> HandOver:
    """Move every customer, open task and waiting ask of ``giver`` in the caller's transaction.

    Several receivers get about as many customers and tasks each; a company goes with all its tasks. Capacity does
    not stop a hand-over. ``Conflict`` where a task changed meanwhile or nothing is left to move.
    """
    if not reason.strip():
        raise InputRejected("交接需要写明原因", remedy="例如：离职、调岗、休产假")
    plan = _plan(viewer, connection, giver, receivers, customers, records, now)
    viewer = acting_on(viewer, _home(connection, plan), giver)
    if not plan.keepings and not plan.tasks:
        raise Conflict(f"“{giver}”名下没有客户和未结束的任务", remedy="检查工号；可能已经交接过")
    number = _insert(viewer, connection, plan, reason.strip(), now)
    keep_customers(connection, number, giver, plan.keepings, now=now)
    _move_tasks(viewer, connection, plan, reason.strip(), now)
    places = {no: post.institution_code for no, post in plan.receivers.items()}
    asks = move_asks(connection, giver, plan.companies, places)
    if _open_rows(connection, giver):
        raise Conflict("交接途中又有任务分给交出人", remedy="再办一次")
    done = _described(connection, plan, number, asks)
    connection.execute(sa.update(HAND_OVERS).where(HAND_OVERS.c.hand_over_id == number).values(asks=asks))
    _tell(viewer, connection, plan, done, now)
    return done


def _plan(
    viewer: Viewer,
    connection: Connection,
    giver: str,
    receivers: Sequence[str],
    customers: pa.Table,
    records: pa.Table,
    now: datetime,
) -> _Plan:
    require(viewer, Action.HAND_OVER)
    held = _of_manager(customers, giver).to_pylist()
    rows = _open_rows(connection, giver)
    _require_scope(viewer, connection, giver, held, rows)
    posts = _receiving_posts(viewer, connection, giver, receivers, now)
    main = {no: options[0] for no, options in posts.items()}
    loads = {row["company_id"]: 1 for row in held}
    for row in rows:
        loads[row["company_id"]] = loads.get(row["company_id"], 0) + 1
    companies = _dealt(loads, sorted(main))
    keepings = [_keeping(row["customer_no"], row, companies[row["company_id"]], posts) for row in held]
    keepings += _other_numbers(giver, held, records, companies, posts)
    tasks = tuple((read_task(viewer, row, {}), companies[row["company_id"]]) for row in rows)
    return _Plan(giver, main, tuple(keepings), companies, tasks)


def _other_numbers(
    giver: str,
    held: Sequence[Mapping[str, Any]],
    records: pa.Table,
    companies: Mapping[int, str],
    posts: Mapping[str, Sequence[Post]],
) -> list[Keeping]:
    """Return the giver's further customer numbers: second numbers go with their company, unmatched ones to the first."""
    owner = {
        number: row["company_id"]
        for row in held
        for number in (row["customer_numbers"] or "").split(";")
        if number
    }
    leading = {row["customer_no"] for row in held}
    rows = [row for row in _of_manager(records, giver).to_pylist() if row["customer_no"]]
    found = {row["customer_no"]: row for row in rows if row["customer_no"] not in leading}
    return [
        _keeping(number, row | {"company_id": None}, companies.get(owner.get(number, -1), min(posts)), posts)
        for number, row in sorted(found.items())
    ]


def _home(connection: Connection, plan: _Plan) -> str | None:
    """Return the institution that a hand-over concerns: that of the giver's post, else of a customer or task of his."""
    posts = [post.institution_code for post in posts_held(connection, None) if post.staff_no == plan.giver]
    places = [keeping.from_institution_code for keeping in plan.keepings]
    places += [task.sub_branch_code or task.branch_code for task, _ in plan.tasks]
    return next((place for place in [*posts, *places] if place), None)


def _of_manager(rows: pa.Table, manager_no: str) -> pa.Table:
    return rows.filter(pc.fill_null(pc.equal(rows["manager_no"], manager_no), False))


def _open_rows(connection: Connection, giver: str) -> list[Mapping[str, Any]]:
    query = (
        sa.select(TASKS)
        .where(TASKS.c.manager_no == giver, TASKS.c.state != TaskState.CLOSED.value)
        .order_by(TASKS.c.task_id)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _require_scope(
    viewer: Viewer,
    connection: Connection,
    giver: str,
    held: Iterable[Mapping[str, Any]],
    tasks: Iterable[Mapping[str, Any]],
) -> None:
    """Raise ``NotFound`` for a giver whom the viewer does not govern, ``InputRejected`` where only a part is governed."""
    scope = scope_of(viewer, Action.HAND_OVER)
    if scope.whole_bank:
        if giver not in staff_names(connection):
            raise NotFound(f"没有工号“{giver}”", remedy="用 qiaomen staff list 查看工号")
        return
    inside = [row["institution_code"] in scope.institutions for row in held]
    inside += [
        row["sub_branch_code"] in scope.institutions or row["branch_code"] in scope.institutions
        for row in tasks
    ]
    posts = [post for post in posts_held(connection, None) if post.staff_no == giver]
    if not any(post.institution_code in scope.institutions for post in posts) and not any(inside):
        raise NotFound(f"没有工号“{giver}”", remedy="用 qiaomen staff list 查看工号")
    if not all(inside):
        raise InputRejected(
            f"“{giver}”还有不在您管辖内的客户或任务", remedy="由上一级机构的管理员办理，一次交清"
        )


def _receiving_posts(
    viewer: Viewer, connection: Connection, giver: str, receivers: Sequence[str], now: datetime
) -> dict[str, list[Post]]:
    scope = scope_of(viewer, Action.HAND_OVER)
    wanted = list(dict.fromkeys(receivers))
    if not wanted or giver in wanted:
        raise InputRejected("请指明接手的客户经理（不能是交出人自己）", remedy="用 --to 工号，可写多次")
    posts: dict[str, list[Post]] = {no: [] for no in wanted}
    for post in posts_held(connection, today_of(now)):
        reachable = scope.whole_bank or post.institution_code in scope.institutions
        if post.staff_no in posts and post.role is Role.MANAGER and reachable:
            posts[post.staff_no].append(post)
    for staff_no, held in posts.items():
        if not held:
            raise InputRejected(
                f"工号“{staff_no}”不是可以接手的客户经理", remedy="选择管辖范围内在岗的客户经理"
            )
    return posts


def _dealt(loads: Mapping[int, int], receivers: Sequence[str]) -> dict[int, str]:
    """Deal companies out, the weightiest (customer and tasks) first, each to the receiver with the least so far."""
    given = dict.fromkeys(receivers, 0)
    dealt: dict[int, str] = {}
    for company in sorted(loads, key=lambda number: (-loads[number], number)):
        receiver = min(receivers, key=lambda no: (given[no], no))
        dealt[company] = receiver
        given[receiver] += loads[company]
    return dealt


def _keeping(
    number: str, row: Mapping[str, Any], receiver: str, posts: Mapping[str, Sequence[Post]]
) -> Keeping:
    """Keep a customer at its institution where the receiver has a post there, else at the receiver's own."""
    codes = [post.institution_code for post in posts[receiver]]
    here = row["institution_code"]
    return Keeping(number, row["company_id"], here, receiver, here if here in codes else codes[0])


def _insert(viewer: Viewer, connection: Connection, plan: _Plan, reason: str, now: datetime) -> int:
    made = connection.execute(
        sa.insert(HAND_OVERS)
        .values(
            from_manager_no=plan.giver,
            to_manager_nos=";".join(plan.receivers),
            reason=reason,
            customers=sum(keeping.company_id is not None for keeping in plan.keepings),
            tasks=len(plan.tasks),
            asks=0,
            made_by=viewer.actor,
            made_at=now,
        )
        .returning(HAND_OVERS.c.hand_over_id)
    )
    return int(made.scalar_one())


def _move_tasks(viewer: Viewer, connection: Connection, plan: _Plan, reason: str, now: datetime) -> None:
    units: dict[str, Institution] = {
        unit.institution_code: unit for unit in institutions_in_force(connection)
    }
    deadlines = load_deadlines()
    for task, receiver in plan.tasks:
        event = TaskEvent.ASSIGN if task.state is TaskState.UNCLAIMED else TaskEvent.TRANSFER
        branch, sub_branch = unit_path(units, plan.receivers[receiver].institution_code)
        apply_step(
            viewer,
            connection,
            task,
            event,
            flow.advance(task.state, event, reason),
            manager_no=receiver,
            now=now,
            reason=f"交接：{reason}",
            deadlines=deadlines,
            branch_code=branch,
            sub_branch_code=sub_branch,
        )


def _described(connection: Connection, plan: _Plan, number: int | None, asks: int) -> HandOver:
    names = staff_names(connection)
    before = _open_by_manager(connection, plan)
    shares = []
    for no, post in plan.receivers.items():
        mine = [keeping for keeping in plan.keepings if keeping.manager_no == no]
        matched = [keeping for keeping in mine if keeping.company_id is not None]
        shares.append(
            Share(
                manager_no=no,
                name=names.get(no, no),
                institution_code=post.institution_code,
                customers=len(matched),
                moved_customers=sum(item.institution_code != item.from_institution_code for item in matched),
                unmatched=len(mine) - len(matched),
                tasks=sum(receiver == no for _, receiver in plan.tasks),
                open_tasks_before=before.get(no, 0),
            )
        )
    return HandOver(
        hand_over_id=number,
        from_manager_no=plan.giver,
        from_name=names.get(plan.giver, plan.giver),
        customers=sum(share.customers for share in shares),
        unmatched=sum(share.unmatched for share in shares),
        tasks=len(plan.tasks),
        asks=asks,
        shares=tuple(shares),
    )


def _open_by_manager(connection: Connection, plan: _Plan) -> dict[str, int]:
    """Return the open tasks of each receiver that are not part of the hand-over."""
    moved = [task.task_id for task, _ in plan.tasks]
    rows = connection.execute(
        sa.select(TASKS.c.manager_no, TASKS.c.task_id).where(
            TASKS.c.manager_no.in_(list(plan.receivers)), TASKS.c.state != TaskState.CLOSED.value
        )
    )
    counted: dict[str, int] = {}
    for row in rows:
        if row.task_id not in moved:
            counted[row.manager_no] = counted.get(row.manager_no, 0) + 1
    return counted


def _tell(viewer: Viewer, connection: Connection, plan: _Plan, done: HandOver, now: datetime) -> None:
    shares = {share.manager_no: {"customers": share.customers, "tasks": share.tasks} for share in done.shares}
    detail = {"from": plan.giver, "to": shares, "asks": done.asks, "unmatched": done.unmatched}
    audit(connection, viewer, "hand_over", f"hand_over:{done.hand_over_id}", detail, now=now)
    payload = {
        "hand_over_id": done.hand_over_id,
        "from_manager_no": plan.giver,
        "customers": [
            {
                "customer_no": keeping.customer_no,
                "manager_no": keeping.manager_no,
                "institution_code": keeping.institution_code,
            }
            for keeping in plan.keepings
        ],
        "at": now.isoformat(),
    }
    outbox.enqueue(connection, TOPIC, str(done.hand_over_id), payload, now=now)
