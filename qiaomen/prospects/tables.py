"""Lake tables owned by prospects: the long list."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column, Table

LONG_LIST: Final = Table(
    "long_list",
    "prospects",
    "One row per prospect and recipe that found it.",
    (
        Column("company_id", "int64", "the prospect"),
        Column("recipe", "string", "code of the recipe"),
        Column("seed_id", "int64", "company_id it was found from (park leader, core customer …)"),
        Column("park_code", "string", "park; null where the recipe has none"),
        Column("node_code", "string", "chain node; null where the recipe has none"),
        Column("introducer_id", "int64", "existing customer who could introduce (转介人); null is none"),
        Column("introduction", "string", "how the introducer is linked, in words without its name"),
        Column("rank", "int64", "rank within the recipe"),
        Column("strength", "float64", "0 to 1"),
        Column("reason", "string", "in words"),
    ),
    ("company_id", "recipe"),
)
