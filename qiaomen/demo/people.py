"""Persons, offices, holdings and the other relations of the made-up city."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np

from qiaomen.demo import words
from qiaomen.demo.companies import Companies, Node


@dataclass(slots=True)
class Persons:
    """Columns of equal length, one entry per person."""

    number: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    gender: list[str] = field(default_factory=list)
    birth_year: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.number)


@dataclass(slots=True)
class Relations:
    """One entry per stated relation; an end is ``("company", index)`` or ``("person", index)``."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, kind: str, start: tuple[str, int], end: tuple[str, int], **facts: Any) -> None:
        """Add one relation with its facts (role, ratio, amount_cny, count, since, until, evidence)."""
        self.rows.append({"kind": kind, "from": start, "to": end, **facts})


def make_persons(rng: np.random.Generator, count: int) -> Persons:
    """Draw persons; names repeat the way real ones do."""
    persons = Persons()
    # Zipf-like surnames make same-name persons common, which is the dirt the graph has to live with.
    weights = 1 / np.arange(1, len(words.SURNAMES) + 1) ** 0.8
    surnames = rng.choice(len(words.SURNAMES), count, p=weights / weights.sum())
    for index in range(count):
        first = words.GIVEN_FIRST[int(rng.integers(len(words.GIVEN_FIRST)))] if rng.random() < 0.8 else ""
        second = words.GIVEN_SECOND[int(rng.integers(len(words.GIVEN_SECOND)))]
        persons.number.append(f"P{index + 1:06d}")
        persons.name.append(words.SURNAMES[int(surnames[index])] + first + second)
        persons.gender.append("男" if rng.random() < 0.68 else "女")
        persons.birth_year.append(int(rng.integers(1952, 1999)))
    return persons


def make_relations(
    rng: np.random.Generator, companies: Companies, persons: Persons, nodes: list[Node], as_of: date
) -> Relations:
    """Draw offices, holdings, investments, guarantees, transactions, shared rights and branch offices."""
    relations = Relations()
    _branches(relations, rng, companies)
    _offices(relations, rng, companies, persons)
    _holdings(relations, rng, companies, persons, as_of)
    _rings(relations, companies, as_of)
    _investments(relations, rng, companies, as_of)
    _guarantees(relations, rng, companies, as_of)
    _transactions(relations, rng, companies, as_of)
    _shared_rights(relations, rng, companies, nodes, as_of)
    return relations


def _offices(relations: Relations, rng: np.random.Generator, companies: Companies, persons: Persons) -> None:
    count = len(companies)
    # Most people sit in one firm; a few hundred are busy directors.
    busy = rng.choice(len(persons), len(persons) // 28, replace=False)
    for index in range(count):
        seats = 1 + int(rng.binomial(4, 0.36))
        chosen: list[int] = []
        for seat in range(seats):
            person = (
                int(busy[int(rng.integers(len(busy)))])
                if rng.random() < 0.07
                else int(rng.integers(len(persons)))
            )
            if person in chosen:
                continue
            chosen.append(person)
            role = "法定代表人" if seat == 0 else ("董事", "监事", "总经理", "财务负责人")[seat % 4]
            since = companies.founded_on[index] + timedelta(days=int(rng.integers(0, 900)))
            relations.add(
                "office",
                ("person", person),
                ("company", index),
                role=role,
                since=since,
                evidence=f"工商登记主要人员：{persons.name[person]}任{companies.name[index]}{role}",
            )
        companies.legal_representative[index] = chosen[0]


def _holdings(
    relations: Relations, rng: np.random.Generator, companies: Companies, persons: Persons, as_of: date
) -> None:
    count = len(companies)
    by_capital = np.argsort(-np.array(companies.capital_cny))[:1500]
    for index in range(count):
        holders = int(rng.choice([1, 2, 3, 4], p=[0.3, 0.4, 0.2, 0.1]))
        shares = np.round(rng.dirichlet(np.full(holders, 1.2)), 4)
        shares[0] = round(1.0 - float(shares[1:].sum()), 4)
        seen: set[tuple[str, int]] = set()
        for share in shares:
            if share <= 0:
                continue
            company_holder = rng.random() < 0.22
            number = (
                int(by_capital[int(rng.integers(len(by_capital)))])
                if company_holder
                else int(rng.integers(len(persons)))
            )
            end = ("company", number) if company_holder else ("person", number)
            if end == ("company", index) or end in seen:
                continue
            seen.add(end)
            if company_holder and share > 0.5:
                companies.parent[index] = number
            holder = companies.name[number] if company_holder else persons.name[number]
            since = companies.founded_on[index] + timedelta(days=int(rng.integers(0, 1200)))
            relations.add(
                "shareholding",
                end,
                ("company", index),
                ratio=float(share),
                since=min(since, as_of),
                evidence=f"股东名册：{holder}持有{companies.name[index]} {float(share) * 100:.2f}%",
            )


def _rings(relations: Relations, companies: Companies, as_of: date) -> None:
    """Let four groups of three companies hold five per cent of each other in a circle, as real groups do."""
    free = {
        row["to"][1]: row
        for row in relations.rows
        if row["kind"] == "shareholding" and row["from"][0] == "person" and row["ratio"] >= 0.2
    }
    members = sorted(free)[:: max(1, len(free) // 12)][:12]
    for start in range(0, len(members), 3):
        ring = members[start : start + 3]
        for holder, held in zip(ring, [*ring[1:], ring[0]], strict=True):
            if holder == held:
                continue
            free[held]["ratio"] = round(free[held]["ratio"] - 0.05, 4)
            relations.add(
                "shareholding",
                ("company", holder),
                ("company", held),
                ratio=0.05,
                since=as_of - timedelta(days=400),
                evidence=f"股东名册：{companies.name[holder]}持有{companies.name[held]} 5.00%",
            )


def _pairs(rng: np.random.Generator, count: int, size: int) -> list[tuple[int, int]]:
    pairs: set[tuple[int, int]] = set()
    while len(pairs) < size:
        left, right = (int(value) for value in rng.integers(0, count, 2))
        if left != right:
            pairs.add((left, right))
    return sorted(pairs)


def _investments(relations: Relations, rng: np.random.Generator, companies: Companies, as_of: date) -> None:
    rounds = ("天使轮", "Pre-A轮", "A轮", "B轮", "C轮", "战略投资")
    for investor, target in _pairs(rng, len(companies), int(len(companies) * 0.13)):
        on = as_of - timedelta(days=int(rng.integers(10, 1800)))
        amount = round(float(np.exp(rng.normal(16.3, 0.9))), -4)
        stage = rounds[int(rng.integers(6))]
        relations.add(
            "investment",
            ("company", investor),
            ("company", target),
            role=stage,
            amount_cny=amount,
            since=on,
            evidence=f"{companies.name[investor]}参与{companies.name[target]}{stage}，{amount / 1e4:.0f}万元",
        )


def _guarantees(relations: Relations, rng: np.random.Generator, companies: Companies, as_of: date) -> None:
    for guarantor, debtor in _pairs(rng, len(companies), int(len(companies) * 0.26)):
        on = as_of - timedelta(days=int(rng.integers(30, 1000)))
        amount = round(float(np.exp(rng.normal(15.8, 0.9))), -4)
        relations.add(
            "guarantee",
            ("company", guarantor),
            ("company", debtor),
            role="连带责任保证",
            amount_cny=amount,
            since=on,
            until=on + timedelta(days=365 * int(rng.integers(1, 4))),
            evidence=f"{companies.name[guarantor]}为{companies.name[debtor]}提供连带责任保证{amount / 1e4:.0f}万元",
        )


def _transactions(relations: Relations, rng: np.random.Generator, companies: Companies, as_of: date) -> None:
    for payer, payee in _pairs(rng, len(companies), int(len(companies) * 0.43)):
        count = int(rng.integers(2, 60))
        amount = round(float(np.exp(rng.normal(14.4, 1.1))), 2)
        relations.add(
            "transaction",
            ("company", payer),
            ("company", payee),
            amount_cny=amount,
            count=count,
            since=as_of - timedelta(days=365),
            observed_on=as_of - timedelta(days=int(rng.integers(1, 90))),
            evidence=f"近12个月{companies.name[payer]}向{companies.name[payee]}付款{count}笔，共{amount / 1e4:.0f}万元",
        )


def _shared_rights(
    relations: Relations, rng: np.random.Generator, companies: Companies, nodes: list[Node], as_of: date
) -> None:
    groups: dict[str, list[int]] = {}
    for index, node in enumerate(companies.node):
        if node >= 0:
            groups.setdefault(nodes[node].chain, []).append(index)
    chains = sorted(groups)
    seen: set[tuple[int, int]] = set()
    while len(seen) < len(companies) // 5:
        members = groups[chains[int(rng.integers(len(chains)))]]
        left, right = sorted(int(members[int(value)]) for value in rng.integers(0, len(members), 2))
        if left == right or (left, right) in seen:
            continue
        seen.add((left, right))
        patents = int(rng.integers(1, 9))
        relations.add(
            "shared_ip",
            ("company", left),
            ("company", right),
            count=patents,
            since=as_of - timedelta(days=int(rng.integers(60, 2200))),
            evidence=f"{companies.name[left]}与{companies.name[right]}共有发明专利{patents}件",
        )


def _branches(relations: Relations, rng: np.random.Generator, companies: Companies) -> None:
    """Turn one company in sixty-six into branch offices of large ones."""
    parents = np.argsort(-np.array(companies.capital_cny))[:400]
    for position, index in enumerate(rng.choice(len(companies), len(companies) // 66, replace=False)):
        child, parent = int(index), int(parents[position % len(parents)])
        if child == parent or companies.board[child]:
            continue
        district = words.DISTRICTS[companies.district[child]][1].removesuffix("区").removesuffix("新")
        name = f"{companies.name[parent]}{district}第{position + 1}分公司"
        companies.name[child] = name
        relations.add(
            "branch_of",
            ("company", child),
            ("company", parent),
            evidence=f"{name}为{companies.name[parent]}的分支机构",
        )
