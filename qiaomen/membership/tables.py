"""The one membership shape."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column, Table

MEMBERSHIPS: Final = Table(
    "memberships",
    "membership",
    "Everything a company belongs to: tags, chain nodes, goods, parks, regions, industries, tiers, customer status.",
    (
        Column("company_id", "int64", "the company"),
        Column(
            "dimension",
            "string",
            "tag, chain, goods, park, region, industry, tier, customer, opportunity, list",
        ),
        Column("value", "string", "code within the dimension"),
        Column("since", "date", "since; null is unknown"),
        Column("until", "date", "until; null is open"),
        Column("evidence", "string", "in words"),
    ),
    ("dimension", "value", "company_id"),
)
