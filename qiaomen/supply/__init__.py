"""Supplier-buyer relations and core judgement.

``load_core_rules`` declares the rule; ``with_ids`` resolves documents; ``rollup_supply`` gives pairs, totals, core
enterprises and what was left out; ``suppliers_of``, ``buyers_of``, ``core_enterprises_served`` answer for one firm.
"""

from qiaomen.supply.queries import buyers_of, core_enterprises_served, suppliers_of
from qiaomen.supply.rollup import LEFT_OUT_REASONS, SupplyResult, rollup_supply, with_ids
from qiaomen.supply.rules import CoreRule, Window, load_core_rules
from qiaomen.supply.tables import CORE_ENTERPRISES, SUPPLY_PAIRS, SUPPLY_RECORDS, SUPPLY_TOTALS

__all__ = [
    "CORE_ENTERPRISES",
    "LEFT_OUT_REASONS",
    "SUPPLY_PAIRS",
    "SUPPLY_RECORDS",
    "SUPPLY_TOTALS",
    "CoreRule",
    "SupplyResult",
    "Window",
    "buyers_of",
    "core_enterprises_served",
    "load_core_rules",
    "rollup_supply",
    "suppliers_of",
    "with_ids",
]
