"""Filters and counts of opportunities for pages and the command line; they know nothing of the viewer.

What a viewer may see is decided by ``bank`` before or after; these are plain expressions over OPPORTUNITIES.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from qiaomen.store import portable
from qiaomen.vocab import Grade, InputRejected

if TYPE_CHECKING:
    import ibis.expr.types as ir

SORTS: Final = {
    "value": ("value", "published_on"),
    "newest": ("published_on", "value"),
    "amount": ("amount_cny", "value"),
    "expiry": ("expires_on", "value"),
}
_GRADES: Final = {
    Grade.HIGH: ("high",),
    Grade.MEDIUM: ("high", "medium"),
    Grade.LOW: ("high", "medium", "low"),
}


@dataclass(frozen=True, slots=True)
class OpportunityFilter:
    """What to list; an empty field filters nothing.

    ``regions`` are division codes of 2, 4 or 6 digits with all below; ``minimum_grade`` takes the grades from it
    upwards (warnings have none and are left out); ``words`` must all occur in title, evidence or counterparty.
    """

    kinds: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    polarities: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    detectors: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ("active",)
    companies: tuple[int, ...] = ()
    minimum_grade: Grade | None = None
    published_from: dt.date | None = None
    published_to: dt.date | None = None
    expires_from: dt.date | None = None
    expires_to: dt.date | None = None
    amount_from_cny: float | None = None
    amount_to_cny: float | None = None
    words: tuple[str, ...] = ()
    sort: str = "value"

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise InputRejected(f"不能按“{self.sort}”排序", remedy=f"可用：{'、'.join(SORTS)}")
        if any(len(code) not in (2, 4, 6) or not code.isdigit() for code in self.regions):
            raise InputRejected("行政区划代码须为 2、4 或 6 位数字", remedy="例如 31、3101、310115")


def _table(data: ir.Table | pa.Table) -> ir.Table:
    import ibis

    return ibis.memtable(data) if isinstance(data, pa.Table) else data


def _among(rows: ir.Table, wanted: OpportunityFilter) -> list[ir.BooleanValue]:
    columns: tuple[tuple[str, tuple[Any, ...]], ...] = (
        ("kind", wanted.kinds),
        ("group", wanted.groups),
        ("polarity", wanted.polarities),
        ("detector", wanted.detectors),
        ("severity", wanted.severities),
        ("status", wanted.statuses),
        ("company_id", wanted.companies),
        ("grade", _GRADES[wanted.minimum_grade] if wanted.minimum_grade else ()),
    )
    return [rows[name].isin(list(values)) for name, values in columns if values]


def _between(rows: ir.Table, wanted: OpportunityFilter) -> list[ir.BooleanValue]:
    lows: tuple[tuple[str, Any], ...] = (
        ("published_on", wanted.published_from),
        ("expires_on", wanted.expires_from),
        ("amount_cny", wanted.amount_from_cny),
    )
    highs: tuple[tuple[str, Any], ...] = (
        ("published_on", wanted.published_to),
        ("expires_on", wanted.expires_to),
        ("amount_cny", wanted.amount_to_cny),
    )
    return [rows[name] >= low for name, low in lows if low is not None] + [
        rows[name] <= high for name, high in highs if high is not None
    ]


def _texts(rows: ir.Table, wanted: OpportunityFilter) -> list[ir.BooleanValue]:
    import ibis

    found = []
    if wanted.regions:
        region = rows.region_code.fill_null("")
        found.append(ibis.or_(*(region.startswith(_trimmed(code)) for code in wanted.regions)))
    text = (
        rows.title.fill_null("") + " " + rows.evidence.fill_null("") + " " + rows.counterparty.fill_null("")
    )
    found += [text.contains(word) for word in wanted.words if word.strip()]
    return found


def _trimmed(code: str) -> str:
    """Return the significant digits: 310000 stands for the province, 310100 for the city."""
    while len(code) > 2 and code.endswith("00"):
        code = code[:-2]
    return code


def filter_opportunities(
    opportunities: ir.Table | pa.Table,
    signals: ir.Table | pa.Table | None,
    wanted: OpportunityFilter,
) -> ir.Table:
    """Return the opportunities that ``wanted`` describes, in its order, ties by identity.

    ``signals`` (OPPORTUNITY_SIGNALS) is needed where ``wanted`` names signals or products (``InputRejected`` if not).
    """
    rows = _table(opportunities)
    if wanted.signals or wanted.products:
        if signals is None:
            raise InputRejected("按信号或产品筛选需要商机信号表", remedy="传入 opportunity_signals")
        rows = rows.semi_join(_of_signals(_table(signals), wanted), "opportunity_id")
    conditions = _among(rows, wanted) + _between(rows, wanted) + _texts(rows, wanted)
    if conditions:
        rows = rows.filter(conditions)
    first, second = SORTS[wanted.sort]
    lead = portable.ascending(rows[first]) if wanted.sort == "expiry" else portable.descending(rows[first])
    return rows.order_by([lead, portable.descending(rows[second]), rows.opportunity_id])


def _of_signals(signals: ir.Table, wanted: OpportunityFilter) -> ir.Table:
    if wanted.signals:
        signals = signals.filter(signals.signal.isin(list(wanted.signals)))
    if wanted.products:
        listed = ";" + signals.products.fill_null("") + ";"
        signals = signals.filter(portable.contains_any(listed, [f";{code};" for code in wanted.products]))
    return signals.select("opportunity_id").distinct()


def by_region(opportunities: ir.Table | pa.Table, digits: int = 6) -> ir.Table:
    """Return one row per region (its code cut to 2, 4 or 6 digits): items, firms, high grades, warnings, amount.

    ``items`` counts opportunities (条), ``firms`` distinct companies (户); null regions come as 未知.
    """
    import ibis

    rows = _table(opportunities)
    rows = rows.mutate(region=ibis.coalesce(rows.region_code.left(digits), ibis.literal("未知")))
    grouped = rows.group_by("region").aggregate(
        items=rows.count(),
        firms=rows.company_id.nunique(),
        high=(rows.grade == "high").fill_null(False).cast("int64").sum(),
        warnings=rows.polarity.isin(["warning", "veto"]).fill_null(False).cast("int64").sum(),
        amount_cny=portable.money_sum(rows.amount_cny),
    )
    return grouped.order_by([portable.descending(grouped.items), grouped.region])


def daily_counts(
    opportunities: ir.Table | pa.Table, as_of: dt.date, days: int = 30, by: str = "group"
) -> ir.Table:
    """Return items and firms per day of publication and ``by`` (a column of OPPORTUNITIES) of the last ``days``."""
    rows = _table(opportunities)
    oldest = as_of - dt.timedelta(days=days)
    rows = rows.filter((rows.published_on > oldest) & (rows.published_on <= as_of))
    grouped = rows.group_by("published_on", by).aggregate(items=rows.count(), firms=rows.company_id.nunique())
    return grouped.order_by("published_on", by)


def signal_trend(
    opportunities: ir.Table | pa.Table, signals: ir.Table | pa.Table, as_of: dt.date, days: int = 30
) -> ir.Table:
    """Return items and firms per day and banking signal of the last ``days``."""
    rows = _table(opportunities).select("opportunity_id", "published_on")
    joined = _table(signals).inner_join(rows, "opportunity_id")
    oldest = as_of - dt.timedelta(days=days)
    joined = joined.filter((joined.published_on > oldest) & (joined.published_on <= as_of))
    grouped = joined.group_by("published_on", "signal").aggregate(
        items=joined.count(), firms=joined.company_id.nunique()
    )
    return grouped.order_by("published_on", "signal")
