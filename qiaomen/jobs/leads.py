"""Steps of a run that say whom to call on: long list, leads, admission, allocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from qiaomen import dispatch, prospects
from qiaomen.bank import INSTITUTION_RECORDS, STAFF_RECORDS, local_analyst, read_institutions, read_posts
from qiaomen.chains import CHAIN_NODES, COMPANY_NODES, NODE_COUNTS, NODE_LINKS, count_nodes
from qiaomen.customers import CUSTOMERS, OUTCOMES
from qiaomen.dispatch import ALLOCATIONS, BLACKLIST_RECORDS, CONTACTS, LEADS
from qiaomen.jobs.context import Run
from qiaomen.opportunities import OPPORTUNITIES, OPPORTUNITY_SIGNALS
from qiaomen.parks import PARK_RESIDENTS, PARKS
from qiaomen.prospects import LONG_LIST
from qiaomen.reach import REACH
from qiaomen.registry import COMPANIES, COMPANY_REFS, RELATIONS, load_sources
from qiaomen.scoring import NOT_MARKETABLE, OFFERS, TIERS
from qiaomen.store import reading, writing
from qiaomen.supply import CORE_ENTERPRISES, SUPPLY_PAIRS
from qiaomen.tags import COMPANY_TAGS

if TYPE_CHECKING:
    import ibis.expr.types as ir


def list_prospects(run: Run) -> None:
    """Find prospects by the recipes, and count firms and customers per node and region."""
    counts = count_nodes(
        run.table(COMPANY_NODES), run.arrow(CHAIN_NODES), run.table(COMPANIES), run.table(CUSTOMERS)
    )
    run.write(NODE_COUNTS, counts)
    tables = prospects.LongListTables(
        companies=run.table(COMPANIES),
        customers=run.table(CUSTOMERS),
        not_marketable=run.table(NOT_MARKETABLE),
        company_nodes=run.table(COMPANY_NODES),
        park_residents=run.table(PARK_RESIDENTS),
        supply_pairs=run.table(SUPPLY_PAIRS),
        core_enterprises=run.table(CORE_ENTERPRISES),
        relations=run.table(RELATIONS),
        node_counts=run.table(NODE_COUNTS),
        chain_nodes=run.arrow(CHAIN_NODES),
        node_links=run.arrow(NODE_LINKS),
        parks=run.arrow(PARKS),
    )
    found = prospects.build_long_list(
        prospects.load_recipes(run.overlay),
        tables,
        run.as_of,
        links=prospects.load_introducer_links(run.overlay),
        keep=run.engine.keep,
    )
    run.report("long_list", {"rows": run.write(LONG_LIST, found.rows)})
    for row in run.engine.arrow(found.counts).to_pylist():
        run.report("long_list", {f"{row['recipe']}_{name}": row[name] for name in ("found", "listed")})


def propose(run: Run) -> None:
    """Build leads, apply every admission rule, allocate what passes."""
    rules = dispatch.load_allocation_rules(run.overlay)
    with writing(run.sql) as connection:
        viewer = local_analyst(connection, run.clock())
    leads = run.engine.keep(_leads(run, rules))
    with reading(run.sql) as connection:
        open_tasks = dispatch.open_tasks(viewer, connection)
        visits = dispatch.contacts(viewer, connection)
    admitted = dispatch.admit(
        leads,
        dispatch.AdmissionTables(
            companies=run.table(COMPANIES),
            opportunities=run.table(OPPORTUNITIES),
            blacklist_records=run.table(BLACKLIST_RECORDS),
            company_refs=run.table(COMPANY_REFS),
            institution_records=run.table(INSTITUTION_RECORDS),
            open_tasks=run.engine.memory(open_tasks),
            contacts=_contacts(run, visits),
        ),
        dispatch.load_admission_rules(run.overlay),
        run.as_of,
    )
    total = run.write(LEADS, admitted)
    places = dispatch.lead_places(
        run.table(LEADS),
        companies=run.table(COMPANIES),
        customers=run.table(CUSTOMERS),
        park_residents=run.table(PARK_RESIDENTS),
        company_tags=run.table(COMPANY_TAGS),
        company_nodes=run.table(COMPANY_NODES),
        traits=dispatch.load_traits(run.overlay),
    )
    institutions = read_institutions(run.arrow(INSTITUTION_RECORDS))
    allocations = dispatch.allocate(
        run.arrow(LEADS),
        run.engine.arrow(places),
        institutions=institutions,
        posts=read_posts(run.arrow(STAFF_RECORDS), institutions),
        open_tasks=open_tasks,
        rules=rules,
        as_of=run.as_of,
    )
    run.report("leads", {"leads": total, "allocated": run.write(ALLOCATIONS, allocations)})


def _contacts(run: Run, visits: pa.Table) -> ir.Table:
    """Return contacts of both kinds: recorded visits, and past outcomes."""
    import ibis

    past = run.table(OUTCOMES).filter(ibis._.company_id.notnull())
    past = past.select("company_id", "contacted_on", refused=ibis.literal(False))
    return run.engine.memory(CONTACTS.conform(visits)).union(past)


def _leads(run: Run, rules: dispatch.AllocationRules) -> ir.Table:
    return dispatch.build_leads(
        dispatch.LeadTables(
            opportunities=run.table(OPPORTUNITIES),
            opportunity_signals=run.table(OPPORTUNITY_SIGNALS),
            long_list=run.table(LONG_LIST),
            tiers=run.table(TIERS),
            offers=run.table(OFFERS),
            customers=run.table(CUSTOMERS),
            reach=run.table(REACH),
        ),
        rules,
        {code: source.name_zh for code, source in load_sources(run.overlay).items()},
    )
