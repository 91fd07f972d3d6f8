"""Steps of a run that rank: indicators at the date, scores of every strategy, tiers and offers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen import customers, opportunities, scoring, supply, tags
from qiaomen.chains import CHAIN_NODES
from qiaomen.jobs.context import Run
from qiaomen.jobs.market import core_rule
from qiaomen.jobs.profile import source_tables
from qiaomen.parks import PARKS
from qiaomen.reach import REACH
from qiaomen.registry import COMPANIES, COMPANY_REFS
from qiaomen.scoring import NOT_MARKETABLE, OFFERS, SCORES, TIERS
from qiaomen.tags import COMPANY_TAGS

if TYPE_CHECKING:
    import ibis.expr.types as ir


def measure(run: Run) -> None:
    """Compute every declared indicator at the date of the run."""
    indicators = scoring.load_indicators(run.overlay)
    tables = _tables(run)
    wide = scoring.compute_indicators(
        indicators,
        tables,
        run.as_of,
        tags=tags.load_tags(run.overlay),
        keep=run.engine.keep,
        overlay=run.overlay,
    )
    table = scoring.wide_table(indicators)
    run.report("indicators", {"declared": len(indicators), "companies": run.write(table, wide)})


def score(run: Run) -> None:
    """Learn what the outcomes teach, then score every marketable and eligible company by every strategy."""
    _leave_out(run)
    indicators = scoring.load_indicators(run.overlay)
    strategies = scoring.load_strategies(run.overlay)
    cards = dict(scoring.load_scorecards(run.overlay))
    learned = _learn(run, indicators, strategies)
    for code, model in learned.items():
        cards[strategies[code].card] = model.card
    run.stage.write_arrays(
        "models", {code: np.frombuffer(model.to_json().encode(), np.uint8) for code, model in learned.items()}
    )
    wide = marketable_rows(run, run.arrow(scoring.wide_table(indicators)))
    rows = scoring.score(strategies, cards, wide)
    run.report(
        "scores", {"strategies": len(strategies), "learned": len(learned), "rows": run.write(SCORES, rows)}
    )


def _leave_out(run: Run) -> None:
    """Note who is not marketed and why, and report the counts."""
    rules = scoring.load_marketable_rules(run.overlay)
    rows = scoring.leave_out(run.table(COMPANIES), run.table(customers.CUSTOMERS), rules)
    left_out = run.write(NOT_MARKETABLE, rows)
    counts = Counter(run.arrow(NOT_MARKETABLE)["rule"].to_pylist())
    total = run.stage.rows(COMPANIES.name)
    run.report(
        "marketable",
        {
            "companies": total,
            "marketable": total - left_out,
            **{f"left_out_{rule.code}": counts[rule.code] for rule in rules},
        },
    )


def marketable_rows(run: Run, rows: pa.Table) -> pa.Table:
    """Return the rows of marketable companies."""
    left_out = run.arrow(NOT_MARKETABLE)["company_id"].combine_chunks()
    return rows.filter(pc.invert(pc.is_in(rows["company_id"], value_set=left_out)))


def _learn(
    run: Run, indicators: Mapping[str, scoring.Indicator], strategies: Mapping[str, scoring.Strategy]
) -> dict[str, scoring.Model]:
    """Return the models that outcomes support; a strategy without enough of them keeps its expert card.

    Supply is rolled up anew from the documents of each past month, by the same rule as this run's pairs.
    """
    tables = _tables(run)
    records = supply.with_ids(run.table(supply.SUPPLY_RECORDS), run.table(COMPANY_REFS))
    tables[supply.SUPPLY_RECORDS.name] = records
    learned = {}
    for strategy in strategies.values():
        if not strategy.learn_from:
            continue
        rows = scoring.training_set(
            strategy,
            indicators,
            tables,
            run.as_of,
            tags=tags.load_tags(run.overlay),
            keep=run.engine.keep,
            overlay=run.overlay,
            core_rule=core_rule(run),
        )
        training = scoring.train(strategy, rows, indicators, run.as_of)
        run.notes.append(f"{strategy.name_zh}：{training.statement}")
        if training.model is not None:
            learned[strategy.code] = training.model
    return learned


def tier(run: Run) -> None:
    """Rank companies by marketing priority and say which product to offer, with the reason."""
    strategies = scoring.load_strategies(run.overlay)
    scores = run.arrow(SCORES)
    tiers = scoring.tier(
        scores,
        run.arrow(scoring.wide_table(scoring.load_indicators(run.overlay))),
        strategies,
        scoring.load_scorecards(run.overlay),
        scoring.load_tier_rules(run.overlay)["default"],
    )
    offers = scoring.offer(
        scoring.Grounds(
            scores=scores,
            opportunities=run.arrow(opportunities.OPPORTUNITIES),
            signals=run.arrow(opportunities.OPPORTUNITY_SIGNALS),
            company_tags=marketable_rows(run, run.arrow(COMPANY_TAGS)),
            customers=run.arrow(customers.CUSTOMERS)["company_id"].to_numpy(),
        ),
        scoring.load_products(run.overlay),
        strategies,
        tags.load_tags(run.overlay),
        run.as_of,
    )
    run.report("tiers", {"companies": run.write(TIERS, tiers), "offers": run.write(OFFERS, offers)})


def _tables(run: Run) -> dict[str, ir.Table]:
    """Return what indicators read: what tags read, where companies stand, and supply pairs as this run judged them."""
    tables = source_tables(run)
    tables.update({table.name: run.table(table) for table in (CHAIN_NODES, PARKS, REACH)})
    tables[COMPANY_TAGS.name] = run.table(COMPANY_TAGS)
    tables[COMPANIES.name] = run.table(COMPANIES)
    tables[customers.OUTCOMES.name] = run.table(customers.OUTCOMES)
    return tables
