"""Global search by name, short name, credit code or pinyin initials: suggestions while typing, and a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from qiaomen.bank import Action
from qiaomen.reports import Hit, search_companies
from qiaomen.vocab import NotFound
from qiaomen.web.cells import Chip, customer_chip
from qiaomen.web.firms import firms
from qiaomen.web.visit import Visit, signed_in

INDEX: Final = "search_index"
SUGGESTED: Final = 8
LISTED: Final = 50
MET: Final = {"short": "简称", "former": "曾用名", "mention": "提及", "uscc": "信用代码"}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class HitRow:
    """One company found."""

    name: str
    href: str
    chip: Chip
    note: str


def found(visit: Visit, text: str, limit: int) -> list[Hit]:
    """Return the companies that a text may mean; none before the first run."""
    try:
        return search_companies(visit.reading.arrays(INDEX), text, limit)
    except NotFound:
        return []


def hit_rows(visit: Visit, text: str, limit: int) -> tuple[HitRow, ...]:
    """Lay out the companies found, best first."""
    hits = {hit.company_id: hit for hit in found(visit, text, limit)}
    rows = []
    for item in firms(visit.reading, visit.labels, hits):
        hit = hits[item.company_id]
        met = f"{MET[hit.kind]} {hit.name}" if hit.kind in MET and hit.name != item.name else ""
        note = " · ".join(part for part in (met, item.region, item.industry) if part)
        rows.append(HitRow(item.name, item.href, customer_chip(item.is_customer), note))
    return tuple(rows)


@router.get("/search/suggest")
def suggest(
    visit: Annotated[Visit, Depends(signed_in)], q: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Return suggestions while one types."""
    visit.require(Action.SEE_COMPANIES)
    rows = hit_rows(visit, q, SUGGESTED) if q.strip() else ()
    return visit.fragment("suggest.html", rows=rows, text=q.strip())


@router.get("/search")
def show(
    visit: Annotated[Visit, Depends(signed_in)], q: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Show everything that a text may mean."""
    visit.require(Action.SEE_COMPANIES)
    return visit.render("search.html", key="", title="搜索", rows=hit_rows(visit, q, LISTED), text=q.strip())
