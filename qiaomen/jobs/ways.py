"""Steps of a run that say through whom: the graph, reach of every company, worded introductions."""

from __future__ import annotations

import pyarrow as pa

from qiaomen import graph, reach
from qiaomen.chains import CHAIN_NODES, COMPANY_GOODS, COMPANY_NODES
from qiaomen.customers import CUSTOMERS, asks_made
from qiaomen.dispatch import ALLOCATIONS, DEFERRED, LEADS
from qiaomen.jobs.context import Run
from qiaomen.parks import PARK_RESIDENTS, PARKS
from qiaomen.reach import INTRODUCTIONS, REACH
from qiaomen.registry import COMPANIES, PERSONS, RELATIONS
from qiaomen.store import reading
from qiaomen.supply import SUPPLY_PAIRS


def link(run: Run) -> None:
    """Pack all relations into one graph."""
    arrays = graph.build_graph(
        run.arrow(RELATIONS),
        run.arrow(SUPPLY_PAIRS),
        run.arrow(COMPANY_NODES),
        run.arrow(COMPANY_GOODS),
        run.arrow(COMPANIES),
        run.arrow(PERSONS),
        run.as_of,
        chain_nodes=run.arrow(CHAIN_NODES),
    )
    run.stage.write_arrays("graph", arrays)
    opened = graph.Graph.open(arrays)
    run.kept["graph"] = opened
    run.report("graph", {"nodes": opened.size, **opened.left_out})


def near(run: Run) -> None:
    """Find the warmest customer of every company in one pass."""
    with reading(run.sql) as connection:
        asks = asks_made(connection)
    reaching = reach.prepare(
        run.kept["graph"], run.arrow(CUSTOMERS), run.as_of, reach.load_warmth(run.overlay), asks=asks
    )
    run.stage.write_arrays("reaching", reaching.arrays())
    run.kept["reaching"] = reaching
    rows = run.write(REACH, reach.nearness(reaching))
    run.report("reach", {"companies": rows})


def introduce(run: Run) -> None:
    """Word the best ways to the prospects that become tasks; a customer is called on directly."""
    allocations, leads = run.table(ALLOCATIONS), run.table(LEADS)
    prospects = leads.filter(~leads.is_customer).select(prospect_lead="lead_id")
    assigned = allocations.filter(~allocations.hold_out & (allocations.rule != DEFERRED))
    assigned = assigned.semi_join(prospects, assigned.lead_id == prospects.prospect_lead)
    companies = run.engine.arrow(assigned.select("company_id").distinct())["company_id"]
    statements = reach.Statements(
        run.arrow(COMPANIES), run.arrow(PERSONS), {name: _pointed(run, name) for name in POINTED}
    )
    rows = reach.word_introductions(
        run.kept["reaching"],
        [int(number) for number in companies.to_pylist()],
        run.arrow(CUSTOMERS),
        statements,
        surroundings=reach.Surroundings(
            run.arrow(PARKS), run.arrow(PARK_RESIDENTS), run.arrow(CHAIN_NODES), run.arrow(COMPANY_NODES)
        ),
        wording=reach.load_wording(run.overlay),
    )
    run.report("introduce", {"introductions": run.write(INTRODUCTIONS, rows)})


# Tables that edges of the graph point into for their evidence.
POINTED = {table.name: table for table in (RELATIONS, SUPPLY_PAIRS, COMPANY_NODES, COMPANY_GOODS)}


def _pointed(run: Run, name: str) -> pa.Table:
    return run.arrow(POINTED[name])
