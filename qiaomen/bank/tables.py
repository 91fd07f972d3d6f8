"""Lake tables owned by bank: institutions and staff as loaded. The SQL tables stand in ``bank/schema.py``."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column, DataClass, loaded_table

INSTITUTION_RECORDS: Final = loaded_table(
    "institution_records",
    "bank",
    "One row per institution of the bank.",
    (
        Column("institution_code", "string", "code"),
        Column("name", "string", "name"),
        Column("unit_type", "string", "head_office, branch, sub_branch"),
        Column("parent_code", "string", "the institution above; null for the head office"),
        Column(
            "region_codes",
            "string",
            "division codes it covers, separated by `;` (a prefix of 2, 4 or 6 digits covers all below)",
        ),
        Column("traits", "string", "科技, 普惠, 绿色, 涉农, 外汇, 产业专营, separated by `;`"),
        Column("park_codes", "string", "parks it covers, separated by `;`"),
        Column("address", "string", "address"),
        Column("lon", "float64", "degrees east"),
        Column("lat", "float64", "degrees north"),
    ),
)

STAFF_RECORDS: Final = loaded_table(
    "staff_records",
    "bank",
    "One row per post of a member of staff.",
    (
        Column("staff_no", "string", "staff number"),
        Column("name", "string", "name", DataClass.SENSITIVE),
        Column("role", "string", "a Role"),
        Column("institution_code", "string", "institution of the post"),
        Column("capacity", "int64", "open tasks at most; null is the default"),
        Column("specialities", "string", "chains or traits, separated by `;`"),
        Column("phone", "string", "telephone", DataClass.SENSITIVE),
        Column("since", "date", "post held from"),
        Column("until", "date", "post held until; null is open"),
    ),
)
