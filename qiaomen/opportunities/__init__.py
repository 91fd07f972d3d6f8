"""Intake, duplicates, banking signals, grade, regions."""

from qiaomen.opportunities.tables import OPPORTUNITIES, OPPORTUNITY_RECORDS, OPPORTUNITY_SIGNALS

__all__ = ["OPPORTUNITIES", "OPPORTUNITY_RECORDS", "OPPORTUNITY_SIGNALS"]
