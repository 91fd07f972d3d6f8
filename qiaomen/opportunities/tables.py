"""Lake tables owned by opportunities: the feed as loaded, opportunities and their banking signals."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column, Table, loaded_table

OPPORTUNITY_RECORDS: Final = loaded_table(
    "opportunity_records",
    "opportunities",
    "One row per event that a structured feed delivers.",
    (
        Column("company_ref", "string", "the company"),
        Column("company_name", "string", "name as written"),
        Column("kind", "string", "code or Chinese name of the opportunity kind"),
        Column("title", "string", "title as written"),
        Column("occurred_on", "date", "when"),
        Column("published_on", "date", "published"),
        Column("expires_on", "date", "expiry of a registration or contract"),
        Column("amount_cny", "float64", "yuan; null is unknown or undisclosed"),
        Column("amount_text", "string", "as written"),
        Column("counterparty", "string", "the other side"),
        Column("text", "string", "source text"),
        Column("arguments", "string", "JSON of further arguments"),
    ),
)

OPPORTUNITIES: Final = Table(
    "opportunities",
    "opportunities",
    "One row per opportunity, duplicates joined, resolved to a company.",
    (
        Column("opportunity_id", "string", "stable over runs"),
        Column("company_id", "int64", "the company"),
        Column("kind", "string", "code of the opportunity kind"),
        Column("group", "string", "group of the kind"),
        Column("polarity", "string", "a Polarity"),
        Column("subject_role", "string", "role of the company in the event"),
        Column("title", "string", "one line in Chinese"),
        Column("occurred_on", "date", "when"),
        Column("published_on", "date", "when it became known"),
        Column("expires_on", "date", "expiry"),
        Column("amount_cny", "float64", "yuan"),
        Column("amount_text", "string", "as written"),
        Column("counterparty", "string", "the other side"),
        Column("region_code", "string", "division code of the company"),
        Column("grade", "string", "a Grade after decay; null for warning and veto kinds"),
        Column("value", "float64", "0 to 1 after decay at as_of"),
        Column("severity", "string", "高, 中, 低 for warning and veto kinds"),
        Column("status", "string", "active, expired, ended"),
        Column("detector", "string", "detector of the leading finding"),
        Column("evidence", "string", "sentence or values, ending in ｜ and the source row"),
        Column("confidence", "float64", "0 to 1"),
        Column("findings", "int64", "number of findings joined"),
        Column("source", "string", "source of the leading finding"),
        Column("record_key", "string", "its row"),
    ),
    ("opportunity_id",),
)

OPPORTUNITY_SIGNALS: Final = Table(
    "opportunity_signals",
    "opportunities",
    "Banking signals that an opportunity gives rise to, with the products they suggest.",
    (
        Column("opportunity_id", "string", "opportunity"),
        Column("company_id", "int64", "the company"),
        Column("signal", "string", "a Signal"),
        Column("products", "string", "codes of products suggested, separated by `;`"),
    ),
    ("opportunity_id", "signal"),
)
