"""The life of a task as a pure state machine: state and event in, next state and result out. No I/O.

待认领 → 跟进中 → 拟合作 → 已落地 → 已结束, with returns to the pool, transfers, withdrawals and losses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from qiaomen.vocab import STATE_LABELS, Conflict, InputRejected, TaskResult, TaskState


class TaskEvent(StrEnum):
    """What can happen to a task."""

    CLAIM = "claim"
    ASSIGN = "assign"
    INTEND = "intend"
    LAND = "land"
    FINISH = "finish"
    LOSE = "lose"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    RETURN_TO_POOL = "return_to_pool"
    TRANSFER = "transfer"
    RECYCLE = "recycle"
    ESCALATE = "escalate"


EVENT_LABELS: Final[dict[str, str]] = {
    "claim": "认领",
    "assign": "指派",
    "intend": "达成意向",
    "land": "落地",
    "finish": "办结",
    "lose": "营销未成",
    "reject": "不准入",
    "withdraw": "撤回",
    "return_to_pool": "退回",
    "transfer": "转交",
    "recycle": "超时收回",
    "escalate": "上交分行",
}


@dataclass(frozen=True, slots=True)
class Step:
    """Where an event leads, whether it needs a reason, and what becomes of the task's manager.

    ``manager`` is ``keep``, ``set`` (a manager must be named) or ``free`` (the task waits to be claimed).
    """

    state: TaskState
    result: TaskResult | None = None
    needs_reason: bool = False
    manager: str = "keep"


_S = TaskState
_E = TaskEvent
_POOLED: Final = Step(_S.UNCLAIMED, needs_reason=True, manager="free")
_LOST: Final = Step(_S.CLOSED, TaskResult.LOST, needs_reason=True)
_REJECTED: Final = Step(_S.CLOSED, TaskResult.NOT_ADMITTED, needs_reason=True)
_WITHDRAWN: Final = Step(_S.CLOSED, TaskResult.WITHDRAWN, needs_reason=True)

FLOW: Final[dict[tuple[TaskState, TaskEvent], Step]] = {
    (_S.UNCLAIMED, _E.CLAIM): Step(_S.FOLLOWING, manager="set"),
    (_S.UNCLAIMED, _E.ASSIGN): Step(_S.UNCLAIMED, manager="set"),
    (_S.UNCLAIMED, _E.RETURN_TO_POOL): _POOLED,
    (_S.UNCLAIMED, _E.RECYCLE): _POOLED,
    (_S.UNCLAIMED, _E.ESCALATE): _POOLED,
    (_S.UNCLAIMED, _E.REJECT): _REJECTED,
    (_S.UNCLAIMED, _E.WITHDRAW): _WITHDRAWN,
    (_S.FOLLOWING, _E.INTEND): Step(_S.INTENDED),
    (_S.FOLLOWING, _E.LAND): Step(_S.LANDED),
    (_S.FOLLOWING, _E.TRANSFER): Step(_S.FOLLOWING, needs_reason=True, manager="set"),
    (_S.FOLLOWING, _E.RETURN_TO_POOL): _POOLED,
    (_S.FOLLOWING, _E.RECYCLE): _POOLED,
    (_S.FOLLOWING, _E.LOSE): _LOST,
    (_S.FOLLOWING, _E.REJECT): _REJECTED,
    (_S.FOLLOWING, _E.WITHDRAW): _WITHDRAWN,
    (_S.INTENDED, _E.LAND): Step(_S.LANDED),
    (_S.INTENDED, _E.TRANSFER): Step(_S.INTENDED, needs_reason=True, manager="set"),
    (_S.INTENDED, _E.RETURN_TO_POOL): _POOLED,
    (_S.INTENDED, _E.LOSE): _LOST,
    (_S.INTENDED, _E.REJECT): _REJECTED,
    (_S.INTENDED, _E.WITHDRAW): _WITHDRAWN,
    (_S.LANDED, _E.TRANSFER): Step(_S.LANDED, needs_reason=True, manager="set"),
    (_S.LANDED, _E.FINISH): Step(_S.CLOSED, TaskResult.WON),
}


def events_from(state: TaskState) -> tuple[TaskEvent, ...]:
    """Return the events that a state allows, in declared order."""
    return tuple(event for event in TaskEvent if (state, event) in FLOW)


def advance(state: TaskState, event: TaskEvent, reason: str = "") -> Step:
    """Return the step of an event; ``Conflict`` where the state forbids it, ``InputRejected`` without its reason."""
    step = FLOW.get((state, event))
    if step is None:
        allowed = "、".join(EVENT_LABELS[each] for each in events_from(state)) or "无"
        raise Conflict(f"{STATE_LABELS[state]}的任务不能{EVENT_LABELS[event]}", remedy=f"当前可以：{allowed}")
    if step.needs_reason and not reason.strip():
        raise InputRejected(f"{EVENT_LABELS[event]}需要填写原因", remedy="选择或填写原因")
    return step


class Recorded(Protocol):
    """One row of a task's history, as far as the flow is concerned."""

    @property
    def event(self) -> str:
        """What happened."""

    @property
    def reason(self) -> str:
        """Why."""

    @property
    def to_manager_no(self) -> str | None:
        """Whose the task then was."""

    @property
    def version(self) -> int:
        """The version that the event made."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """Where a history leads."""

    state: TaskState
    result: TaskResult | None
    manager_no: str | None
    version: int


def replay(history: Iterable[Recorded]) -> Replayed:
    """Take the recorded events through the flow from the start; ``Conflict`` where they do not follow from each other."""
    now: Replayed | None = None
    for row in history:
        if row.event == "create" and now is None:
            now = Replayed(_S.UNCLAIMED, None, row.to_manager_no, row.version)
            continue
        if now is None or row.version != now.version + (row.event != "refresh"):
            raise Conflict("任务历史不连续", remedy="与备份比对，查明缺失或多出的行")
        if row.event == "refresh":
            continue
        step = advance(now.state, TaskEvent(row.event), row.reason)
        kept = {"keep": now.manager_no, "free": None, "set": row.to_manager_no}[step.manager]
        if row.to_manager_no != kept or (step.manager == "set" and kept is None):
            raise Conflict("任务历史中的经办人与事件不符", remedy="与备份比对，查明被改动的行")
        now = Replayed(step.state, step.result, kept, row.version)
    if now is None:
        raise Conflict("任务没有历史", remedy="与备份比对")
    return now
