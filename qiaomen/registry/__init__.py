"""The one list of companies and persons and their relations: intake, names, addresses, identity, matching."""

from qiaomen.registry.addresses import (
    Region,
    normalise_address,
    region_from_words,
    resolve_address,
    resolve_addresses,
)
from qiaomen.registry.case_files import CaseResult, match_files
from qiaomen.registry.identity import IdentifyResult, identify
from qiaomen.registry.intake import Observer, read_files
from qiaomen.registry.load_result import LoadResult, Warned
from qiaomen.registry.lookup import Matcher
from qiaomen.registry.match_index import build_match_index
from qiaomen.registry.matching import match_customers
from qiaomen.registry.money import MoneyReader, load_money_reader
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
from qiaomen.registry.plan import FilePlan, PlannedFile, SkippedFile, plan_files
from qiaomen.registry.readers import RowFile, normal_header, open_rows
from qiaomen.registry.refs import collect_refs
from qiaomen.registry.relations import RelationsResult, resolve_relations
from qiaomen.registry.retention import (
    Held,
    Retention,
    held_rows,
    past_parts,
    retention_report,
    sources_past,
    without_parts,
)
from qiaomen.registry.source_docs import source_docs
from qiaomen.registry.sources import (
    ColumnRule,
    FileFormat,
    FileRule,
    Source,
    check_sources,
    load_sources,
    record_names,
)
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
from qiaomen.registry.upsert import content_hashes

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
    "CaseResult",
    "ColumnRule",
    "FileFormat",
    "FilePlan",
    "FileRule",
    "Gazetteer",
    "Held",
    "IdentifyResult",
    "LoadResult",
    "Matcher",
    "MoneyReader",
    "NameParts",
    "Observer",
    "PersonsResult",
    "PlannedFile",
    "Region",
    "RelationsResult",
    "Retention",
    "RowFile",
    "SkippedFile",
    "Source",
    "Warned",
    "build_match_index",
    "build_persons",
    "check_sources",
    "collect_refs",
    "content_hashes",
    "held_rows",
    "identify",
    "load_gazetteer",
    "load_money_reader",
    "load_sources",
    "looks_like_person",
    "match_customers",
    "match_files",
    "normal_header",
    "normalise_address",
    "normalise_name",
    "normalise_names",
    "normalise_short_name",
    "normalise_short_names",
    "open_rows",
    "parse_name",
    "past_parts",
    "plan_files",
    "read_files",
    "record_names",
    "region_from_words",
    "resolve_address",
    "resolve_addresses",
    "resolve_relations",
    "retention_report",
    "short_division_name",
    "source_docs",
    "sources_past",
    "without_parts",
]
