"""Lake tables owned by mining: announcement texts and what was found."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column, Table, loaded_table

ANNOUNCEMENT_RECORDS: Final = loaded_table(
    "announcement_records",
    "mining",
    "One row per announcement, news item or tender notice (plain text).",
    (
        Column("announcement_no", "string", "number"),
        Column("title", "string", "title"),
        Column("text", "string", "plain text"),
        Column("publisher", "string", "who published it"),
        Column("published_on", "date", "date of publication"),
        Column("company_ref", "string", "the company it is about where the source says so"),
        Column("url", "string", "where it was published"),
    ),
)

FINDINGS: Final = Table(
    "findings",
    "mining",
    "One row per opportunity found by a detector, before duplicates are joined.",
    (
        Column("finding_id", "string", "stable hash of detector, kind, company, source row and span"),
        Column("detector", "string", "text, registry_change, expiry, in_bank, feed"),
        Column("kind", "string", "code of the opportunity kind"),
        Column("company_id", "int64", "the company; null where it cannot be resolved"),
        Column("company_name", "string", "name as written"),
        Column("subject_role", "string", "role of the company in the event, from the kind"),
        Column("title", "string", "one line in Chinese"),
        Column("occurred_on", "date", "when it happened or will"),
        Column("published_on", "date", "when it became known"),
        Column("expires_on", "date", "expiry for the schedule kinds"),
        Column("amount_cny", "float64", "yuan; null is unknown"),
        Column("amount_text", "string", "amount as written"),
        Column("counterparty", "string", "the other side as written"),
        Column("evidence", "string", "the sentence or the values compared"),
        Column("span_start", "int64", "start of the evidence in the text; null outside texts"),
        Column("span_end", "int64", "end, exclusive"),
        Column("confidence", "float64", "0 to 1"),
        Column("source", "string", "code of the source"),
        Column("record_key", "string", "row of the source"),
    ),
    ("finding_id",),
)
