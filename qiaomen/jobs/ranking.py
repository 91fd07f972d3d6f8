"""Steps of a run that rank: indicators at the date, scores of every strategy, tiers and offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from qiaomen import customers, opportunities, scoring, supply, tags
from qiaomen.chains import CHAIN_NODES
from qiaomen.jobs.context import Run
from qiaomen.jobs.market import core_rule
from qiaomen.jobs.profile import source_tables
from qiaomen.parks import PARKS
from qiaomen.reach import REACH
from qiaomen.registry import COMPANIES, COMPANY_REFS
from qiaomen.scoring import OFFERS, SCORES, TIERS
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
    """Learn what the outcomes teach, then score every eligible company by every strategy."""
    indicators = scoring.load_indicators(run.overlay)
    strategies = scoring.load_strategies(run.overlay)
    cards = dict(scoring.load_scorecards(run.overlay))
    learned = _learn(run, indicators, strategies)
    for code, model in learned.items():
        cards[strategies[code].card] = model.card
    run.stage.write_arrays(
        "models", {code: np.frombuffer(model.to_json().encode(), np.uint8) for code, model in learned.items()}
    )
    rows = scoring.score(strategies, cards, run.arrow(scoring.wide_table(indicators)))
    run.report(
        "scores", {"strategies": len(strategies), "learned": len(learned), "rows": run.write(SCORES, rows)}
    )


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
            company_tags=run.arrow(COMPANY_TAGS),
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
