"""Lake tables owned by dispatch: blacklist, leads, admission, allocation. Tasks are SQL (``dispatch/schema.py``)."""

from __future__ import annotations

from typing import Final

from qiaomen.vocab import Column, Table, loaded_table

BLACKLIST_RECORDS: Final = loaded_table(
    "blacklist_records",
    "dispatch",
    "One row per company that must not be approached.",
    (
        Column("company_ref", "string", "the company"),
        Column("company_name", "string", "name as written"),
        Column("list_kind", "string", "行内黑名单, 失信, 制裁 …"),
        Column("reason", "string", "ground"),
        Column("since", "date", "from"),
        Column("until", "date", "until; null is open"),
    ),
)

LEADS: Final = Table(
    "leads",
    "dispatch",
    "One row per company, origin and product that could become a task.",
    (
        Column("lead_id", "string", "stable over runs"),
        Column("company_id", "int64", "the company"),
        Column("origin", "string", "opportunity, long_list, retention, expiry"),
        Column("opportunity_id", "string", "opportunity; null for a list"),
        Column("recipe", "string", "recipe of the long list; null for an opportunity"),
        Column("kind", "string", "kind of the leading opportunity; null for a list"),
        Column("tier", "string", "a Tier; null where the company is not scored"),
        Column("product", "string", "code of the product to offer"),
        Column("is_customer", "boolean", "existing customer"),
        Column("priority", "float64", "0 to 100"),
        Column("why_now", "string", "event, date, amount, source in one line"),
        Column("admitted", "boolean", "passed every admission rule"),
        Column("rules", "string", "codes of the rules that rejected it, separated by `;`"),
        Column("grounds", "string", "their grounds in words"),
    ),
    ("lead_id",),
)

ALLOCATIONS: Final = Table(
    "allocations",
    "dispatch",
    "Where each admitted lead goes, and by which rule.",
    (
        Column("lead_id", "string", "lead"),
        Column("company_id", "int64", "the company"),
        Column("branch_code", "string", "branch; null where no branch covers the region"),
        Column("sub_branch_code", "string", "sub-branch; null waits at the branch"),
        Column("manager_no", "string", "manager; null waits to be claimed"),
        Column("rule", "string", "rule of allocation"),
        Column("reason", "string", "in words"),
        Column("hold_out", "boolean", "kept back as control; gets no task"),
        Column("rank", "int64", "rank within the run"),
    ),
    ("lead_id",),
)
