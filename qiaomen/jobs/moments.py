"""Steps of a run that say why now: findings of all detectors, joined into graded opportunities."""

from __future__ import annotations

import pyarrow as pa

from qiaomen import customers, mining, opportunities
from qiaomen.chains import CHAIN_NODES, COMPANY_NODES
from qiaomen.jobs.context import Run
from qiaomen.mining import ANNOUNCEMENT_RECORDS, FINDINGS
from qiaomen.opportunities import OPPORTUNITIES, OPPORTUNITY_RECORDS, OPPORTUNITY_SIGNALS
from qiaomen.parks import PARK_RESIDENTS, PARKS
from qiaomen.registry import (
    COMPANIES,
    COMPANY_CHANGES,
    COMPANY_NAMES,
    COMPANY_REFS,
    RELATIONS,
    load_money_reader,
)


def mine(run: Run) -> None:
    """Run the five detectors over feeds, texts, registered changes, expiries and the bank's own books."""
    kinds = mining.load_kinds(run.overlay)
    refs, companies = run.arrow(COMPANY_REFS), run.arrow(COMPANIES)
    feed, relations = run.arrow(OPPORTUNITY_RECORDS), run.arrow(RELATIONS)
    money = load_money_reader(run.overlay)
    found = {
        "feed": mining.find_in_feed(feed, refs, kinds=kinds, as_of=run.as_of),
        "text": mining.find_in_texts(
            run.arrow(ANNOUNCEMENT_RECORDS),
            refs,
            run.arrow(COMPANY_NAMES),
            rules=mining.load_text_rules(run.overlay),
            guards=mining.load_guards(run.overlay),
            kinds=kinds,
            money=money,
            as_of=run.as_of,
        ),
        "registry_change": mining.find_registry_changes(
            run.arrow(COMPANY_CHANGES),
            refs,
            companies,
            relations,
            _places(run),
            rules=mining.load_change_rules(run.overlay),
            kinds=kinds,
            money=money,
            as_of=run.as_of,
        ),
        "expiry": mining.find_expiries(
            feed,
            refs,
            relations,
            companies,
            rules=mining.load_expiry_rules(run.overlay),
            kinds=kinds,
            as_of=run.as_of,
        ),
        "in_bank": mining.find_in_bank(
            run.arrow(customers.DEALINGS),
            run.arrow(customers.CASHFLOWS),
            companies,
            rules=mining.load_in_bank_rules(run.overlay),
            kinds=kinds,
            as_of=run.as_of,
        ),
    }
    run.write(FINDINGS, mining.join_findings(*found.values()))
    for detector, detected in found.items():
        run.report("mine", {f"{detector}_{name}": count for name, count in detected.counts.items()})


def _places(run: Run) -> pa.Table:
    """Return (company_id, place): the parks and chains in which a new company is news."""
    named = dict(
        zip(*(run.arrow(PARKS)[column].to_pylist() for column in ("park_code", "name")), strict=True)
    )
    residents = run.arrow(PARK_RESIDENTS)
    parks = pa.table(
        {
            "company_id": residents["company_id"],
            "place": pa.array(
                [named.get(code, code) for code in residents["park_code"].to_pylist()], pa.string()
            ),
        }
    )
    words = run.arrow(CHAIN_NODES)
    chain_names = dict(zip(words["chain_code"].to_pylist(), words["chain_name"].to_pylist(), strict=True))
    nodes = run.arrow(COMPANY_NODES)
    chains = pa.table(
        {
            "company_id": nodes["company_id"],
            "place": pa.array(
                [chain_names.get(code, code) for code in nodes["chain_code"].to_pylist()], pa.string()
            ),
        }
    )
    return pa.concat_tables([parks, chains]).group_by(["company_id", "place"]).aggregate([])


def grade(run: Run) -> None:
    """Join duplicates, grade by value and age, derive banking signals."""
    built = opportunities.build_opportunities(
        run.arrow(FINDINGS),
        run.arrow(COMPANIES),
        opportunities.load_kinds(run.overlay),
        run.as_of,
        grading=opportunities.load_grading(run.overlay),
        products=opportunities.load_signal_products(run.overlay),
    )
    run.write(OPPORTUNITIES, built.opportunities)
    signals = run.write(OPPORTUNITY_SIGNALS, built.signals)
    run.report("opportunities", {**built.counts, "signals": signals})
