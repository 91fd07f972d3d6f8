"""客户盘点 › 筛选: an expression, a live count, facets that add conditions, a sorted page and exports."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response, StreamingResponse

from qiaomen.bank import Action, audit_export, may
from qiaomen.membership import (
    DIMENSION_LABELS,
    And,
    Everything,
    Expression,
    Facet,
    Index,
    Member,
    WrongExpression,
    parse,
    to_text,
)
from qiaomen.reports import write_csv, write_xlsx
from qiaomen.store import writing
from qiaomen.vocab import TIER_LABELS, NotFound
from qiaomen.web import formats
from qiaomen.web.cells import Page, TableView, table
from qiaomen.web.firms import Firm, firm_columns, firms
from qiaomen.web.screens import SORTS, index_or_none, sort_field
from qiaomen.web.tabs import inventory_tabs
from qiaomen.web.visit import Visit, now, signed_in

PAGE_SIZE: Final = 30
FACETS: Final[tuple[str, ...]] = (
    "customer",
    "tier",
    "chain",
    "region",
    "park",
    "tag",
    "industry",
    "opportunity",
)
FACET_ROWS: Final = 8
WORD: Final = re.compile(r"[^\s&|!()（）]+")
EXAMPLES: Final[tuple[tuple[str, str], ...]] = (
    ("高新技术企业中的潜客", "tag:high_tech & !customer"),
    ("存量客户", "customer"),
    ("注册资本 1 亿元以上", "capital_cny>=1亿"),
    ("优质分层的潜客", "tier:prime & !customer"),
)

router = APIRouter()


@dataclass(frozen=True, slots=True)
class FacetRow:
    """One value that would narrow the selection."""

    label: str
    count: str
    href: str


@dataclass(frozen=True, slots=True)
class FacetBlock:
    """The values of one dimension, most first."""

    title: str
    rows: tuple[FacetRow, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why an expression cannot be read, with the place marked."""

    message: str
    remedy: str
    before: str
    at: str
    after: str


@dataclass(frozen=True, slots=True)
class Example:
    """A query to start from."""

    title: str
    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Screening:
    """The whole page."""

    text: str
    sort: str
    sorts: tuple[tuple[str, str], ...]
    total: str
    customers: str
    mistake: Mistake | None
    facets: tuple[FacetBlock, ...]
    listing: TableView | None
    examples: tuple[Example, ...]
    fields: tuple[tuple[str, str], ...]
    exports: tuple[tuple[str, str], ...]
    hand: str = ""


def address(text: str, sort: str = "", page: int = 1) -> str:
    """Address of a query."""
    pairs = [("q", text), ("sort", sort)] + ([("page", str(page))] if page > 1 else [])
    return "/inventory/screen?" + urlencode([(key, value) for key, value in pairs if value])


def read_expression(index: Index, text: str) -> Expression:
    """Read a query; an empty one means every live company."""
    return parse(text, index.names) if text.strip() else Everything()


def narrowed(expression: Expression, member: Member) -> str:
    """Text of the query with one more condition."""
    if isinstance(expression, Everything):
        return to_text(member)
    parts = expression.items if isinstance(expression, And) else (expression,)
    return to_text(And((*parts, member)))


def facet_block(
    visit: Visit, dimension: str, expression: Expression, found: Sequence[Facet], sort: str
) -> FacetBlock:
    """Lay out the values of a dimension as links that narrow the query."""
    rows = tuple(
        FacetRow(
            label=facet_label(visit, dimension, facet),
            count=formats.count(facet.count),
            href=address(narrowed(expression, Member(dimension, facet.value)), sort),
        )
        for facet in found[:FACET_ROWS]
    )
    return FacetBlock(DIMENSION_LABELS[dimension], rows)


def facet_label(visit: Visit, dimension: str, facet: Facet) -> str:
    """Words of a value; divisions and institutions are named by their own lists."""
    if dimension == "region":
        return visit.labels.region(facet.value)
    if dimension == "customer":
        return visit.names.institutions.get(facet.value, facet.label)
    return facet.label


def mistake_of(error: WrongExpression, text: str) -> Mistake:
    """Mark the word that is wrong."""
    at = min(max(error.position, 0), len(text))
    word = WORD.match(text, at)
    end = word.end() if word else at + 1
    return Mistake(error.message, error.remedy, text[:at], text[at:end] or " ", text[end:])


def screening(visit: Visit, text: str, sort: str, number: int) -> Screening | None:
    """Compute the page; nothing before the first run."""
    index = index_or_none(visit.reading)
    if index is None:
        return None
    order = sort_field(index, sort) or ""
    fields = tuple((index.names.field_labels.get(field, field), field) for field in index.names.fields)
    sorts = tuple((field, label) for field, label in SORTS if field in index.names.fields)
    examples = tuple(Example(title, query, address(query)) for title, query in EXAMPLES)
    try:
        expression = read_expression(index, text)
    except WrongExpression as error:
        wrong = mistake_of(error, text)
        return Screening(text, order, sorts, "", "", wrong, (), None, examples, fields, ())
    selected = index.select(expression)
    customers = index.count(And((expression, Member("customer")))) if len(selected) else 0
    blocks = tuple(
        facet_block(visit, dimension, expression, index.facets(dimension, selected), order)
        for dimension in FACETS
        if dimension in index.names.values
    )
    page = Page(number, PAGE_SIZE, len(selected), "/inventory/screen", (("q", text), ("sort", order)))
    ids = index.page(selected, order or None, descending=True, offset=page.start, limit=PAGE_SIZE)
    listed = table(
        firm_columns(visit.labels),
        firms(visit.reading, visit.labels, ids),
        caption="筛选结果",
        page=page,
        empty="没有企业满足全部条件",
        empty_hint="去掉一个条件，或点左侧的常用筛选",
    )
    allowed = (("CSV", "csv"), ("XLSX", "xlsx")) if may(visit.viewer, Action.EXPORT) else ()
    exports = tuple((name, f"/inventory/screen.{kind}") for name, kind in allowed)
    sends = bool(text.strip()) and may(visit.viewer, Action.DISPATCH)
    hand = "/dispatch/hand?" + urlencode({"q": text}) if sends else ""
    return Screening(
        text,
        order,
        sorts,
        formats.count(len(selected)),
        formats.count(customers),
        None,
        tuple(block for block in blocks if block.rows),
        listed,
        examples,
        fields,
        exports,
        hand,
    )


@router.get("/inventory/screen")
def show(
    visit: Annotated[Visit, Depends(signed_in)],
    q: Annotated[str, Query(max_length=10_000)] = "",
    sort: str = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """Show the screening page."""
    visit.require(Action.SCREEN)
    return visit.render(
        "screening.html",
        key="inventory",
        title="客户盘点 · 筛选",
        tabs=inventory_tabs(visit),
        tab_key="screen",
        view=screening(visit, q, sort, page),
    )


@router.get("/inventory/screen/count")
def count(
    visit: Annotated[Visit, Depends(signed_in)],
    q: Annotated[str, Query(max_length=10_000)] = "",
) -> Response:
    """Return the live count of an expression as it is typed."""
    visit.require(Action.SCREEN)
    index = index_or_none(visit.reading)
    if index is None:
        return visit.fragment("screening_count.html", total="", mistake=None)
    try:
        expression = read_expression(index, q)
    except WrongExpression as error:
        return visit.fragment("screening_count.html", total="", mistake=mistake_of(error, q))
    return visit.fragment("screening_count.html", total=formats.count(index.count(expression)), mistake=None)


EXPORTED: Final = (
    ("统一社会信用代码", "uscc"),
    ("企业名称", "name"),
    ("地区", "region"),
    ("行业", "industry"),
    ("注册资本（元）", "capital_cny"),
    ("成立日期", "founded_on"),
    ("是否存量", "is_customer"),
    ("分层", "tier"),
    ("营销优先级", "priority"),
    ("响应度", "response_index"),
)


def exported(firm: Firm, field: str) -> Any:
    """Return a cell of the export; codes in words."""
    value = getattr(firm, field)
    return TIER_LABELS.get(value, "") if field == "tier" else value


@router.get("/inventory/screen.{kind}")
def export(
    visit: Annotated[Visit, Depends(signed_in)],
    kind: Annotated[str, Path(pattern="^(csv|xlsx)$")],
    q: Annotated[str, Query(max_length=10_000)] = "",
    sort: str = "",
) -> Response:
    """Return the whole list, sorted as on the page, without live formulas; the export is noted in the audit log."""
    visit.require(Action.EXPORT)
    index = index_or_none(visit.reading)
    if index is None:
        raise NotFound("还没有可导出的数据", remedy="先运行 qiaomen run")
    expression = read_expression(index, q)
    selected = index.select(expression)
    order = sort_field(index, sort)
    ids = index.page(selected, order, descending=True, offset=0, limit=max(1, len(selected)))
    rows = (
        [exported(item, field) for _, field in EXPORTED] for item in firms(visit.reading, visit.labels, ids)
    )
    out = io.BytesIO()
    write = write_csv if kind == "csv" else write_xlsx
    write(out, [title for title, _ in EXPORTED], rows)
    with writing(visit.sql) as connection:
        audit_export(
            connection,
            visit.viewer,
            "screen",
            query=to_text(expression),
            rows=len(ids),
            sha256=hashlib.sha256(out.getbuffer()).hexdigest(),
            generation=visit.reading.number,
            form=kind,
            now=now(),
        )
    out.seek(0)
    media = (
        "text/csv; charset=utf-8"
        if kind == "csv"
        else "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    )
    name = f"screen-{visit.reading.number}.{kind}"
    return StreamingResponse(
        out, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
