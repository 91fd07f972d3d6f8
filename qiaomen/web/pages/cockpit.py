"""营销驾驶舱: for those who answer for a unit. Firms (户) and items (条) are never mixed; every figure is computed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from qiaomen.bank import STAFF_RECORDS, Action
from qiaomen.chains import NODE_COUNTS, Count
from qiaomen.dispatch import FunnelRow, funnel
from qiaomen.opportunities import OPPORTUNITIES, OPPORTUNITY_SIGNALS
from qiaomen.parks import PARKS
from qiaomen.store import reading as sql_reading
from qiaomen.vocab import SIGNAL_LABELS
from qiaomen.web import formats
from qiaomen.web.cards import ORIGIN_LABELS
from qiaomen.web.cells import Cell, ColumnView, TableView, table
from qiaomen.web.charts import LineChart, Series
from qiaomen.web.choices import Option
from qiaomen.web.cockpit_figures import all_figures, between
from qiaomen.web.figures import Figure
from qiaomen.web.pages.chains import chain_rows, told_chain
from qiaomen.web.pages.parks import told_customers
from qiaomen.web.reading import Reading, Record
from qiaomen.web.scopes import covered_regions, covers, region_mask
from qiaomen.web.visit import Visit, signed_in
from qiaomen.web.withholding import customers_words, least_group

PERIODS: Final = ((30, "近 30 日"), (90, "近 90 日"), (365, "近一年"))
WEEKS: Final = 13
SIGNALS: Final = ("credit", "deposit", "account")
ROWS: Final = 8
MANAGER_ROLES: Final = frozenset({"manager", "客户经理"})

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the funnel."""

    label: str
    count: str
    part: float
    rate: str


@dataclass(frozen=True, slots=True)
class CockpitView:
    """The whole page."""

    unit: str
    periods: tuple[Option, ...]
    figures: tuple[Figure, ...]
    trend: LineChart | None
    steps: tuple[Step, ...]
    control: str
    ranking: TableView
    origins: TableView
    chains: TableView
    parks: TableView


@dataclass(frozen=True, slots=True)
class Coverage:
    """Firms and customers of a chain or park."""

    name: str
    href: str
    count: Count

    @property
    def companies(self) -> int:
        """All firms."""
        return self.count.companies

    @property
    def part(self) -> float | None:
        """Customers of all firms; nothing where their number is withheld."""
        return self.count.penetration


def weekly(reading: Reading) -> tuple[npt.NDArray[np.int64], list[str], list[str]]:
    """Week (0 is the newest), signal and division of every opportunity of the last weeks."""
    events = reading.table(OPPORTUNITIES).select(["opportunity_id", "published_on", "region_code"])
    first = reading.as_of - dt.timedelta(days=7 * WEEKS)
    events = events.filter(between(events.column("published_on"), first, reading.as_of))
    signals = reading.table(OPPORTUNITY_SIGNALS).select(["opportunity_id", "signal"])
    joined = events.join(signals, "opportunity_id", join_type="inner")
    days = pc.days_between(joined.column("published_on"), pa.scalar(reading.as_of, pa.date32())).to_numpy()
    return days // 7, joined.column("signal").to_pylist(), joined.column("region_code").to_pylist()


def trend(visit: Visit) -> LineChart | None:
    """Opportunities by week and banking signal in the covered divisions; nothing without data."""
    weeks, signals, codes = visit.reading.once(weekly)
    inside = region_mask(covered_regions(visit), codes)
    if not inside.any():
        return None
    named = np.asarray(signals, dtype=object)
    labels = tuple(
        formats.short_day(visit.as_of - dt.timedelta(days=7 * week)) for week in range(WEEKS - 1, -1, -1)
    )
    lines = []
    for signal in SIGNALS:
        counts = np.bincount(weeks[inside & (named == signal)], minlength=WEEKS)[:WEEKS][::-1]
        lines.append(Series(f"{SIGNAL_LABELS[signal]}信号", tuple(float(value) for value in counts)))
    return LineChart(labels, tuple(lines), "条", f"近 {WEEKS} 周商机，按授信、存款、开户信号")


def steps(row: FunnelRow | None) -> tuple[Step, ...]:
    """Funnel of distinct firms: sent, claimed, intended, landed."""
    if row is None or not row.firms:
        return ()
    numbers = (
        ("已下发", row.firms),
        ("已认领", row.claimed_firms),
        ("达成意向", row.intended_firms),
        ("已落地", row.landed_firms),
    )
    found = []
    before = 0
    for label, number in numbers:
        rate = f"转化 {formats.percent(formats.share(number, before))}" if before else ""
        found.append(Step(label, formats.households(number), number / row.firms, rate))
        before = number
    return tuple(found)


def rate_columns() -> tuple[ColumnView[FunnelRow], ...]:
    """Columns of a funnel by group."""
    return (
        ColumnView("下发", lambda row: Cell(formats.households(row.firms)), align="right"),
        ColumnView("认领", lambda row: Cell(formats.households(row.claimed_firms)), align="right"),
        ColumnView("落地", lambda row: Cell(formats.households(row.landed_firms)), align="right"),
        ColumnView("落地率", lambda row: Cell(formats.percent(row.landed_rate)), align="right"),
    )


def ranking(visit: Visit, rows: Sequence[FunnelRow]) -> TableView:
    """Sub-branches by landed firms per manager."""
    posts = visit.reading.table(STAFF_RECORDS).to_pylist()
    heads: dict[str, int] = {}
    for post in posts:
        if post["role"] in MANAGER_ROLES:
            heads[post["institution_code"]] = heads.get(post["institution_code"], 0) + 1

    def per_head(row: FunnelRow) -> float:
        return row.landed_firms / heads[row.group] if heads.get(row.group) else 0.0

    ranked = sorted(
        (row for row in rows if row.group),
        key=lambda row: (-per_head(row), -(row.landed_rate or 0), row.group),
    )
    columns: tuple[ColumnView[FunnelRow], ...] = (
        ColumnView(
            "支行",
            lambda row: Cell(
                visit.names.institution(row.group), note=f"{heads.get(row.group, 0)} 名客户经理"
            ),
        ),
        *rate_columns(),
        ColumnView("人均落地", lambda row: Cell(f"{per_head(row):.1f} 户"), align="right"),
        ColumnView(
            "超期",
            lambda row: Cell(formats.items(row.overdue_items), tone="late" if row.overdue_items else ""),
            align="right",
        ),
    )
    return table(
        columns, ranked, caption="支行排名", empty="还没有下发到支行的任务", empty_hint="运行一次 qiaomen run"
    )


def origin_table(rows: Sequence[FunnelRow]) -> TableView:
    """Conversion by origin of the task."""
    columns = (
        ColumnView("来源", lambda row: Cell(ORIGIN_LABELS.get(row.group, "未知"))),
        *rate_columns(),
    )
    return table(
        columns,
        sorted(rows, key=lambda row: -row.firms),
        caption="来源转化",
        empty="还没有任务",
        empty_hint="运行一次 qiaomen run",
    )


def coverage_columns(title: str) -> tuple[ColumnView[Coverage], ...]:
    """Columns of coverage."""
    return (
        ColumnView(title, lambda row: Cell(row.name, href=row.href)),
        ColumnView("企业", lambda row: Cell(formats.households(row.companies)), align="right"),
        ColumnView("存量", lambda row: Cell(f"{customers_words(row.count)} 户"), align="right"),
        ColumnView("覆盖率", lambda row: Cell(formats.percent(row.part), meter=row.part), align="right"),
    )


def chain_coverage(visit: Visit) -> TableView:
    """Priority chains (those that a plan names) in the covered divisions."""
    regions = covered_regions(visit)
    named = visit.reading.once(chain_rows)
    sums: dict[str, tuple[int, int]] = {}
    for row in visit.reading.table(NODE_COUNTS).to_pylist():
        if row["level"] == "chain" and covers(regions, row["region_code"]):
            before = sums.get(row["chain_code"], (0, 0))
            sums[row["chain_code"]] = (before[0] + row["companies"], before[1] + row["customers"])
    rows = [
        Coverage(
            named[code]["chain_name"],
            f"/chains/{code}",
            told_chain(visit.reading, code, named[code], Count(*counts), least_group(visit)),
        )
        for code, counts in sums.items()
        if code in named and named[code]["plans"]
    ]
    shown = sorted(rows, key=lambda row: -row.companies)[:ROWS]
    return table(
        coverage_columns("重点产业链"),
        shown,
        caption="重点产业链覆盖",
        empty="还没有归到重点产业链的企业",
        empty_hint="运行一次 qiaomen run",
    )


def park_coverage(visit: Visit) -> TableView:
    """Parks of the covered divisions by number of residents."""
    regions = covered_regions(visit)
    rows: list[Record] = visit.reading.table(PARKS).to_pylist()
    found = [
        Coverage(
            row["name"],
            f"/parks/{row['park_code']}",
            told_customers(visit, row["park_code"], row["residents"] or 0),
        )
        for row in rows
        if covers(regions, row["region_code"])
    ]
    shown = sorted(found, key=lambda row: -row.companies)[:ROWS]
    return table(
        coverage_columns("园区"),
        shown,
        caption="园区渗透",
        empty="辖内还没有园区",
        empty_hint="载入园区名录后显示",
    )


def cockpit_view(visit: Visit, days: int) -> CockpitView:
    """Compute the page."""
    since = visit.moment - dt.timedelta(days=days)
    with sql_reading(visit.sql) as connection:
        total = next(iter(funnel(visit.viewer, connection, since=since, now=visit.moment)), None)
        units = funnel(visit.viewer, connection, by="sub_branch_code", since=since, now=visit.moment)
        origins = funnel(visit.viewer, connection, by="origin", since=since, now=visit.moment)
        figures = all_figures(visit, connection, total, days)
    unit = "全行" if visit.viewer.whole_bank else visit.names.institution(visit.unit_code)
    return CockpitView(
        unit=unit,
        periods=tuple(
            Option(str(span), text, f"/cockpit?days={span}", span == days) for span, text in PERIODS
        ),
        figures=figures,
        trend=trend(visit),
        steps=steps(total),
        control="落地率 = 曾落地户数 ÷ 已认领户数",
        ranking=ranking(visit, units),
        origins=origin_table(origins),
        chains=chain_coverage(visit),
        parks=park_coverage(visit),
    )


@router.get("/cockpit")
def show(
    visit: Annotated[Visit, Depends(signed_in)], days: Annotated[int, Query(ge=1, le=3650)] = 30
) -> Response:
    """Show the cockpit."""
    visit.require(Action.SEE_DASHBOARD)
    return visit.render("cockpit.html", key="cockpit", title="营销驾驶舱", view=cockpit_view(visit, days))
