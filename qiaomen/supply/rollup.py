"""Suppliers and buyers from documents: pairs net of red invoices, shares, ranks, core judgement, core enterprises.

Reads ``supply_records`` with company numbers; writes ``supply_pairs``, ``supply_totals``, ``core_enterprises``.
Definitions: ``docs/terms.md``. All money is added in whole fen, so the order of rows changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from qiaomen.store import portable
from qiaomen.supply.rules import VOID, CoreRule, Window, find_window
from qiaomen.supply.tables import CORE_ENTERPRISES, SUPPLY_PAIRS, SUPPLY_TOTALS
from qiaomen.supply.words import judgement_words, money_words, pair_words

if TYPE_CHECKING:
    import ibis.expr.types as ir

LARGEST_CNY: Final = 9e13
SHARE_SLACK: Final = 1e-9
"""A share that is exactly at a limit must not miss it by the last bit."""

LEFT_OUT_REASONS: Final = {
    "unresolved": "供方或需方无法对应到企业",
    "self": "供需双方为同一企业",
    "undated": "没有日期",
    "outside": "不在统计窗口内",
    "void": "作废",
    "repeated": "整行重复",
    "no_amount": "没有金额或金额不可用",
}


@dataclass(frozen=True, slots=True)
class SupplyResult:
    """Lazy tables of the declared shapes, and ``left_out`` (reason, rows, amount_cny); read = kept + left out."""

    pairs: ir.Table
    totals: ir.Table
    core_enterprises: ir.Table
    left_out: ir.Table
    window: Window


def with_ids(supply_records: ir.Table, company_refs: ir.Table) -> ir.Table:
    """Return the records with ``supplier_id`` and ``buyer_id``; null where a reference has no company."""
    suppliers = company_refs.select(supplier_key="ref", supplier_id="company_id")
    buyers = company_refs.select(buyer_key="ref", buyer_id="company_id")
    placed = supply_records.left_join(suppliers, supply_records.supplier_ref == suppliers.supplier_key)
    placed = placed.left_join(buyers, placed.buyer_ref == buyers.buyer_key)
    return placed.drop("supplier_key", "buyer_key")


def rollup_supply(
    supply_records: ir.Table,
    as_of: date,
    rule: CoreRule,
    *,
    reported: ir.Table | None = None,
    keep: Callable[[ir.Table], ir.Table] = lambda table: table,
) -> SupplyResult:
    """Roll documents (with ``supplier_id``, ``buyer_id``) up into pairs, totals and core enterprises.

    ``reported`` (company_id, side, reported_cny) gives coverage. ``keep`` may compute an expression once
    (``Engine.keep``). A pair whose red documents outweigh the others counts 0 in totals and shares.
    """
    window = find_window(supply_records, as_of, rule)
    documents = keep(_marked(supply_records, window))
    kept = documents.filter(documents.reason.isnull())
    netted = keep(_netted(kept))
    sales = _side_totals(netted, "supplier_id")
    purchases = _side_totals(netted, "buyer_id")
    pairs = keep(_judged_pairs(netted, sales, purchases, rule, window))
    totals = _totals(documents, kept, sales, purchases, rule, reported)
    return SupplyResult(
        pairs.select(*SUPPLY_PAIRS.names),
        totals,
        _core_enterprises(pairs, rule, window),
        _left_out(documents),
        window,
    )


def _marked(records: ir.Table, window: Window) -> ir.Table:
    """Mark each document with the reason why it is left out; null is kept."""
    import ibis

    amount = records.amount_cny
    usable = amount.notnull() & ~amount.isnan() & (amount.abs() <= LARGEST_CNY)
    reason = ibis.cases(
        (records.supplier_id.isnull() | records.buyer_id.isnull(), "unresolved"),
        (records.supplier_id == records.buyer_id, "self"),
        (records.traded_on.isnull(), "undated"),
        ((records.traded_on < window.starts_on) | (records.traded_on > window.ends_on), "outside"),
        (records.status.fill_null("").strip().lower() == VOID, "void"),
        (records.ordinal.fill_null(1) > 1, "repeated"),
        (~usable, "no_amount"),
        else_=ibis.null("string"),
    )
    return records.select(
        "supplier_id",
        "buyer_id",
        "traded_on",
        document_no=records.document_no.nullif(""),
        amount_fen=portable.fen(ibis.ifelse(usable, amount, ibis.literal(0.0))),
        documents=records["count"].fill_null(1),
        reason=reason,
    )


def _netted(kept: ir.Table) -> ir.Table:
    """Add up each pair; red documents lower the amount but are no trade of their own."""
    import ibis

    blue = kept.amount_fen >= 0
    return kept.group_by("supplier_id", "buyer_id").agg(
        documents=ibis.ifelse(blue, kept.documents, 0).sum().cast("int64"),
        net_fen=kept.amount_fen.sum().cast("int64"),
        months=portable.month_number(kept.traded_on).nunique(where=kept.amount_fen > 0).cast("int64"),
        first_on=ibis.coalesce(kept.traded_on.min(where=blue), kept.traded_on.min()),
        last_on=ibis.coalesce(kept.traded_on.max(where=blue), kept.traded_on.max()),
    )


def _side_totals(netted: ir.Table, side_id: str) -> ir.Table:
    import ibis

    trading = netted.net_fen > 0
    return (
        netted.group_by(company_id=netted[side_id])
        .agg(
            known_fen=ibis.ifelse(trading, netted.net_fen, 0).sum().cast("int64"),
            counterparties=trading.cast("int64").sum().cast("int64"),
            negative_pairs=(netted.net_fen < 0).cast("int64").sum().cast("int64"),
        )
        .select("company_id", "known_fen", "counterparties", "negative_pairs")
    )


def _judged_pairs(
    netted: ir.Table, sales: ir.Table, purchases: ir.Table, rule: CoreRule, window: Window
) -> ir.Table:
    import ibis

    sold = sales.select(seller="company_id", sold_fen="known_fen", buyers="counterparties")
    bought = purchases.select(purchaser="company_id", bought_fen="known_fen", suppliers="counterparties")
    pairs = netted.join(sold, netted.supplier_id == sold.seller)
    pairs = pairs.join(bought, pairs.buyer_id == bought.purchaser)
    net = ibis.ifelse(pairs.net_fen > 0, pairs.net_fen, 0)
    pairs = pairs.mutate(
        share_of_sales=portable.divide(net, pairs.sold_fen),
        share_of_purchases=portable.divide(net, pairs.bought_fen),
        rank_of_buyer=_rank(pairs, "supplier_id", "buyer_id"),
        rank_of_supplier=_rank(pairs, "buyer_id", "supplier_id"),
    )
    pairs = pairs.mutate(
        core_buyer=_core(pairs, pairs.share_of_sales, pairs.rank_of_buyer, pairs.buyers, rule),
        core_supplier=_core(pairs, pairs.share_of_purchases, pairs.rank_of_supplier, pairs.suppliers, rule),
    )
    selling = judgement_words(
        "下游客户", pairs.share_of_sales, pairs.rank_of_buyer, pairs.buyers, pairs.core_buyer, rule
    )
    buying = judgement_words(
        "供应商", pairs.share_of_purchases, pairs.rank_of_supplier, pairs.suppliers, pairs.core_supplier, rule
    )
    return pairs.mutate(
        count=pairs.documents,
        amount_cny=pairs.net_fen.cast("float64") / 100.0,
        rule=selling + "；" + buying + f"；窗口 {window.words}",
        evidence=pair_words(pairs, window.words) + money_words(pairs.net_fen),
    )


def _rank(pairs: ir.Table, of: str, among: str) -> ir.IntegerColumn:
    import ibis

    place = ibis.row_number().over(
        group_by=of,
        order_by=[
            portable.descending(pairs.net_fen),
            portable.descending(pairs.documents),
            pairs[among].asc(),
        ],
    )
    return (place + 1).cast("int64")


def _core(
    pairs: ir.Table,
    share: ir.FloatingColumn,
    rank: ir.IntegerColumn,
    counterparties: ir.IntegerColumn,
    rule: CoreRule,
) -> ir.BooleanColumn:
    import ibis

    known = share.fill_null(0.0) + SHARE_SLACK
    large = (known >= rule.min_share) | ((rank <= rule.top_ranks) & (known >= rule.top_share))
    core = large & (pairs.months >= rule.min_months) & (pairs.net_fen > 0)
    return ibis.ifelse(counterparties >= rule.min_counterparties, core, ibis.null("boolean"))


def _totals(
    documents: ir.Table,
    kept: ir.Table,
    sales: ir.Table,
    purchases: ir.Table,
    rule: CoreRule,
    reported: ir.Table | None,
) -> ir.Table:
    sides = [
        _one_side(documents, _flagged(kept, side_id), known, side_id, side)
        for side_id, side, known in (("supplier_id", "sales", sales), ("buyer_id", "purchases", purchases))
    ]
    totals = sides[0].union(sides[1])
    totals = totals.mutate(judged=totals.counterparties >= rule.min_counterparties)
    return _covered(totals, reported).select(*SUPPLY_TOTALS.names)


def _flagged(kept: ir.Table, side_id: str) -> ir.Table:
    """Count, per company, the document numbers that one supplier used more than once with other content."""
    numbered = kept.filter(kept.document_no.notnull())
    again = numbered.group_by("supplier_id", "document_no").agg(times=lambda t: t.count())
    again = again.filter(again.times > 1).select(again_supplier="supplier_id", again_no="document_no")
    involved = numbered.join(
        again,
        [numbered.supplier_id == again.again_supplier, numbered.document_no == again.again_no],
    )
    distinct = involved.select(
        flagged_id=involved[side_id], again_supplier=involved.again_supplier, again_no=involved.again_no
    ).distinct()
    return distinct.group_by("flagged_id").agg(flagged_numbers=lambda t: t.count().cast("int64"))


def _one_side(documents: ir.Table, flagged: ir.Table, known: ir.Table, side_id: str, side: str) -> ir.Table:
    import ibis

    def rows(condition: ir.BooleanColumn) -> ir.IntegerScalar:
        return condition.cast("int64").sum().cast("int64")

    reason = documents.reason.fill_null("")
    resolved = documents.filter(~reason.isin(["unresolved", "self", "undated", "outside"]))
    counted = resolved.group_by(company_id=resolved[side_id]).agg(
        void_rows=rows(resolved.reason.fill_null("") == "void"),
        repeated_rows=rows(resolved.reason.fill_null("") == "repeated"),
        red_rows=rows(resolved.reason.isnull() & (resolved.amount_fen < 0)),
    )
    sums = known.rename(known_id="company_id")
    joined = counted.left_join(sums, counted.company_id == sums.known_id)
    joined = joined.left_join(flagged, joined.company_id == flagged.flagged_id)
    return joined.select(
        "company_id",
        side=ibis.literal(side),
        known_cny=joined.known_fen.fill_null(0).cast("float64") / 100.0,
        counterparties=joined.counterparties.fill_null(0),
        negative_pairs=joined.negative_pairs.fill_null(0),
        void_rows="void_rows",
        repeated_rows="repeated_rows",
        red_rows="red_rows",
        flagged_numbers=joined.flagged_numbers.fill_null(0),
    )


def _covered(totals: ir.Table, reported: ir.Table | None) -> ir.Table:
    import ibis

    if reported is None:
        nothing = ibis.null("float64")
        return totals.mutate(reported_cny=nothing, coverage=nothing)
    given = reported.select(of_company="company_id", of_side="side", reported_cny="reported_cny")
    joined = totals.left_join(given, [totals.company_id == given.of_company, totals.side == given.of_side])
    positive = ibis.ifelse(joined.reported_cny > 0, joined.reported_cny, ibis.null("float64"))
    return joined.mutate(reported_cny=positive, coverage=portable.divide(joined.known_cny, positive))


def _core_enterprises(pairs: ir.Table, rule: CoreRule, window: Window) -> ir.Table:
    core = pairs.filter(pairs.core_buyer.fill_null(False))
    served = core.group_by(company_id=core.buyer_id).agg(served_by=lambda t: t.count().cast("int64"))
    served = served.filter(served.served_by >= rule.core_enterprise_suppliers)
    words = "已知 " + served.served_by.cast("string") + f" 家供应商以其为核心下游客户（{window.words}）"
    return served.mutate(evidence=words).select(*CORE_ENTERPRISES.names)


def _left_out(documents: ir.Table) -> ir.Table:
    out = documents.filter(documents.reason.notnull())
    return out.group_by("reason").agg(
        rows=lambda t: t.count().cast("int64"),
        amount_cny=lambda t: t.amount_fen.sum().cast("int64").cast("float64") / 100.0,
    )
