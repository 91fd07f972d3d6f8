"""Which findings tell of the same opportunity.

Two findings belong together if company, kind and role are the same, their dates lie near each other and neither
amounts nor counterparties contradict. Findings with a known amount are joined first, transitively; one without an
amount then joins the nearest group that it does not contradict, so that it never bridges two different amounts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

from qiaomen.mining import flatten

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

_LEGAL: Final = re.compile(r"(?:股份有限公司|有限责任公司|集团有限公司|有限公司|集团|公司)$")
_SURE_LENGTH: Final = 4
_NOISE: Final = re.compile(r"[\s()《》“”\"'、，,。.]+")
# A finding is compared with so many neighbours in time at most, so that a flooded feed costs no more than linear time.
MOST_NEIGHBOURS: Final = 256


@dataclass(frozen=True, slots=True)
class DuplicateRule:
    """How near two findings must be: days between events, days between expiry dates, relative gap of amounts."""

    near_days: int = 30
    expiry_days: int = 7
    amount_gap: float = 0.02


@dataclass(frozen=True, slots=True)
class Facts:
    """What is compared, one entry per finding: group key, day number, reach in days, amount (NaN unknown), other side."""

    group: Ints
    day: Ints
    reach: Ints
    amount: Floats
    other: Sequence[str | None]


@lru_cache(maxsize=65_536)
def plain_party(name: str) -> str:
    """Return a counterparty's name without brackets, blanks and legal form, for comparison."""
    return _LEGAL.sub("", _NOISE.sub("", flatten(name)))


@lru_cache(maxsize=262_144)
def _agree(one: str, other: str) -> bool:
    a, b = plain_party(one), plain_party(other)
    short, long = sorted((a, b), key=len)
    return not short or short == long or (len(short) >= _SURE_LENGTH and short in long)


def parties_agree(one: str | None, other: str | None) -> bool:
    """Whether two counterparties may be the same; an unknown one contradicts nobody."""
    return not one or not other or _agree(one, other)


def amounts_agree(one: Floats, other: Floats, gap: float) -> Mask:
    """Whether amounts may be the same: within the relative gap, or one of them unknown."""
    with np.errstate(invalid="ignore"):
        near = np.abs(one - other) <= gap * np.maximum(np.abs(one), np.abs(other))
    return near | np.isnan(one) | np.isnan(other)


def _pairs(facts: Facts, rows: Ints, gap: float) -> tuple[Ints, Ints]:
    """Return the pairs of ``rows`` (sorted by group and day) that are near in time and do not contradict."""
    firsts, seconds = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    start = np.arange(len(rows))
    for step in range(1, MOST_NEIGHBOURS + 1):
        start = start[start + step < len(rows)]
        one, other = rows[start], rows[start + step]
        near = (facts.group[one] == facts.group[other]) & (
            facts.day[other] - facts.day[one] <= facts.reach[one]
        )
        start = start[near]
        if len(start) == 0:
            break
        one, other = one[near], other[near]
        same = amounts_agree(facts.amount[one], facts.amount[other], gap)
        firsts.append(one[same])
        seconds.append(other[same])
    one, other = np.concatenate(firsts), np.concatenate(seconds)
    agree = [parties_agree(facts.other[a], facts.other[b]) for a, b in zip(one, other, strict=True)]
    chosen = np.array(agree, dtype=np.bool_)
    return one[chosen], other[chosen]


def _components(count: int, pairs: tuple[Ints, Ints]) -> Ints:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs[0]), dtype=np.int8)
    graph = coo_array((ones, pairs), shape=(count, count))
    labels: Ints = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def _attach(facts: Facts, order: Ints, known: Mask, gap: float) -> list[tuple[int, int]]:
    """Return (finding without amount, finding it joins): the nearest in time it does not contradict, ties by order."""
    one, other = _pairs(facts, order, gap)
    mixed = known[one] != known[other]
    free = np.where(known[one], other, one)[mixed]
    held = np.where(known[one], one, other)[mixed]
    if len(free) == 0:
        return []
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    distance = np.abs(facts.day[free] - facts.day[held])
    ranked = np.lexsort((place[held], distance, free))
    first = np.ones(len(ranked), dtype=np.bool_)
    first[1:] = free[ranked][1:] != free[ranked][:-1]
    chosen = ranked[first]
    return list(zip(free[chosen].tolist(), held[chosen].tolist(), strict=True))


def join_duplicates(facts: Facts, order: Ints, rule: DuplicateRule) -> Ints:
    """Return a label per finding; findings with one label are one opportunity.

    ``order`` sorts the findings by group, day and identity: it alone breaks ties, so that the answer does not depend
    on the order of the input.
    """
    count = len(order)
    if count == 0:
        return np.empty(0, dtype=np.int64)
    known = ~np.isnan(facts.amount)
    with_amount = order[known[order]]
    strong = _pairs(facts, with_amount, rule.amount_gap)
    attached = _attach(facts, order, known, rule.amount_gap)
    taken = np.zeros(count, dtype=np.bool_)
    taken[[free for free, _ in attached]] = True
    loose = order[~known[order] & ~taken[order]]
    weak = _pairs(facts, loose, rule.amount_gap)
    joined = (
        np.concatenate([strong[0], weak[0], np.array([free for free, _ in attached], dtype=np.int64)]),
        np.concatenate([strong[1], weak[1], np.array([held for _, held in attached], dtype=np.int64)]),
    )
    return _components(count, joined)
