"""The one list of companies and persons and their relations: intake, names, addresses, identity, matching."""

from qiaomen.registry.addresses import (
    Region,
    normalise_address,
    region_from_words,
    resolve_address,
    resolve_addresses,
)
from qiaomen.registry.identity import IdentifyResult, identify
from qiaomen.registry.names import (
    NameParts,
    looks_like_person,
    normalise_name,
    normalise_names,
    normalise_short_name,
    normalise_short_names,
    parse_name,
)
from qiaomen.registry.persons import PersonsResult, build_persons
from qiaomen.registry.places import Gazetteer, load_gazetteer, short_division_name
from qiaomen.registry.refs import collect_refs
from qiaomen.registry.relations import RelationsResult, resolve_relations
from qiaomen.registry.tables import (
    COMPANIES,
    COMPANY_CHANGES,
    COMPANY_IDS,
    COMPANY_NAMES,
    COMPANY_RECORDS,
    COMPANY_REFS,
    LOADS,
    PERSON_IDS,
    PERSON_RECORDS,
    PERSONS,
    REJECTS,
    RELATION_RECORDS,
    RELATIONS,
)

__all__ = [
    "COMPANIES",
    "COMPANY_CHANGES",
    "COMPANY_IDS",
    "COMPANY_NAMES",
    "COMPANY_RECORDS",
    "COMPANY_REFS",
    "LOADS",
    "PERSONS",
    "PERSON_IDS",
    "PERSON_RECORDS",
    "REJECTS",
    "RELATIONS",
    "RELATION_RECORDS",
    "Gazetteer",
    "IdentifyResult",
    "NameParts",
    "PersonsResult",
    "Region",
    "RelationsResult",
    "build_persons",
    "collect_refs",
    "identify",
    "load_gazetteer",
    "looks_like_person",
    "normalise_address",
    "normalise_name",
    "normalise_names",
    "normalise_short_name",
    "normalise_short_names",
    "parse_name",
    "region_from_words",
    "resolve_address",
    "resolve_addresses",
    "resolve_relations",
    "short_division_name",
]
