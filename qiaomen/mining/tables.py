"""Lake tables owned by mining: announcement texts and what was found."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column as C
from qiaomen.vocab import Table, loaded_table

ANNOUNCEMENT_RECORDS: Final = loaded_table(
    "announcement_records",
    "mining",
    "One row per announcement, news item or tender notice (plain text).",
    (
        C("announcement_no", "string", "number"),
        C("title", "string", "title"),
        C("text", "string", "plain text"),
        C("publisher", "string", "who published it"),
        C("published_on", "date", "date of publication"),
        C("company_ref", "string", "the company it is about where the source says so"),
        C("url", "string", "where it was published"),
    ),
)

FINDINGS: Final = Table(
    "findings",
    "mining",
    "One row per opportunity found by a detector, before duplicates are joined.",
    (
        C("finding_id", "string", "stable hash of detector, kind, company, source row and span"),
        C("detector", "string", "text, registry_change, expiry, in_bank, feed"),
        C("kind", "string", "code of the opportunity kind"),
        C("company_id", "int64", "the company; null where it cannot be resolved"),
        C("company_name", "string", "name as written"),
        C("subject_role", "string", "role of the company in the event, from the kind"),
        C("title", "string", "one line in Chinese"),
        C("occurred_on", "date", "when it happened or will"),
        C("published_on", "date", "when it became known"),
        C("expires_on", "date", "expiry for the schedule kinds"),
        C("amount_cny", "float64", "yuan; null is unknown"),
        C("amount_text", "string", "amount as written"),
        C("counterparty", "string", "the other side as written"),
        C("evidence", "string", "the sentence or the values compared"),
        C("span_start", "int64", "start of the evidence in the text; null outside texts"),
        C("span_end", "int64", "end, exclusive"),
        C("confidence", "float64", "0 to 1"),
        C("source", "string", "code of the source"),
        C("record_key", "string", "row of the source"),
    ),
    ("finding_id",),
)
