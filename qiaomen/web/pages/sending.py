"""确认下发与手工下发: a plan of the chosen leads or firms, its confirmation, and what became of each firm."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

import numpy as np
from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.engine import Connection

from qiaomen.bank import Action
from qiaomen.dispatch import BatchRequest, Planned, funnel, get_batch, sent_leads
from qiaomen.jobs import (
    HandRequest,
    chosen_firms,
    chosen_leads,
    confirm_leads,
    hand_leads,
    plan_selection,
)
from qiaomen.store import reading as sql_reading
from qiaomen.vocab import Conflict, InputRejected
from qiaomen.web import formats
from qiaomen.web.conflicts import collisions
from qiaomen.web.figures import Figure
from qiaomen.web.firms import Firm, firms, is_customer
from qiaomen.web.lead_lists import seen
from qiaomen.web.numbers import RowNumber
from qiaomen.web.pages.dispatch import ORIGINS, state_of
from qiaomen.web.pages.radius import distances, located
from qiaomen.web.pages.screening import read_expression
from qiaomen.web.pages.search import found
from qiaomen.web.plans import (
    PlanView,
    as_record,
    item_table,
    plan_view,
    read_seen,
    read_target,
    target_words,
    targets,
)
from qiaomen.web.screens import index_or_none, sort_field
from qiaomen.web.visit import SHANGHAI, Visit, changing, signed_in

# Firms that one dispatch by hand takes; leads of a run go up to the limit of ``jobs``.
MOST_BY_HAND: Final = 300
MOST_LEADS: Final = 1_000
FOUND: Final = 8
KEY: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")

router = APIRouter()
Changing = Annotated[Visit, Depends(changing)]
Looking = Annotated[Visit, Depends(signed_in)]
Words = Annotated[str, Form(max_length=500)]
Code = Annotated[str, Form(max_length=200)]
Marks = Annotated[str, Form(max_length=400_000)]


@dataclass(frozen=True, slots=True)
class Sending:
    """What the form of the confirmation carries on from page to page."""

    source: str
    key: str
    target: str
    product: str
    note: str
    companies: tuple[int, ...]


def _checked_key(key: str) -> str:
    if not KEY.fullmatch(key):
        raise InputRejected("请求编号无法识别", remedy="回到下发页重新预览")
    return key


def _hand_request(sending: Sending) -> HandRequest:
    target = read_target(sending.target)
    if target is None:
        raise InputRejected("没有选择去向", remedy="选择机构或客户经理")
    if len(sending.companies) > MOST_BY_HAND:
        raise InputRejected(f"手工下发一次最多{MOST_BY_HAND}户", remedy="分批下发，或缩小范围")
    return HandRequest(
        sending.companies, target, sending.product or None, sending.note, _checked_key(sending.key)
    )


def _planned(
    visit: Visit, connection: Connection, sending: Sending, lead_ids: Sequence[str]
) -> list[Planned]:
    workspace = visit.site.workspace
    if sending.source == "hand":
        chosen = chosen_firms(workspace, visit.viewer, _hand_request(sending))
    else:
        chosen = chosen_leads(workspace, visit.viewer, lead_ids, read_target(sending.target))
    return plan_selection(workspace, visit.viewer, connection, chosen)


def _warnings(visit: Visit, planned: Sequence[Planned]) -> Mapping[int, str]:
    """Return what collides beside the rules: groups and keepers, by company."""
    mine = [as_record(each) for each in planned if each.outcome != "refused"]
    chosen = {row["company_id"] for row in mine}
    others = [row for row in seen(visit) if row["company_id"] not in chosen]
    return {
        each.lead["company_id"]: each.words
        for each in collisions(visit, [*mine, *others])
        if each.kind != "firm" and each.lead["company_id"] in chosen
    }


def _view(
    visit: Visit, sending: Sending, lead_ids: Sequence[str], dropped: frozenset[str] = frozenset()
) -> PlanView:
    with sql_reading(visit.sql) as connection:
        planned = _planned(visit, connection, sending, lead_ids)
        loads = funnel(visit.viewer, connection, by="manager_no", now=visit.moment)
    held = {row.group: row.open_items for row in loads}
    return plan_view(visit, planned, held, _warnings(visit, planned), dropped)


def _plan_page(
    visit: Visit, sending: Sending, view: PlanView, *, changed: str = "", status: int = 200
) -> Response:
    return visit.render(
        "dispatch_plan.html",
        key="dispatch",
        title="确认下发",
        status=status,
        sending=sending,
        target=target_words(visit, read_target(sending.target)),
        product=visit.labels.product(sending.product),
        view=view,
        changed=changed,
        left_out=0,
    )


@router.post("/dispatch/plan")
def plan(
    visit: Changing,
    lead: Annotated[list[str], Form(max_length=MOST_LEADS)] = [],  # noqa: B006 - a form without any ticked
    everything: Code = "",
    target: Code = "",
    note: Words = "",
) -> Response:
    """Show what would become of the chosen leads; nothing is dispatched."""
    visit.require(Action.DISPATCH)
    chosen = lead or (_waiting(visit) if everything else [])
    sending = Sending("rule", secrets.token_urlsafe(18), target, "", note, ())
    return _plan_page(visit, sending, _view(visit, sending, chosen))


def _waiting(visit: Visit) -> list[str]:
    with sql_reading(visit.sql) as connection:
        sent = sent_leads(visit.viewer, connection)
    return [row["lead_id"] for row in seen(visit) if state_of(row, sent) == "waiting"][:MOST_LEADS]


@router.post("/dispatch/confirm")
def confirm(
    visit: Changing,
    source: Annotated[str, Form(pattern="^(rule|hand)$")],
    key: Code,
    seen: Marks,
    keep: Annotated[list[str], Form(max_length=MOST_LEADS)] = [],  # noqa: B006 - a form without any ticked
    target: Code = "",
    product: Code = "",
    reason: Words = "",
    note: Words = "",
    company: Annotated[list[RowNumber], Form(max_length=MOST_LEADS)] = [],  # noqa: B006 - a form of leads
) -> Response:
    """Dispatch what was shown, once; where anything has changed, show it anew and dispatch nothing."""
    visit.require(Action.DISPATCH)
    marks = read_seen(seen)
    dropped = frozenset(marks) - frozenset(keep)
    sending = Sending(source, _checked_key(key), target, product, reason, tuple(company))
    request = BatchRequest(
        sending.key, source, marks, note, target_words(visit, read_target(target)), product or None, dropped
    )
    workspace = visit.site.workspace
    try:
        if source == "hand":
            number = hand_leads(workspace, visit.viewer, _hand_request(sending), request)
        else:
            number = confirm_leads(workspace, visit.viewer, request, read_target(target))
    except Conflict as error:
        view = _view(visit, sending, list(marks), dropped)
        return _plan_page(visit, sending, view, changed=error.message, status=HTTPStatus.CONFLICT)
    return RedirectResponse(f"/dispatch/batches/{number}", HTTPStatus.SEE_OTHER)


@router.get("/dispatch/batches/{number}")
def show_batch(visit: Looking, number: RowNumber) -> Response:
    """Show what became of each firm of one confirmation."""
    visit.require(Action.DISPATCH)
    with sql_reading(visit.sql) as connection:
        batch, items = get_batch(visit.viewer, connection, number)
    rules = Counter(item.rule for item in items if item.outcome == "refused")
    return visit.render(
        "dispatch_batch.html",
        key="dispatch",
        title="下发结果",
        batch=batch,
        at=formats.moment(batch.at.astimezone(SHANGHAI)),
        actor=visit.names.staff(batch.actor.upper()),
        source=ORIGINS.get(batch.source, batch.source),
        product=visit.labels.product(batch.product),
        figures=(
            Figure("生成任务", formats.count(batch.created), "条", "已通知客户经理或进待认领池"),
            Figure("并入任务", formats.count(batch.joined), "条", "补充到进行中的任务"),
            Figure("未下发", formats.count(batch.refused), "户", f"按 {len(rules)} 条规则" if rules else ""),
        ),
        listing=item_table(visit, items),
    )


def _around(visit: Visit, lon: float, lat: float, radius_m: float) -> list[int]:
    places = visit.reading.once(located)
    near = places.numbers[np.flatnonzero(distances(places, lon, lat) <= radius_m)]
    return [int(number) for number in near[~is_customer(visit.reading, near)]]


def _screened(visit: Visit, text: str) -> list[int]:
    index = index_or_none(visit.reading)
    if index is None:
        return []
    selected = index.select(read_expression(index, text))
    ids = index.page(selected, sort_field(index), descending=True, offset=0, limit=MOST_BY_HAND + 1)
    return [int(number) for number in ids]


@router.get("/dispatch/hand")
def show_hand(
    visit: Looking,
    company: Annotated[list[RowNumber], Query(max_length=MOST_LEADS)] = [],  # noqa: B006 - nothing chosen yet
    q: Annotated[str, Query(max_length=10_000)] = "",
    lon: Annotated[float | None, Query(ge=-180, le=180)] = None,
    lat: Annotated[float | None, Query(ge=-90, le=90)] = None,
    radius_m: Annotated[float, Query(ge=100, le=50_000)] = 5_000,
    find: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Show the form: the firms chosen, by number, by a screening, by a circle on the map or by name."""
    visit.require(Action.DISPATCH)
    numbers = list(dict.fromkeys(company))
    origin = "手工挑选"
    if q:
        numbers, origin = _screened(visit, q), f"筛选：{q}"
    elif lon is not None and lat is not None:
        numbers, origin = _around(visit, lon, lat, radius_m), f"地图半径 {radius_m / 1000:.1f} 公里内的潜客"
    left = max(0, len(numbers) - MOST_BY_HAND)
    with sql_reading(visit.sql) as connection:
        choices = targets(visit, connection)
    return visit.render(
        "dispatch_hand.html",
        key="dispatch",
        title="手工下发",
        chosen=_listed(visit, numbers[:MOST_BY_HAND]),
        origin=origin,
        left=f"优先级靠后的 {left:,} 户未列入，一次最多 {MOST_BY_HAND} 户" if left else "",
        hits=_hits(visit, find, set(numbers)),
        find=find,
        targets=choices,
        products=sorted((code, row.name_zh) for code, row in visit.labels.products.items()),
        request_key=secrets.token_urlsafe(18),
    )


def _listed(visit: Visit, numbers: Sequence[int]) -> list[Firm]:
    return firms(visit.reading, visit.labels, numbers)


def _hits(visit: Visit, text: str, chosen: set[int]) -> list[Firm]:
    if not text.strip():
        return []
    ids = [hit.company_id for hit in found(visit, text, FOUND) if hit.company_id not in chosen]
    return _listed(visit, ids)


@router.post("/dispatch/hand")
def plan_hand(
    visit: Changing,
    company: Annotated[list[RowNumber], Form(max_length=MOST_LEADS)] = [],  # noqa: B006 - a form without any ticked
    key: Code = "",
    target: Code = "",
    product: Code = "",
    reason: Words = "",
) -> Response:
    """Show what would become of the chosen firms; nothing is dispatched."""
    visit.require(Action.DISPATCH)
    sending = Sending("hand", key, target, product, reason, tuple(dict.fromkeys(company)))
    return _plan_page(visit, sending, _view(visit, sending, ()))
