"""Lake tables owned by supply: documents as loaded, pairs, totals and core enterprises."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column, Table, loaded_table

SUPPLY_RECORDS: Final = loaded_table(
    "supply_records",
    "supply",
    "One row per invoice, or per pair and month where the source is already summed.",
    (
        Column("supplier_ref", "string", "seller"),
        Column("buyer_ref", "string", "buyer"),
        Column("document_no", "string", "invoice number; null for summed rows"),
        Column("traded_on", "date", "date, or first day of the month for summed rows"),
        Column("amount_cny", "float64", "net of tax, yuan; negative on a red invoice"),
        Column("tax_cny", "float64", "tax, yuan"),
        Column("count", "int64", "documents behind the row; null is 1"),
        Column("status", "string", "valid or void (as cleaned)"),
        Column(
            "ordinal", "int64", "1 for the first row with this content, 2 for a whole-row repeat and so on"
        ),
        Column("goods_name", "string", "goods; null is unknown"),
    ),
)

SUPPLY_PAIRS: Final = Table(
    "supply_pairs",
    "supply",
    "One row per supplier and buyer over the window, net of red invoices.",
    (
        Column("supplier_id", "int64", "company_id of the seller"),
        Column("buyer_id", "int64", "company_id of the buyer"),
        Column("count", "int64", "valid documents"),
        Column("amount_cny", "float64", "net valid amount, yuan"),
        Column("months", "int64", "separate months with trade"),
        Column("first_on", "date", "first trade in the window"),
        Column("last_on", "date", "last trade in the window"),
        Column("share_of_sales", "float64", "of the supplier's known net sales"),
        Column("share_of_purchases", "float64", "of the buyer's known net purchases"),
        Column("rank_of_buyer", "int64", "the buyer's rank among the supplier's buyers by amount"),
        Column("rank_of_supplier", "int64", "the supplier's rank among the buyer's suppliers by amount"),
        Column("core_buyer", "boolean", "the buyer is a core buyer of the supplier; null is not judged"),
        Column(
            "core_supplier", "boolean", "the supplier is a core supplier of the buyer; null is not judged"
        ),
        Column("rule", "string", "what decided, in words"),
        Column("evidence", "string", "in words, shown to staff"),
    ),
    ("supplier_id", "buyer_id"),
)

SUPPLY_TOTALS: Final = Table(
    "supply_totals",
    "supply",
    "One row per company and side: known total, coverage, and what was left out.",
    (
        Column("company_id", "int64", "the company"),
        Column("side", "string", "sales or purchases"),
        Column(
            "known_cny",
            "float64",
            "known net total in the window, yuan; a pair with more red than other documents counts 0",
        ),
        Column("reported_cny", "float64", "reported total; null is unknown"),
        Column("coverage", "float64", "known / reported; null is unknown"),
        Column("counterparties", "int64", "distinct counterparties with a positive net amount"),
        Column("negative_pairs", "int64", "counterparties whose red documents outweigh the others"),
        Column("judged", "boolean", "as many counterparties as the rule asks for (five), or more"),
        Column("void_rows", "int64", "void documents left out"),
        Column("repeated_rows", "int64", "whole-row repeats left out"),
        Column("red_rows", "int64", "red documents netted"),
        Column("flagged_numbers", "int64", "document numbers used again with other content, kept"),
    ),
    ("company_id", "side"),
)

CORE_ENTERPRISES: Final = Table(
    "core_enterprises",
    "supply",
    "Companies that at least N others have as core buyer.",
    (
        Column("company_id", "int64", "the company"),
        Column("served_by", "int64", "suppliers that have it as core buyer"),
        Column("evidence", "string", "in words"),
    ),
    ("company_id",),
)
