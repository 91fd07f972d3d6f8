"""Indicators, strategies, scorecards, training, tiers, offers."""

from qiaomen.scoring.tables import OFFERS, SCORES, TIERS, indicators_table

__all__ = ["OFFERS", "SCORES", "TIERS", "indicators_table"]
