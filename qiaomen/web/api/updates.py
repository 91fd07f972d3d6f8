"""API: updates from the bank's CRM, once each by their key and, where they are numbered, in their order."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends
from pydantic import BaseModel, ConfigDict, Field

from qiaomen.bank import Action
from qiaomen.connectors import CrmUpdate, receive_crm_update
from qiaomen.dispatch import TaskEvent
from qiaomen.store import writing
from qiaomen.web.numbers import RowNumber
from qiaomen.web.visit import Visit, api_visit

router = APIRouter(tags=["tasks"])


class UpdateRequest(BaseModel):
    """What happened in the CRM; ``sequence`` numbers the updates of one task 1, 2, 3 …"""

    idempotency_key: str = Field(min_length=1, max_length=200)
    event: TaskEvent
    reason: str = Field("", max_length=200)
    expected_version: int | None = Field(None, ge=1, le=2**31 - 1)
    landed_amount_fen: int | None = Field(None, ge=0, le=2**53)
    sequence: int | None = Field(None, ge=1, le=2**53)


class UpdateReceipt(BaseModel):
    """What became of the update: applied, waiting for those before it, or refused."""

    model_config = ConfigDict(from_attributes=True)

    task_id: int
    status: str
    state: str | None
    version: int | None
    repeated: bool
    error: str


@router.post(
    "/tasks/{task_id}/updates", summary="Tell what the CRM did to a task; repeats and disorder do no harm"
)
def update(
    visit: Annotated[Visit, Depends(api_visit)], task_id: RowNumber, body: Annotated[UpdateRequest, Body()]
) -> UpdateReceipt:
    """Take one update; the same key again gives the first receipt, 409 where it came with other content."""
    visit.require(Action.WORK_TASKS)
    given = CrmUpdate(
        body.idempotency_key,
        task_id,
        body.event.value,
        body.reason,
        body.expected_version,
        body.landed_amount_fen,
        body.sequence,
    )
    with writing(visit.sql) as connection:
        receipt = receive_crm_update(visit.viewer, connection, given, now=visit.moment)
    return UpdateReceipt.model_validate(receipt)
