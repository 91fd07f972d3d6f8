"""Lake tables owned by tags: official lists as loaded, and which company carries which tag."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column, Table, loaded_table

LIST_TAG_RECORDS: Final = loaded_table(
    "list_tag_records",
    "tags",
    "One row per company on an official or compiled list.",
    (
        Column("company_ref", "string", "the company"),
        Column("company_name", "string", "name as written"),
        Column("list_code", "string", "code or Chinese name of the list"),
        Column("level", "string", "国家级, 省级 …, rank or value"),
        Column("authority", "string", "who issued it"),
        Column("since", "date", "valid from"),
        Column("until", "date", "valid until"),
    ),
)

COMPANY_TAGS: Final = Table(
    "company_tags",
    "tags",
    "Which company carries which tag, since when and why.",
    (
        Column("company_id", "int64", "the company"),
        Column("tag", "string", "code of the tag"),
        Column("since", "date", "since; null is unknown"),
        Column("until", "date", "until; null is open"),
        Column("evidence", "string", "in words, ending in ｜ and the source row"),
    ),
    ("company_id", "tag"),
)
