"""Lake tables owned by tags: official lists as loaded, and which company carries which tag."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column as C
from qiaomen.vocab import Table, loaded_table

LIST_TAG_RECORDS: Final = loaded_table(
    "list_tag_records",
    "tags",
    "One row per company on an official or compiled list.",
    (
        C("company_ref", "string", "the company"),
        C("company_name", "string", "name as written"),
        C("list_code", "string", "code or Chinese name of the list"),
        C("level", "string", "国家级, 省级 …, rank or value"),
        C("authority", "string", "who issued it"),
        C("since", "date", "valid from"),
        C("until", "date", "valid until"),
    ),
)

COMPANY_TAGS: Final = Table(
    "company_tags",
    "tags",
    "Which company carries which tag, since when and why.",
    (
        C("company_id", "int64", "the company"),
        C("tag", "string", "code of the tag"),
        C("since", "date", "since; null is unknown"),
        C("until", "date", "until; null is open"),
        C("evidence", "string", "in words, ending in ｜ and the source row"),
    ),
    ("company_id", "tag"),
)
