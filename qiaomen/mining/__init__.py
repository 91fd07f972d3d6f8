"""Opportunities found in text, registry changes and expiry dates."""

from qiaomen.mining.tables import ANNOUNCEMENT_RECORDS, FINDINGS

__all__ = ["ANNOUNCEMENT_RECORDS", "FINDINGS"]
