"""Park, chain and supply recipes: long lists with reasons."""

from qiaomen.prospects.tables import LONG_LIST

__all__ = ["LONG_LIST"]
