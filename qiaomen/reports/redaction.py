"""Takes out of a whole profile what its viewer may not read: natural persons, wherever their names stand in a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qiaomen.bank import DataKind, blanked_text, reads
from qiaomen.registry import COMPANIES, PERSONS, RELATIONS
from qiaomen.reports.model import CompanyProfile
from qiaomen.reports.reads import ProfileReads

if TYPE_CHECKING:
    from qiaomen.reports.profile import Subject


def redacted(subject: Subject, profile: CompanyProfile) -> CompanyProfile:
    """Return the profile as the viewer may read it: names of its persons, telephones and identity numbers masked."""
    if reads(subject.viewer, DataKind.TEXT) and reads(subject.viewer, DataKind.PERSON):
        return profile
    names = persons_named(subject.reads, subject.company_id)
    return CompanyProfile.model_validate(_blanked(profile.model_dump(), names))


def persons_named(reads_: ProfileReads, company_id: int) -> set[str]:
    """Return the names of all persons that a company's rows name."""
    found = {row["legal_representative"] or "" for row in reads_.rows(COMPANIES, "company_id", company_id)}
    for side, other in (("from", "to"), ("to", "from")):
        for row in reads_.rows(RELATIONS, f"{side}_id", company_id):
            if row[f"{side}_type"] == "company" and row[f"{other}_type"] == "person":
                for person in reads_.rows(PERSONS, "person_id", row[f"{other}_id"]):
                    found.add(person["name"] or "")
    return {name for name in found if len(name) > 1}


def _blanked(value: Any, names: set[str]) -> Any:
    if isinstance(value, str):
        return blanked_text(value, names)
    if isinstance(value, dict):
        return {key: part if key in _CODES else _blanked(part, names) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_blanked(part, names) for part in value)
    return value


# Codes and the company's own name stay as they are; a firm that is called after a person keeps its name.
_CODES = frozenset(
    {"uscc", "name", "short_name", "kind", "code", "light", "basis", "customer_no", "source", "side"}
)
