"""Reads ahead what pages of a new generation need, in the background, so that no visitor waits for the first read."""

from __future__ import annotations

import logging
from typing import Final

from qiaomen.chains import CHAIN_NODES, COMPANY_GOODS, COMPANY_NODES
from qiaomen.customers import CUSTOMER_RECORDS, CUSTOMERS, DEALINGS, OUTCOMES
from qiaomen.dispatch import BLACKLIST_RECORDS, LEADS
from qiaomen.opportunities import OPPORTUNITIES, OPPORTUNITY_SIGNALS
from qiaomen.parks import PARK_RESIDENTS, PARKS
from qiaomen.reach import INTRODUCTIONS, REACH
from qiaomen.registry import (
    COMPANIES,
    COMPANY_CHANGES,
    COMPANY_NAMES,
    COMPANY_RECORDS,
    COMPANY_REFS,
    PERSONS,
    RELATIONS,
    load_gazetteer,
)
from qiaomen.scoring import OFFERS, SCORES, TIERS
from qiaomen.supply import SUPPLY_PAIRS, SUPPLY_TOTALS
from qiaomen.tags import COMPANY_TAGS
from qiaomen.vocab import QiaomenError, Table
from qiaomen.web.conflicts import group_heads
from qiaomen.web.firms import customer_numbers
from qiaomen.web.lead_lists import allocated, joined_leads, rejected
from qiaomen.web.pages.chains import sectors
from qiaomen.web.pages.cockpit import weekly
from qiaomen.web.pages.opportunities import newest_first
from qiaomen.web.pages.parks import residents
from qiaomen.web.pages.radius import dots, located
from qiaomen.web.reading import Reading
from qiaomen.web.screens import index_or_none, ranks
from qiaomen.web.seen import EVERYTHING, seen_reading
from qiaomen.web.ways import found_paths, has_graph

log = logging.getLogger(__name__)

BY_COMPANY: Final[tuple[Table, ...]] = (
    COMPANIES,
    COMPANY_NAMES,
    CUSTOMERS,
    TIERS,
    OFFERS,
    SCORES,
    COMPANY_TAGS,
    COMPANY_NODES,
    COMPANY_GOODS,
    PARK_RESIDENTS,
    OPPORTUNITIES,
    INTRODUCTIONS,
    REACH,
    DEALINGS,
    OUTCOMES,
    SUPPLY_TOTALS,
)
BY_OTHER: Final[tuple[tuple[Table, str], ...]] = (
    (SUPPLY_PAIRS, "supplier_id"),
    (SUPPLY_PAIRS, "buyer_id"),
    (RELATIONS, "from_id"),
    (RELATIONS, "to_id"),
    (OPPORTUNITIES, "opportunity_id"),
    (OPPORTUNITY_SIGNALS, "opportunity_id"),
    (LEADS, "lead_id"),
    (CUSTOMER_RECORDS, "record_key"),
    (BLACKLIST_RECORDS, "company_ref"),
    (COMPANY_CHANGES, "company_ref"),
    (COMPANY_RECORDS, "company_ref"),
    (COMPANY_REFS, "company_id"),
    (PERSONS, "person_id"),
    (CHAIN_NODES, "node_code"),
    (PARKS, "park_code"),
)
STEPS: Final = (
    index_or_none,
    ranks,
    customer_numbers,
    residents,
    sectors,
    newest_first,
    weekly,
    located,
    dots,
    allocated,
    rejected,
    joined_leads,
    group_heads,
)


def warm(reading: Reading) -> None:
    """Read ahead; a part that cannot be read is left to the page, which says why."""
    if not reading.number:
        return
    reading = seen_reading(reading, EVERYTHING)
    try:
        load_gazetteer()
        for table in BY_COMPANY:
            reading.keyed(table, "company_id")
        for table, column in BY_OTHER:
            reading.keyed(table, column)
        for step in STEPS:
            reading.once(step)
        if has_graph(reading):
            found_paths(reading, int(reading.table(COMPANIES).column("company_id")[0].as_py()), 5, "best")
    except (QiaomenError, OSError, ValueError, IndexError) as error:
        log.warning("generation %s was not read ahead: %s", reading.number, type(error).__name__)
