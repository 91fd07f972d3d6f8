"""Turns warmth into costs: one price per pair, inner node and customer, and the one pass over the priced graph.

A cost is -ln of a factor in units of 1e-5. A hop of tier 1 (unproven) costs one tier more, a hop of tier 2 (chain) ten
tiers: a tier is more than any path can cost otherwise, so that proven paths come first and chain paths last.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qiaomen.graph import KIND_CODES, KINDS, Graph, Priced, price, reopen
from qiaomen.reach.warmth import Warmth, WarmthRow

UNIT: Final = 1e-5
TIER: Final = 20_000_000
TIER_COSTS: Final = (0, TIER, 10 * TIER)
MAX_HOP_COST: Final = 1_400_000
MAX_NODE_COST: Final = 1_000_000
UNKNOWN_DAY: Final = np.iinfo(np.int32).min
YEAR: Final = 365.25
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reaching:
    """A graph priced for a set of customers; ``best_edge`` is the warmest edge of each pair."""

    graph: Graph
    priced: Priced
    best_edge: npt.NDArray[np.int64]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what ``open`` needs beside the graph, for the array store."""
        return {**self.priced.arrays(), "best_edge": self.best_edge}

    @classmethod
    def open(cls, graph: Graph, arrays: Mapping[str, np.ndarray]) -> Reaching:
        """Open what ``arrays`` gave, over the same graph."""
        return cls(graph, reopen(graph, arrays), np.asarray(arrays["best_edge"]))


def prepare(
    graph: Graph,
    customers: pa.Table,
    as_of: dt.date,
    warmth: Warmth,
    *,
    asks: pa.Table | None = None,
) -> Reaching:
    """Price a graph for the customers (``company_id`` and, where there is one, ``status``).

    ``asks`` has one row per request already made: ``company_id`` of the customer and ``asked_on``.
    """
    pair_cost, best_edge = _pair_costs(graph, edge_costs(graph, warmth, as_of))
    target = _target_costs(graph, customers, warmth, asks, as_of)
    return Reaching(graph, price(graph, pair_cost, _inner_costs(graph, warmth), target), best_edge)


def warmth_of(cost: npt.ArrayLike) -> Any:
    """Return the warmth in (0, 1] of path costs."""
    return np.exp(-(np.asarray(cost, dtype=np.int64) % TIER) * UNIT)


def tiers_of(cost: npt.ArrayLike) -> tuple[Any, Any]:
    """Return how many chain hops and how many unproven direct hops path costs hold."""
    whole = np.asarray(cost, dtype=np.int64)
    return whole // TIER_COSTS[2], whole % TIER_COSTS[2] // TIER


def edge_costs(graph: Graph, warmth: Warmth, as_of: dt.date) -> npt.NDArray[np.int64]:
    """Return the cost of every edge."""
    held = graph.arrays
    kinds = held["edge_kind"]
    factor = np.ones(len(kinds))
    tier = np.zeros(len(kinds), np.int64)
    day = (as_of - dt.date(1970, 1, 1)).days
    for kind in KINDS:
        chosen = np.flatnonzero(kinds == KIND_CODES[kind])
        if not chosen.size:
            continue
        row = warmth.row(f"kind.{kind}")
        factor[chosen] = (
            row.factor * _strength(held, chosen, kind, warmth) * _recency(held, chosen, kind, warmth, day)
        )
        tier[chosen] = row.tier
    factor *= _roles(graph, warmth)
    proven = held["edge_proven"]
    sure, unsure = warmth.row("proof.proven"), warmth.row("proof.unproven")
    factor *= np.where(proven, sure.factor, unsure.factor) * held["edge_confidence"]
    tier = np.maximum(tier, np.where(proven, sure.tier, unsure.tier))
    return _units(factor, 1, MAX_HOP_COST) + np.array(TIER_COSTS)[tier]


def _strength(held: Mapping[str, np.ndarray], chosen: Any, kind: str, warmth: Warmth) -> Floats:
    factor = np.ones(len(chosen))
    for measure in ("ratio", "amount", "count"):
        rows = warmth.of("strength", kind, measure)
        if rows:
            factor *= _by_threshold(held[f"edge_{measure}"][chosen], rows)
    return factor


def _by_threshold(values: Floats, rows: tuple[WarmthRow, ...]) -> Floats:
    """Return the factor of the highest threshold that each value reaches; unknown values take ``missing``."""
    ordered = sorted(rows, key=lambda row: row.at_least or 0.0)
    bounds = np.array([row.at_least or 0.0 for row in ordered])
    factors = np.array([row.factor for row in ordered])
    unknown = next((row.missing for row in rows if row.missing is not None), float(factors.min()))
    place = np.maximum(np.searchsorted(bounds, values, side="right") - 1, 0)
    return np.where(np.isnan(values), unknown, factors[place])


def _recency(held: Mapping[str, np.ndarray], chosen: Any, kind: str, warmth: Warmth, day: int) -> Floats:
    row = warmth.row(f"recency.{kind}")
    seen = held["edge_observed"][chosen].astype(np.int64)
    if row.measure == "event":
        seen = np.maximum(seen, held["edge_since"][chosen])
    years = np.maximum(0, day - seen) / YEAR
    decayed = np.maximum(row.factor, 0.5 ** (years / (row.half_life_years or 1.0)))
    return np.where(seen == UNKNOWN_DAY, row.missing or 0.0, decayed)


def _roles(graph: Graph, warmth: Warmth) -> Floats:
    """Return per edge the factor of its best role; kinds without declared roles have 1."""
    held = graph.arrays
    factor = np.ones(len(held["edge_kind"]))
    if not len(factor):
        return factor
    for kind in KINDS:
        rows = warmth.of("role", kind)
        if not rows:
            continue
        by_role = np.array([_role_factor(text, rows) for text in graph.roles])
        own = held["row_kind"] == KIND_CODES[kind]
        per_row = np.where(own, by_role[held["row_role"]], 0.0)
        best = np.maximum.reduceat(per_row, held["edge_rows"][:-1])
        factor = np.where(held["edge_kind"] == KIND_CODES[kind], best, factor)
    return factor


def _role_factor(text: str, rows: tuple[WarmthRow, ...]) -> float:
    """Return the best factor among the offices in a text; of each office the first declared row that fits counts."""
    offices = [
        part for part in text.replace("、", ",").replace("/", ",").replace("，", ",").split(",") if part
    ]
    return max((_office_factor(office, rows) for office in offices or [""]), default=0.0)


def _office_factor(office: str, rows: tuple[WarmthRow, ...]) -> float:
    for row in rows:
        if not row.words or any(word in office for word in row.words):
            return row.factor
    return 1.0


def _pair_costs(graph: Graph, costs: npt.NDArray[np.int64]) -> tuple[Any, npt.NDArray[np.int64]]:
    """Return the least edge cost of each pair and the first edge that has it."""
    bounds = graph.arrays["pair_edges"]
    if len(bounds) == 1:
        return np.empty(0, np.int32), np.empty(0, np.int64)
    least = np.minimum.reduceat(costs, bounds[:-1])
    is_least = costs == np.repeat(least, np.diff(bounds))
    edges = np.flatnonzero(is_least)
    pair = np.searchsorted(bounds, edges, side="right") - 1
    _, first = np.unique(pair, return_index=True)
    return least.astype(np.int32), edges[first]


def _inner_costs(graph: Graph, warmth: Warmth) -> Any:
    degrees = graph.degrees().astype(np.float64)
    companies, persons = len(graph.nodes.company_ids), len(graph.nodes.person_ids)
    costs = np.zeros(graph.size, np.int64)
    parts = {
        "hub.company": slice(0, companies),
        "hub.person": slice(companies, companies + persons),
        "hub.node": slice(companies + persons, None),
    }
    for code, part in parts.items():
        row = warmth.row(code)
        free = max(1.0, row.at_least or 1.0)
        factor = np.minimum(1.0, free / np.maximum(degrees[part], 1.0)) ** row.factor
        costs[part] = _units(factor, 0, MAX_NODE_COST)
    return costs


def _target_costs(
    graph: Graph, customers: pa.Table, warmth: Warmth, asks: pa.Table | None, as_of: dt.date
) -> Any:
    """Return the fatigue of each customer as a cost, -1 for nodes that are none."""
    numbers = customers["company_id"].to_pylist()
    known = "status" in customers.column_names
    states = customers["status"].to_pylist() if known else [None] * len(numbers)
    by_status = {state: warmth.status_factor(state) for state in set(states)}
    factor = np.array([by_status[state] for state in states], dtype=np.float64)
    factor *= warmth.row("fatigue.ask").factor ** _asks(numbers, warmth, asks, as_of)
    nodes = graph.company_nodes(numbers)
    usable = (nodes >= 0) & (factor > 0)
    costs = np.full(graph.size, -1, np.int64)
    costs[nodes[usable]] = _units(factor[usable], 0, MAX_NODE_COST)
    return costs


def _asks(numbers: list[int], warmth: Warmth, asks: pa.Table | None, as_of: dt.date) -> Floats:
    if asks is None:
        return np.zeros(len(numbers))
    window = dt.timedelta(days=int(warmth.row("fatigue.ask").at_least or 0))
    counted: dict[int, int] = {}
    for number, asked in zip(asks["company_id"].to_pylist(), asks["asked_on"].to_pylist(), strict=True):
        if as_of - window <= asked <= as_of:
            counted[number] = counted.get(number, 0) + 1
    return np.array([counted.get(number, 0) for number in numbers], dtype=np.float64)


def _units(factor: Floats, least: int, most: int) -> npt.NDArray[np.int64]:
    """Return -ln of factors in cost units, kept within bounds; a factor of 0 costs the most."""
    with np.errstate(divide="ignore"):
        costs = -np.log(factor) / UNIT
    return np.clip(np.round(costs), least, most).astype(np.int64)
