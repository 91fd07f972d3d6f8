"""The one membership shape, and the names by which staff may call dimensions, values and fields."""

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

MEMBERSHIP_NAMES: Final = Table(
    "membership_names",
    "membership",
    "Chinese names of membership values and of fact fields, for the screening language.",
    (
        Column("dimension", "string", "dimension of the value; `field` where the row names a fact field"),
        Column("value", "string", "code of the value, or name of the field"),
        Column("label", "string", "name in words"),
        Column("aliases", "string", "further names, separated by `;`"),
        Column("path", "string", "words from the top, separated by `/` (chain/stage/…/node); null has none"),
    ),
    ("dimension", "value"),
)
