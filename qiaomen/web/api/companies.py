"""API: search, one company's profile, its paths, screening, opportunities."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query
from pydantic import BaseModel, Field

from qiaomen.bank import Action
from qiaomen.membership import from_json, to_json, to_text
from qiaomen.reach import load_wording, to_record, word_path
from qiaomen.reports import CompanyProfile, company_profile, find_company
from qiaomen.store import reading
from qiaomen.vocab import InputRejected
from qiaomen.web.firms import firms
from qiaomen.web.numbers import Count
from qiaomen.web.pages.opportunities import Filters, opportunity_rows, selected
from qiaomen.web.pages.screening import read_expression
from qiaomen.web.pages.search import found
from qiaomen.web.reads import about
from qiaomen.web.screens import index_or_none, sort_field
from qiaomen.web.visit import Visit, api_visit
from qiaomen.web.ways import seen_paths

router = APIRouter(tags=["companies"])
Caller = Annotated[Visit, Depends(api_visit)]


class SearchHit(BaseModel):
    """A company that a text may mean."""

    company_id: int
    name: str
    met_by: str
    exact: bool


class CompanyItem(BaseModel):
    """A company in a list."""

    company_id: int
    uscc: str
    name: str
    region_code: str
    is_customer: bool
    tier: str
    priority: float | None
    response_index: float | None
    product: str


class Screened(BaseModel):
    """A page of a screening: the query in canonical text and JSON, the count, the companies."""

    query: str
    expression: dict[str, Any]
    generation: int
    count: int
    items: list[CompanyItem]


class ScreenRequest(BaseModel):
    """A query as text or in its JSON form."""

    query: str | None = Field(None, max_length=10_000)
    expression: dict[str, Any] | None = None
    sort: str = ""
    offset: Count = 0
    limit: int = Field(50, ge=1, le=1000)


class OpportunityItem(BaseModel):
    """An opportunity in a list."""

    opportunity_id: str
    company_id: int
    company: str
    is_customer: bool
    kind: str
    title: str
    published_on: str | None
    amount_cny: float | None
    grade: str
    polarity: str
    signals: list[str]
    evidence: str


class OpportunityPage(BaseModel):
    """A page of opportunities; ``count`` is in items (条)."""

    count: int
    items: list[OpportunityItem]


class PathItem(BaseModel):
    """A path as the caller may see it."""

    wording: str
    path: dict[str, Any]


@router.get("/search", summary="Companies by name, short name, code or pinyin initials")
def search(
    visit: Caller,
    q: Annotated[str, Query(min_length=2, max_length=200)],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[SearchHit]:
    """Return the companies that a text may mean, best first."""
    visit.require(Action.SEE_COMPANIES)
    return [
        SearchHit(company_id=hit.company_id, name=hit.name, met_by=hit.kind, exact=hit.exact)
        for hit in found(visit, q, limit)
    ]


@router.get("/companies/{key}", summary="One company: everything the caller may see, with evidence")
def company(visit: Caller, key: str) -> CompanyProfile:
    """Return the profile; the key is a credit code, a company number or a name."""
    with reading(visit.sql) as connection:
        profile = company_profile(visit.viewer, visit.reading.whole, key, visit.words, connection)
    about(visit.request, f"company:{profile.head.company_id}")
    return profile


@router.get("/reach/{key}", summary="The best paths from a company to customers")
def reach(
    visit: Caller,
    key: str,
    k: Annotated[int, Query(ge=1, le=20)] = 5,
    diverse: Annotated[bool, Query(description="different introducers instead of the warmest paths")] = False,
) -> list[PathItem]:
    """Return the paths, customers outside the caller's scope concealed."""
    choices = find_company(visit.viewer, visit.reading.whole, key)
    if len(choices) > 1:
        raise InputRejected(f"“{key}”对应 {len(choices)} 家企业", remedy="改用企业编号或统一社会信用代码")
    about(visit.request, f"company:{choices[0].company_id}")
    wording = load_wording(visit.site.workspace.overlay)
    paths = seen_paths(visit, choices[0].company_id, k, "diverse" if diverse else "best")
    return [PathItem(wording=word_path(path, wording), path=to_record(path)) for path in paths]


@router.get("/screen", summary="Screen companies by an expression")
def screen(
    visit: Caller,
    q: Annotated[str, Query(max_length=10_000)] = "",
    sort: str = "",
    offset: Count = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Screened:
    """Return a page of the companies for which the expression is true."""
    return screened(visit, ScreenRequest(query=q, sort=sort, offset=offset, limit=limit))


@router.post("/screen", summary="Screen companies by the JSON form of an expression")
def screen_json(visit: Caller, request: Annotated[ScreenRequest, Body()]) -> Screened:
    """Return a page of the companies for which the expression is true; nothing is changed."""
    return screened(visit, request)


def screened(visit: Visit, request: ScreenRequest) -> Screened:
    """Answer a screening."""
    visit.require(Action.SCREEN)
    index = index_or_none(visit.reading)
    if index is None:
        raise InputRejected("还没有可筛选的数据", remedy="先运行 qiaomen run")
    if request.expression is not None:
        expression = from_json(request.expression, index.names)
    else:
        expression = read_expression(index, request.query or "")
    chosen = index.select(expression)
    ids = index.page(
        chosen, sort_field(index, request.sort), descending=True, offset=request.offset, limit=request.limit
    )
    items = [
        CompanyItem.model_validate({name: getattr(item, name) for name in CompanyItem.model_fields})
        for item in firms(visit.reading, visit.labels, ids)
    ]
    return Screened(
        query=to_text(expression),
        expression=to_json(expression),
        generation=visit.reading.number,
        count=len(chosen),
        items=items,
    )


@router.get("/opportunities", summary="Opportunities by kind, signal, grade, region, date")
def opportunities(
    visit: Caller, filters: Annotated[Filters, Query()], limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> OpportunityPage:
    """Return a page of opportunities, newest first."""
    visit.require(Action.SEE_COMPANIES)
    rows = selected(visit.reading, filters)
    part = rows.slice((filters.page - 1) * limit, limit).to_pylist()
    items = [
        OpportunityItem(
            opportunity_id=row.opportunity_id,
            company_id=row.company_id,
            company=row.company,
            is_customer=row.is_customer,
            kind=row.kind,
            title=row.title,
            published_on=row.published_on.isoformat() if row.published_on else None,
            amount_cny=row.amount_cny,
            grade=row.grade,
            polarity=row.polarity,
            signals=list(row.signals),
            evidence=row.evidence,
        )
        for row in opportunity_rows(visit, part)
    ]
    return OpportunityPage(count=rows.num_rows, items=items)
