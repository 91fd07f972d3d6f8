"""Views over the bank's own tables: the customer, dealings, monthly flows, past contacts and those of its peers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from qiaomen.scoring import views
from qiaomen.scoring.views import PEER_DAYS, RESPONSE_DAYS, Facts
from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Answers that a peer group counts as if it had been asked so often at the bank's mean rate.
PEER_SMOOTHING: Final = 20.0
# A month's flows are known from the first day of the next month; 31 days after its first day is never too early.
MONTH_DAYS: Final = 31


def customer_view(facts: Facts) -> ir.Table | None:
    """Return the company's row among the customers, with the months since the first account."""
    if not facts.has("customers"):
        return None
    rows = facts.tables["customers"]
    rows = rows.filter(rows.status.fill_null("正常") != "销户")
    return facts.known(
        rows.mutate(
            known_on=rows.opened_on,
            tenure_months=facts.days_ago(rows.opened_on).cast("float64") / 30.4375,
            manager_known=rows.manager_no.notnull(),
        )
    )


def dealings_view(facts: Facts) -> ir.Table | None:
    """Return dealings begun by ``as_of``; ``active`` while they ran. Balances are those of the newest load."""
    if not facts.has("dealings"):
        return None
    rows = facts.tables["dealings"]
    open_ended = rows.due_on.isnull() & (rows.status.fill_null("active") != "ended")
    return facts.known(
        rows.mutate(
            known_on=rows.started_on,
            days_to_due=portable.days_between(facts.today, rows.due_on),
            active=(rows.due_on > facts.today).fill_null(False) | open_ended,
        )
    )


def cashflows_view(facts: Facts) -> ir.Table | None:
    """Return the months that were over at ``as_of``; ``months_ago`` is 1 for the last of them."""
    if not facts.has("cashflows"):
        return None
    rows = facts.tables["cashflows"]
    this_month = facts.as_of.year * 12 + facts.as_of.month - 1
    return facts.known(
        rows.mutate(
            known_on=portable.add_days(rows.month, MONTH_DAYS),
            months_ago=this_month - portable.month_number(rows.month),
        )
    )


def contacts_view(facts: Facts) -> ir.Table | None:
    """Return past contacts; ``answered`` counts only answers that had arrived by ``as_of``."""
    if not facts.has("outcomes"):
        return None
    import ibis

    rows = facts.tables["outcomes"]
    arrived = ibis.coalesce(rows.responded_on, portable.add_days(rows.contacted_on, RESPONSE_DAYS))
    answered = rows.responded.fill_null(False) & (arrived <= facts.today).fill_null(False)
    return facts.known(rows.mutate(known_on=rows.contacted_on, answered=answered))


def _peers(facts: Facts, groups: ir.Table) -> ir.Table | None:
    """Return, per company of ``groups`` (company_id, group_code), the contacts and answers of the rest of its group.

    The rate is smoothed towards the mean rate of all contacts of the year and leaves the company itself out.
    """
    import ibis

    contacts = contacts_view(facts)
    if contacts is None:
        return None
    recent = contacts.filter(facts.days_ago(contacts.known_on) < PEER_DAYS)
    own = recent.group_by(own_id="company_id").agg(
        own_contacts=lambda t: t.count(), own_answers=lambda t: t.answered.cast("int64").sum()
    )
    placed = groups.left_join(own, groups.company_id == own.own_id)
    placed = placed.mutate(
        own_contacts=placed.own_contacts.fill_null(0), own_answers=placed.own_answers.fill_null(0)
    ).drop("own_id")
    whole = ibis.window(group_by="group_code")
    everyone = recent.aggregate(all_contacts=recent.count(), all_answers=recent.answered.cast("int64").sum())
    placed = placed.mutate(
        peer_contacts=placed.own_contacts.sum().over(whole) - placed.own_contacts,
        peer_answers=placed.own_answers.sum().over(whole) - placed.own_answers,
    ).cross_join(everyone)
    mean = portable.divide(placed.all_answers, placed.all_contacts).fill_null(0.0)
    rate = (placed.peer_answers + mean * PEER_SMOOTHING) / (placed.peer_contacts + PEER_SMOOTHING)
    return placed.mutate(known_on=ibis.null("date"), peer_rate=rate)


def trade_peers_view(facts: Facts) -> ir.Table | None:
    """Return the contacts of the other companies of the same two-digit trade."""
    if not facts.has("companies"):
        return None
    companies = facts.tables["companies"]
    known = companies.filter(companies.industry_code.notnull())
    return _peers(facts, known.select("company_id", group_code=known.industry_code.substr(0, 3)))


def park_peers_view(facts: Facts) -> ir.Table | None:
    """Return the contacts of the other residents of the same park."""
    residents = views.parks_view(facts)
    if residents is None:
        return None
    return _peers(facts, residents.select("company_id", group_code="park_code"))


VIEWS: Final[dict[str, Callable[[Facts], ir.Table | None]]] = {
    "companies": views.companies_view,
    "opportunities": views.opportunities_view,
    "signals": views.signals_view,
    "buyers": views.buyers_view,
    "suppliers": views.suppliers_view,
    "relations": views.relations_view,
    "colleagues": views.colleagues_view,
    "nodes": views.nodes_view,
    "goods": views.goods_view,
    "parks": views.parks_view,
    "tags": views.tags_view,
    "changes": views.changes_view,
    "reach": views.reach_view,
    "customer": customer_view,
    "dealings": dealings_view,
    "cashflows": cashflows_view,
    "contacts": contacts_view,
    "trade_peers": trade_peers_view,
    "park_peers": park_peers_view,
}
