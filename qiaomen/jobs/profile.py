"""Step of a run that tags companies, and what tags read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from qiaomen import bank, chains, customers, dispatch, opportunities, parks, registry, supply, tags
from qiaomen.jobs.context import Run
from qiaomen.registry import COMPANY_REFS
from qiaomen.tags import COMPANY_TAGS, LIST_TAG_RECORDS
from qiaomen.vocab import Table

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Derived tables that tags and indicators read as they are.
READ = (
    registry.COMPANIES,
    registry.RELATIONS,
    chains.COMPANY_NODES,
    chains.COMPANY_GOODS,
    supply.SUPPLY_PAIRS,
    supply.SUPPLY_TOTALS,
    supply.CORE_ENTERPRISES,
    parks.PARK_RESIDENTS,
    opportunities.OPPORTUNITIES,
    opportunities.OPPORTUNITY_SIGNALS,
    customers.CUSTOMERS,
    customers.DEALINGS,
    customers.CASHFLOWS,
    customers.OUTCOMES,
    bank.INSTITUTION_RECORDS,
)
# Loaded tables that they read with the company's number beside the reference.
RESOLVED = (LIST_TAG_RECORDS, registry.COMPANY_CHANGES, dispatch.BLACKLIST_RECORDS)


def source_tables(run: Run) -> dict[str, ir.Table]:
    """Return the tables that tags and indicators may name, by lake name."""
    found = {table.name: run.table(table) for table in READ}
    found.update({table.name: resolved(run, table) for table in RESOLVED})
    return found


def resolved(run: Run, table: Table) -> ir.Table:
    """Return a loaded table with ``company_id`` beside ``company_ref``; rows of nobody are left out."""
    refs = run.table(COMPANY_REFS).select(known_ref="ref", company_id="company_id")
    rows = run.table(table)
    joined = rows.inner_join(refs, rows.company_ref == refs.known_ref)
    return joined.filter(joined.company_id.notnull()).drop("known_ref")


def tag(run: Run) -> None:
    """Apply the declared tags."""
    declared = tags.load_tags(run.overlay)
    tables = source_tables(run)
    rows: pa.Table = tags.apply_tags(declared, tables, run.as_of, tags.load_size_standards(run.overlay))
    run.report(
        "tags",
        {
            "declared": len(declared),
            "rows": run.write(COMPANY_TAGS, rows),
            "carried": len(rows["tag"].unique()),
            "tables_missing": len(tags.missing_tables(declared, tables)),
        },
    )
