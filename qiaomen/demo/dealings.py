"""Contracts, accounts and monthly flows of the demo bank's customers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np

from qiaomen.demo.lists import CustomerList

# kind, share of customers, product, typical amount, term in days
CONTRACTS: Final[tuple[tuple[str, float, str, float, int], ...]] = (
    ("deposit", 0.92, "jbh", 1.5e6, 0),
    ("loan", 0.34, "ddd", 5.0e6, 365),
    ("credit_line", 0.22, "kqd", 8.0e6, 365),
    ("time_deposit", 0.18, "dqck", 3.0e6, 180),
    ("guarantee_letter", 0.08, "bh", 1.2e6, 240),
    ("wealth", 0.12, "dglc", 2.0e6, 120),
    ("payroll", 0.25, "dff", 3.0e5, 0),
    ("bill", 0.10, "yc", 2.0e6, 180),
)
FLOW_COLUMNS: Final = (
    "inflow_cny", "outflow_cny", "deposit_average_cny", "payroll_cny", "tax_cny", "same_name_out_cny",
    "largest_inflow_cny", "fx_cny",
)  # fmt: skip


@dataclass(slots=True)
class Dealings:
    """One entry per contract; ``customer`` is an index of the list."""

    customer: list[int] = field(default_factory=list)
    number: list[str] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    product: list[str] = field(default_factory=list)
    amount_cny: list[float] = field(default_factory=list)
    balance_cny: list[float] = field(default_factory=list)
    limit_cny: list[float | None] = field(default_factory=list)
    started_on: list[date] = field(default_factory=list)
    due_on: list[date | None] = field(default_factory=list)
    status: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Flows:
    """One entry per customer and month."""

    customer: list[int] = field(default_factory=list)
    month: list[date] = field(default_factory=list)
    amounts: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in FLOW_COLUMNS})
    counterparties: list[int] = field(default_factory=list)


def make_dealings(rng: np.random.Generator, customers: CustomerList, as_of: date) -> Dealings:
    """Draw contracts; one loan in five falls due within ninety days of ``as_of``."""
    dealings = Dealings()
    for index in range(len(customers)):
        for kind, share, product, typical, term in CONTRACTS:
            if rng.random() > share:
                continue
            amount = round(float(typical * rng.lognormal(0, 0.8)), -3)
            length = round(term * float(rng.uniform(0.8, 2.0)))
            started = max(
                customers.opened[index], as_of - timedelta(days=int(rng.integers(0, (length or 900) + 60)))
            )
            due = started + timedelta(days=length) if term else None
            used = float(rng.beta(4, 2))
            ended = due is not None and due < as_of
            dealings.customer.append(index)
            dealings.number.append(f"K{len(dealings.number) + 1:07d}")
            dealings.kind.append(kind)
            dealings.product.append(product)
            dealings.amount_cny.append(amount)
            dealings.balance_cny.append(0.0 if ended else round(amount * used, 2))
            dealings.limit_cny.append(amount if kind in {"loan", "credit_line"} else None)
            dealings.started_on.append(started)
            dealings.due_on.append(due)
            dealings.status.append("ended" if ended else "active")
    return dealings


def make_flows(rng: np.random.Generator, customers: CustomerList, as_of: date) -> Flows:
    """Draw twelve months of flows; one customer in twenty leaves, one in thirty loses its payroll."""
    flows = Flows()
    last = as_of.year * 12 + as_of.month - 1
    for index in range(len(customers)):
        level = float(np.exp(rng.normal(13.6, 1.1)))
        leaving = rng.random() < 0.05
        payroll = level * 0.12 if rng.random() < 0.3 else 0.0
        payroll_lost = rng.random() < 0.1
        trade = rng.random() < 0.08
        for back in range(11, -1, -1):
            month = last - back
            fade = 0.25 if leaving and back <= 2 else 1.0
            inflow = level * fade * float(rng.lognormal(0, 0.25))
            jump = level * float(rng.uniform(3, 8)) if rng.random() < 0.01 else 0.0
            values = {
                "inflow_cny": inflow + jump,
                "outflow_cny": inflow * float(rng.uniform(0.85, 1.05)),
                "deposit_average_cny": level * fade * float(rng.lognormal(-0.7, 0.15)),
                "payroll_cny": 0.0 if payroll_lost and back <= 1 else payroll,
                "tax_cny": level * fade * 0.03,
                "same_name_out_cny": level * 0.5 if leaving and back <= 3 else 0.0,
                "largest_inflow_cny": max(inflow * 0.3, jump),
                "fx_cny": level * 0.2 if trade and back <= 5 else 0.0,
            }
            flows.customer.append(index)
            flows.month.append(date(month // 12, month % 12 + 1, 1))
            for name, value in values.items():
                flows.amounts[name].append(round(value, 2))
            flows.counterparties.append(int(rng.integers(2, 60)))
    return flows
