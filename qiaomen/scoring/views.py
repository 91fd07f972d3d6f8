"""The rows that indicators fold: one view per kind of fact, each as it was known at ``as_of``.

A view has ``company_id``, ``known_on`` (null where the fact has no date) and the columns declared in ``VIEW_COLUMNS``;
rows known after ``as_of`` are not in it. ``SNAPSHOT_VIEWS`` hold facts without history: they show what the newest
source says, whatever the ``as_of``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qiaomen.scoring.view_columns import COMPANY_FACTS
from qiaomen.store import portable
from qiaomen.supply import CoreRule, load_core_rules, rollup_supply
from qiaomen.tags import Tag, load_size_standards, size_rank, tagged_rows

if TYPE_CHECKING:
    import ibis.expr.types as ir

PEER_DAYS: Final = 365
RESPONSE_DAYS: Final = 90
IN_BUSINESS: Final = ("存续", "在业", "开业", "正常", "在营")


def _same(table: ir.Table) -> ir.Table:
    return table


@dataclass(frozen=True)
class Facts:
    """The tables of one computation by lake name, the day, and how to compute a shared expression once."""

    tables: Mapping[str, ir.Table]
    as_of: date
    keep: Callable[[ir.Table], ir.Table] = field(default=_same)
    tags: Mapping[str, Tag] = field(default_factory=dict)
    overlay: Path | None = None
    core_rule: CoreRule | None = None

    def has(self, *names: str) -> bool:
        """Tell whether all these tables were given."""
        return set(names) <= set(self.tables)

    @cached_property
    def today(self) -> ir.DateScalar:
        """``as_of`` as an Ibis literal."""
        import ibis

        return ibis.literal(self.as_of)

    @cached_property
    def pairs(self) -> ir.Table | None:
        """Supplier-buyer pairs over the documents known at ``as_of``; without documents, the pairs as given.

        Documents are judged by ``core_rule``, by the catalogue's ``default`` where none was chosen.
        """
        if self.has("supply_records"):
            rule = self.core_rule or load_core_rules(self.overlay)["default"]
            return self.keep(rollup_supply(self.tables["supply_records"], self.as_of, rule).pairs)
        return self.tables.get("supply_pairs")

    @cached_property
    def customer_numbers(self) -> ir.Table | None:
        """(customer_id, customer) of companies that were customers at ``as_of``."""
        import ibis

        if not self.has("customers"):
            return None
        customers = self.tables["customers"]
        known = customers.filter(customers.opened_on.isnull() | (customers.opened_on <= self.today))
        known = known.filter(known.status.fill_null("正常") != "销户")
        return known.select(customer_id="company_id", customer=ibis.literal(True)).distinct()

    def days_ago(self, column: ir.DateColumn) -> ir.IntegerColumn:
        """Return the days from a date to ``as_of``."""
        return portable.days_between(column, self.today)

    def known(self, table: ir.Table) -> ir.Table:
        """Keep the rows of companies, known by ``as_of``; a fact without a date counts as known."""
        return table.filter(
            table.company_id.notnull(), table.known_on.isnull() | (table.known_on <= self.today)
        )

    def mark_customers(self, table: ir.Table) -> ir.Table:
        """Add ``other_customer``: whether the counterparty ``other_id`` was a customer."""
        import ibis

        numbers = self.customer_numbers
        if numbers is None:
            return table.mutate(other_customer=ibis.literal(False))
        joined = table.left_join(numbers, table.other_id == numbers.customer_id)
        return joined.mutate(other_customer=joined.customer.fill_null(False)).drop("customer_id", "customer")


def companies_view(facts: Facts) -> ir.Table | None:
    """Return the company's own row, with its age and size class."""
    companies = facts.tables["companies"]
    filled = sum((companies[name].notnull().cast("int64") for name in COMPANY_FACTS), start=0)
    view = companies.mutate(
        known_on=companies.founded_on,
        age_years=facts.days_ago(companies.founded_on).cast("float64") / 365.25,
        in_business=_in_business(companies.status),
        size_rank=size_rank(companies, load_size_standards(facts.overlay)),
        facts_known=filled,
        days_since_observed=facts.days_ago(companies.observed_on),
    )
    return facts.known(view)


def _in_business(status: ir.StringColumn) -> ir.IntegerValue:
    """Return 1 for a status that says so, 0 for another one, null where the status is unknown."""
    known = status.strip().nullif("")
    said = [known.contains(word) for word in IN_BUSINESS]
    return reduce(or_, said).cast("int64")


def opportunities_view(facts: Facts) -> ir.Table | None:
    """Return opportunities by the day they became known; warnings that ended later still count as open then."""
    if not facts.has("opportunities"):
        return None
    import ibis

    events = facts.tables["opportunities"]
    return facts.known(events.mutate(known_on=ibis.coalesce(events.published_on, events.occurred_on)))


def signals_view(facts: Facts) -> ir.Table | None:
    """Return banking signals with the day and the amount of their opportunity."""
    events = opportunities_view(facts)
    if events is None or not facts.has("opportunity_signals"):
        return None
    signals = facts.tables["opportunity_signals"].select("opportunity_id", "signal", "products")
    own = events.select(
        "opportunity_id", "company_id", "kind", "known_on", "amount_cny", "source", "record_key"
    )
    return own.inner_join(signals, "opportunity_id")


def _pairs_view(facts: Facts, own: str, other: str) -> ir.Table | None:
    pairs = facts.pairs
    if pairs is None:
        return None
    view = pairs.mutate(company_id=pairs[own], other_id=pairs[other], known_on=pairs.last_on)
    if facts.has("companies"):
        companies = facts.tables["companies"]
        listed = companies.filter(companies.listed_board.notnull()).select(
            listed_id="company_id", listed_board="listed_board"
        )
        view = view.left_join(listed, view.other_id == listed.listed_id).drop("listed_id")
        view = view.mutate(other_listed=view.listed_board.notnull()).drop("listed_board")
    return facts.known(facts.mark_customers(view))


def buyers_view(facts: Facts) -> ir.Table | None:
    """Return the company's buyers: net trade of 24 months, share of its sales, rank, core judgement."""
    return _pairs_view(facts, "supplier_id", "buyer_id")


def suppliers_view(facts: Facts) -> ir.Table | None:
    """Return the company's suppliers."""
    return _pairs_view(facts, "buyer_id", "supplier_id")


def relations_view(facts: Facts) -> ir.Table | None:
    """Return every relation from both sides: ``side`` is out where the company is its from side."""
    if not facts.has("relations"):
        return None
    import ibis

    relations = facts.tables["relations"]
    relations = relations.filter(relations.until.isnull() | (relations.until > facts.today))
    sides = []
    for side, own, other in (("out", "from", "to"), ("in", "to", "from")):
        rows = relations.filter(relations[f"{own}_type"] == "company")
        sides.append(
            rows.select(
                "kind",
                "role",
                "ratio",
                "amount_cny",
                "proven",
                "evidence",
                "source",
                "record_key",
                company_id=rows[f"{own}_id"],
                side=ibis.literal(side),
                other_type=rows[f"{other}_type"],
                other_id=rows[f"{other}_id"],
                known_on=ibis.coalesce(rows.since, rows.observed_on),
            )
        )
    view = facts.mark_customers(facts.known(sides[0].union(sides[1])))
    return view.mutate(other_customer=view.other_customer & (view.other_type == "company"))


def colleagues_view(facts: Facts) -> ir.Table | None:
    """Return persons in office here who hold office in another company as well; ``other_id`` is that company."""
    relations = relations_view(facts)
    if relations is None:
        return None
    offices = relations.filter(
        relations.kind == "office", relations.other_type == "person", relations.proven.fill_null(True)
    )
    here = offices.select("company_id", "role", "known_on", "source", "record_key", person_id="other_id")
    there = offices.select(other_person="other_id", other_id="company_id", also_on="known_on")
    view = here.inner_join(there, here.person_id == there.other_person)
    view = view.filter(view.company_id != view.other_id).drop("other_person")
    return facts.mark_customers(view)


def nodes_view(facts: Facts) -> ir.Table | None:
    """Return chain nodes with the plans that name their chain."""
    if not facts.has("company_nodes"):
        return None
    import ibis

    nodes = facts.tables["company_nodes"].mutate(known_on=ibis.null("date"))
    if not facts.has("chain_nodes"):
        return facts.known(nodes.mutate(plans=ibis.null("string"), sector=ibis.null("string")))
    named = facts.tables["chain_nodes"].select("node_code", "plans", "sector")
    return facts.known(nodes.left_join(named, "node_code").drop("node_code_right"))


def goods_view(facts: Facts) -> ir.Table | None:
    """Return the goods of a company."""
    if not facts.has("company_goods"):
        return None
    import ibis

    return facts.known(facts.tables["company_goods"].mutate(known_on=ibis.null("date")))


def parks_view(facts: Facts) -> ir.Table | None:
    """Return the parks of a company with level, residents and the share of residents who are customers."""
    if not facts.has("park_residents", "parks"):
        return None
    import ibis

    residents = facts.tables["park_residents"]
    residents = residents.filter(residents.until.isnull() | (residents.until > facts.today))
    residents = facts.known(residents.mutate(known_on=residents.since))
    marked = facts.mark_customers(residents.mutate(other_id=residents.company_id))
    counted = marked.group_by(counted_park="park_code").agg(
        residents=lambda t: t.count(),
        customers=lambda t: t.other_customer.cast("int64").sum(),
    )
    parks = facts.tables["parks"].select(named_park="park_code", level="level", trades="trades")
    view = residents.left_join(parks, residents.park_code == parks.named_park)
    view = view.left_join(counted, view.park_code == counted.counted_park)
    return view.mutate(
        customer_share=portable.divide(view.customers, view.residents),
        level_rank=ibis.cases(
            (view.level == "国家级", 3), (view.level == "市级", 2), (view.level == "区级", 1), else_=1
        ),
    ).drop("named_park", "counted_park")


def tags_view(facts: Facts) -> ir.Table | None:
    """Return the tags that dated rules (lists, windows) give at ``as_of``."""
    import ibis

    rows = tagged_rows(facts.tags, facts.tables, facts.as_of)
    return None if rows is None else rows.mutate(known_on=ibis.null("date"))


def changes_view(facts: Facts) -> ir.Table | None:
    """Return registered changes."""
    if not facts.has("company_changes"):
        return None
    changes = facts.tables["company_changes"]
    return facts.known(changes.mutate(known_on=changes.changed_on))


def reach_view(facts: Facts) -> ir.Table | None:
    """Return how near the company is to a customer."""
    if not facts.has("reach"):
        return None
    import ibis

    return facts.known(facts.tables["reach"].mutate(known_on=ibis.null("date")))
