"""API: what other systems push to us, by token or by signature: events, outcomes, and updates of tasks.

Signed as our own webhooks are: HMAC-SHA256 over ``<time>.<raw body>`` by either of two keys, five minutes, each request
once. Accepted messages are in the operational store before the answer is sent.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Path, Request
from fastapi.responses import JSONResponse
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)
from starlette.concurrency import run_in_threadpool

from qiaomen.bank import Action, Viewer
from qiaomen.connectors import SIGNATURE_HEADER, TIME_HEADER, CrmUpdate, accept_webhook, receive_crm_update
from qiaomen.dispatch import TaskEvent
from qiaomen.jobs import CHANNELS, LARGEST_BATCH, PushReceipt, Refused, receive_pushed
from qiaomen.store import writing
from qiaomen.vocab import InputRejected, NotAllowed, NotFound, QiaomenError, Role
from qiaomen.web.entrance import address_of
from qiaomen.web.problems import TooManyCalls, problem
from qiaomen.web.visit import Visit, api_visit, now, site_of, visit_as

router = APIRouter(tags=["inbound"])
TASKS: Final = "tasks"
# Who signs: the systems that hold the key, as one caller.
SIGNER: Final = Viewer(
    user_id=None,
    login="webhook",
    name="签名推送",
    roles=frozenset({Role.INTEGRATOR}),
    whole_bank=True,
    actions=frozenset({Action.PUSH_EVENTS.value, Action.WORK_TASKS.value, Action.SEE_TASKS.value}),
)
Value = StrictStr | StrictInt | StrictFloat | StrictBool | None


class Message(BaseModel):
    """One message: the event's number, its place in the order of that event from 1, and its whole record."""

    model_config = ConfigDict(extra="forbid")

    event_no: str = Field(pattern=r"^[A-Za-z0-9._/#-]{1,120}$")
    sequence: int = Field(ge=1, le=2**53)
    record: dict[str, Value] = Field(max_length=40)


class InboundRequest(BaseModel):
    """Messages of one channel; each is taken or refused by itself."""

    model_config = ConfigDict(extra="forbid")

    messages: list[Message] = Field(min_length=1, max_length=LARGEST_BATCH)


class RefusedRow(BaseModel):
    """A message that was not taken and why."""

    row: int
    event_no: str
    column: str
    reason: str


class InboundReceipt(BaseModel):
    """How many messages count, came again, came after a newer one (or wait for an older one), and which were refused."""

    accepted: int
    repeated: int
    superseded: int
    refused: list[RefusedRow]


class TaskRecord(BaseModel):
    """The record of channel ``tasks``: what the CRM did to a task."""

    model_config = ConfigDict(extra="forbid")

    task_id: int = Field(ge=1, le=2**53)
    event: TaskEvent
    reason: str = Field("", max_length=200)
    landed_amount_fen: int | None = Field(None, ge=0, le=2**53)


async def inbound_visit(request: Request) -> Visit:
    """Return the visit of a signed request, else that of a token (or of a page of ours)."""
    if SIGNATURE_HEADER.lower() in request.headers and "authorization" not in request.headers:
        body = await request.body()
        return await run_in_threadpool(_signed_visit, request, body)
    return await run_in_threadpool(api_visit, request)


def _signed_visit(request: Request, body: bytes) -> Visit:
    site, stranger = site_of(request), address_of(request)
    if seconds := site.entrance.strangers.wait(stranger):
        raise TooManyCalls(seconds)
    settings = site.workspace.settings
    try:
        with writing(site.workspace.sql) as connection:
            accept_webhook(
                connection,
                (settings.webhook_secret, settings.webhook_secret_previous),
                timestamp=request.headers.get(TIME_HEADER, ""),
                body=body,
                signature=request.headers.get(SIGNATURE_HEADER, ""),
                now=now(),
            )
    except NotAllowed:
        site.entrance.strangers.take(stranger)
        raise
    if seconds := site.entrance.calls.take(SIGNER.login):
        raise TooManyCalls(seconds)
    return visit_as(request, SIGNER)


@router.post(
    "/inbound/{channel}",
    summary="Push events, outcomes or task updates; repeats, delay and disorder do no harm",
    status_code=202,
    response_model=InboundReceipt,
)
def push(
    visit: Annotated[Visit, Depends(inbound_visit)],
    channel: Annotated[str, Path(max_length=40, description="opportunities, outcomes or tasks")],
    body: Annotated[InboundRequest, Body()],
) -> Any:
    """Take messages; 422 with the reasons where not one could be taken."""
    visit.require(Action.PUSH_EVENTS)
    if channel == TASKS:
        visit.require(Action.WORK_TASKS)
        receipt = _task_updates(visit, body.messages)
    else:
        messages = [(each.event_no, each.sequence, each.record) for each in body.messages]
        sender = visit.viewer.login if visit.viewer is SIGNER else f"token:{visit.viewer.name}"[:100]
        receipt = receive_pushed(visit.site.workspace, visit.viewer, sender, _known(channel), messages)
    if len(receipt.refused) == len(body.messages):
        words = problem(
            422, "没有一条消息可以接收", code="input_rejected", remedy="按 refused 中的原因改正后重发"
        )
        refused = [asdict(row) for row in receipt.refused]
        return JSONResponse({**words, "refused": refused}, 422, media_type="application/problem+json")
    return asdict(receipt)


def _known(channel: str) -> str:
    if channel not in CHANNELS:
        raise NotFound("没有这个推送通道", remedy=f"可用：{'、'.join([*CHANNELS, TASKS])}")
    return channel


def _task_updates(visit: Visit, messages: list[Message]) -> PushReceipt:
    """Carry updates of tasks out in the order of each task; each in a transaction of its own."""
    accepted = repeated = 0
    refused: list[Refused] = []
    for row, message in enumerate(messages, 1):
        try:
            given = TaskRecord.model_validate(message.record)
            if not given.reason.isprintable():
                raise InputRejected("原因中有无法保存的字符", remedy="去掉控制字符后重发")
            update = CrmUpdate(
                message.event_no,
                given.task_id,
                given.event.value,
                given.reason,
                None,
                given.landed_amount_fen,
                message.sequence,
            )
            with writing(visit.sql) as connection:
                done = receive_crm_update(visit.viewer, connection, update, now=visit.moment)
        except ValidationError as error:
            column = ".".join(str(part) for part in error.errors()[0]["loc"])
            refused.append(Refused(row, message.event_no, column, "字段缺失、多余或取值不对"))
        except QiaomenError as error:
            refused.append(Refused(row, message.event_no, "", str(error)))
        else:
            if done.status == "refused":
                refused.append(Refused(row, message.event_no, "event", done.error))
            elif done.repeated:
                repeated += 1
            else:
                # One that waits for an older update counts: it is kept and carried out in its turn.
                accepted += 1
    return PushReceipt(accepted, repeated, 0, tuple(refused))
