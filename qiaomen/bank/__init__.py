"""Institutions, staff, users, tokens, audit log, and what a viewer may see."""

from qiaomen.bank.tables import INSTITUTION_RECORDS, STAFF_RECORDS

__all__ = ["INSTITUTION_RECORDS", "STAFF_RECORDS"]
