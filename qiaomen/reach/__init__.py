"""Warmth, paths from prospect to customer, introducers, wording."""

from qiaomen.reach.tables import INTRODUCTIONS, REACH

__all__ = ["INTRODUCTIONS", "REACH"]
