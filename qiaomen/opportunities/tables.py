"""Lake tables owned by opportunities: the feed as loaded, opportunities and their banking signals."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column as C
from qiaomen.vocab import Table, loaded_table

OPPORTUNITY_RECORDS: Final = loaded_table(
    "opportunity_records",
    "opportunities",
    "One row per event that a structured feed delivers.",
    (
        C("company_ref", "string", "the company"),
        C("company_name", "string", "name as written"),
        C("kind", "string", "code or Chinese name of the opportunity kind"),
        C("title", "string", "title as written"),
        C("occurred_on", "date", "when"),
        C("published_on", "date", "published"),
        C("expires_on", "date", "expiry of a registration or contract"),
        C("amount_cny", "float64", "yuan; null is unknown or undisclosed"),
        C("amount_text", "string", "as written"),
        C("counterparty", "string", "the other side"),
        C("text", "string", "source text"),
        C("arguments", "string", "JSON of further arguments"),
    ),
)

OPPORTUNITIES: Final = Table(
    "opportunities",
    "opportunities",
    "One row per opportunity, duplicates joined, resolved to a company.",
    (
        C("opportunity_id", "string", "stable over runs"),
        C("company_id", "int64", "the company"),
        C("kind", "string", "code of the opportunity kind"),
        C("group", "string", "group of the kind"),
        C("polarity", "string", "a Polarity"),
        C("subject_role", "string", "role of the company in the event"),
        C("title", "string", "one line in Chinese"),
        C("occurred_on", "date", "when"),
        C("published_on", "date", "when it became known"),
        C("expires_on", "date", "expiry"),
        C("amount_cny", "float64", "yuan"),
        C("amount_text", "string", "as written"),
        C("counterparty", "string", "the other side"),
        C("region_code", "string", "division code of the company"),
        C("grade", "string", "a Grade after decay; null for warning and veto kinds"),
        C("value", "float64", "0 to 1 after decay at as_of"),
        C("severity", "string", "高, 中, 低 for warning and veto kinds"),
        C("status", "string", "active, expired, ended"),
        C("detector", "string", "detector of the leading finding"),
        C("evidence", "string", "sentence or values, ending in ｜ and the source row"),
        C("confidence", "float64", "0 to 1"),
        C("findings", "int64", "number of findings joined"),
        C("source", "string", "source of the leading finding"),
        C("record_key", "string", "its row"),
    ),
    ("opportunity_id",),
)

OPPORTUNITY_SIGNALS: Final = Table(
    "opportunity_signals",
    "opportunities",
    "Banking signals that an opportunity gives rise to, with the products they suggest.",
    (
        C("opportunity_id", "string", "opportunity"),
        C("company_id", "int64", "the company"),
        C("signal", "string", "a Signal"),
        C("products", "string", "codes of products suggested, separated by `;`"),
    ),
    ("opportunity_id", "signal"),
)
