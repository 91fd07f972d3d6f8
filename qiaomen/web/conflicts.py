"""Leads that collide: several of one firm, a firm with a keeper elsewhere, firms of one group at different desks.

A group (集团) is the companies under one actual controller in the graph of the generation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from qiaomen.bank import referral_name, scope_of
from qiaomen.customers import CUSTOMERS
from qiaomen.dispatch import ALLOCATIONS
from qiaomen.graph import Control, Graph
from qiaomen.registry import COMPANIES
from qiaomen.web.firms import brief
from qiaomen.web.lead_lists import joined_leads
from qiaomen.web.reading import Reading, Record
from qiaomen.web.visit import Visit

KINDS: Final = {"group": "同一集团", "keeper": "已有主办", "firm": "同一企业"}
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Collision:
    """One lead that collides, of which kind, and with what."""

    lead: Record
    kind: str
    words: str


def group_heads(reading: Reading) -> Mapping[int, int]:
    """Return the controlling node of each allocated company or customer that shares it with another."""
    if not reading.snapshot.has("graph"):
        return {}
    graph = Graph.open(reading.arrays("graph"))
    numbers = np.unique(
        np.concatenate(
            [
                reading.table(table).column("company_id").to_numpy(zero_copy_only=False)
                for table in (ALLOCATIONS, CUSTOMERS)
            ]
        ).astype(np.int64)
    )
    nodes = graph.company_nodes(numbers)
    numbers, nodes = numbers[nodes >= 0], nodes[nodes >= 0]
    heads = Control(graph).heads()[nodes]
    values, counts = np.unique(heads, return_counts=True)
    shared = np.isin(heads, values[counts > 1])
    return dict(zip(numbers[shared].tolist(), heads[shared].tolist(), strict=True))


def collisions(visit: Visit, rows: Sequence[Record]) -> list[Collision]:
    """Return what collides among allocated leads, those of groups first."""
    served = [row for row in rows if not row["hold_out"]]
    found = [*_of_groups(visit, served), *_of_keepers(visit, served), *_of_firms(visit, served)]
    order = list(KINDS)
    return sorted(found, key=lambda each: order.index(each.kind))


def _of_groups(visit: Visit, rows: Sequence[Record]) -> list[Collision]:
    heads = visit.reading.once(group_heads)
    members: dict[int, list[Record]] = defaultdict(list)
    for row in rows:
        if row["company_id"] in heads:
            members[heads[row["company_id"]]].append(row)
    kept = _kept_by_head(visit, heads, set(members))
    found = []
    for head, group in members.items():
        for row in group:
            others = [
                other
                for other in group
                if other["company_id"] != row["company_id"] and _desk(other) != _desk(row)
            ]
            named = {row["company_id"], *(other["company_id"] for other in others)}
            keepers = [
                words
                for company, words, desk in kept.get(head, ())
                if company not in named and desk != row["manager_no"]
            ]
            told = [_with(visit, other) for other in others[:_NAMED]] + keepers[:_NAMED]
            if told:
                more = len(others) + len(keepers) - len(told)
                tail = f" 等 {len(others) + len(keepers)} 户" if more > 0 else ""
                found.append(Collision(row, "group", f"同一控制人：{'；'.join(told)}{tail}"))
    return found


def _desk(row: Record) -> tuple[str, str]:
    return row["sub_branch_code"] or row["branch_code"] or "", row["manager_no"] or ""


def _with(visit: Visit, row: Record) -> str:
    name = visit.reading.keyed(COMPANIES, "company_id").by_key([row["company_id"]], "name")
    unit = visit.names.institution(row["sub_branch_code"] or row["branch_code"])
    who = visit.names.staff(row["manager_no"]) if row["manager_no"] else "待认领"
    return f"{brief(name.get(row['company_id']) or '')} 分给{unit}{who}"


def _kept_by_head(
    visit: Visit, heads: Mapping[int, int], wanted: set[int]
) -> dict[int, list[tuple[int, str, str]]]:
    """Return (company, words, manager) of the customers of each group; outside the scope only the institution is told."""
    scope = scope_of(visit.viewer)
    customers = visit.reading.keyed(CUSTOMERS, "company_id")
    companies = visit.reading.keyed(COMPANIES, "company_id")
    found: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    for company, head in heads.items():
        row = customers.first(company) if head in wanted else None
        if row is None:
            continue
        unit = visit.names.institution(row["institution_code"])
        manager = row["manager_no"] or ""
        if scope.covers(row["institution_code"], manager):
            name = companies.by_key([company], "name").get(company) or ""
            words = f"存量客户{brief(name)}由{unit}{visit.names.staff(manager)}主办"
        else:
            words = referral_name(unit)
        found[head].append((company, words, manager))
    return found


def _of_keepers(visit: Visit, rows: Sequence[Record]) -> list[Collision]:
    scope = scope_of(visit.viewer)
    keepers = visit.reading.keyed(CUSTOMERS, "company_id")
    found = []
    for row in rows:
        keeper = keepers.first(row["company_id"]) or {}
        held_by = keeper.get("manager_no")
        if not held_by or not row["manager_no"] or held_by == row["manager_no"]:
            continue
        inside = scope.covers(keeper["institution_code"], held_by)
        unit = visit.names.institution(keeper["institution_code"])
        who = f"{unit}{visit.names.staff(held_by)}" if inside else referral_name(unit)
        found.append(Collision(row, "keeper", f"主办：{who}；本次分给{visit.names.staff(row['manager_no'])}"))
    return found


def _of_firms(visit: Visit, rows: Sequence[Record]) -> list[Collision]:
    joined = visit.reading.once(joined_leads)
    return [
        Collision(row, "firm", f"另有 {joined[row['company_id']]} 条线索已并入这一条，一户一任务")
        for row in rows
        if joined[row["company_id"]]
    ]
