"""The one membership shape."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column as C
from qiaomen.vocab import Table

MEMBERSHIPS: Final = Table(
    "memberships",
    "membership",
    "Everything a company belongs to: tags, chain nodes, goods, parks, regions, industries, tiers, customer status.",
    (
        C("company_id", "int64", "the company"),
        C(
            "dimension",
            "string",
            "tag, chain, goods, park, region, industry, tier, customer, opportunity, list",
        ),
        C("value", "string", "code within the dimension"),
        C("since", "date", "since; null is unknown"),
        C("until", "date", "until; null is open"),
        C("evidence", "string", "in words"),
    ),
    ("dimension", "value", "company_id"),
)
