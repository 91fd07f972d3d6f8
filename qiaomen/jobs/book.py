"""Steps of a run that build the bank's own book: customers, dealings, flows, outcomes by company."""

from __future__ import annotations

import pyarrow.compute as pc

from qiaomen import customers
from qiaomen.customers import CUSTOMER_MATCHES, CUSTOMER_RECORDS, CUSTOMERS
from qiaomen.jobs.context import Run
from qiaomen.registry import (
    COMPANIES,
    COMPANY_NAMES,
    COMPANY_REFS,
    Matcher,
    build_match_index,
    match_customers,
)
from qiaomen.store import reading


def match(run: Run) -> None:
    """Match the customer list to the registry; a decision by a person stands."""
    arrays = build_match_index(run.arrow(COMPANIES), run.arrow(COMPANY_NAMES))
    run.stage.write_arrays("match_index", arrays)
    with reading(run.sql) as connection:
        decisions = customers.match_decisions(connection)
    matches = match_customers(run.arrow(CUSTOMER_RECORDS), Matcher.open(arrays), decisions, run.overlay)
    rows = run.write(CUSTOMER_MATCHES, matches)
    outcomes = {item["values"]: item["counts"] for item in pc.value_counts(matches["outcome"]).to_pylist()}
    run.report("match", {"rows": rows, **outcomes})


def build_book(run: Run) -> None:
    """Join duplicates into customers and give dealings, flows and outcomes their company."""
    matches = run.table(CUSTOMER_MATCHES)
    outcomes = customers.attach_outcomes(
        run.table(customers.OUTCOME_RECORDS), matches, run.table(COMPANY_REFS)
    )
    counts = {"outcomes": run.write(customers.OUTCOMES, outcomes)}
    book = customers.build_customers(run.table(CUSTOMER_RECORDS), matches, run.table(customers.OUTCOMES))
    with reading(run.sql) as connection:
        keepers = customers.read_keepers(connection)
    counts["customers"] = run.write(
        CUSTOMERS, customers.with_keepers(run.engine.arrow(book, CUSTOMERS), keepers)
    )
    dealings = customers.attach_dealings(run.table(customers.DEALING_RECORDS), matches)
    counts["dealings"] = run.write(customers.DEALINGS, dealings)
    flows = customers.attach_cashflows(run.table(customers.CASHFLOW_RECORDS), matches)
    counts["cashflows"] = run.write(customers.CASHFLOWS, flows)
    run.report("book", counts)
