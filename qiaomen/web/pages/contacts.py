"""Noting on the company page that somebody refused to be contacted, and lifting such a note."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from qiaomen.customers import record_opt_out, withdraw_opt_out
from qiaomen.reports import contact_to_refuse, subject_of
from qiaomen.store import writing
from qiaomen.vocab import Conflict
from qiaomen.web.numbers import Count, RowNumber
from qiaomen.web.visit import Visit, changing, now

router = APIRouter()
Reason = Annotated[str, Form(max_length=200)]


def _back(company_id: int) -> Response:
    return RedirectResponse(f"/companies/{company_id}#contacts", HTTPStatus.SEE_OTHER)


@router.post("/companies/{company_id}/opt-outs")
def refuse(
    visit: Annotated[Visit, Depends(changing)],
    company_id: RowNumber,
    position: Annotated[Count, Form()],
    generation: Annotated[Count, Form()],
    reason: Reason = "",
) -> Response:
    """Note a refusal: from now on neither the number nor the person is shown anywhere."""
    if generation != visit.reading.number:
        raise Conflict("数据刚刚更新过", remedy="刷新企业页后重试")
    subject = subject_of(visit.viewer, visit.reading.whole, company_id, visit.words)
    targets = contact_to_refuse(subject, position)
    with writing(visit.sql) as connection:
        for kind, value in targets:
            record_opt_out(visit.viewer, connection, company_id, kind, value, reason=reason, now=now())
    return _back(company_id)


@router.post("/companies/{company_id}/opt-outs/{opt_out_id}/withdraw")
def withdraw(
    visit: Annotated[Visit, Depends(changing)],
    company_id: RowNumber,
    opt_out_id: RowNumber,
    reason: Reason,
) -> Response:
    """Lift a refusal that was noted by mistake, or that the person took back."""
    with writing(visit.sql) as connection:
        withdraw_opt_out(visit.viewer, connection, opt_out_id, reason=reason, now=now())
    return _back(company_id)
