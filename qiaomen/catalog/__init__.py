"""Declared rules as data: one reader with the bank's overlay. Row types stand in the folder that owns the rules."""

from qiaomen.catalog.rows import CatalogRow, read_rows

__all__ = ["CatalogRow", "read_rows"]
