"""Lake tables owned by prospects: the long list."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column as C
from qiaomen.vocab import Table

LONG_LIST: Final = Table(
    "long_list",
    "prospects",
    "One row per prospect and recipe that found it.",
    (
        C("company_id", "int64", "the prospect"),
        C("recipe", "string", "code of the recipe"),
        C("seed_id", "int64", "company_id it was found from (park leader, core customer …)"),
        C("park_code", "string", "park; null where the recipe has none"),
        C("node_code", "string", "chain node; null where the recipe has none"),
        C("introducer_id", "int64", "existing customer who could introduce (转介人); null is none"),
        C("rank", "int64", "rank within the recipe"),
        C("strength", "float64", "0 to 1"),
        C("reason", "string", "in words"),
    ),
    ("company_id", "recipe"),
)
