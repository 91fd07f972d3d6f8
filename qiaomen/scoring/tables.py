"""Lake tables owned by scoring. ``indicators`` is wide, one column per declared indicator (see ``indicators_table``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from qiaomen.vocab import Column, Table

SCORES: Final = Table(
    "scores",
    "scoring",
    "One row per company and strategy for which it is eligible.",
    (
        Column("company_id", "int64", "the company"),
        Column("strategy", "string", "code of the strategy"),
        Column(
            "probability",
            "float64",
            "calibrated probability of response; null for an expert scorecard without labels",
        ),
        Column("response_index", "float64", "营销响应度指数, 0 to 100"),
        Column("points", "float64", "sum of the scorecard points"),
        Column(
            "reasons",
            "string",
            "JSON list of {indicator, label, value, points}; the points add up to `points`",
        ),
        Column("model", "string", "model and version"),
    ),
    ("strategy", "company_id"),
)

TIERS: Final = Table(
    "tiers",
    "scoring",
    "One row per scored company: marketing priority and tier.",
    (
        Column("company_id", "int64", "the company"),
        Column("tier", "string", "a Tier"),
        Column("priority", "float64", "营销优先级, 0 to 100"),
        Column("response_index", "float64", "0 to 100, best strategy"),
        Column("value_index", "float64", "0 to 1"),
        Column("risk_index", "float64", "0 to 1, higher is safer"),
        Column("policy_index", "float64", "0 to 1, strategic direction"),
        Column("strategy", "string", "best strategy"),
        Column("product", "string", "its product"),
        Column("expected_conversion", "float64", "0 to 1"),
    ),
    ("company_id",),
)

OFFERS: Final = Table(
    "offers",
    "scoring",
    "Products suggested to a company, with the reason.",
    (
        Column("company_id", "int64", "the company"),
        Column("product", "string", "code of the product"),
        Column("rank", "int64", "1 is the best"),
        Column("response_index", "float64", "0 to 100; null where the reason is an opportunity alone"),
        Column("basis", "string", "score, opportunity, tag"),
        Column("opportunity_id", "string", "opportunity behind it; null otherwise"),
        Column("reason", "string", "in words"),
    ),
    ("company_id", "product"),
)

NOT_MARKETABLE: Final = Table(
    "not_marketable",
    "scoring",
    "One row per company that is not scored, tiered or listed, with the rule that leaves it out.",
    (
        Column("company_id", "int64", "the company"),
        Column("rule", "string", "code of the first rule of `marketable_rules` that fits"),
        Column("reason", "string", "in words"),
    ),
    ("company_id",),
)


def indicators_table(indicators: Iterable[tuple[str, str]]) -> Table:
    """Declare the wide indicator table from (code, definition) pairs; missing values are null."""
    columns = tuple(Column(code, "float64", doc) for code, doc in indicators)
    return Table(
        "indicators",
        "scoring",
        "One row per company, one column per indicator, at as_of.",
        (Column("company_id", "int64", "the company"), *columns),
        ("company_id",),
    )
