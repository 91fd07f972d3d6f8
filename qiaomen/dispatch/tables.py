"""Lake tables owned by dispatch: blacklist, leads, admission, allocation. Tasks are SQL (``dispatch/schema.py``)."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column as C
from qiaomen.vocab import Table, loaded_table

BLACKLIST_RECORDS: Final = loaded_table(
    "blacklist_records",
    "dispatch",
    "One row per company that must not be approached.",
    (
        C("company_ref", "string", "the company"),
        C("company_name", "string", "name as written"),
        C("list_kind", "string", "行内黑名单, 失信, 制裁 …"),
        C("reason", "string", "ground"),
        C("since", "date", "from"),
        C("until", "date", "until; null is open"),
    ),
)

LEADS: Final = Table(
    "leads",
    "dispatch",
    "One row per company, origin and product that could become a task.",
    (
        C("lead_id", "string", "stable over runs"),
        C("company_id", "int64", "the company"),
        C("origin", "string", "opportunity, long_list, retention, expiry"),
        C("opportunity_id", "string", "opportunity; null for a list"),
        C("recipe", "string", "recipe of the long list; null for an opportunity"),
        C("product", "string", "code of the product to offer"),
        C("is_customer", "boolean", "existing customer"),
        C("priority", "float64", "0 to 100"),
        C("why_now", "string", "event, date, amount, source in one line"),
        C("admitted", "boolean", "passed every admission rule"),
        C("rules", "string", "codes of the rules that rejected it, separated by `;`"),
        C("grounds", "string", "their grounds in words"),
    ),
    ("lead_id",),
)

ALLOCATIONS: Final = Table(
    "allocations",
    "dispatch",
    "Where each admitted lead goes, and by which rule.",
    (
        C("lead_id", "string", "lead"),
        C("company_id", "int64", "the company"),
        C("branch_code", "string", "branch; null where no branch covers the region"),
        C("sub_branch_code", "string", "sub-branch; null waits at the branch"),
        C("manager_no", "string", "manager; null waits to be claimed"),
        C("rule", "string", "rule of allocation"),
        C("reason", "string", "in words"),
        C("hold_out", "boolean", "kept back as control; gets no task"),
        C("rank", "int64", "rank within the run"),
    ),
    ("lead_id",),
)
