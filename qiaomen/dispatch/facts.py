"""Shapes that dispatch reads besides the lake tables: open and closed tasks, contacts, and where a company belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qiaomen.dispatch.leads import live_customers
from qiaomen.dispatch.rules import Trait
from qiaomen.store import portable
from qiaomen.vocab import Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

OPEN_TASKS: Final = Table(
    "open_tasks",
    "dispatch",
    "Tasks as admission and allocation need them (from SQL, not in the lake).",
    (
        Column("task_id", "int64", "task"),
        Column("company_id", "int64", "the company"),
        Column("product", "string", "product; null where none was chosen"),
        Column("state", "string", "a TaskState"),
        Column("result", "string", "a TaskResult"),
        Column("manager_no", "string", "manager; null waits to be claimed"),
        Column("branch_code", "string", "branch"),
        Column("sub_branch_code", "string", "sub-branch"),
        Column("closed_on", "date", "when it was closed"),
    ),
    ("task_id",),
)

CONTACTS: Final = Table(
    "contacts_made",
    "dispatch",
    "Active contacts with companies, from visit records and past outcomes (not in the lake).",
    (
        Column("company_id", "int64", "the company"),
        Column("contacted_on", "date", "when"),
        Column("refused", "boolean", "the company asked not to be contacted again"),
    ),
    (),
)

PLACES: Final = Table(
    "places",
    "dispatch",
    "Where the company of a lead belongs (not in the lake).",
    (
        Column("company_id", "int64", "the company"),
        Column("region_code", "string", "six-digit division code"),
        Column("lon", "float64", "degrees east"),
        Column("lat", "float64", "degrees north"),
        Column("park_codes", "string", "parks, separated by `;`"),
        Column("traits", "string", "traits that fit, separated by `;`"),
        Column("chain_codes", "string", "chains, separated by `;`"),
        Column("institution_code", "string", "institution that keeps it as a customer"),
        Column("manager_no", "string", "its manager at the bank"),
    ),
    ("company_id",),
)


def lead_places(
    leads: ir.Table,
    *,
    companies: ir.Table,
    customers: ir.Table,
    park_residents: ir.Table,
    company_tags: ir.Table,
    company_nodes: ir.Table,
    traits: Sequence[Trait],
) -> ir.Table:
    """Return PLACES of the companies that have an admitted lead."""
    wanted = leads.filter(leads.admitted).select("company_id").distinct()
    rows = wanted.inner_join(
        companies.select("company_id", "region_code", "lon", "lat", "industry_code"), "company_id"
    )
    kept = live_customers(customers).select("company_id", "institution_code", "manager_no")
    parks = park_residents.group_by("company_id")
    parks = parks.aggregate(park_codes=portable.join_words(park_residents.park_code))
    chains = company_nodes.group_by("company_id")
    chains = chains.aggregate(chain_codes=portable.join_words(company_nodes.chain_code))
    for other in (kept, parks, chains, _traits(rows, company_tags, traits)):
        rows = rows.left_join(other, "company_id").drop("company_id_right")
    return rows.select(*PLACES.names)


def _traits(rows: ir.Table, company_tags: ir.Table, traits: Sequence[Trait]) -> ir.Table:
    import ibis

    parts = []
    for trait in traits:
        named = ibis.literal(trait.name)
        if trait.tags:
            tagged = company_tags.filter(company_tags.tag.isin(list(trait.tags)))
            parts.append(tagged.select("company_id", trait=named))
        for prefix in trait.industries:
            within = rows.filter(rows.industry_code.startswith(prefix).fill_null(False))
            parts.append(within.select("company_id", trait=named))
    found = ibis.union(*parts) if len(parts) > 1 else parts[0]
    return found.group_by("company_id").aggregate(traits=portable.join_words(found.trait))
