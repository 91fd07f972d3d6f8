"""任务看板: the tasks of the viewer in five columns; steps by dragging, by button, or from 今日."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.engine import Connection

from qiaomen.bank import Action
from qiaomen.dispatch import (
    Task,
    TaskEvent,
    TaskFilter,
    advance,
    claim,
    get_task,
    list_tasks,
    load_reasons,
    record_visit,
)
from qiaomen.store import reading, writing
from qiaomen.vocab import Conflict, InputRejected, Role, TaskResult, TaskState
from qiaomen.web import formats
from qiaomen.web.cards import MOVES, ORIGIN_LABELS, STATE_SHORT, TaskCard, task_card
from qiaomen.web.choices import Option
from qiaomen.web.numbers import Count, RowNumber
from qiaomen.web.security import is_local_address
from qiaomen.web.visit import SHANGHAI, Visit, changing, signed_in

PER_COLUMN: Final = 40
MINE: Final = "mine"
SCOPES: Final = ((MINE, "我的"), ("pool", "待认领池"), ("all", "管辖内全部"))
EMPTY: Final[dict[TaskState, str]] = {
    TaskState.UNCLAIMED: "没有待认领的任务",
    TaskState.FOLLOWING: "认领后出现在这里",
    TaskState.INTENDED: "达成意向后移到这里",
    TaskState.LANDED: "落地后移到这里",
    TaskState.CLOSED: "办结或未成的任务",
}
ENDINGS: Final[dict[str, TaskEvent]] = {
    TaskResult.LOST.value: TaskEvent.LOSE,
    TaskResult.NOT_ADMITTED.value: TaskEvent.REJECT,
    TaskResult.WITHDRAWN.value: TaskEvent.WITHDRAW,
}
ENDING_LABELS: Final = (("lost", "营销未成"), ("not_admitted", "不准入"), ("withdrawn", "撤回"))

router = APIRouter()


class BoardQuery(BaseModel):
    """What the board is filtered by."""

    scope: str = Field("", pattern="^(mine|pool|all)?$")
    product: str = ""
    origin: str = Field("", pattern="^(opportunity|long_list|retention|expiry|hand)?$")
    q: str = Field("", max_length=100)
    late: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the board."""

    state: str
    label: str
    count: str
    note: str
    cards: tuple[TaskCard, ...]
    empty: str
    more: str


@dataclass(frozen=True, slots=True)
class BoardView:
    """The whole board."""

    summary: str
    scope: str
    scopes: tuple[Option, ...]
    columns: tuple[Column, ...]
    first: str
    products: list[tuple[str, str]]
    product: str
    origins: list[tuple[str, str]]
    origin: str
    text: str
    late: bool
    results: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]


def default_scope(visit: Visit) -> str:
    """Managers begin with their own tasks, others with all that they govern."""
    own = visit.viewer.has(Role.MANAGER) or not visit.viewer.roles
    return "mine" if own and visit.viewer.manager_nos else "all"


def filter_of(visit: Visit, query: BoardQuery, state: TaskState) -> TaskFilter:
    """Return the filter of one column."""
    scope = query.scope or default_scope(visit)
    return TaskFilter(
        states=(state,),
        origins=(query.origin,) if query.origin else (),
        product=query.product or None,
        manager_nos=visit.viewer.manager_nos if scope == "mine" else None,
        unassigned=scope == "pool",
        text=query.q,
        due_before=visit.moment if query.late else None,
        with_closed=True,
    )


def column(visit: Visit, connection: Connection, query: BoardQuery, state: TaskState) -> Column:
    """Read one column; the pool of the own institution is claimed from the first."""
    found = list_tasks(visit.viewer, connection, filter_of(visit, query, state), limit=PER_COLUMN)
    cards = tuple(task_card(visit, task) for task in found.tasks)
    more = f"另有 {found.items - len(cards):,} 条，用筛选缩小范围" if found.items > len(cards) else ""
    note = formats.households(found.firms)
    return Column(
        state.value, STATE_SHORT[state], formats.count(found.items), note, cards, EMPTY[state], more
    )


def counts(visit: Visit, connection: Connection, query: BoardQuery) -> dict[str, str]:
    """Count the columns anew after a step."""
    return {
        state.value: formats.count(
            list_tasks(visit.viewer, connection, filter_of(visit, query, state), limit=1).items
        )
        for state in TaskState
    }


def board_view(visit: Visit, query: BoardQuery) -> BoardView:
    """Compute the board."""
    scope = query.scope or default_scope(visit)
    stands_in = bool(visit.viewer.manager_nos - {visit.viewer.staff_no})
    with reading(visit.sql) as connection:
        columns = tuple(column(visit, connection, query, state) for state in TaskState)
        late = list_tasks(visit.viewer, connection, TaskFilter(due_before=visit.moment), limit=1)
    filled = next((item.state for item in columns if item.cards), TaskState.UNCLAIMED.value)
    choices = [
        (code, f"{text}（含代理）" if code == MINE and stands_in else text)
        for code, text in SCOPES
        if code != MINE or visit.viewer.manager_nos
    ]
    kept = query.model_dump(exclude={"scope"}, exclude_defaults=True)
    scopes = tuple(
        Option(code, text, "/tasks?" + urlencode({"scope": code, **kept}), code == scope)
        for code, text in choices
    )
    products = sorted((code, row.name_zh) for code, row in visit.labels.products.items())
    return BoardView(
        summary=f"超期 {late.items:,} 条" if late.items else "没有超期",
        scope=scope,
        scopes=scopes,
        columns=columns,
        first=filled,
        products=products,
        product=query.product,
        origins=list(ORIGIN_LABELS.items()),
        origin=query.origin,
        text=query.q,
        late=query.late,
        results=ENDING_LABELS,
        reasons=tuple(dict.fromkeys(row.name for row in load_reasons(visit.site.workspace.overlay))),
    )


@router.get("/tasks")
def show(visit: Annotated[Visit, Depends(signed_in)], query: Annotated[BoardQuery, Query()]) -> Response:
    """Show the board."""
    visit.require(Action.SEE_TASKS)
    return visit.render("board.html", key="board", title="任务看板", view=board_view(visit, query))


def amount_fen(text: str) -> int | None:
    """Read an amount in yuan, 万 and 亿 allowed; nothing where the field is empty."""
    plain = text.replace(",", "").replace("，", "").replace("元", "").strip()
    if not plain:
        return None
    unit = {"万": 10**4, "亿": 10**8}.get(plain[-1], 1)
    try:
        yuan = Decimal(plain[:-1] if unit > 1 else plain) * unit
    except InvalidOperation as error:
        raise InputRejected(f"金额“{text}”无法识别", remedy="写成数字，例如 5000000 或 500万") from error
    if not yuan.is_finite() or not 0 <= yuan < 10**14:
        raise InputRejected(f"金额“{text}”超出范围", remedy="核对单位")
    return int((yuan * 100).to_integral_value())


@dataclass(frozen=True, slots=True)
class StepForm:
    """What a step carries."""

    to: TaskState
    version: Count
    reason: str
    result: str
    amount: str


def take_step(visit: Visit, connection: Connection, task: Task, step: StepForm) -> Task:
    """Move a task to another column; ``Conflict`` where there is no such step."""
    event = MOVES.get((task.state, step.to))
    if event is None:
        raise Conflict(
            f"{STATE_SHORT[task.state]}的任务不能直接移到{STATE_SHORT[step.to]}",
            remedy="按待认领、跟进中、拟合作、已落地、已结束的次序移动",
        )
    if event is TaskEvent.CLAIM:
        return claim(visit.viewer, connection, task.task_id, now=visit.moment)
    if event in {TaskEvent.LOSE, TaskEvent.REJECT} and step.result:
        event = ENDINGS.get(step.result, event)
    return advance(
        visit.viewer,
        connection,
        task.task_id,
        event,
        expected_version=step.version,
        now=visit.moment,
        reason=step.reason,
        landed_amount_fen=amount_fen(step.amount) if event is TaskEvent.LAND else None,
    )


@router.post("/tasks/{task_id}/move")
def move(
    visit: Annotated[Visit, Depends(changing)],
    task_id: RowNumber,
    to: Annotated[TaskState, Form()],
    version: Annotated[Count, Form()],
    reason: Annotated[str, Form(max_length=200)] = "",
    result: Annotated[str, Form(max_length=20)] = "",
    amount_cny: Annotated[str, Form(max_length=40)] = "",
    scope: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Take the step that dragging a card stands for; answers with the card and the counts."""
    step = StepForm(to, version, reason, result, amount_cny)
    with writing(visit.sql) as connection:
        after = take_step(visit, connection, get_task(visit.viewer, connection, task_id), step)
        fresh = counts(
            visit,
            connection,
            BoardQuery.model_validate({"scope": scope if scope in {"mine", "pool", "all"} else ""}),
        )
    card = visit.part("task_card.html", card=task_card(visit, after))
    message = f"{after.company_name} 已移到{STATE_SHORT[after.state]}"
    return JSONResponse({"card": card, "counts": fresh, "message": message})


def back_to(target: str) -> Response:
    """Return to the page that the form came from."""
    return RedirectResponse(target if is_local_address(target) else "/tasks", HTTPStatus.SEE_OTHER)


def change(visit: Visit, work: Callable[[Connection], object], target: str) -> Response:
    """Do one step in a transaction and return to the page."""
    with writing(visit.sql) as connection:
        work(connection)
    return back_to(target)


Next = Annotated[str, Form(alias="next", max_length=500)]


@router.post("/tasks/{task_id}/claim")
def claim_task(
    visit: Annotated[Visit, Depends(changing)], task_id: RowNumber, target: Next = "/tasks"
) -> Response:
    """Claim a task."""
    return change(
        visit, lambda connection: claim(visit.viewer, connection, task_id, now=visit.moment), target
    )


@router.post("/tasks/{task_id}/return")
def return_task(
    visit: Annotated[Visit, Depends(changing)],
    task_id: RowNumber,
    version: Annotated[Count, Form()],
    reason: Annotated[str, Form(max_length=200)],
    target: Next = "/tasks",
) -> Response:
    """Give a task back to the pool."""
    return change(
        visit,
        lambda connection: _advance(visit, connection, task_id, TaskEvent.RETURN_TO_POOL, version, reason),
        target,
    )


@router.post("/tasks/{task_id}/dismiss")
def dismiss_task(
    visit: Annotated[Visit, Depends(changing)],
    task_id: RowNumber,
    version: Annotated[Count, Form()],
    reason: Annotated[str, Form(max_length=200)],
    target: Next = "/tasks",
) -> Response:
    """End a task that is known already or wrong."""
    return change(
        visit,
        lambda connection: _advance(visit, connection, task_id, TaskEvent.LOSE, version, reason),
        target,
    )


def _advance(
    visit: Visit, connection: Connection, task_id: int, event: TaskEvent, version: int, reason: str
) -> Task:
    return advance(
        visit.viewer, connection, task_id, event, expected_version=version, now=visit.moment, reason=reason
    )


@router.post("/tasks/{task_id}/visit")
def note_visit(
    visit: Annotated[Visit, Depends(changing)],
    task_id: RowNumber,
    channel: Annotated[str, Form(max_length=20)],
    note: Annotated[str, Form(max_length=2000)],
    next_on: Annotated[str, Form(max_length=10)] = "",
    target: Next = "/tasks",
) -> Response:
    """Record a contact."""
    try:
        day = dt.date.fromisoformat(next_on) if next_on else None
    except ValueError as error:
        raise InputRejected(f"日期“{next_on}”无法识别", remedy="写成 2026-07-01") from error
    following = dt.datetime.combine(day, dt.time(10), SHANGHAI) if day else None
    return change(
        visit,
        lambda connection: record_visit(
            visit.viewer,
            connection,
            task_id,
            visited_at=visit.moment,
            channel=channel,
            note=note,
            now=visit.moment,
            next_at=following,
        ),
        target,
    )
