"""触达路径: the warm prospects of one's own customers; the drawn paths of one company with wording and evidence."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

import numpy as np
import pyarrow.compute as pc
from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import RedirectResponse, Response

from qiaomen.bank import Action, scope_of
from qiaomen.customers import CUSTOMERS, answer_ask, ask_referral
from qiaomen.reach import REACH, Path, explain, load_wording, word_path
from qiaomen.store import writing
from qiaomen.vocab import RELATION_LABELS, NotFound, RelationKind
from qiaomen.web import formats
from qiaomen.web.cells import Cell, Chip, ColumnView, Page, TableView, table
from qiaomen.web.choices import Option
from qiaomen.web.drawing import Drawing, draw
from qiaomen.web.firms import Firm, brief, firm, firms, name_cell, response_cell
from qiaomen.web.numbers import RowNumber
from qiaomen.web.reading import Record
from qiaomen.web.screens import ranks
from qiaomen.web.visit import Visit, changing, signed_in
from qiaomen.web.ways import Mode, found_paths, has_graph, seen_introductions, seen_paths

PATHS: Final = 5
PAGE_SIZE: Final = 25
BASIS_CHIPS: Final = {
    "direct": Chip("关系可查证", "green"),
    "suspected": Chip("疑似，未证实", "amber"),
    "chain": Chip("产业关联，非已知往来", "grey"),
}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class PathRow:
    """One path in the list."""

    number: int
    score: str
    route: tuple[str, ...]
    wording: str
    basis: Chip
    hops: tuple[str, ...]
    customer_id: int | None
    hidden: bool


@dataclass(frozen=True, slots=True)
class ReachView:
    """The page of one company."""

    firm: Firm
    drawing: Drawing | None
    paths: tuple[PathRow, ...]
    doors: tuple[str, ...]
    modes: tuple[Option, ...]


def path_row(number: int, path: Path, visit: Visit) -> PathRow:
    """Lay out one path."""
    wording = load_wording(visit.site.workspace.overlay)
    nodes = path.nodes()
    return PathRow(
        number=number,
        score=formats.score(path.warmth * 100),
        route=tuple(node.name if node.hidden else brief(node.name) for node in nodes),
        wording=word_path(path, wording),
        basis=BASIS_CHIPS[path.basis],
        hops=tuple(explain(path, wording)),
        customer_id=path.customer_id,
        hidden=bool(nodes) and nodes[-1].hidden,
    )


def reach_view(visit: Visit, company_id: int, mode: str, k: int) -> ReachView:
    """Compute the page of one company; ``NotFound`` where there is none."""
    target = firm(visit.reading, visit.labels, company_id)
    if target is None:
        raise NotFound("没有这家企业", remedy="用顶部搜索查找")
    found = seen_paths(visit, company_id, k, "diverse" if mode == "diverse" else "best")
    doors = (
        ()
        if found
        else tuple(row["wording"] for row in seen_introductions(visit, [company_id]).get(company_id, []))
    )
    base = f"/reach/{company_id}"
    return ReachView(
        firm=target,
        drawing=draw(found),
        paths=tuple(path_row(number, path, visit) for number, path in enumerate(found)),
        doors=doors,
        modes=(
            Option("best", "最暖的路径", f"{base}?mode=best", mode != "diverse"),
            Option("diverse", "不同的引荐人", f"{base}?mode=diverse", mode == "diverse"),
        ),
    )


def warm_rows(visit: Visit) -> list[Record]:
    """Prospects whose warmest customer lies in the viewer's scope, by warmth times priority."""
    scope = scope_of(visit.viewer)
    reach = visit.reading.table(REACH).select(
        ["company_id", "customer_id", "hops", "warmth", "first_kind", "proven"]
    )
    reach = reach.filter(
        pc.and_(pc.greater(reach.column("hops"), 0), pc.is_valid(reach.column("customer_id")))
    )
    held = visit.reading.table(CUSTOMERS)
    inside = held.filter(scope.mask(held.column("institution_code"), held.column("manager_no")))
    near = reach.filter(
        pc.is_in(reach.column("customer_id"), value_set=inside.column("company_id").combine_chunks())
    )
    # A branch office of a customer needs no introduction to its own parent.
    near = near.filter(pc.not_equal(near.column("first_kind"), RelationKind.BRANCH_OF.value))
    if not near.num_rows:
        return []
    rank = visit.reading.once(ranks)[near.column("company_id").to_numpy()]
    priority = np.where(np.isinf(rank), 0.0, -rank)
    order = np.argsort(-near.column("warmth").to_numpy() * (20 + priority), kind="stable")
    rows: list[Record] = near.take(order).to_pylist()
    return rows


def warm_list(visit: Visit, number: int) -> TableView:
    """Lay out a page of the warm prospects."""
    rows = warm_rows(visit)
    page = Page(number, PAGE_SIZE, len(rows), "/reach")
    part = rows[page.start : page.start + PAGE_SIZE]
    by_number = {row["company_id"]: row for row in part}
    shown = firms(visit.reading, visit.labels, by_number)
    names = {
        item.company_id: item
        for item in firms(visit.reading, visit.labels, {row["customer_id"] for row in part})
    }

    def introducer(row: Firm) -> Cell:
        customer = names.get(by_number[row.company_id]["customer_id"])
        return Cell(customer.name, href=customer.href) if customer else Cell()

    def way(row: Firm) -> Cell:
        found = by_number[row.company_id]
        kind = RELATION_LABELS.get(found["first_kind"] or "", "")
        chips = () if found["proven"] else (Chip("疑似", "amber"),)
        return Cell(f"{found['hops']} 跳 · {kind}", href=f"/reach/{row.company_id}", chips=chips)

    columns: tuple[ColumnView[Firm], ...] = (
        ColumnView("潜客", name_cell),
        ColumnView("可引荐的存量客户", introducer),
        ColumnView("路径", way, fixed=True),
        ColumnView(
            "可达性",
            lambda row: Cell(
                formats.score(by_number[row.company_id]["warmth"] * 100),
                meter=by_number[row.company_id]["warmth"],
            ),
            align="right",
        ),
        ColumnView("响应度", response_cell, align="right"),
    )
    return table(
        columns,
        shown,
        caption="可引荐的潜客",
        page=page,
        empty="您名下的客户还没有可引荐的潜客",
        empty_hint="可用顶部搜索打开任一企业查看路径",
    )


@router.get("/reach")
def show_warm(
    visit: Annotated[Visit, Depends(signed_in)], page: Annotated[int, Query(ge=1, le=100_000)] = 1
) -> Response:
    """Show which prospects the viewer's own customers could introduce."""
    visit.require(Action.SEE_COMPANIES)
    known = visit.reading.table(REACH).num_rows
    return visit.render(
        "reach_list.html",
        key="reach",
        title="触达路径",
        known=known,
        listing=warm_list(visit, page) if known else None,
    )


@router.get("/reach/{company_id}")
def show_paths(
    visit: Annotated[Visit, Depends(signed_in)],
    company_id: RowNumber,
    mode: Annotated[str, Query(pattern="^(best|diverse)$")] = "best",
    k: Annotated[int, Query(ge=1, le=20)] = PATHS,
    asked: Annotated[int, Query(ge=-1, lt=20)] = -1,
) -> Response:
    """Show the paths of one company."""
    visit.require(Action.SEE_COMPANIES)
    view = reach_view(visit, company_id, mode, k)
    return visit.render(
        "reach.html",
        key="reach",
        title=f"{view.firm.brief_name} · 触达路径",
        view=view,
        known=has_graph(visit.reading),
        asked=asked,
    )


@router.post("/reach/{company_id}/ask")
def ask(
    visit: Annotated[Visit, Depends(changing)],
    company_id: RowNumber,
    number: Annotated[int, Form(ge=0, lt=20)],
    mode: Annotated[str, Form(pattern="^(best|diverse)$")] = "best",
) -> Response:
    """Ask the customer's manager for an introduction along a path; the customer may stay hidden to the one who asks."""
    chosen: Mode = "diverse" if mode == "diverse" else "best"
    open_ways = found_paths(visit.reading, company_id, PATHS, chosen)
    shown = seen_paths(visit, company_id, PATHS, chosen)
    if number >= len(open_ways):
        raise NotFound("没有这条路径", remedy="刷新页面后再选")
    customer = visit.reading.whole.keyed(CUSTOMERS, "company_id").first(open_ways[number].customer_id)
    if customer is None:
        raise NotFound("引荐人已不是本行客户", remedy="刷新页面后再选")
    with writing(visit.sql) as connection:
        ask_referral(
            visit.viewer,
            connection,
            company_id,
            customer["company_id"],
            institution_code=customer["institution_code"],
            manager_no=customer["manager_no"],
            wording=word_path(shown[number], load_wording(visit.site.workspace.overlay)),
            now=visit.moment,
        )
    return RedirectResponse(f"/reach/{company_id}?mode={chosen}&asked={number}", HTTPStatus.SEE_OTHER)


@router.post("/referrals/{ask_id}")
def answer(
    visit: Annotated[Visit, Depends(changing)],
    ask_id: RowNumber,
    agreed: Annotated[bool, Form()],
    consent: Annotated[bool, Form()] = False,
    answer: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Answer a request for an introduction."""
    with writing(visit.sql) as connection:
        answer_ask(
            visit.viewer, connection, ask_id, agreed=agreed, consent=consent, answer=answer, now=visit.moment
        )
    return RedirectResponse("/today#referrals", HTTPStatus.SEE_OTHER)
