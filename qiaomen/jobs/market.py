"""Steps of a run that describe the market: who the companies are, on which nodes, in which parks, who trades with whom."""

from __future__ import annotations

from qiaomen import chains, parks, registry, supply
from qiaomen.jobs.context import Run
from qiaomen.jobs.tables import LOADED_TABLES
from qiaomen.registry import (
    COMPANIES,
    COMPANY_IDS,
    COMPANY_NAMES,
    COMPANY_RECORDS,
    COMPANY_REFS,
    PERSON_IDS,
    PERSON_RECORDS,
    PERSONS,
    RELATION_RECORDS,
    RELATIONS,
)
from qiaomen.vocab import InputRejected


def issue_numbers(run: Run) -> bool:
    """Decide who every record, reference and person is, and stage the numbers alone; return whether any is new.

    They are published before the run proper, so that a number issued in a run that stops is never issued again.
    """
    used = {name: run.arrow(table) for name, table in LOADED_TABLES.items() if run.stage.has(name)}
    identified = registry.identify(
        used.get(COMPANY_RECORDS.name, COMPANY_RECORDS.empty()),
        registry.collect_refs(used),
        run.arrow(COMPANY_IDS),
        list(registry.load_sources(run.overlay)),
    )
    people = registry.build_persons(
        run.arrow(PERSON_RECORDS),
        run.arrow(RELATION_RECORDS),
        run.arrow(PERSON_IDS),
        identified.company_refs,
    )
    run.kept["identified"], run.kept["people"] = identified, people
    before = (run.stage.rows(COMPANY_IDS.name), run.stage.rows(PERSON_IDS.name))
    after = (run.write(COMPANY_IDS, identified.company_ids), run.write(PERSON_IDS, people.person_ids))
    return before != after


def identify(run: Run) -> None:
    """Write the companies and what every reference stands for."""
    result = run.kept["identified"]
    run.write(COMPANY_REFS, result.company_refs)
    rows = run.write(COMPANIES, result.companies)
    run.write(COMPANY_NAMES, result.company_names)
    run.report("identify", {"companies": rows, "merged": len(result.merged), **result.counts})


def relate(run: Run) -> None:
    """Write the persons and resolve both ends of every relation."""
    refs, companies = run.arrow(COMPANY_REFS), run.arrow(COMPANIES)
    persons = run.write(PERSONS, run.kept["people"].persons)
    result = registry.resolve_relations(run.arrow(RELATION_RECORDS), refs, run.arrow(PERSONS), companies)
    relations = run.write(RELATIONS, result.relations)
    run.report(
        "relate",
        {
            "persons": persons,
            "relations": relations,
            "unresolved": result.unresolved.num_rows,
            "self_relations": result.rejects.num_rows,
            "rings": len(result.rings),
            **result.counts,
        },
    )


def classify(run: Run) -> None:
    """Put companies on chain nodes with evidence, clean their goods, link the nodes."""
    refs = run.arrow(COMPANY_REFS)
    grounds = chains.load_grounds(run.overlay)
    plans = chains.plans_in_force(chains.load_plans(run.overlay), run.as_of)
    built = chains.build_chain_nodes(
        chains.load_chains(run.overlay), run.arrow(chains.CHAIN_NODE_RECORDS), plans
    )
    matcher = chains.NodeMatcher(built.rules, grounds)
    goods = chains.clean_company_goods(
        run.arrow(chains.COMPANY_GOODS_RECORDS),
        refs,
        noise=chains.load_goods_noise(run.overlay),
        rules=built.rules,
        matcher=matcher,
        goods_records=run.arrow(chains.GOODS_RECORDS),
    )
    placed = chains.classify_companies(
        run.arrow(COMPANIES),
        built.rules,
        grounds,
        company_goods=goods.table,
        company_node_records=run.arrow(chains.COMPANY_NODE_RECORDS),
        company_refs=refs,
        matcher=matcher,
    )
    links = chains.link_nodes(
        built.rules,
        matcher,
        node_link_records=run.arrow(chains.NODE_LINK_RECORDS),
        goods_relation_records=run.arrow(chains.GOODS_RELATION_RECORDS),
    )
    run.report(
        "classify",
        {
            "nodes": run.write(chains.CHAIN_NODES, built.table),
            "company_goods": run.write(chains.COMPANY_GOODS, goods.table),
            "company_nodes": run.write(chains.COMPANY_NODES, placed.table),
            "node_links": run.write(chains.NODE_LINKS, links.table),
            **placed.counts,
            **{f"goods_{name}": count for name, count in goods.counts.items()},
            **{f"links_{name}": count for name, count in links.counts.items()},
        },
    )


def core_rule(run: Run) -> supply.CoreRule:
    """Return the rule of core judgement that the settings name; ``InputRejected`` where there is no such rule."""
    rules = supply.load_core_rules(run.overlay)
    if run.settings.core_rule not in rules:
        raise InputRejected(
            f"设置 core_rule 的“{run.settings.core_rule}”不存在", remedy=f"可用：{'、'.join(rules)}"
        )
    return rules[run.settings.core_rule]


def trade(run: Run) -> None:
    """Roll supply documents up into pairs and judge core partners."""
    records = supply.with_ids(run.table(supply.SUPPLY_RECORDS), run.table(COMPANY_REFS))
    result = supply.rollup_supply(records, run.as_of, core_rule(run), keep=run.engine.keep)
    left_out = run.engine.arrow(result.left_out).to_pylist()
    run.report(
        "supply",
        {
            "pairs": run.write(supply.SUPPLY_PAIRS, result.pairs),
            "totals": run.write(supply.SUPPLY_TOTALS, result.totals),
            "core_enterprises": run.write(supply.CORE_ENTERPRISES, result.core_enterprises),
            **{f"left_out_{row['reason']}": row["rows"] for row in left_out},
        },
    )


def settle(run: Run) -> None:
    """Place companies in parks."""
    refs = run.arrow(COMPANY_REFS)
    built = parks.build_parks(run.arrow(parks.PARK_RECORDS), refs)
    placed = parks.place_companies(
        run.arrow(COMPANIES),
        built.table,
        run.arrow(parks.PARK_RESIDENT_RECORDS),
        refs,
        as_of=run.as_of,
    )
    run.report(
        "parks",
        {
            "parks": run.write(parks.PARKS, placed.parks),
            "residents": run.write(parks.PARK_RESIDENTS, placed.residents),
            **placed.counts,
        },
    )
