"""Indicators, strategies, scorecards, training, tiers, offers. Scores order marketing; they decide no credit.

``leave_out`` says who is not marketed at all; ``compute_indicators`` gives the wide table at ``as_of``; ``score`` applies the strategies' cards to it; ``tier`` and
``offer`` draw priorities and products from the scores; ``training_set`` and ``train`` learn a card from outcomes.
"""

from qiaomen.scoring.catalogue import (
    Indicator,
    Product,
    Strategy,
    TierRule,
    load_indicators,
    load_products,
    load_strategies,
    load_tier_rules,
    wide_table,
)
from qiaomen.scoring.indicators import compute_indicators, is_dated, trace
from qiaomen.scoring.marketable import MarketableRule, leave_out, load_marketable_rules
from qiaomen.scoring.metrics import drift_word, measure, psi
from qiaomen.scoring.models import Model, Training, read_model
from qiaomen.scoring.offers import Grounds, best_companies, offer
from qiaomen.scoring.score import MARKETING_ONLY, score
from qiaomen.scoring.scorecards import Scorecard, load_scorecards, points_expression
from qiaomen.scoring.tables import NOT_MARKETABLE, OFFERS, SCORES, TIERS, indicators_table
from qiaomen.scoring.tiers import tier, tier_memberships, tier_reason
from qiaomen.scoring.training import train, training_set

__all__ = [
    "MARKETING_ONLY",
    "NOT_MARKETABLE",
    "OFFERS",
    "SCORES",
    "TIERS",
    "Grounds",
    "Indicator",
    "MarketableRule",
    "Model",
    "Product",
    "Scorecard",
    "Strategy",
    "TierRule",
    "Training",
    "best_companies",
    "compute_indicators",
    "drift_word",
    "indicators_table",
    "is_dated",
    "leave_out",
    "load_indicators",
    "load_marketable_rules",
    "load_products",
    "load_scorecards",
    "load_strategies",
    "load_tier_rules",
    "measure",
    "offer",
    "points_expression",
    "psi",
    "read_model",
    "score",
    "tier",
    "tier_memberships",
    "tier_reason",
    "trace",
    "train",
    "training_set",
    "wide_table",
]
