"""Profile tags as declared rules."""

from qiaomen.tags.tables import COMPANY_TAGS, LIST_TAG_RECORDS

__all__ = ["COMPANY_TAGS", "LIST_TAG_RECORDS"]
