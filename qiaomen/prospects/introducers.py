"""Who among the existing customers could introduce a prospect (转介人): the one with the strongest direct link.

Reads ``supply_pairs``, ``relations``, ``park_residents``, ``customers``. Suspected links (same telephone, same name)
introduce nobody; a relation that has ended does not either.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Final

from qiaomen.prospects.recipes import IntroducerLink
from qiaomen.prospects.sources import LongListTables
from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir

DIRECT_KINDS: Final = (
    "shareholding",
    "branch_of",
    "transaction",
    "guarantee",
    "investment",
    "shared_ip",
    "supply",
)
PERSON_KINDS: Final = ("office", "shareholding", "investment")
LINK_COLUMNS: Final = ("prospect_id", "introducer_id", "link_strength", "introduction")
SUPPLY_SPAN: Final = 0.4


def find_introducers(
    tables: LongListTables, prospects: ir.Table, links: Mapping[str, IntroducerLink], as_of: date
) -> ir.Table:
    """Return one row per prospect that a customer could introduce: ids, strength, link in words.

    ``prospects`` holds ``prospect_id``. Ties go to the customer with the lower number.
    """
    customers = tables.customers.select(customer_id="company_id").distinct()
    relations = _in_force(tables.relations, as_of)
    found = _by_supply(tables, links)
    for more in (
        _by_relations(relations, links),
        _by_persons(relations, links),
        _by_parks(tables, customers, links),
    ):
        found = found.union(more)
    wanted = prospects.select(wanted_id="prospect_id").distinct()
    found = found.semi_join(wanted, found.prospect_id == wanted.wanted_id)
    found = found.semi_join(customers, found.introducer_id == customers.customer_id)
    found = found.filter(found.prospect_id != found.introducer_id)
    return portable.newest(
        found, ["prospect_id"], ["link_strength"], ["introducer_id", "introduction"]
    ).select(*LINK_COLUMNS)


def _in_force(relations: ir.Table, as_of: date) -> ir.Table:
    began = relations.since.isnull() | (relations.since <= as_of)
    lasts = relations.until.isnull() | (relations.until >= as_of)
    return relations.filter(relations.proven.fill_null(False), began, lasts)


def _by_supply(tables: LongListTables, links: Mapping[str, IntroducerLink]) -> ir.Table:
    import ibis

    pairs = tables.supply_pairs.filter(tables.supply_pairs.amount_cny > 0)
    base = links["supply"].strength
    share = ibis.greatest(pairs.share_of_sales.fill_null(0.0), pairs.share_of_purchases.fill_null(0.0))
    strength = ibis.least(base + SUPPLY_SPAN * share, 1.0)
    return _both_ways(
        pairs.select(
            left="supplier_id",
            right="buyer_id",
            link_strength=strength,
            left_words=ibis.literal("引荐客户是其下游客户"),
            right_words=ibis.literal("引荐客户是其供应商"),
        )
    )


def _both_ways(pairs: ir.Table) -> ir.Table:
    """Return links from each side of a pair: ``left_words`` say what the right side is to the left one."""
    forth = pairs.select(
        prospect_id="left", introducer_id="right", link_strength="link_strength", introduction="left_words"
    )
    back = pairs.select(
        prospect_id="right", introducer_id="left", link_strength="link_strength", introduction="right_words"
    )
    return forth.union(back)


def _strength(kind: ir.StringColumn, links: Mapping[str, IntroducerLink]) -> ir.FloatingColumn:
    import ibis

    return ibis.cases(*((kind == code, links[code].strength) for code in DIRECT_KINDS), else_=0.0)


def _by_relations(relations: ir.Table, links: Mapping[str, IntroducerLink]) -> ir.Table:
    import ibis

    direct = relations.filter(
        relations.from_type == "company",
        relations.to_type == "company",
        relations.kind.isin(list(DIRECT_KINDS)),
    )
    word = ibis.cases(*((direct.kind == code, links[code].name) for code in DIRECT_KINDS), else_="")
    words = "与引荐客户有" + word
    confidence = direct.confidence.fill_null(1.0)
    return _both_ways(
        direct.select(
            left="from_id",
            right="to_id",
            link_strength=_strength(direct.kind, links) * confidence,
            left_words=words,
            right_words=words,
        )
    )


def _by_persons(relations: ir.Table, links: Mapping[str, IntroducerLink]) -> ir.Table:
    """Link companies in which one proven person holds office or shares."""
    import ibis

    held = relations.filter(
        relations.from_type == "person",
        relations.to_type == "company",
        relations.kind.isin(list(PERSON_KINDS)),
    )
    held = held.select("from_id", "to_id", sure=held.confidence.fill_null(1.0))
    held = held.group_by("from_id", "to_id").agg(sure=held.sure.max())
    other = held.view().rename(other_person="from_id", other_company="to_id", other_sure="sure")
    pairs = held.join(other, held.from_id == other.other_person)
    pairs = pairs.filter(pairs.to_id != pairs.other_company)
    return pairs.select(
        prospect_id="to_id",
        introducer_id="other_company",
        link_strength=links["office"].strength * pairs.sure * pairs.other_sure,
        introduction=ibis.literal("与引荐客户有同一任职人或股东"),
    )


def _by_parks(tables: LongListTables, customers: ir.Table, links: Mapping[str, IntroducerLink]) -> ir.Table:
    """Link every resident to the largest customer of its park (by revenue, then capital)."""
    import ibis

    residents = tables.park_residents.select("park_code", resident_id="company_id")
    held = residents.join(customers, residents.resident_id == customers.customer_id)
    sizes = tables.companies.select("company_id", "revenue_cny", "capital_cny")
    held = held.join(sizes, held.resident_id == sizes.company_id)
    largest = portable.newest(held, ["park_code"], ["revenue_cny", "capital_cny"], ["company_id"])
    largest = largest.select(largest_park="park_code", introducer_id="company_id")
    near = residents.join(largest, residents.park_code == largest.largest_park)
    return near.select(
        prospect_id="resident_id",
        introducer_id="introducer_id",
        link_strength=ibis.literal(links["same_park"].strength),
        introduction=ibis.literal("与引荐客户同在一个园区"),
    )
