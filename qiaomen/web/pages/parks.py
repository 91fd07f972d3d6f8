"""园区: search by trade and region; a park's residents, chain make-up, leading firms and penetration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from qiaomen.bank import Action
from qiaomen.chains import CHAIN_NODES, COMPANY_NODES, Count
from qiaomen.parks import PARK_RESIDENTS, PARKS, Leader, ParkHit, ParkPage, park_page, search_parks
from qiaomen.registry import COMPANIES
from qiaomen.web import formats
from qiaomen.web.cells import (
    Cell,
    Chip,
    ColumnView,
    Evidence,
    Page,
    TableView,
    customer_chip,
    table,
    tier_chip,
)
from qiaomen.web.charts import Bar, bars
from qiaomen.web.figures import Figure
from qiaomen.web.firms import Firm, customer_numbers, firm, firms, is_customer, name_cell, response_cell
from qiaomen.web.reading import Reading
from qiaomen.web.screens import ranks
from qiaomen.web.visit import Visit, signed_in
from qiaomen.web.withholding import customers_words, told

Ids = npt.NDArray[np.int64]
PAGE_SIZE: Final = 20
LEADERS: Final = 6
CHAINS: Final = 8

router = APIRouter()


@dataclass(frozen=True, slots=True)
class ParkView:
    """A park's page."""

    name: str
    summary: str
    figures: tuple[Figure, ...]
    operator: Firm | None
    chains: tuple[Bar, ...]
    leaders: TableView
    listing: TableView
    prospects_href: str


def residents(reading: Reading) -> dict[str, Ids]:
    """Companies of each park, ascending."""
    rows = reading.table(PARK_RESIDENTS).select(["park_code", "company_id"])
    found: dict[str, list[int]] = {}
    for code, number in zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True):
        found.setdefault(code, []).append(number)
    return {code: np.unique(np.asarray(numbers, np.int64)) for code, numbers in found.items()}


def customers_by_park(reading: Reading) -> dict[str, int]:
    """Number of customers in each park."""
    return {
        code: int(is_customer(reading, numbers).sum()) for code, numbers in reading.once(residents).items()
    }


def told_customers(visit: Visit, code: str, residents: int) -> Count:
    """Return the bank's customers in a park as the viewer may be told them."""
    own = visit.reading.once(customers_by_park).get(code, 0)
    return told(visit, own, visit.reading.whole.once(customers_by_park).get(code, 0), residents)


def park_columns(visit: Visit) -> tuple[ColumnView[ParkHit], ...]:
    """Columns of the list of parks."""
    labels = visit.labels

    def held(row: ParkHit) -> Cell:
        return Cell(f"{customers_words(told_customers(visit, row.park_code, row.residents))} 户")

    def penetration(row: ParkHit) -> Cell:
        part = told_customers(visit, row.park_code, row.residents).penetration
        return Cell(formats.percent(part), meter=part)

    return (
        ColumnView(
            "园区",
            lambda row: Cell(
                row.name, href=f"/parks/{row.park_code}", chips=(Chip(row.level),) if row.level else ()
            ),
        ),
        ColumnView("地区", lambda row: Cell(labels.region(row.region_code)), fixed=True),
        ColumnView("主导产业", lambda row: Cell("、".join(row.trades))),
        ColumnView("符合", lambda row: Cell(row.why, tone="soft")),
        ColumnView("入驻企业", lambda row: Cell(formats.households(row.residents)), align="right"),
        ColumnView("存量客户", held, align="right"),
        ColumnView("渗透率", penetration, align="right"),
    )


def read_park(reading: Reading, code: str) -> ParkPage:
    """Read one park; only its own rows are touched."""
    here = reading.keyed(PARK_RESIDENTS, "park_code").many([code])
    numbers = reading.once(residents).get(code, np.empty(0, np.int64)).tolist()
    return park_page(
        code,
        reading.table(PARKS),
        here,
        reading.keyed(COMPANIES, "company_id").many(numbers),
        reading.keyed(COMPANY_NODES, "company_id").many(numbers),
        reading.table(CHAIN_NODES),
        frozenset(reading.once(customer_numbers).tolist()),
    )


def resident_columns(reading: Reading, code: str) -> tuple[ColumnView[Firm], ...]:
    """Columns of the residents, with the reason each is placed in the park."""
    placed = reading.keyed(PARK_RESIDENTS, "company_id")

    def why(row: Firm) -> Cell:
        here = next((item for item in placed.rows(row.company_id) if item["park_code"] == code), None)
        basis = {"declared": "名录", "address": "地址", "location": "坐标"}
        return (
            Cell(basis.get(here["basis"], ""), evidence=Evidence.parse(here["evidence"])) if here else Cell()
        )

    return (
        ColumnView("企业", name_cell),
        ColumnView("行业", lambda row: Cell(row.industry)),
        ColumnView("注册资本", lambda row: Cell(formats.money(row.capital_cny)), align="right"),
        ColumnView("响应度", response_cell, align="right"),
        ColumnView("分层", lambda row: Cell(chips=tier_chip(row.tier)), fixed=True),
        ColumnView("入园依据", why),
    )


def leader_columns() -> tuple[ColumnView[Leader], ...]:
    """Columns of the leading firms."""
    return (
        ColumnView(
            "企业",
            lambda row: Cell(
                row.name, href=f"/companies/{row.company_id}", chips=(customer_chip(row.is_customer),)
            ),
        ),
        ColumnView("领先之处", lambda row: Cell(row.why)),
    )


def park_view(visit: Visit, code: str, number: int) -> ParkView:
    """Compute a park's page; ``NotFound`` for an unknown park."""
    reading = visit.reading
    park = reading.once(read_park, code)
    count = told_customers(visit, code, park.residents)
    numbers = reading.once(residents).get(code, np.empty(0, np.int64))
    ordered = numbers[np.argsort(reading.once(ranks)[numbers], kind="stable")]
    page = Page(number, PAGE_SIZE, len(numbers), f"/parks/{code}")
    shown = firms(reading, visit.labels, ordered[page.start : page.start + PAGE_SIZE].tolist())
    trades = "、".join(park.trades) or "未知"
    make_up = [
        (
            share.chain_name,
            float(share.companies),
            formats.households(share.companies),
            f"/chains/{share.chain_code}",
        )
        for share in park.chains[:CHAINS]
    ]
    return ParkView(
        name=park.name,
        summary=" · ".join(
            part for part in (park.level, visit.labels.region(park.region_code), f"主导产业 {trades}") if part
        ),
        figures=(
            Figure("入驻企业", formats.count(park.residents), "户", "按名录、地址与坐标判定"),
            Figure("存量客户", customers_words(count), "户"),
            Figure("潜客", formats.count(count.prospects), "户"),
            Figure(
                "渗透率",
                formats.percent(count.penetration) if park.residents else "",
                "",
                "存量客户 / 入驻企业",
                none="无入驻企业",
            ),
        ),
        operator=firm(reading, visit.labels, park.operator_id) if park.operator_id is not None else None,
        chains=bars(make_up),
        leaders=table(leader_columns(), park.leaders[:LEADERS], caption="龙头企业", empty="园内还没有企业"),
        listing=table(
            resident_columns(reading, code), shown, caption="入驻企业", page=page, empty="园内还没有企业"
        ),
        prospects_href="/inventory/screen?" + urlencode({"q": f"park:{code} & !customer"}),
    )


@router.get("/parks")
def show_parks(
    visit: Annotated[Visit, Depends(signed_in)],
    q: Annotated[str, Query(max_length=100)] = "",
    region: Annotated[str, Query(pattern=r"^(\d{6})?$")] = "",
) -> Response:
    """Show the parks that fit a search."""
    visit.require(Action.SEE_COMPANIES)
    parks = visit.reading.table(PARKS)
    found = search_parks(parks, q, region or None)
    codes = sorted({code for code in parks.column("region_code").to_pylist() if code})
    return visit.render(
        "parks.html",
        key="parks",
        title="园区",
        listing=table(
            park_columns(visit),
            found,
            caption="园区",
            empty="没有符合的园区",
            empty_hint="换一个产业词或地区",
        ),
        text=q,
        region=region,
        regions=[(code, visit.labels.region(code)) for code in codes],
        total=parks.num_rows,
        found=len(found),
    )


@router.get("/parks/{code}")
def show_park(
    visit: Annotated[Visit, Depends(signed_in)], code: str, page: Annotated[int, Query(ge=1, le=100_000)] = 1
) -> Response:
    """Show one park."""
    visit.require(Action.SEE_COMPANIES)
    view = park_view(visit, code, page)
    return visit.render("park.html", key="parks", title=f"{view.name} · 园区", view=view)
