"""Admission, routing, the task's life, hold-outs, funnel."""

from qiaomen.dispatch.tables import ALLOCATIONS, BLACKLIST_RECORDS, LEADS

__all__ = ["ALLOCATIONS", "BLACKLIST_RECORDS", "LEADS"]
