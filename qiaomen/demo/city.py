"""Draws the whole city in one order from one seed, so that the same seed gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from qiaomen.demo import bank, events, lists, people, plant, texts, trade, words
from qiaomen.demo.companies import Companies, Node, make_companies
from qiaomen.demo.dealings import Dealings, Flows, make_dealings, make_flows
from qiaomen.demo.outcomes import Outcomes, ResponseModel, make_outcomes

DEMO_AS_OF: Final = date(2026, 6, 30)
SEED: Final = 20260630


@dataclass(frozen=True, slots=True)
class Size:
    """How large the city is."""

    companies: int = 20_000
    persons: int = 25_000
    customers: int = 2_000
    events: int = 30_000
    texts: int = 300
    changes: int = 3_000
    contacts: int = 6_000
    known_paths: int = 20


@dataclass(frozen=True, slots=True)
class City:
    """Everything drawn, truth included."""

    nodes: list[Node]
    companies: Companies
    persons: people.Persons
    relations: people.Relations
    trade: trade.Trade
    listed: events.Listed
    feed: events.Feed
    changes: events.Changes
    announcements: texts.Announcements
    staff: bank.Staff
    customers: lists.CustomerList
    dealings: Dealings
    flows: Flows
    outcomes: Outcomes
    response: ResponseModel
    known_paths: list[plant.KnownPath]
    operators: list[int]
    blacklisted: list[int]


def draw_city(nodes: list[Node], kind_names: dict[str, str], size: Size, seed: int = SEED) -> City:
    """Draw a city; ``nodes`` and ``kind_names`` come from the catalogues."""
    # One generator per part: a change in one part leaves the others as they were.
    rngs = [np.random.default_rng([seed, part]) for part in range(16)]
    as_of = DEMO_AS_OF
    companies = make_companies(rngs[0], size.companies, nodes, as_of)
    persons = people.make_persons(rngs[1], size.persons)
    relations = people.make_relations(rngs[2], companies, persons, nodes, as_of)
    staff = bank.make_staff(rngs[3], people.make_persons(rngs[4], 200).name)
    customers = lists.make_customers(rngs[5], companies, persons, staff.managers(), size.customers, as_of)
    held = [index for index in customers.truth if index >= 0]
    known_paths = plant.plant_paths(relations, companies, persons, held, size.known_paths)
    loose = {path.prospect for path in known_paths}
    listed = events.make_lists(rngs[6], companies, as_of)
    feed = events.make_feed(rngs[7], companies, kind_names, size.events, as_of)
    response = ResponseModel(companies, listed, feed, set(held))
    sellers = [n for n, role in zip(staff.number, staff.role, strict=True) if role == "manager"]
    big = np.argsort(-np.array(companies.capital_cny))
    return City(
        nodes=nodes,
        companies=companies,
        persons=persons,
        relations=relations,
        trade=_without(trade.make_trade(rngs[8], companies, nodes, as_of), loose),
        listed=listed,
        feed=feed,
        changes=events.make_changes(rngs[9], companies, persons, nodes, size.changes, as_of),
        announcements=texts.make_announcements(rngs[10], companies, size.texts, as_of),
        staff=staff,
        customers=customers,
        dealings=make_dealings(rngs[11], customers, as_of),
        flows=make_flows(rngs[12], customers, as_of),
        outcomes=make_outcomes(rngs[13], companies, response, sellers, size.contacts, as_of),
        response=response,
        known_paths=known_paths,
        operators=[int(index) for index in big[60 : 60 + len(words.PARK_NAMES)]],
        blacklisted=[
            int(index) for index in rngs[14].choice(size.companies, size.companies // 200, replace=False)
        ],
    )


def _without(drawn: trade.Trade, loose: set[int]) -> trade.Trade:
    """Leave out the trade of the prospects whose only way is known."""
    kept = trade.Trade()
    rows = zip(drawn.supplier, drawn.buyer, drawn.month, drawn.amount_cny, drawn.count, strict=True)
    for supplier, buyer, month, amount, count in rows:
        if supplier in loose or buyer in loose:
            continue
        kept.supplier.append(supplier)
        kept.buyer.append(buyer)
        kept.month.append(month)
        kept.amount_cny.append(amount)
        kept.count.append(count)
    return kept
