"""Leads: which opportunities and listed prospects could become a task, for which product, and why now.

Reads opportunities, their signals, the long list, tiers, offers, customers and reach; returns LEADS before admission.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qiaomen.dispatch.rules import AllocationRules
from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir

CLOSED_CUSTOMER: Final = "销户"
# Leads that staff choose themselves.
HAND: Final = "hand"
_OTHERS_SHOWN: Final = 3
_ALSO: Final = "；另："
_COLUMNS: Final = (
    "company_id",
    "origin",
    "opportunity_id",
    "recipe",
    "kind",
    "tier",
    "product",
    "is_customer",
    "priority",
    "why_now",
)


@dataclass(frozen=True, slots=True)
class LeadTables:
    """The tables leads are built from, as their folders declare them."""

    opportunities: ir.Table
    opportunity_signals: ir.Table
    long_list: ir.Table
    tiers: ir.Table
    offers: ir.Table
    customers: ir.Table
    reach: ir.Table


def build_leads(
    tables: LeadTables, rules: AllocationRules, source_names: Mapping[str, str] | None = None
) -> ir.Table:
    """Return one lead per company, origin and product; several opportunities of one are joined, every why-now kept.

    Warning and veto kinds never make a lead; retention and expiries are for customers only. ``lead_id`` is a hash
    of company, origin, product and the leading opportunity or recipe, and so stable over runs. ``source_names`` are
    the sources in words, shown instead of their codes.
    """
    import ibis

    leads = ibis.union(_from_opportunities(tables, rules, source_names or {}), _from_lists(tables, rules))
    return leads.mutate(
        lead_id=portable.hash_text(
            leads.company_id, leads.origin, leads["product"], leads.opportunity_id, leads.recipe
        ),
        admitted=ibis.literal(True),
        rules=ibis.null("string"),
        grounds=ibis.null("string"),
    )


def live_customers(customers: ir.Table) -> ir.Table:
    """Return the customers that have not closed their accounts."""
    return customers.filter(customers.status.fill_null("") != CLOSED_CUSTOMER)


def _priority(
    rows: ir.Table, value: ir.FloatingValue, boost: ir.FloatingValue, rules: AllocationRules
) -> ir.FloatingValue:
    import ibis

    points = (
        rows.tier_priority.fill_null(rules.tier_default) * rules.tier_weight
        + value * 100.0 * rules.value_weight
        + rows.warmth.fill_null(0.0) * 100.0 * rules.warmth_weight
        + boost
    )
    return portable.round_half_up(ibis.ifelse(points > 100.0, 100.0, points), 2)


def _with_company(rows: ir.Table, tiers: ir.Table, customers: ir.Table, reach: ir.Table) -> ir.Table:
    """Add tier, warmth and customer status."""
    scored = tiers.select("company_id", "tier", tier_priority=tiers.priority, tier_product=tiers["product"])
    live = live_customers(customers)
    live = live.select("company_id", customer_number=live.customer_no.fill_null(""))
    for other in (scored, reach.select("company_id", "warmth"), live):
        rows = rows.left_join(other, "company_id").drop("company_id_right")
    return rows.mutate(is_customer=rows.customer_number.notnull()).drop("customer_number")


def _first_products(tables: LeadTables) -> tuple[ir.Table, ir.Table]:
    offers = tables.offers.filter(tables.offers.opportunity_id.notnull())
    offers = offers.mutate(place=-offers["rank"])
    offered = portable.newest(offers, ["opportunity_id"], ["place"], ["product"])
    offered = offered.select("opportunity_id", offer_product=offered["product"])
    signals = tables.opportunity_signals
    signals = signals.filter(signals.products.notnull() & (signals.products != ""))
    signals = signals.mutate(
        signal_product=signals.products.split(";")[0].strip(),
        place=(signals.signal == "credit").cast("int64"),
    )
    first = portable.newest(signals, ["opportunity_id"], ["place"], ["signal"])
    return offered, first.select("opportunity_id", "signal_product")


def _amount_words(rows: ir.Table) -> ir.StringValue:
    import ibis

    def whole(value: ir.FloatingValue) -> ir.StringValue:
        return portable.round_half_up(value, 0).cast("int64").cast("string")

    amount = rows.amount_cny
    words = ibis.cases(
        (amount.isnull(), ibis.literal("")),
        (amount >= 10_000.0, ibis.literal("，") + whole(amount / 10_000.0) + "万元"),
        else_=ibis.literal("，") + whole(amount) + "元",
    )
    return words.fill_null("")


def _why_now(rows: ir.Table, day: ir.DateValue, source_names: Mapping[str, str]) -> ir.StringValue:
    """Return title, date, amount and source in one line; what the title says already is not said again."""
    import ibis

    nothing = ibis.literal("")
    date = day.cast("string").fill_null("日期不详")
    said = rows.title.contains(date)
    date_words = ibis.ifelse(said, nothing, date + "，")
    money_said = rows.title.contains("万元") | rows.title.contains("亿元")
    amount = _amount_words(rows)
    money_words = ibis.ifelse(money_said | (amount == ""), nothing, amount.substr(1) + "，")
    source = rows.source.fill_null("不详")
    named = source.substitute(dict(source_names)) if source_names else source
    return rows.title + "（" + date_words + money_words + "来源：" + named + "）"


def _from_opportunities(
    tables: LeadTables, rules: AllocationRules, source_names: Mapping[str, str]
) -> ir.Table:
    import ibis

    found = tables.opportunities
    rows = found.filter(
        (found.status == "active")
        & found.company_id.notnull()
        & found.grade.notnull()
        & found.polarity.isin(["marketing", "both", "retention"])
        & (found.value >= rules.min_value)
    ).select(
        "opportunity_id", "company_id", "kind", "group", "polarity", "title", "occurred_on", "published_on",
        "expires_on", "amount_cny", "value", "source",
    )  # fmt: skip
    rows = _with_company(rows, tables.tiers, tables.customers, tables.reach)
    rows = rows.filter((rows.polarity != "retention") | rows.is_customer)
    offered, signalled = _first_products(tables)
    rows = rows.left_join(offered, "opportunity_id").drop("opportunity_id_right")
    rows = rows.left_join(signalled, "opportunity_id").drop("opportunity_id_right")
    origin = ibis.cases(
        ((rows["group"] == "in_bank") & rows.expires_on.notnull(), "expiry"),
        (rows.polarity == "retention", "retention"),
        else_="opportunity",
    )
    boost = ibis.cases(
        (origin == "expiry", rules.expiry_boost), (origin == "retention", rules.retention_boost), else_=0.0
    ).cast("float64")
    day = ibis.coalesce(rows.occurred_on, rows.published_on)
    rows = rows.mutate(
        origin=origin,
        recipe=ibis.null("string"),
        product=ibis.coalesce(rows.offer_product, rows.signal_product, rows.tier_product),
        priority=_priority(rows, rows.value, boost, rules),
        why_now=_why_now(rows, day, source_names),
    )
    return _joined(rows, "opportunity_id")


def _from_lists(tables: LeadTables, rules: AllocationRules) -> ir.Table:
    import ibis

    listed = tables.long_list
    rows = listed.filter(listed["rank"] <= rules.list_top).select(
        "company_id", "recipe", "strength", "reason"
    )
    rows = _with_company(rows, tables.tiers, tables.customers, tables.reach)
    rows = rows.filter(~rows.is_customer)
    offers = tables.offers.mutate(place=-tables.offers["rank"])
    best = portable.newest(offers, ["company_id"], ["place"], ["product"])
    best = best.select("company_id", offer_product=best["product"])
    rows = rows.left_join(best, "company_id").drop("company_id_right")
    rows = rows.mutate(
        origin=ibis.literal("long_list"),
        opportunity_id=ibis.null("string"),
        kind=ibis.null("string"),
        product=ibis.coalesce(rows.tier_product, rows.offer_product),
        priority=_priority(rows, rows.strength.fill_null(0.0), ibis.literal(0.0), rules),
        why_now=rows.reason,
    )
    return _joined(rows, "recipe")


def hand_rows(
    companies: ir.Table,
    *,
    tiers: ir.Table,
    offers: ir.Table,
    customers: ir.Table,
    reach: ir.Table,
    rules: AllocationRules,
    why_now: str,
) -> ir.Table:
    """Return one lead (origin ``hand``) per company that staff chose, before admission.

    ``companies`` has ``company_id``, ``lead_id`` and ``product`` (null: the best one by score, else by offer).
    """
    import ibis

    best = portable.newest(offers.mutate(place=-offers["rank"]), ["company_id"], ["place"], ["product"])
    rows = companies.rename(chosen="product")
    rows = rows.left_join(best.select("company_id", offer_product=best["product"]), "company_id")
    rows = _with_company(rows.drop("company_id_right"), tiers, customers, reach)
    nothing = ibis.null("string")
    return rows.select(
        "lead_id",
        "company_id",
        origin=ibis.literal(HAND),
        opportunity_id=nothing,
        recipe=nothing,
        kind=nothing,
        tier=rows.tier,
        product=ibis.coalesce(rows.chosen, rows.tier_product, rows.offer_product),
        is_customer=rows.is_customer,
        priority=_priority(rows, ibis.literal(0.0), ibis.literal(0.0), rules),
        why_now=ibis.literal(why_now),
        admitted=ibis.literal(True),
        rules=nothing,
        grounds=nothing,
    )


def _joined(rows: ir.Table, by: str) -> ir.Table:
    """Keep the leading row of each company, origin and product, with the why-now of the next few."""
    import ibis

    group = ["company_id", "origin", "product"]
    place = ibis.row_number().over(
        group_by=group, order_by=[portable.descending(rows.priority), portable.ascending(rows[by])]
    )
    rows = rows.mutate(
        place=place, group_key=portable.hash_text(rows.company_id, rows.origin, rows["product"])
    )
    others = rows.filter((rows.place > 0) & (rows.place <= _OTHERS_SHOWN))
    others = others.group_by("group_key").aggregate(others=portable.join_words(others.why_now, "；"))
    leading = rows.filter(rows.place == 0).left_join(others, "group_key")
    return leading.mutate(why_now=with_others(leading.why_now, leading.others)).select(*_COLUMNS)


def with_others(why_now: ir.StringValue, others: ir.StringValue) -> ir.StringValue:
    """Return a why-now followed by further ones (null: none) in one list, the firm named once."""
    import ibis

    end = why_now.find("：")
    unnamed = ibis.ifelse(end >= 0, others.replace(why_now.substr(0, end + 1), ""), others)
    further = unnamed.replace(_ALSO, "；")
    mark = ibis.ifelse(why_now.contains(_ALSO), ibis.literal("；"), ibis.literal(_ALSO))
    return why_now + (mark + further).fill_null("")
