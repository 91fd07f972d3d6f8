"""Splits text into sentences with exact offsets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

LONGEST: Final = 1200
_END: Final = re.compile(r"[。！？!?；;\n\r]+[”\"’』」)]*")
_CLAUSE: Final = re.compile(r"[,，、]")
_SPACE: Final = re.compile(r"\s*")


def _pieces(flat: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a sentence without end marks at clauses, so that hostile text costs no more than ordinary text."""
    while end - start > LONGEST:
        cuts = [match.end() for match in _CLAUSE.finditer(flat, start + 1, start + LONGEST)]
        cut = cuts[-1] if cuts else start + LONGEST
        yield start, cut
        start = cut
    yield start, end


def split_sentences(flat: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of every sentence of ``flat``, white space at its ends left out, end mark included."""
    position = 0
    while position < len(flat):
        match = _END.search(flat, position)
        end = match.end() if match else len(flat)
        for start, stop in _pieces(flat, position, end):
            lead = _SPACE.match(flat, start, stop)
            first = lead.end() if lead else start
            last = len(flat[first:stop].rstrip()) + first
            if last > first:
                yield first, last
        position = end
