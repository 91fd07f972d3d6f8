"""Lake tables owned by bank: institutions and staff as loaded. The SQL tables stand in ``bank/schema.py``."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column as C
from qiaomen.vocab import DataClass, loaded_table

INSTITUTION_RECORDS: Final = loaded_table(
    "institution_records",
    "bank",
    "One row per institution of the bank.",
    (
        C("institution_code", "string", "code"),
        C("name", "string", "name"),
        C("unit_type", "string", "head_office, branch, sub_branch"),
        C("parent_code", "string", "the institution above; null for the head office"),
        C(
            "region_codes",
            "string",
            "division codes it covers, separated by `;` (a prefix of 2, 4 or 6 digits covers all below)",
        ),
        C("traits", "string", "科技, 普惠, 绿色, 涉农, 外汇, 产业专营, separated by `;`"),
        C("park_codes", "string", "parks it covers, separated by `;`"),
        C("address", "string", "address"),
        C("lon", "float64", "degrees east"),
        C("lat", "float64", "degrees north"),
    ),
)

STAFF_RECORDS: Final = loaded_table(
    "staff_records",
    "bank",
    "One row per post of a member of staff.",
    (
        C("staff_no", "string", "staff number"),
        C("name", "string", "name", DataClass.SENSITIVE),
        C("role", "string", "a Role"),
        C("institution_code", "string", "institution of the post"),
        C("capacity", "int64", "open tasks at most; null is the default"),
        C("specialities", "string", "chains or traits, separated by `;`"),
        C("phone", "string", "telephone", DataClass.SENSITIVE),
        C("since", "date", "post held from"),
        C("until", "date", "post held until; null is open"),
    ),
)
