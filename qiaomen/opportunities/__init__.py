"""Opportunities: duplicates joined, value graded with time, banking signals derived, analysed by region.

Reads findings and companies; writes opportunities and opportunity_signals. Owns the catalogues signal_products,
opportunity_grades and opportunity_amounts; the kinds are declared in mining and re-exported here.
"""

from qiaomen.mining import OpportunityKind, RoleNeeds, kinds_by_word, load_kinds
from qiaomen.opportunities.building import Built, build_opportunities
from qiaomen.opportunities.duplicates import DuplicateRule
from qiaomen.opportunities.filters import (
    OpportunityFilter,
    by_region,
    daily_counts,
    filter_opportunities,
    signal_trend,
)
from qiaomen.opportunities.grading import Grading, load_grading
from qiaomen.opportunities.signals import SignalProducts, load_signal_products, products_for
from qiaomen.opportunities.tables import OPPORTUNITIES, OPPORTUNITY_RECORDS, OPPORTUNITY_SIGNALS

__all__ = [
    "OPPORTUNITIES",
    "OPPORTUNITY_RECORDS",
    "OPPORTUNITY_SIGNALS",
    "Built",
    "DuplicateRule",
    "Grading",
    "OpportunityFilter",
    "OpportunityKind",
    "RoleNeeds",
    "SignalProducts",
    "build_opportunities",
    "by_region",
    "daily_counts",
    "filter_opportunities",
    "kinds_by_word",
    "load_grading",
    "load_kinds",
    "load_signal_products",
    "products_for",
    "signal_trend",
]
