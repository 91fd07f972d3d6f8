"""Declared rules as data: one reader with the bank's overlay, and the public standards (divisions, trades).

Row types of all other catalogues stand in the folder that owns the rules.
"""

from qiaomen.catalog.rows import CatalogRow, read_rows
from qiaomen.catalog.standards import Division, Industry, division_names, load_divisions, load_industries

__all__ = [
    "CatalogRow",
    "Division",
    "Industry",
    "division_names",
    "load_divisions",
    "load_industries",
    "read_rows",
]
