"""Steps of a run that build the bank's own book: customers, dealings, flows, outcomes by company."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen import customers
from qiaomen.customers import CONTACTS, CUSTOMER_MATCHES, CUSTOMER_RECORDS, CUSTOMERS
from qiaomen.jobs.context import Run
from qiaomen.registry import (
    COMPANIES,
    COMPANY_NAMES,
    COMPANY_RECORDS,
    COMPANY_REFS,
    LOADS,
    Matcher,
    build_match_index,
    load_sources,
    match_customers,
)
from qiaomen.store import reading, writing


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
    counts |= _contacts(run)
    run.report("book", counts)


def _contacts(run: Run) -> dict[str, int]:
    """Gather contacts of every source; refusals that a list states hold from now on."""
    declared = load_sources(run.overlay).values()
    bases = {
        "source": [source.code for source in declared],
        "lawful_basis": [source.lawful_basis.value if source.lawful_basis else None for source in declared],
    }
    rows = run.engine.arrow(
        customers.attach_contacts(
            run.table(customers.CONTACT_RECORDS),
            run.table(CUSTOMER_RECORDS),
            run.table(COMPANY_RECORDS),
            run.table(CUSTOMER_MATCHES),
            run.table(COMPANY_REFS),
            run.engine.memory(pa.table(bases, schema=pa.schema(dict.fromkeys(bases, pa.string())))),
            run.table(LOADS),
        ),
        CONTACTS,
    )
    refused = rows.filter(rows["opted_out"]).to_pylist()
    counts = {"contacts": run.write(CONTACTS, rows)}
    if refused:
        with writing(run.sql) as connection:
            counts["opt_outs"] = customers.import_opt_outs(connection, refused, run.clock())
    return counts
