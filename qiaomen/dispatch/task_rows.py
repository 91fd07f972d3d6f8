"""The row of a new task: whom, why now, through whom, in which words, and where an allocation sends it. No writing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from qiaomen.dispatch.rules import load_deadlines, load_openers
from qiaomen.vocab import TaskState


@dataclass(frozen=True, slots=True)
class TaskWords:
    """What tasks are worded with: names of companies and products, openers by origin, deadlines by state."""

    companies: Mapping[int, str]
    products: Mapping[str, str]
    openers: Mapping[str, str]
    deadlines: Mapping[TaskState, timedelta]


def task_words(
    companies: Mapping[int, str],
    products: Mapping[str, str] | None = None,
    *,
    openers: Mapping[str, str] | None = None,
    deadlines: Mapping[TaskState, timedelta] | None = None,
) -> TaskWords:
    """Return the words of tasks; openers and deadlines are the shipped ones unless given."""
    return TaskWords(
        companies,
        products or {},
        load_openers() if openers is None else openers,
        load_deadlines() if deadlines is None else deadlines,
    )


@dataclass(frozen=True, slots=True)
class Introducer:
    """Who can open the door: the sentence, and who keeps the customer at the end of the path."""

    wording: str
    institution_code: str | None
    manager_no: str | None


def introducers(introductions: pa.Table, customers: pa.Table) -> dict[int, Introducer]:
    """Return the warmest introduction of each company, with who keeps the customer at its end."""
    keepers = {
        row["company_id"]: (row["institution_code"], row["manager_no"])
        for row in customers.select(["company_id", "institution_code", "manager_no"]).to_pylist()
    }
    best: dict[int, Introducer] = {}
    rows = introductions.select(["company_id", "rank", "customer_id", "wording"]).to_pylist()
    for row in sorted(rows, key=lambda row: (row["company_id"], row["rank"])):
        code, manager = keepers.get(row["customer_id"], (None, None))
        best.setdefault(row["company_id"], Introducer(row["wording"] or "", code, manager))
    return best


def task_row(
    lead: Mapping[str, Any],
    allocation: Mapping[str, Any],
    words: TaskWords,
    who: Mapping[int, Introducer],
    generation: int,
    now: datetime,
) -> dict[str, Any]:
    """Return the row of the task that a lead becomes where an allocation sends it."""
    product = lead["product"] or ""
    introducer = who.get(lead["company_id"], Introducer("", None, None))
    name = words.companies.get(lead["company_id"], f"企业{lead['company_id']}")
    # Said to the firm itself, which needs not be told its name.
    event = str(lead["why_now"] or "").removeprefix(f"{name}：").split("（")[0]
    opener = words.openers.get(lead["origin"], "")
    deadline = words.deadlines.get(TaskState.UNCLAIMED)
    return {
        "lead_id": lead["lead_id"],
        "generation": generation,
        "company_id": lead["company_id"],
        "company_name": name,
        "is_customer": bool(lead["is_customer"]),
        "origin": lead["origin"],
        "opportunity_id": lead["opportunity_id"],
        "recipe": lead["recipe"],
        "kind": lead["kind"],
        "tier": lead["tier"],
        "product": product,
        "priority": float(lead["priority"] or 0.0),
        "why_now": lead["why_now"] or "",
        "who": "本行存量客户，直接联系" if lead["is_customer"] else introducer.wording,
        "who_institution_code": None if lead["is_customer"] else introducer.institution_code,
        "who_manager_no": None if lead["is_customer"] else introducer.manager_no,
        "script": opener.replace("{event}", event).replace(
            "{product}", words.products.get(product, "合适的产品")
        ),
        "allocation_rule": allocation["rule"],
        "allocation_reason": allocation["reason"],
        "branch_code": allocation["branch_code"],
        "sub_branch_code": allocation["sub_branch_code"],
        "manager_no": allocation["manager_no"],
        "state": TaskState.UNCLAIMED.value,
        "version": 1,
        "due_at": now + deadline if deadline else None,
        "created_at": now,
        "updated_at": now,
    }
