"""Supply relations of the made-up city, by pair and month."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np

from qiaomen.demo.companies import Companies, Node

STAGES: Final = ("upstream", "midstream", "downstream")
PAIRS_PER_COMPANY: Final = 1.6


@dataclass(slots=True)
class Trade:
    """Monthly sums: supplier and buyer are indexes of companies."""

    supplier: list[int] = field(default_factory=list)
    buyer: list[int] = field(default_factory=list)
    month: list[date] = field(default_factory=list)
    amount_cny: list[float] = field(default_factory=list)
    count: list[int] = field(default_factory=list)


def make_trade(rng: np.random.Generator, companies: Companies, nodes: list[Node], as_of: date) -> Trade:
    """Draw pairs along the chains, a fifth of them at random; large firms buy more, so that core buyers arise."""
    by_stage: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, node in enumerate(companies.node):
        if node >= 0:
            by_stage[(nodes[node].chain, nodes[node].stage)].append(index)
    chains = sorted({chain for chain, _ in by_stage})
    pairs: set[tuple[int, int]] = set()
    sizes = np.array(companies.capital_cny) ** 0.75
    weights = {key: sizes[members] / sizes[members].sum() for key, members in by_stage.items()}
    while len(pairs) < PAIRS_PER_COMPANY * len(companies):
        if rng.random() < 0.2:
            supplier, buyer = (int(value) for value in rng.integers(0, len(companies), 2))
        else:
            chain = chains[int(rng.integers(len(chains)))]
            step = int(rng.integers(3))
            upper = by_stage.get((chain, STAGES[step]), [])
            lower_key = (chain, STAGES[min(step + 1, 2)])
            lower = by_stage.get(lower_key, [])
            if not upper or not lower:
                continue
            supplier = upper[int(rng.integers(len(upper)))]
            buyer = lower[int(rng.choice(len(lower), p=weights[lower_key]))]
        if supplier != buyer:
            pairs.add((supplier, buyer))
    return _months(rng, sorted(pairs), companies, as_of)


def _months(
    rng: np.random.Generator, pairs: list[tuple[int, int]], companies: Companies, as_of: date
) -> Trade:
    trade = Trade()
    last = as_of.year * 12 + as_of.month - 1
    for supplier, buyer in pairs:
        size = (companies.capital_cny[supplier] * companies.capital_cny[buyer]) ** 0.25
        level = float(np.exp(rng.normal(np.log(size * 30), 0.8)))
        months = sorted(int(value) for value in rng.choice(24, int(rng.integers(1, 7)), replace=False))
        for back in months:
            month = last - back
            trade.supplier.append(supplier)
            trade.buyer.append(buyer)
            trade.month.append(date(month // 12, month % 12 + 1, 1))
            trade.amount_cny.append(round(level * float(rng.lognormal(0, 0.4)), 2))
            trade.count.append(int(rng.integers(1, 9)))
    return trade
