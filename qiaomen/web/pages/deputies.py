"""Naming a deputy and ending a delegation: for others on the page of a person, for oneself on the own account page."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from qiaomen.bank import Action, delegate, end_delegation, list_delegations, today_of
from qiaomen.store import writing
from qiaomen.vocab import Conflict, InputRejected, NotFound
from qiaomen.web.numbers import RowNumber
from qiaomen.web.pages.account import account_page
from qiaomen.web.person import back_to, person_page, read_day
from qiaomen.web.problems import ACCOUNT
from qiaomen.web.visit import Visit, changing, now

router = APIRouter()
Deputy = Annotated[str, Form(max_length=64)]
Day = Annotated[str, Form(max_length=10)]
Reason = Annotated[str, Form(max_length=200)]


def _name(visit: Visit, principal: str, deputy: str, since: str, until: str, reason: str) -> None:
    today = today_of(now())
    first, last = read_day(since, "起始日") or today, read_day(until, "截止日")
    if last is None:
        raise InputRejected("代理须写明截止日", remedy="填写最后一天，可提前结束")
    with writing(visit.sql) as connection:
        delegate(
            visit.viewer,
            connection,
            principal,
            deputy.strip(),
            since=first,
            until=last,
            reason=reason,
            now=now(),
        )


def _typed(deputy: str, since: str, until: str, reason: str) -> dict[str, str]:
    """Return what the form of a refused delegation is filled with again."""
    return {"deputy": deputy, "deputy_since": since, "deputy_until": until, "deputy_reason": reason}


def _end(visit: Visit, staff_no: str, number: int) -> None:
    """End a delegation that this person gave or got; any other does not exist here."""
    with writing(visit.sql) as connection:
        listed = list_delegations(visit.viewer, connection, today_of(now()), staff_no=staff_no)
        if all(row.delegation_id != number for row in listed):
            raise NotFound(f"没有编号为 {number} 的代理", remedy="刷新页面")
        end_delegation(visit.viewer, connection, number, now=now())


@router.post("/staff/{staff_no}/deputies")
def name_deputy(
    visit: Annotated[Visit, Depends(changing)],
    staff_no: str,
    deputy: Deputy = "",
    until: Day = "",
    reason: Reason = "",
    since: Day = "",
) -> Response:
    """Let a colleague stand in for this person."""
    visit.require(Action.DELEGATE)
    visit.require(Action.SEE_STAFF)
    try:
        _name(visit, staff_no, deputy, since, until, reason)
    except (InputRejected, Conflict) as error:
        given = _typed(deputy, since, until, reason)
        return person_page(
            visit, staff_no, status=HTTPStatus.UNPROCESSABLE_ENTITY, error=str(error), given=given
        )
    return back_to(staff_no, "deputy")


@router.post("/staff/{staff_no}/deputies/{number}/end")
def end_deputy(visit: Annotated[Visit, Depends(changing)], staff_no: str, number: RowNumber) -> Response:
    """End a delegation of this person at once."""
    visit.require(Action.SEE_STAFF)
    _end(visit, staff_no, number)
    return back_to(staff_no, "deputy-ended")


@router.post(f"{ACCOUNT}/deputies")
def name_own_deputy(
    visit: Annotated[Visit, Depends(changing)],
    deputy: Deputy = "",
    until: Day = "",
    reason: Reason = "",
    since: Day = "",
) -> Response:
    """Let a colleague of the same institution stand in for the viewer."""
    visit.require(Action.DELEGATE)
    try:
        if visit.viewer.staff_no is None:
            raise InputRejected("该账号没有对应的员工，不能设代理", remedy="由员工本人或管理员办理")
        _name(visit, visit.viewer.staff_no, deputy, since, until, reason)
    except (InputRejected, Conflict) as error:
        given = _typed(deputy, since, until, reason)
        return account_page(visit, status=HTTPStatus.UNPROCESSABLE_ENTITY, error=str(error), given=given)
    return RedirectResponse(f"{ACCOUNT}?done=deputy", HTTPStatus.SEE_OTHER)


@router.post(f"{ACCOUNT}/deputies/{{number}}/end")
def end_own_deputy(visit: Annotated[Visit, Depends(changing)], number: RowNumber) -> Response:
    """End a delegation that the viewer gave or got."""
    _end(visit, visit.viewer.staff_no or "", number)
    return RedirectResponse(f"{ACCOUNT}?done=deputy-ended", HTTPStatus.SEE_OTHER)
