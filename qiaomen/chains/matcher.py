"""Which nodes a text speaks of: keywords found, excluded nodes dropped, the longest word preferred.

A name (goods, trade) is one unit; prose (scope, description) is read by clause: a clause that denies (不含, 除外 …)
proves nothing, and one that only trades (销售 without 制造 …) proves less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from qiaomen.chains.catalogue import Ground
from qiaomen.chains.nodes import NodeRule
from qiaomen.chains.phrases import Hits, Ints, PhraseIndex, folded

CLAUSE_MARKS: Final = ";,。()[]【】\n"
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Matches:
    """One row per text and node, in that order: the word that decided, and a factor (1, less for trade only)."""

    text: Ints
    node: Ints
    word: Ints
    factor: Floats


class _Links:
    """Which nodes each word speaks of, as a compressed list."""

    def __init__(self, pairs: Sequence[tuple[int, int]], words: int) -> None:
        ordered = np.array(sorted(set(pairs)), dtype=np.int64).reshape(-1, 2)
        self._starts = np.searchsorted(ordered[:, 0], np.arange(words + 1))
        self._nodes = ordered[:, 1]

    def expand(self, words: Ints) -> tuple[Ints, Ints]:
        """Return (index into ``words``, node) for every node of every word."""
        sizes = self._starts[words + 1] - self._starts[words]
        rows = np.repeat(np.arange(words.size), sizes)
        offsets = np.arange(rows.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return rows, self._nodes[self._starts[words][rows] + offsets]


class NodeMatcher:
    """Finds nodes in texts; ``words`` are the words that ``Matches.word`` counts."""

    def __init__(self, rules: Sequence[NodeRule], grounds: Mapping[str, Ground]) -> None:
        numbers: dict[str, int] = {}

        def number(word: str) -> int:
            return numbers.setdefault(folded(word), len(numbers))

        keywords = [(number(word), node) for node, rule in enumerate(rules) for word in rule.keywords]
        excludes = [(number(word), node) for node, rule in enumerate(rules) for word in rule.excludes]
        marks = {
            code: [number(word) for word in grounds[code].words]
            for code in ("trade_only", "own_work", "exclusion")
        }
        self.words = tuple(numbers)
        self._nodes = max(1, len(rules))
        self._keywords = _Links(keywords, len(numbers))
        self._excludes = _Links(excludes, len(numbers))
        self._is_keyword = _flags([word for word, _ in keywords], len(numbers))
        self._trade = _flags(marks["trade_only"], len(numbers))
        self._own = _flags(marks["own_work"], len(numbers))
        self._denial = _flags(marks["exclusion"], len(numbers))
        self._lengths = np.array([len(word) for word in self.words], dtype=np.int64)
        self._trades = np.array([rule.trade for rule in rules] or [False], dtype=np.bool_)
        self._trade_factor = grounds["trade_only"].confidence
        self._index = PhraseIndex(self.words, separators=CLAUSE_MARKS)

    def in_names(self, texts: pa.Array | pa.ChunkedArray) -> Matches:
        """Return the nodes that each name speaks of; an exclude word anywhere in the name rules a node out."""
        hits = self._index.find(texts)
        return self._decide(hits, hits.text, np.ones(hits.text.size))

    def in_prose(self, texts: pa.Array | pa.ChunkedArray) -> Matches:
        """Return the nodes that each text speaks of, read clause by clause."""
        hits = self._index.find(texts)
        denied = _marked(hits.unit, self._denial[hits.word])
        trade = _marked(hits.unit, self._trade[hits.word]) & ~_marked(hits.unit, self._own[hits.word])
        factor = np.where(trade, self._trade_factor, 1.0)
        kept = np.flatnonzero(~denied)
        left = Hits(hits.text[kept], hits.word[kept], hits.start[kept], hits.unit[kept])
        return self._decide(left, left.unit, factor[kept])

    def _decide(self, hits: Hits, unit: Ints, factor: Floats) -> Matches:
        rows, nodes = self._keywords.expand(hits.word)
        out_rows, out_nodes = self._excludes.expand(hits.word)
        excluded = np.unique(unit[out_rows] * self._nodes + out_nodes)
        keep = ~np.isin(unit[rows] * self._nodes + nodes, excluded)
        rows, nodes = rows[keep], nodes[keep]
        keep = ~self._covered(hits, rows)
        rows, nodes = rows[keep], nodes[keep]
        factor = np.where(self._trades[nodes], 1.0, factor[rows])
        order = np.lexsort(
            (hits.start[rows], -self._lengths[hits.word[rows]], -factor, nodes, hits.text[rows])
        )
        rows, nodes, factor = rows[order], nodes[order], factor[order]
        first = _firsts(hits.text[rows] * self._nodes + nodes)
        rows, nodes = rows[first], nodes[first]
        return Matches(hits.text[rows], nodes, hits.word[rows], factor[first])

    def _covered(self, hits: Hits, rows: Ints) -> Bools:
        """Tell which hits lie within a longer keyword hit: 光刻胶 inside 光刻胶清洗剂 says nothing of its own."""
        start = (hits.text[rows] << 32) + hits.start[rows]
        end = start + self._lengths[hits.word[rows]]
        spans, back = np.unique(np.stack([start, -end], axis=1), axis=0, return_inverse=True)
        furthest = np.maximum.accumulate(-spans[:, 1]) if spans.size else spans[:, 1]
        inside = np.zeros(len(spans), dtype=np.bool_)
        inside[1:] = furthest[:-1] >= -spans[1:, 1]
        return inside[back.reshape(-1)]


def _flags(words: Sequence[int], count: int) -> Bools:
    flags = np.zeros(count, dtype=np.bool_)
    flags[list(words)] = True
    return flags


def _marked(unit: Ints, marks: Bools) -> Bools:
    """Tell which entries share a unit with a marked one."""
    return np.isin(unit, np.unique(unit[marks]))


def _firsts(keys: Ints) -> Ints:
    """Return the index of the first entry of each run of equal keys."""
    if keys.size == 0:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
