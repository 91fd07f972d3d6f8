"""Plants a few prospects whose only way to a customer is known, as answers for the path search."""

from __future__ import annotations

from dataclasses import dataclass

from qiaomen.demo.companies import Companies
from qiaomen.demo.people import Persons, Relations


@dataclass(frozen=True, slots=True)
class KnownPath:
    """A way planted from a prospect over one person to a customer."""

    prospect: int
    person: int
    customer: int


def plant_paths(
    relations: Relations, companies: Companies, persons: Persons, customers: list[int], count: int
) -> list[KnownPath]:
    """Cut ``count`` prospects loose from every other relation and give each one shared director with a customer.

    The director holds no other seat, so that the planted way is the only one of two hops.
    """
    bank = set(customers)
    free = [
        index for index in range(len(companies)) if index not in bank and companies.status[index] == "存续"
    ]
    prospects = free[7 :: max(1, len(free) // count)][:count]
    seated = {row["from"][1] for row in relations.rows if row["from"][0] == "person"}
    directors = [index for index in range(len(persons)) if index not in seated][:count]
    chosen = {("company", index) for index in prospects}
    relations.rows[:] = [
        row
        for row in relations.rows
        if row["kind"] in {"office", "branch_of"} or (row["from"] not in chosen and row["to"] not in chosen)
    ]
    relations.rows[:] = [
        row for row in relations.rows if not (row["kind"] == "office" and row["to"] in chosen)
    ]
    planted = []
    for prospect, person, customer in zip(prospects, directors, sorted(bank)[3::17], strict=False):
        for company in (prospect, customer):
            relations.add(
                "office",
                ("person", person),
                ("company", company),
                role="董事",
                since=companies.founded_on[company],
                evidence=f"工商登记主要人员：{persons.name[person]}任{companies.name[company]}董事",
            )
        companies.legal_representative[prospect] = person
        planted.append(KnownPath(prospect, person, customer))
    return planted
