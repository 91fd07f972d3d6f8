"""商机中心: filters, trend by month, make-up by kind and district, the list with evidence. Counted in 条, firms in 户."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from qiaomen.bank import Action, DataKind, readable, reads
from qiaomen.opportunities import OPPORTUNITIES, OPPORTUNITY_SIGNALS
from qiaomen.reports import persons_named
from qiaomen.vocab import GRADE_LABELS, OPPORTUNITY_STATUS_LABELS, POLARITY_LABELS, SIGNAL_LABELS
from qiaomen.web import formats
from qiaomen.web.cells import (
    Cell,
    Chip,
    ColumnView,
    Evidence,
    Page,
    TableView,
    customer_chip,
    grade_chip,
    table,
)
from qiaomen.web.charts import Bar, LineChart, Series, bars
from qiaomen.web.choices import Option
from qiaomen.web.figures import Figure
from qiaomen.web.firms import customer_numbers, firms
from qiaomen.web.labels import Labels
from qiaomen.web.reading import Reading, Record
from qiaomen.web.seen import open_events
from qiaomen.web.visit import Visit, signed_in

Mask = npt.NDArray[np.bool_]
PAGE_SIZE: Final = 25
MONTHS: Final = 12
ROWS: Final = 8
PERIODS: Final[tuple[tuple[int, str], ...]] = (
    (7, "近 7 天"),
    (30, "近 30 天"),
    (90, "近 90 天"),
    (365, "近一年"),
    (0, "全部"),
)

router = APIRouter()


class Filters(BaseModel):
    """What the page and the API filter by; an empty value does not filter."""

    model_config = ConfigDict(extra="ignore")

    q: str = Field("", max_length=100, description="words of the title or the company's name")
    kind: str = Field("", description="code of the opportunity kind")
    signal: str = Field("", description="banking signal")
    grade: str = Field("", description="high, medium, low")
    polarity: str = Field("", description="marketing, both, retention, warning, veto")
    region: str = Field("", pattern=r"^(\d{6})?$", description="division and what lies below it")
    customer: str = Field("", pattern="^(yes|no)?$", description="yes: existing customers; no: prospects")
    days: int = Field(30, ge=0, le=36500, description="published within so many days; 0 is all")
    status: str = Field("active", description="active, expired, ended; empty is all")
    page: int = Field(1, ge=1, le=1_000_000)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return the filters that are on, as an address carries them."""
        return tuple((key, str(value)) for key, value in self.model_dump(exclude={"page"}).items())


@dataclass(frozen=True, slots=True)
class OpportunityRow:
    """One opportunity in a list."""

    opportunity_id: str
    company_id: int
    company: str
    is_customer: bool
    kind: str
    title: str
    published_on: dt.date | None
    expires_on: dt.date | None
    amount_cny: float | None
    amount_text: str
    grade: str
    severity: str
    polarity: str
    signals: tuple[str, ...]
    region: str
    evidence: str


@dataclass(frozen=True, slots=True)
class OpportunityView:
    """The whole page."""

    filters: Filters
    figures: tuple[Figure, ...]
    periods: tuple[Option, ...]
    trend: LineChart | None
    kinds: tuple[Bar, ...]
    regions: tuple[Bar, ...]
    listing: TableView
    choices: dict[str, list[tuple[str, str]]]


def _equal(rows: pa.Table, column: str, value: str) -> Mask:
    return pc.fill_null(pc.equal(rows.column(column), value), False).to_numpy(zero_copy_only=False)


def _of_signal(reading: Reading, signal: str) -> frozenset[str]:
    rows = reading.table(OPPORTUNITY_SIGNALS)
    held = rows.filter(pc.equal(rows.column("signal"), signal))
    return frozenset(held.column("opportunity_id").to_pylist())


def selected(reading: Reading, filters: Filters) -> pa.Table:
    """Return the opportunities that pass the filters, newest first."""
    rows = reading.once(newest_first)
    mask = reading.once(open_events, newest_first).copy()
    for column in ("kind", "grade", "polarity", "status"):
        value = getattr(filters, column)
        if value:
            mask &= _equal(rows, column, value)
    if filters.days:
        since = reading.as_of - dt.timedelta(days=filters.days)
        mask &= pc.fill_null(pc.greater(rows.column("published_on"), pa.scalar(since)), False).to_numpy(
            zero_copy_only=False
        )
    if filters.region:
        prefix = filters.region[:2] if filters.region.endswith("0000") else filters.region.removesuffix("00")
        mask &= pc.fill_null(pc.starts_with(rows.column("region_code"), prefix), False).to_numpy(
            zero_copy_only=False
        )
    if filters.customer:
        held = np.isin(
            rows.column("company_id").to_numpy(zero_copy_only=False), reading.once(customer_numbers)
        )
        mask &= held if filters.customer == "yes" else ~held
    if filters.signal:
        wanted = pa.array(sorted(reading.once(_of_signal, filters.signal)), pa.string())
        mask &= pc.is_in(rows.column("opportunity_id"), value_set=wanted).to_numpy(zero_copy_only=False)
    for word in filters.q.split():
        mask &= pc.fill_null(pc.match_substring(rows.column("title"), word), False).to_numpy(
            zero_copy_only=False
        )
    return rows.filter(pa.array(mask))


def newest_first(reading: Reading) -> pa.Table:
    """All opportunities of known companies, newest first and the most valuable first within a day."""
    rows = reading.table(OPPORTUNITIES)
    held = rows.filter(pc.is_valid(rows.column("company_id")))
    return held.sort_by(
        [("published_on", "descending"), ("value", "descending"), ("opportunity_id", "ascending")]
    )


def opportunity_rows(visit: Visit, rows: list[Record]) -> list[OpportunityRow]:
    """Build the records of a page of opportunities as the viewer may read them."""
    reading, labels, viewer = visit.reading, visit.labels, visit.viewer
    clear = reads(viewer, DataKind.TEXT)
    by_number = {
        item.company_id: item
        for item in firms(reading, labels, dict.fromkeys(row["company_id"] for row in rows))
    }
    signals = reading.keyed(OPPORTUNITY_SIGNALS, "opportunity_id")
    found = []
    for row in rows:
        owner = by_number.get(row["company_id"])
        if owner is None:
            continue
        names = set() if clear else persons_named(reading, owner.company_id)
        found.append(
            OpportunityRow(
                opportunity_id=row["opportunity_id"],
                company_id=owner.company_id,
                company=owner.name,
                is_customer=owner.is_customer,
                kind=labels.kind(row["kind"]),
                title=readable(viewer, row["title"], names),
                published_on=row["published_on"],
                expires_on=row["expires_on"],
                amount_cny=row["amount_cny"],
                amount_text=row["amount_text"] or "",
                grade=row["grade"] or "",
                severity=row["severity"] or "",
                polarity=row["polarity"] or "",
                signals=tuple(item["signal"] for item in signals.rows(row["opportunity_id"])),
                region=labels.region(row["region_code"]),
                evidence=readable(viewer, row["evidence"], names),
            )
        )
    return found


def value_cell(row: OpportunityRow) -> Cell:
    """Grade of an opportunity, or severity of a warning."""
    if row.grade:
        return Cell(chips=grade_chip(row.grade))
    if row.severity:
        return Cell(
            chips=(
                Chip(
                    f"{POLARITY_LABELS.get(row.polarity, '')}·{row.severity}",
                    "red" if row.severity == "高" else "amber",
                ),
            )
        )
    return Cell()


def amount_cell(row: OpportunityRow) -> Cell:
    """Amount in yuan, else as written."""
    return Cell(
        formats.money(row.amount_cny) if row.amount_cny is not None else row.amount_text or formats.NONE
    )


def opportunity_columns() -> tuple[ColumnView[OpportunityRow], ...]:
    """Columns of the list."""
    return (
        ColumnView(
            "企业",
            lambda row: Cell(
                row.company, href=f"/companies/{row.company_id}", chips=(customer_chip(row.is_customer),)
            ),
        ),
        ColumnView("商机", lambda row: Cell(row.kind, note=row.title, evidence=Evidence.parse(row.evidence))),
        ColumnView(
            "业务信号",
            lambda row: Cell(
                chips=tuple(Chip(SIGNAL_LABELS.get(code, code), "teal") for code in row.signals[:3])
            ),
        ),
        ColumnView("金额", amount_cell, align="right"),
        ColumnView("价值", value_cell, fixed=True),
        ColumnView("地区", lambda row: Cell(row.region), fixed=True),
        ColumnView("发布", lambda row: Cell(formats.day(row.published_on)), fixed=True),
    )


def trend(reading: Reading, filters: Filters) -> LineChart | None:
    """Opportunities by month over the last year under the same filters; nothing without data."""
    rows = selected(reading, filters.model_copy(update={"days": 0}))
    last = reading.as_of.year * 12 + reading.as_of.month - 1
    years = pc.year(rows.column("published_on")).to_numpy(zero_copy_only=False)
    months = pc.month(rows.column("published_on")).to_numpy(zero_copy_only=False)
    known = ~np.isnan(years.astype(float))
    number = (years[known] * 12 + months[known] - 1).astype(int)
    first = last - MONTHS + 1
    counts = np.bincount(number[(number >= first) & (number <= last)] - first, minlength=MONTHS)
    if not counts.sum():
        return None
    labels = tuple(f"{(first + i) // 12 % 100:02d}-{(first + i) % 12 + 1:02d}" for i in range(MONTHS))
    values = tuple(float(value) for value in counts)
    return LineChart(
        labels, (Series("商机", values),), "条", f"近 12 个月商机，最近一月 {counts[-1]:,} 条", kind="bar"
    )


def link(filters: Filters, **changes: Any) -> str:
    """Address of the page with other filters."""
    changed = filters.model_copy(update=changes)
    return "/opportunities?" + urlencode(
        [(key, value) for key, value in changed.pairs() if value or key == "status"]
    )


def make_up(rows: pa.Table, column: str, names: Any, filters: Filters, field: str) -> tuple[Bar, ...]:
    """Count the selection by a column, most first."""
    counts = Counter(value for value in rows.column(column).to_pylist() if value)
    return bars(
        [
            (names(code), float(size), formats.items(size), link(filters, **{field: code}))
            for code, size in counts.most_common(ROWS)
        ]
    )


def figures(reading: Reading, rows: pa.Table) -> tuple[Figure, ...]:
    """Items, firms, amount and how many concern customers."""
    numbers = np.unique(rows.column("company_id").to_numpy(zero_copy_only=False))
    customers = int(np.isin(numbers, reading.once(customer_numbers)).sum())
    amount, unit = formats.money_parts(pc.sum(rows.column("amount_cny")).as_py())
    priced = rows.num_rows - rows.column("amount_cny").null_count
    high = int(_equal(rows, "grade", "high").sum())
    return (
        Figure("商机", formats.count(rows.num_rows), "条"),
        Figure("涉及企业", formats.count(len(numbers)), "户", f"其中存量 {customers:,} 户"),
        Figure("高价值", formats.count(high), "条", "随时间衰减后的等级"),
        Figure(
            "涉及金额", amount if priced else "", unit, f"{priced:,} 条写明金额", none="没有写明金额的商机"
        ),
    )


def choices(reading: Reading, labels: Labels) -> dict[str, list[tuple[str, str]]]:
    """Values to choose from: kinds and districts in use, and the declared words."""
    rows = reading.table(OPPORTUNITIES)
    kinds = [code for code in pc.unique(rows.column("kind")).to_pylist() if code]
    regions = [code for code in pc.unique(rows.column("region_code")).to_pylist() if code]
    return {
        "kinds": sorted(((code, labels.kind(code)) for code in kinds), key=lambda pair: pair[1]),
        "regions": sorted((code, labels.region(code)) for code in regions),
        "signals": list(SIGNAL_LABELS.items()),
        "grades": list(GRADE_LABELS.items()),
        "polarities": list(POLARITY_LABELS.items()),
        "statuses": list(OPPORTUNITY_STATUS_LABELS.items()),
        "customers": [("yes", "存量客户"), ("no", "潜客")],
    }


def opportunity_view(visit: Visit, filters: Filters) -> OpportunityView:
    """Compute the page."""
    reading, labels = visit.reading, visit.labels
    rows = selected(reading, filters)
    page = Page(filters.page, PAGE_SIZE, rows.num_rows, "/opportunities", filters.pairs())
    shown = opportunity_rows(visit, rows.slice(page.start, PAGE_SIZE).to_pylist())
    periods = tuple(
        Option(str(days), text, link(filters, days=days), filters.days == days) for days, text in PERIODS
    )
    return OpportunityView(
        filters=filters,
        figures=figures(reading, rows),
        periods=periods,
        trend=trend(reading, filters),
        kinds=make_up(rows, "kind", labels.kind, filters, "kind"),
        regions=make_up(rows, "region_code", labels.region, filters, "region"),
        listing=table(
            opportunity_columns(), shown, caption="商机", page=page, empty_hint="放宽时间或去掉一个条件"
        ),
        choices=reading.once(choices, labels),
    )


@router.get("/opportunities")
def show(visit: Annotated[Visit, Depends(signed_in)], filters: Annotated[Filters, Query()]) -> Response:
    """Show the opportunity centre."""
    visit.require(Action.SEE_COMPANIES)
    known = visit.reading.table(OPPORTUNITIES).num_rows
    view = opportunity_view(visit, filters) if known else None
    return visit.render("opportunities.html", key="opportunities", title="商机中心", view=view)
