"""API: tasks that the caller may see, and the steps of one task. A step by session carries the form token."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from qiaomen.bank import Action
from qiaomen.dispatch import Task, TaskEvent, TaskFilter, advance, claim, get_task, list_tasks
from qiaomen.store import reading, writing
from qiaomen.vocab import TaskResult, TaskState
from qiaomen.web.numbers import Count, RowNumber
from qiaomen.web.security import TOKEN_HEADER, check_origin, check_token
from qiaomen.web.visit import Visit, api_visit

router = APIRouter(tags=["tasks"])
Caller = Annotated[Visit, Depends(api_visit)]


class TaskItem(BaseModel):
    """One task as the caller may read it."""

    model_config = ConfigDict(from_attributes=True)

    task_id: int
    lead_id: str
    company_id: int
    company_name: str
    is_customer: bool
    origin: str
    opportunity_id: str | None
    product: str
    priority: float
    why_now: str
    who: str
    script: str
    branch_code: str | None
    sub_branch_code: str | None
    manager_no: str | None
    state: TaskState
    result: TaskResult | None
    version: int
    due_at: dt.datetime | None
    created_at: dt.datetime
    landed_amount_fen: int | None


class TaskItems(BaseModel):
    """A page of tasks: ``count`` in items (条), ``firms`` in distinct firms (户)."""

    count: int
    firms: int
    items: list[TaskItem]


class StepRequest(BaseModel):
    """One step of a task, based on the version that the caller read."""

    event: TaskEvent
    version: Count
    reason: str = Field("", max_length=200)
    landed_amount_fen: RowNumber | None = None


def item(task: Task) -> TaskItem:
    """Return a task as the API gives it."""
    return TaskItem.model_validate(task)


@router.get("/tasks", summary="Tasks by state, origin, product, company")
def tasks(
    visit: Caller,
    state: Annotated[list[TaskState] | None, Query()] = None,
    origin: Annotated[str, Query(max_length=20)] = "",
    product: Annotated[str, Query(max_length=64)] = "",
    company_id: RowNumber | None = None,
    mine: bool = False,
    offset: Count = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> TaskItems:
    """Return the tasks that the caller may see, highest priority first; ``mine``: his own and those he stands in for."""
    visit.require(Action.SEE_TASKS)
    wanted = TaskFilter(
        states=tuple(state or ()),
        origins=(origin,) if origin else (),
        product=product or None,
        company_id=company_id,
        manager_nos=visit.viewer.manager_nos if mine else None,
    )
    with reading(visit.sql) as connection:
        page = list_tasks(visit.viewer, connection, wanted, limit=limit, offset=offset)
    return TaskItems(count=page.items, firms=page.firms, items=[item(task) for task in page.tasks])


@router.get("/tasks/{task_id}", summary="One task")
def task(visit: Caller, task_id: RowNumber) -> TaskItem:
    """Return one task."""
    visit.require(Action.SEE_TASKS)
    with reading(visit.sql) as connection:
        return item(get_task(visit.viewer, connection, task_id))


@router.post("/tasks/{task_id}/steps", summary="Move a task: claim, intend, land, finish, lose, return …")
def step(
    request: Request, visit: Caller, task_id: RowNumber, body: Annotated[StepRequest, Body()]
) -> TaskItem:
    """Take one step; 409 where somebody was faster or the state forbids it."""
    if not request.headers.get("authorization"):
        check_origin(request)
        check_token(visit.secret, request.headers.get(TOKEN_HEADER))
    with writing(visit.sql) as connection:
        if body.event is TaskEvent.CLAIM:
            return item(claim(visit.viewer, connection, task_id, now=visit.moment))
        return item(
            advance(
                visit.viewer,
                connection,
                task_id,
                body.event,
                expected_version=body.version,
                now=visit.moment,
                reason=body.reason,
                landed_amount_fen=body.landed_amount_fen,
            )
        )
