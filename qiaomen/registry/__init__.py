"""The one list of companies and persons and their relations: intake, names, addresses, identity, matching."""

from qiaomen.registry.tables import (
    COMPANIES,
    COMPANY_CHANGES,
    COMPANY_NAMES,
    COMPANY_RECORDS,
    COMPANY_REFS,
    LOADS,
    PERSON_RECORDS,
    PERSONS,
    REJECTS,
    RELATION_RECORDS,
    RELATIONS,
)

__all__ = [
    "COMPANIES",
    "COMPANY_CHANGES",
    "COMPANY_NAMES",
    "COMPANY_RECORDS",
    "COMPANY_REFS",
    "LOADS",
    "PERSONS",
    "PERSON_RECORDS",
    "REJECTS",
    "RELATIONS",
    "RELATION_RECORDS",
]
