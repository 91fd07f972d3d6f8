"""The row of figures on the cockpit: each against the period before, or saying what is missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.engine import Connection

from qiaomen.customers import CASHFLOWS, DEALINGS, OUTCOMES
from qiaomen.dispatch import Comparison, FunnelRow, compare_controls
from qiaomen.web import formats
from qiaomen.web.charts import spark
from qiaomen.web.figures import Figure, change
from qiaomen.web.reading import Reading
from qiaomen.web.scopes import customers_in_scope
from qiaomen.web.visit import Visit


def between(column: pa.ChunkedArray, first: dt.date, last: dt.date) -> pa.ChunkedArray:
    """Tell which dates lie after ``first`` and not after ``last``."""
    inside = pc.and_(pc.greater(column, pa.scalar(first)), pc.less_equal(column, pa.scalar(last)))
    return pc.fill_null(inside, False)


def new_customers(rows: pa.Table, as_of: dt.date, days: int) -> Figure:
    """Accounts opened in the period, against the period before."""
    span = dt.timedelta(days=days)
    now = int(pc.sum(between(rows.column("opened_on"), as_of - span, as_of)).as_py() or 0)
    before = int(pc.sum(between(rows.column("opened_on"), as_of - 2 * span, as_of - span)).as_py() or 0)
    text, tone = change(now, before, judged=True)
    note = f"上期 {before:,} 户"
    return Figure(
        "新增户",
        formats.count(now) if rows.num_rows else "",
        "户",
        note,
        none="还没有客户",
        change=text,
        change_tone=tone,
    )


def monthly_deposits(reading: Reading, numbers: tuple[int, ...] | None) -> list[tuple[dt.date, float]]:
    """Sum of daily average deposits by month, oldest first."""
    rows = reading.table(CASHFLOWS)
    if numbers is not None:
        rows = rows.filter(pc.is_in(rows.column("company_id"), value_set=pa.array(numbers, pa.int64())))
    sums = rows.group_by("month").aggregate([("deposit_average_cny", "sum")]).sort_by("month").to_pylist()
    return [(row["month"], row["deposit_average_cny_sum"] or 0.0) for row in sums if row["month"]]


def deposits(months: Sequence[tuple[dt.date, float]]) -> Figure:
    """Daily average deposits of the newest month, against the month before."""
    if not months:
        return Figure("日均存款", "", none="载入账户流水后显示")
    month, now = months[-1]
    text, tone = change(now, months[-2][1], judged=True) if len(months) > 1 else ("", "")
    value, unit = formats.money_parts(now)
    line = spark(tuple(value for _, value in months[-12:]))
    return Figure("日均存款", value, unit, f"{month:%Y-%m} 月均", change=text, change_tone=tone, spark=line)


def loans(rows: pa.Table, as_of: dt.date, days: int) -> Figure:
    """Loans granted in the period, against the period before."""
    lent = rows.filter(pc.fill_null(pc.equal(rows.column("kind"), "loan"), False))
    if not lent.num_rows:
        return Figure("贷款投放", "", none="载入业务往来后显示")
    span = dt.timedelta(days=days)

    def amount(first: dt.date, last: dt.date) -> float:
        return float(
            pc.sum(lent.filter(between(lent.column("started_on"), first, last)).column("amount_cny")).as_py()
            or 0
        )

    now, before = amount(as_of - span, as_of), amount(as_of - 2 * span, as_of - span)
    text, tone = change(now, before, judged=True)
    value, unit = formats.money_parts(now)
    return Figure("贷款投放", value, unit, f"上期 {formats.money(before)}", change=text, change_tone=tone)


def landed_figure(row: FunnelRow | None) -> Figure:
    """Firms that landed, with the amount."""
    if row is None or not row.items:
        return Figure("已落地", "", none="运行并下发后显示")
    amount = formats.money(row.landed_amount_fen / 100) if row.landed_amount_fen else "未填金额"
    return Figure("已落地", formats.count(row.landed_firms), "户", amount, href="/tasks?scope=all")


def incremental(found: Comparison) -> Figure:
    """Firms won beyond what the control group would have given; nothing while it is too small to tell."""
    if found.difference is None or not found.treated_responses + found.control_responses:
        note = f"处理 {found.treated_firms:,} 户，对照 {found.control_firms:,} 户"
        return Figure("净增落地", "", note=note, none="尚无回应，暂不能判断")
    won = found.difference * found.treated_firms
    note = f"每百户 {found.difference * 100:+.1f}，95% 区间 {(found.low or 0) * 100:+.1f} 至 {(found.high or 0) * 100:+.1f}"
    return Figure("净增落地", f"{won:+,.0f}", "户", note)


def late_figure(row: FunnelRow | None) -> Figure:
    """Open tasks past their deadline; a smaller number is not coloured as bad."""
    if row is None or not row.items:
        return Figure("超期未办", "", none="没有任务")
    return Figure(
        "超期未办",
        formats.count(row.overdue_items),
        "条",
        f"在办 {row.open_items:,} 条",
        href="/tasks?scope=all&late=1",
    )


def quiet_customers(rows: pa.Table) -> Figure:
    """Customers asleep or gone."""
    if not rows.num_rows:
        return Figure("睡眠与流失", "", none="还没有客户")
    states = [value or "正常" for value in rows.column("status").to_pylist()]
    asleep, gone = states.count("睡眠"), states.count("销户")
    return Figure("睡眠与流失", formats.count(asleep + gone), "户", f"睡眠 {asleep:,} 户，销户 {gone:,} 户")


def responses(reading: Reading) -> pa.Table:
    """Outcomes that responded."""
    rows = reading.table(OUTCOMES)
    return rows.filter(pc.fill_null(rows.column("responded"), False)).select(["company_id", "responded_on"])


def all_figures(
    visit: Visit, connection: Connection, total: FunnelRow | None, days: int
) -> tuple[Figure, ...]:
    """The row of figures on top."""
    customers = customers_in_scope(visit)
    numbers = None if visit.viewer.whole_bank else tuple(customers.column("company_id").to_pylist())
    dealings = visit.reading.table(DEALINGS)
    if numbers is not None:
        dealings = dealings.filter(
            pc.is_in(dealings.column("company_id"), value_set=pa.array(numbers, pa.int64()))
        )
    since = visit.moment - dt.timedelta(days=days)
    found = compare_controls(visit.viewer, connection, visit.reading.once(responses), since=since)
    return (
        incremental(found),
        landed_figure(total),
        new_customers(customers, visit.as_of, days),
        deposits(visit.reading.once(monthly_deposits, numbers)),
        loans(dealings, visit.as_of, days),
        late_figure(total),
        quiet_customers(customers),
    )
