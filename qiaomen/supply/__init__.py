"""Supplier-buyer relations and core judgement."""

from qiaomen.supply.tables import CORE_ENTERPRISES, SUPPLY_PAIRS, SUPPLY_RECORDS, SUPPLY_TOTALS

__all__ = ["CORE_ENTERPRISES", "SUPPLY_PAIRS", "SUPPLY_RECORDS", "SUPPLY_TOTALS"]
