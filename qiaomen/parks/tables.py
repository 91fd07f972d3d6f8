"""Lake tables owned by parks: parks and who is in them."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column, Table, loaded_table

PARK_RECORDS: Final = loaded_table(
    "park_records",
    "parks",
    "One row per industrial park.",
    (
        Column("park_code", "string", "code"),
        Column("name", "string", "name"),
        Column("level", "string", "国家级, 市级, 区级; null is unknown"),
        Column("region_code", "string", "six-digit division code"),
        Column("address_words", "string", "words that place an address in the park, separated by `;`"),
        Column("trades", "string", "leading trades, separated by `;`"),
        Column("operator_ref", "string", "operating company; null is unknown"),
        Column("lon", "float64", "degrees east"),
        Column("lat", "float64", "degrees north"),
        Column("radius_m", "float64", "radius in metres; null is unknown"),
    ),
)

PARK_RESIDENT_RECORDS: Final = loaded_table(
    "park_resident_records",
    "parks",
    "One row per statement that a company is in a park.",
    (
        Column("company_ref", "string", "the company"),
        Column("park_code", "string", "park"),
        Column("since", "date", "from"),
        Column("until", "date", "until; null is open"),
    ),
)

PARKS: Final = Table(
    "parks",
    "parks",
    "Parks in force.",
    (
        Column("park_code", "string", "code"),
        Column("name", "string", "name"),
        Column("level", "string", "国家级, 市级, 区级"),
        Column("region_code", "string", "six-digit division code"),
        Column("trades", "string", "leading trades, separated by `;`"),
        Column("address_words", "string", "words that place an address in the park, separated by `;`"),
        Column("operator_id", "int64", "company_id of the operator"),
        Column("lon", "float64", "degrees east"),
        Column("lat", "float64", "degrees north"),
        Column("radius_m", "float64", "metres"),
        Column("residents", "int64", "companies in the park; null until companies are placed"),
    ),
    ("park_code",),
)

PARK_RESIDENTS: Final = Table(
    "park_residents",
    "parks",
    "Which company is in which park, and why we say so.",
    (
        Column("company_id", "int64", "the company"),
        Column("park_code", "string", "park"),
        Column("basis", "string", "declared, address, location"),
        Column("since", "date", "from"),
        Column("until", "date", "until"),
        Column("evidence", "string", "in words, ending in ｜ and the source row"),
    ),
    ("company_id", "park_code"),
)
