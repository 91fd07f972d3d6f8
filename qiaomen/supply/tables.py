"""Lake tables owned by supply: documents as loaded, pairs, totals and core enterprises."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column as C
from qiaomen.vocab import Table, loaded_table

SUPPLY_RECORDS: Final = loaded_table(
    "supply_records",
    "supply",
    "One row per invoice, or per pair and month where the source is already summed.",
    (
        C("supplier_ref", "string", "seller"),
        C("buyer_ref", "string", "buyer"),
        C("document_no", "string", "invoice number; null for summed rows"),
        C("traded_on", "date", "date, or first day of the month for summed rows"),
        C("amount_cny", "float64", "net of tax, yuan; negative on a red invoice"),
        C("tax_cny", "float64", "tax, yuan"),
        C("count", "int64", "documents behind the row; null is 1"),
        C("status", "string", "valid or void (as cleaned)"),
        C("ordinal", "int64", "1 for the first row with this content, 2 for a whole-row repeat and so on"),
        C("goods_name", "string", "goods; null is unknown"),
    ),
)

SUPPLY_PAIRS: Final = Table(
    "supply_pairs",
    "supply",
    "One row per supplier and buyer over the window, net of red invoices.",
    (
        C("supplier_id", "int64", "company_id of the seller"),
        C("buyer_id", "int64", "company_id of the buyer"),
        C("count", "int64", "valid documents"),
        C("amount_cny", "float64", "net valid amount, yuan"),
        C("months", "int64", "separate months with trade"),
        C("first_on", "date", "first trade in the window"),
        C("last_on", "date", "last trade in the window"),
        C("share_of_sales", "float64", "of the supplier's known net sales"),
        C("share_of_purchases", "float64", "of the buyer's known net purchases"),
        C("rank_of_buyer", "int64", "the buyer's rank among the supplier's buyers by amount"),
        C("rank_of_supplier", "int64", "the supplier's rank among the buyer's suppliers by amount"),
        C("core_buyer", "boolean", "the buyer is a core buyer of the supplier; null is not judged"),
        C("core_supplier", "boolean", "the supplier is a core supplier of the buyer; null is not judged"),
        C("rule", "string", "what decided, in words"),
        C("evidence", "string", "in words, shown to staff"),
    ),
    ("supplier_id", "buyer_id"),
)

SUPPLY_TOTALS: Final = Table(
    "supply_totals",
    "supply",
    "One row per company and side: known total, coverage, and what was left out.",
    (
        C("company_id", "int64", "the company"),
        C("side", "string", "sales or purchases"),
        C("known_cny", "float64", "known net total in the window, yuan"),
        C("reported_cny", "float64", "reported total; null is unknown"),
        C("coverage", "float64", "known / reported; null is unknown"),
        C("counterparties", "int64", "distinct counterparties"),
        C("judged", "boolean", "five counterparties or more"),
        C("void_rows", "int64", "void documents left out"),
        C("repeated_rows", "int64", "whole-row repeats left out"),
        C("red_rows", "int64", "red documents netted"),
        C("flagged_numbers", "int64", "document numbers used again with other content, kept"),
    ),
    ("company_id", "side"),
)

CORE_ENTERPRISES: Final = Table(
    "core_enterprises",
    "supply",
    "Companies that at least N others have as core buyer.",
    (
        C("company_id", "int64", "the company"),
        C("served_by", "int64", "suppliers that have it as core buyer"),
        C("evidence", "string", "in words"),
    ),
    ("company_id",),
)
