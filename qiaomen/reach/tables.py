"""Lake tables owned by reach: how near every prospect is to a customer, and worded paths."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column, Table

REACH: Final = Table(
    "reach",
    "reach",
    "One row per company within six hops of a customer.",
    (
        Column("company_id", "int64", "the company"),
        Column("customer_id", "int64", "company_id of the warmest customer"),
        Column("hops", "int64", "hops to that customer; 0 for a customer"),
        Column("warmth", "float64", "0 to 1 of the best path"),
        Column("fewest_hops", "int64", "hops to the nearest customer by any path"),
        Column("first_kind", "string", "kind of the first hop from the company"),
        Column("next_type", "string", "company, person or node: type of the next node on the best path"),
        Column("next_id", "int64", "number of that node"),
        Column("proven", "boolean", "every hop of the best path is proven"),
        Column(
            "basis",
            "string",
            "direct; suspected: a hop is unproven; chain: a hop is an industry association, no known dealing",
        ),
    ),
    ("company_id",),
)

INTRODUCTIONS: Final = Table(
    "introductions",
    "reach",
    "Worded paths (敲门线索) for the companies that were assigned.",
    (
        Column("company_id", "int64", "the prospect"),
        Column("rank", "int64", "1 is the warmest"),
        Column("customer_id", "int64", "customer at the end; null for park or association introductions"),
        Column("kind", "string", "path, park, association, chain_leader"),
        Column("hops", "int64", "hops"),
        Column("warmth", "float64", "0 to 1"),
        Column("proven", "boolean", "every hop is proven"),
        Column("path", "string", "JSON list of hops with ids, kinds, evidence and dates"),
        Column("wording", "string", "the sentence shown to staff"),
    ),
    ("company_id", "rank"),
)
