"""Task cards: what the board and 今日 show of one task, and which steps its viewer may take."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from qiaomen.bank import acting_on
from qiaomen.dispatch import Task, TaskEvent, allowed_events
from qiaomen.opportunities import OPPORTUNITIES
from qiaomen.scoring import OFFERS
from qiaomen.vocab import TaskState
from qiaomen.web import formats
from qiaomen.web.cells import Chip, Evidence, customer_chip, tier_chip
from qiaomen.web.firms import brief
from qiaomen.web.own_day import principal_name
from qiaomen.web.visit import Visit
from qiaomen.web.ways import seen_introductions

STATE_SHORT: Final[dict[TaskState, str]] = {
    TaskState.UNCLAIMED: "待认领",
    TaskState.FOLLOWING: "跟进中",
    TaskState.INTENDED: "拟合作",
    TaskState.LANDED: "已落地",
    TaskState.CLOSED: "已结束",
}
ORIGIN_LABELS: Final[dict[str, str]] = {
    "opportunity": "商机",
    "long_list": "长名单",
    "retention": "留存",
    "expiry": "到期",
    "hand": "手工",
}

# What dragging a card from one column to another asks for, in order of preference.
MOVES: Final[dict[tuple[TaskState, TaskState], TaskEvent]] = {
    (TaskState.UNCLAIMED, TaskState.FOLLOWING): TaskEvent.CLAIM,
    (TaskState.FOLLOWING, TaskState.INTENDED): TaskEvent.INTEND,
    (TaskState.FOLLOWING, TaskState.LANDED): TaskEvent.LAND,
    (TaskState.INTENDED, TaskState.LANDED): TaskEvent.LAND,
    (TaskState.FOLLOWING, TaskState.UNCLAIMED): TaskEvent.RETURN_TO_POOL,
    (TaskState.INTENDED, TaskState.UNCLAIMED): TaskEvent.RETURN_TO_POOL,
    (TaskState.UNCLAIMED, TaskState.CLOSED): TaskEvent.REJECT,
    (TaskState.FOLLOWING, TaskState.CLOSED): TaskEvent.LOSE,
    (TaskState.INTENDED, TaskState.CLOSED): TaskEvent.LOSE,
    (TaskState.LANDED, TaskState.CLOSED): TaskEvent.FINISH,
}
# What the person is asked for before the step: an amount, how it ended and why, or a reason alone.
ASKS: Final[dict[TaskEvent, str]] = {
    TaskEvent.LAND: "amount",
    TaskEvent.LOSE: "loss",
    TaskEvent.REJECT: "loss",
    TaskEvent.RETURN_TO_POOL: "reason",
}


@dataclass(frozen=True, slots=True)
class Move:
    """One step a card may take."""

    state: str
    label: str
    ask: str


@dataclass(frozen=True, slots=True)
class TaskCard:
    """One task on the board."""

    task_id: int
    version: int
    company: str
    full_name: str
    href: str
    chips: tuple[Chip, ...]
    why_now: str
    product: str
    amount: str
    remaining: str
    late: bool
    owner: str
    moves: tuple[Move, ...]

    @property
    def asks(self) -> str:
        """Steps with what each asks for, as the script reads them."""
        return " ".join(f"{move.state}:{move.ask}" for move in self.moves)


@dataclass(frozen=True, slots=True)
class LeadCard:
    """One task on 今日, with everything needed to knock."""

    key: str
    task_id: int | None
    version: int
    company: str
    href: str
    chips: tuple[Chip, ...]
    tone: str
    why_now: str
    evidence: Evidence | None
    introduction: str
    no_introduction: str
    reach_href: str
    product: str
    product_reason: Evidence | None
    opening: str
    admission: Chip
    grounds: str
    remaining: str
    late: bool
    can_claim: bool
    can_visit: bool
    can_return: bool


def left(task: Task, moment: dt.datetime) -> str:
    """Say how long a task has left in its state."""
    if task.due_at is None or task.state is TaskState.CLOSED:
        return ""
    hours = (task.due_at - moment).total_seconds() / 3600
    if hours < 0:
        return f"超期 {-hours / 24:.0f} 天" if hours < -24 else f"超期 {-hours:.0f} 小时"
    return f"剩 {hours / 24:.0f} 天" if hours >= 48 else f"剩 {hours:.0f} 小时"


def moves(visit: Visit, task: Task) -> tuple[Move, ...]:
    """Return the steps that the viewer may take by moving the card."""
    allowed = set(allowed_events(visit.viewer, task))
    return tuple(
        Move(to.value, STATE_SHORT[to], ASKS.get(event, ""))
        for (start, to), event in MOVES.items()
        if start is task.state and event in allowed
    )


def deputy_chip(visit: Visit, task: Task) -> tuple[Chip, ...]:
    """Say for whom the viewer would act on a task: its manager, or whose pool it waits in; none where it is his own."""
    name = principal_name(visit, task.manager_no)
    if not name:
        acting = acting_on(visit.viewer, task.sub_branch_code or task.branch_code, task.manager_no).acting
        name = acting.name if acting is not None else ""
    return (Chip(f"代 {name}", "violet", f"您代 {name} 办理"),) if name else ()


def task_card(visit: Visit, task: Task) -> TaskCard:
    """Build the card of one task."""
    landed = task.landed_amount_fen
    return TaskCard(
        task_id=task.task_id,
        version=task.version,
        company=brief(task.company_name),
        full_name=task.company_name,
        href=f"/companies/{task.company_id}",
        chips=(*(tier_chip(task.tier) or (customer_chip(task.is_customer),)), *deputy_chip(visit, task)),
        why_now=visit.labels.plain(task.why_now, task.company_name),
        product=visit.labels.product(task.product),
        amount=formats.money(landed / 100) if landed else "",
        remaining=left(task, visit.moment),
        late=task.overdue(visit.moment) and task.state is not TaskState.CLOSED,
        owner=visit.names.staff(task.manager_no),
        moves=moves(visit, task),
    )


def lead_cards(visit: Visit, tasks: Sequence[Task], tone: str = "") -> tuple[LeadCard, ...]:
    """Build the cards of 今日; introductions are read once for all."""
    introductions = seen_introductions(visit, [task.company_id for task in tasks])
    return tuple(
        lead_card(visit, task, tone, _sentences(introductions.get(task.company_id, []))) for task in tasks
    )


def _sentences(rows: Iterable[dict[str, object]]) -> str:
    return next((str(row["wording"]) for row in rows if row["wording"]), "")


def lead_card(visit: Visit, task: Task, tone: str, introduction: str) -> LeadCard:
    """Build one card of 今日."""
    allowed = set(allowed_events(visit.viewer, task))
    opportunity = (
        visit.reading.keyed(OPPORTUNITIES, "opportunity_id").first(task.opportunity_id)
        if task.opportunity_id
        else None
    )
    offers = visit.reading.keyed(OFFERS, "company_id").rows(task.company_id)
    reason = next((row["reason"] for row in offers if row["product"] == task.product), "")
    late = task.overdue(visit.moment)
    return LeadCard(
        key=str(task.task_id),
        task_id=task.task_id,
        version=task.version,
        company=task.company_name,
        href=f"/companies/{task.company_id}",
        chips=(
            customer_chip(task.is_customer),
            *tier_chip(task.tier),
            Chip(ORIGIN_LABELS.get(task.origin, task.origin), "teal"),
            Chip(STATE_SHORT[task.state]),
            *deputy_chip(visit, task),
        ),
        tone=tone,
        why_now=visit.labels.plain(task.why_now, task.company_name),
        evidence=Evidence.parse(opportunity["evidence"]) if opportunity else None,
        introduction=introduction or task.who,
        no_introduction="本行存量客户，直接联系"
        if task.is_customer
        else "暂无可引荐的客户，可从园区或协会入手",
        reach_href="" if task.is_customer else f"/reach/{task.company_id}",
        product=visit.labels.product(task.product),
        product_reason=Evidence.parse(visit.labels.plain(reason or "", task.company_name)),
        opening=task.script,
        admission=Chip("准入通过", "green"),
        grounds="",
        remaining=left(task, visit.moment),
        late=late,
        can_claim=TaskEvent.CLAIM in allowed,
        can_visit=TaskEvent.INTEND in allowed or TaskEvent.LAND in allowed,
        can_return=TaskEvent.RETURN_TO_POOL in allowed and task.state is not TaskState.UNCLAIMED,
    )
