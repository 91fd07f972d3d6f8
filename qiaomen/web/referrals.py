"""转介请求 as 今日 shows them: who asks for which door, and the answer."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.engine import Connection

from qiaomen.customers import waiting_asks
from qiaomen.web import formats
from qiaomen.web.firms import firms
from qiaomen.web.visit import Visit


@dataclass(frozen=True, slots=True)
class AskRow:
    """One request that waits for an answer."""

    ask_id: int
    prospect: str
    prospect_href: str
    customer: str
    customer_href: str
    asked_by: str
    asked_at: str
    wording: str


def waiting_rows(visit: Visit, connection: Connection) -> tuple[AskRow, ...]:
    """Return the requests that wait for the viewer."""
    asks = waiting_asks(visit.viewer, connection)
    numbers = {number for ask in asks for number in (ask.prospect_id, ask.customer_id)}
    named = {item.company_id: item for item in firms(visit.reading, visit.labels, numbers)}
    return tuple(
        AskRow(
            ask_id=ask.ask_id,
            prospect=named[ask.prospect_id].name,
            prospect_href=named[ask.prospect_id].href,
            customer=named[ask.customer_id].name,
            customer_href=named[ask.customer_id].href,
            asked_by=ask.asked_by_name,
            asked_at=formats.moment(ask.asked_at),
            wording=ask.wording,
        )
        for ask in asks
        if ask.prospect_id in named and ask.customer_id in named
    )
