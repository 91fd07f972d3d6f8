"""The customer book: which companies are customers, and their dealings, cash flows and outcomes by company.

Reads ``customer_records``, ``customer_matches``, ``company_refs`` and the loaded dealings, cash flows and outcomes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qiaomen.customers.tables import CASHFLOWS, CUSTOMERS, DEALINGS, OUTCOMES
from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir

NORMAL: Final = "正常"
DORMANT: Final = "睡眠"
CLOSED: Final = "销户"


def build_customers(customer_records: ir.Table, customer_matches: ir.Table, outcomes: ir.Table) -> ir.Table:
    """Return ``customers``: one row per company with an automatic or confirmed match, duplicates joined.

    The leading number is that of an open account of the company itself (not of a branch office), with a manager, opened
    first. The status is the liveliest of all numbers; ``outcomes`` (with company_id) give the last contact.
    """
    import ibis

    records = customer_records.select(
        "source", "record_key", "customer_no", "institution_code", "manager_no", "opened_on", "status"
    )
    matched = customer_matches.filter(customer_matches.company_id.notnull()).select(
        "source", "record_key", "company_id", "relation"
    )
    rows = records.inner_join(matched, ["source", "record_key"]).mutate(
        liveliness=ibis.cases((ibis._.status == CLOSED, 0), (ibis._.status == DORMANT, 1), else_=2),
        own=(ibis._.relation.fill_null("self") != "branch").cast("int64"),
        managed=ibis._.manager_no.notnull().cast("int64"),
    )
    # `newest` takes the highest of `order`; an account opened earlier counts as higher.
    rows = rows.mutate(age=portable.days_between(rows.opened_on, ibis.date("2100-12-31")))
    leading = portable.newest(
        rows,
        by=["company_id"],
        order=["liveliness", "own", "managed", "age"],
        ties=["customer_no", "source", "record_key"],
    ).select("company_id", "customer_no", "institution_code", "manager_no")
    summed = rows.group_by("company_id").aggregate(
        customer_numbers=portable.join_words(rows.customer_no),
        opened_on=rows.opened_on.min(),
        liveliness=rows.liveliness.max(),
    )
    contacts = (
        outcomes.filter(outcomes.company_id.notnull())
        .group_by("company_id")
        .aggregate(last_contact_on=outcomes.contacted_on.max())
    )
    joined = leading.inner_join(summed, "company_id").left_join(contacts, "company_id")
    status = ibis.cases((joined.liveliness == 0, CLOSED), (joined.liveliness == 1, DORMANT), else_=NORMAL)
    return joined.mutate(status=status).select(*CUSTOMERS.names)


def company_of_number(customer_matches: ir.Table) -> ir.Table:
    """Return (customer_no, company_id) for numbers that stand for exactly one company over all sources."""
    known = customer_matches.filter(
        customer_matches.company_id.notnull() & customer_matches.customer_no.notnull()
    )
    counted = known.group_by("customer_no").aggregate(
        companies=known.company_id.nunique(), company_id=known.company_id.min()
    )
    return counted.filter(counted.companies == 1).select("customer_no", "company_id")


def _by_number(records: ir.Table, customer_matches: ir.Table) -> ir.Table:
    numbers = company_of_number(customer_matches)
    return records.left_join(numbers, records.customer_no == numbers.customer_no).drop("customer_no_right")


def attach_dealings(dealing_records: ir.Table, customer_matches: ir.Table) -> ir.Table:
    """Return ``dealings``; company_id is null where the customer number is not (or not uniquely) matched."""
    return _by_number(dealing_records, customer_matches).select(*DEALINGS.names)


def attach_cashflows(cashflow_records: ir.Table, customer_matches: ir.Table) -> ir.Table:
    """Return ``cashflows``; company_id is null where the customer number is not (or not uniquely) matched."""
    return _by_number(cashflow_records, customer_matches).select(*CASHFLOWS.names)


def attach_outcomes(
    outcome_records: ir.Table, customer_matches: ir.Table, company_refs: ir.Table
) -> ir.Table:
    """Return ``outcomes``: the company of the reference, else of the customer number, else null."""
    import ibis

    refs = company_refs.select(company_ref="ref", by_ref="company_id")
    numbers = company_of_number(customer_matches).rename(by_number="company_id")
    joined = outcome_records.left_join(refs, "company_ref")
    joined = joined.left_join(numbers, joined.customer_no == numbers.customer_no)
    return joined.mutate(company_id=ibis.coalesce(joined.by_ref, joined.by_number)).select(*OUTCOMES.names)
