"""Lake tables owned by reach: how near every prospect is to a customer, and worded paths."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column as C
from qiaomen.vocab import Table

REACH: Final = Table(
    "reach",
    "reach",
    "One row per company within six hops of a customer.",
    (
        C("company_id", "int64", "the company"),
        C("customer_id", "int64", "company_id of the warmest customer"),
        C("hops", "int64", "hops to that customer; 0 for a customer"),
        C("warmth", "float64", "0 to 1 of the best path"),
        C("fewest_hops", "int64", "hops to the nearest customer by any path"),
        C("first_kind", "string", "kind of the first hop from the company"),
        C("next_type", "string", "company, person or node: type of the next node on the best path"),
        C("next_id", "int64", "number of that node"),
        C("proven", "boolean", "every hop of the best path is proven"),
    ),
    ("company_id",),
)

INTRODUCTIONS: Final = Table(
    "introductions",
    "reach",
    "Worded paths (敲门线索) for the companies that were assigned.",
    (
        C("company_id", "int64", "the prospect"),
        C("rank", "int64", "1 is the warmest"),
        C("customer_id", "int64", "customer at the end; null for park or association introductions"),
        C("kind", "string", "path, park, association, chain_leader"),
        C("hops", "int64", "hops"),
        C("warmth", "float64", "0 to 1"),
        C("proven", "boolean", "every hop is proven"),
        C("path", "string", "JSON list of hops with ids, kinds, evidence and dates"),
        C("wording", "string", "the sentence shown to staff"),
    ),
    ("company_id", "rank"),
)
