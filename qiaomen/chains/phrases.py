"""Finds thousands of fixed words in millions of texts in one pass over arrays.

Texts become one array of code points; a table of two-character hashes leaves the few places where a word can
begin, and each place is then compared exactly. Letters are compared in upper case after NFKC; a word that begins
or ends with a Latin letter or digit is found only as a whole (``AI`` is not in ``DAIRY``).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Codes = NDArray[np.uint32]

BLOCK: Final = 1 << 22
_TABLE: Final = 1 << 20
_LEFT: Final = np.uint32(0x9E3779B1)
_RIGHT: Final = np.uint32(0x85EBCA77)
_SHIFT: Final = np.uint32(12)
_PRIME: Final = np.uint64(0x100000001B3)
_ALNUM: Final = np.zeros(128, dtype=np.bool_)
_ALNUM[48:58] = True
_ALNUM[65:91] = True


def folded(text: str) -> str:
    """Return ``text`` as it is compared: NFKC, upper case."""
    return unicodedata.normalize("NFKC", text).upper()


@dataclass(frozen=True, slots=True)
class Hits:
    """Where words were found, in order of text and position: index of the text, of the word, of its first character.

    ``unit`` numbers the clauses over all texts: two hits of one unit stand in one clause of one text.
    """

    text: Ints
    word: Ints
    start: Ints
    unit: Ints


def _hash2(first: Codes, second: Codes) -> Codes:
    return ((first * _LEFT) ^ (second * _RIGHT)) >> _SHIFT


def _hash(columns: list[Codes]) -> NDArray[np.uint64]:
    value = np.full(columns[0].shape, np.uint64(0xCBF29CE484222325))
    for column in columns:
        value = (value ^ column.astype(np.uint64)) * _PRIME
    return value


def _is_alnum(codes: Codes) -> NDArray[np.bool_]:
    return np.where(codes < 128, _ALNUM[np.minimum(codes, 127)], False)


@dataclass(frozen=True, slots=True)
class _OneLength:
    """The words of one length: their characters and hashes, in order of the hashes."""

    hashes: NDArray[np.uint64]
    letters: Codes
    words: Ints


class PhraseIndex:
    """A fixed list of distinct words of two characters or more, ready to be searched for."""

    def __init__(self, words: Sequence[str], *, separators: str = "") -> None:
        self.words: tuple[str, ...] = tuple(folded(word) for word in words)
        if len(set(self.words)) != len(self.words):
            raise ValueError("words repeat once folded")
        if any(len(word) < 2 for word in self.words):
            raise ValueError("a word needs two characters")
        self._separators = np.array(sorted({0, *map(ord, folded(separators))}), dtype=np.uint32)
        self._lengths = tuple(self._of_length(length) for length in sorted({len(w) for w in self.words}))
        self._begins = np.zeros(_TABLE, dtype=np.bool_)
        if self.words:
            heads = np.array([[ord(c) for c in word[:2]] for word in self.words], dtype=np.uint32)
            self._begins[_hash2(heads[:, 0], heads[:, 1])] = True

    def _of_length(self, length: int) -> _OneLength:
        numbers = [number for number, word in enumerate(self.words) if len(word) == length]
        letters = np.array([[ord(c) for c in self.words[number]] for number in numbers], dtype=np.uint32)
        hashes = _hash([letters[:, column] for column in range(length)])
        order = np.argsort(hashes, kind="stable")
        return _OneLength(hashes[order], letters[order], np.array(numbers, dtype=np.int64)[order])

    def find(self, texts: pa.Array | pa.ChunkedArray) -> Hits:
        """Return every place where a word stands in ``texts`` (strings; null holds nothing)."""
        parts: list[Hits] = []
        first_text = first_unit = 0
        for block in _blocks(texts):
            hits, count, units = self._find_block(block, first_text, first_unit)
            parts.append(hits)
            first_text += count
            first_unit += units
        if not parts:
            empty = np.empty(0, dtype=np.int64)
            return Hits(empty, empty, empty, empty)
        return Hits(
            np.concatenate([part.text for part in parts]),
            np.concatenate([part.word for part in parts]),
            np.concatenate([part.start for part in parts]),
            np.concatenate([part.unit for part in parts]),
        )

    def _find_block(self, texts: list[str], first_text: int, first_unit: int) -> tuple[Hits, int, int]:
        # The terminating zero separates texts, so that no word reaches over the end of one.
        joined = "\0".join(texts) + "\0"
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        ends = np.cumsum([len(text) + 1 for text in texts], dtype=np.int64)
        candidates = np.flatnonzero(self._begins[_hash2(codes[:-1], codes[1:])])
        found = [self._compare(codes, candidates, group) for group in self._lengths]
        place = np.concatenate([f[0] for f in found]) if found else np.empty(0, dtype=np.int64)
        word = np.concatenate([f[1] for f in found]) if found else np.empty(0, dtype=np.int64)
        order = np.lexsort((word, place))
        place, word = place[order], word[order]
        text = np.searchsorted(ends, place, side="right")
        breaks = np.flatnonzero(np.isin(codes, self._separators))
        start = place - np.concatenate([[0], ends[:-1]])[text]
        hits = Hits(text + first_text, word, start, np.searchsorted(breaks, place) + first_unit)
        return hits, len(texts), len(breaks)

    @staticmethod
    def _compare(codes: Codes, candidates: Ints, group: _OneLength) -> tuple[Ints, Ints]:
        length = group.letters.shape[1]
        places = candidates[candidates + length < codes.size]
        hashes = _hash([codes[places + column] for column in range(length)])
        at = np.minimum(np.searchsorted(group.hashes, hashes), group.hashes.size - 1)
        same = group.hashes[at] == hashes
        places, at = places[same], at[same]
        exact = (codes[places[:, None] + np.arange(length)] == group.letters[at]).all(axis=1)
        places, at = places[exact], at[exact]
        letters = group.letters[at]
        before = codes[np.maximum(places - 1, 0)]
        inside_before = (places > 0) & _is_alnum(before) & _is_alnum(letters[:, 0])
        inside_after = _is_alnum(codes[places + length]) & _is_alnum(letters[:, -1])
        whole = ~(inside_before | inside_after)
        return places[whole], group.words[at[whole]]


def _blocks(texts: pa.Array | pa.ChunkedArray) -> Iterator[list[str]]:
    """Yield folded texts in blocks of about ``BLOCK`` characters."""
    column = texts if isinstance(texts, pa.ChunkedArray) else pa.chunked_array([texts], type=texts.type)
    clean = pc.utf8_upper(pc.utf8_normalize(pc.fill_null(column, ""), form="NFKC"))
    clean = pc.replace_substring(clean, "\0", " ")
    block: list[str] = []
    size = 0
    for batch in clean.chunks:
        for text in batch.to_pylist():
            block.append(text)
            size += len(text) + 1
            if size >= BLOCK:
                yield block
                block, size = [], 0
    if block:
        yield block
