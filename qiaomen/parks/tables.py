"""Lake tables owned by parks: parks and who is in them."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column as C
from qiaomen.vocab import Table, loaded_table

PARK_RECORDS: Final = loaded_table(
    "park_records",
    "parks",
    "One row per industrial park.",
    (
        C("park_code", "string", "code"),
        C("name", "string", "name"),
        C("level", "string", "国家级, 市级, 区级; null is unknown"),
        C("region_code", "string", "six-digit division code"),
        C("address_words", "string", "words that place an address in the park, separated by `;`"),
        C("trades", "string", "leading trades, separated by `;`"),
        C("operator_ref", "string", "operating company; null is unknown"),
        C("lon", "float64", "degrees east"),
        C("lat", "float64", "degrees north"),
        C("radius_m", "float64", "radius in metres; null is unknown"),
    ),
)

PARK_RESIDENT_RECORDS: Final = loaded_table(
    "park_resident_records",
    "parks",
    "One row per statement that a company is in a park.",
    (
        C("company_ref", "string", "the company"),
        C("park_code", "string", "park"),
        C("since", "date", "from"),
        C("until", "date", "until; null is open"),
    ),
)

PARKS: Final = Table(
    "parks",
    "parks",
    "Parks in force.",
    (
        C("park_code", "string", "code"),
        C("name", "string", "name"),
        C("level", "string", "国家级, 市级, 区级"),
        C("region_code", "string", "six-digit division code"),
        C("trades", "string", "leading trades, separated by `;`"),
        C("operator_id", "int64", "company_id of the operator"),
        C("lon", "float64", "degrees east"),
        C("lat", "float64", "degrees north"),
        C("radius_m", "float64", "metres"),
        C("residents", "int64", "companies in the park"),
    ),
    ("park_code",),
)

PARK_RESIDENTS: Final = Table(
    "park_residents",
    "parks",
    "Which company is in which park, and why we say so.",
    (
        C("company_id", "int64", "the company"),
        C("park_code", "string", "park"),
        C("basis", "string", "declared, address, location"),
        C("since", "date", "from"),
        C("until", "date", "until"),
        C("evidence", "string", "in words, ending in ｜ and the source row"),
    ),
    ("company_id", "park_code"),
)
