"""交接: choose who takes a manager's customers and tasks over, look at the shares, then hand over."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import Response

from qiaomen.bank import Action, Colleague, StaffRow, colleagues, scope_of, show_staff, today_of
from qiaomen.dispatch import HandOver, Share
from qiaomen.jobs import make_hand_over, preview_hand_over
from qiaomen.store import reading
from qiaomen.vocab import Conflict, InputRejected, Role
from qiaomen.web import formats
from qiaomen.web.cells import Cell, ColumnView, TableView, table
from qiaomen.web.person import back_to
from qiaomen.web.visit import Visit, changing, now, signed_in

router = APIRouter()


def shares_table(visit: Visit, planned: HandOver) -> TableView:
    """Lay out what each receiver would get."""
    columns: tuple[ColumnView[Share], ...] = (
        ColumnView("接手人", lambda share: Cell(share.name, note=share.manager_no)),
        ColumnView("机构", lambda share: Cell(visit.names.institution(share.institution_code))),
        ColumnView("客户", lambda share: Cell(formats.households(share.customers)), align="right"),
        ColumnView(
            "其中换机构", lambda share: Cell(formats.households(share.moved_customers)), align="right"
        ),
        ColumnView("其他客户号", lambda share: Cell(formats.count(share.unmatched)), align="right"),
        ColumnView("任务", lambda share: Cell(formats.items(share.tasks)), align="right"),
        ColumnView("原有任务", lambda share: Cell(formats.items(share.open_tasks_before)), align="right"),
    )
    return table(columns, planned.shares, caption="交接预览")


def receivers_near(visit: Visit, person: StaffRow) -> list[Colleague]:
    """Return the managers of the person's institutions who can take over; others are entered by number."""
    scope = scope_of(visit.viewer, Action.HAND_OVER)
    places = {post.institution_code for post in person.posts}
    within = places if scope.whole_bank else places & scope.institutions
    with reading(visit.sql) as connection:
        found = colleagues(connection, within, today_of(now()))
    return [item for item in found if item.role is Role.MANAGER and item.staff_no != person.staff_no]


def wanted_receivers(chosen: list[str], others: str) -> list[str]:
    """Join the ticked receivers with those typed, in order, each once."""
    typed = others.replace("，", ",").replace("；", ",").replace(";", ",").replace("、", ",").split(",")
    return list(dict.fromkeys(number.strip() for number in [*chosen, *typed] if number.strip()))


def _page(
    visit: Visit, staff_no: str, receivers: list[str], *, status: int = 200, error: str = "", reason: str = ""
) -> Response:
    visit.require(Action.HAND_OVER)
    visit.require(Action.SEE_STAFF)
    with reading(visit.sql) as connection:
        person = show_staff(visit.viewer, connection, staff_no, today_of(now()))
    near = receivers_near(visit, person)
    planned: HandOver | None = None
    if receivers:
        try:
            planned = preview_hand_over(visit.site.workspace, visit.viewer, staff_no, receivers)
        except InputRejected as refused:
            status, error = HTTPStatus.UNPROCESSABLE_ENTITY, error or str(refused)
    known = {item.staff_no for item in near}
    return visit.render(
        "staff_hand_over.html",
        key="staff",
        title="交接",
        status=status,
        person=person,
        near=near,
        chosen=set(receivers),
        others="，".join(number for number in receivers if number not in known),
        receivers=receivers,
        planned=planned,
        listing=shares_table(visit, planned) if planned else None,
        error=error,
        reason=reason,
    )


@router.get("/staff/{staff_no}/hand-over")
def plan(
    visit: Annotated[Visit, Depends(signed_in)],
    staff_no: str,
    to: Annotated[list[str] | None, Query(max_length=50)] = None,
    others: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """Choose receivers and see what each would get; nothing is changed."""
    return _page(visit, staff_no, wanted_receivers(to or [], others))


@router.post("/staff/{staff_no}/hand-over")
def make(
    visit: Annotated[Visit, Depends(changing)],
    staff_no: str,
    to: Annotated[list[str], Form(max_length=50)],
    reason: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Hand everything over, as it stands now."""
    visit.require(Action.HAND_OVER)
    visit.require(Action.SEE_STAFF)
    with reading(visit.sql) as connection:
        show_staff(visit.viewer, connection, staff_no, today_of(now()))
    try:
        _, applied = make_hand_over(visit.site.workspace, visit.viewer, staff_no, to, reason)
    except (InputRejected, Conflict) as error:
        return _page(
            visit,
            staff_no,
            to,
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            error=str(error),
            reason=reason,
        )
    return back_to(staff_no, "hand-over" if applied else "hand-over-later")
