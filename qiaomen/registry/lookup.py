"""The match index opened: exact names, codes, nearest names, and the facts of a company."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qiaomen.registry.compare import Overlap, Side, side_of
from qiaomen.registry.match_index import FACTORS, check_arrays, hash_texts, index_text, pairs_of, unpack

Grams = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
NEAREST: Final = 20
_SAME_CORE: Final = 30
"""Companies of one core (恒通贸易 of thirty towns) looked at beside the nearest names."""


class Matcher:
    """Look-ups in an index made by ``build_match_index``; the arrays may be memory-mapped."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        check_arrays(arrays)
        self._arrays = arrays
        owner = np.asarray(arrays["entry_company"])
        self._by_owner = np.argsort(owner, kind="stable")
        self._owner_start = np.searchsorted(owner[self._by_owner], np.arange(len(arrays["company_id"]) + 1))

    @classmethod
    def open(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Matcher:
        """Open the index; ``KeyError`` if an array is missing."""
        return cls(arrays)

    def company_id(self, company: int) -> int:
        """Return the company number of a row of the index."""
        return int(self._arrays["company_id"][company])

    def uscc(self, company: int) -> str:
        """Return the credit code, empty if unknown."""
        return bytes(self._arrays["uscc"][company]).decode()

    def region(self, company: int) -> str:
        """Return the six-digit division code, empty if unknown."""
        code = int(self._arrays["region"][company])
        return f"{code:06d}" if code else ""

    def fact(self, name: str, company: int) -> str:
        """Return title, person, phone or address; empty if unknown."""
        return unpack(self._arrays[f"{name}_blob"], self._arrays[f"{name}_start"], company)

    def name(self, entry: int) -> str:
        """Return the normalised name of an entry."""
        return unpack(self._arrays["name_blob"], self._arrays["name_start"], entry)

    def owner(self, entry: int) -> tuple[int, int]:
        """Return the company of an entry and the kind of name (0 legal, 1 former, 2 short)."""
        return int(self._arrays["entry_company"][entry]), int(self._arrays["entry_kind"][entry])

    def entries_of(self, company: int) -> list[int]:
        """Return all names of a company."""
        return [int(e) for e in self._by_owner[self._owner_start[company] : self._owner_start[company + 1]]]

    def exact(self, side: Side) -> list[int]:
        """Return the entries with the same name, and at most thirty with the same 字号 and 行业."""
        found = self._hashed("name", side.name)
        return found + (self._hashed("core", side.parts.core)[:_SAME_CORE] if side.parts.core else [])

    def _hashed(self, which: str, value: str) -> list[int]:
        keys = self._arrays[f"{which}_hash"]
        wanted = hash_texts([value])[0]
        low, high = np.searchsorted(keys, wanted, "left"), np.searchsorted(keys, wanted, "right")
        return [int(entry) for entry in self._arrays[f"{which}_hash_entry"][low : min(high, low + 200)]]

    def by_code(self, code: str, repairs: Sequence[str], organisation: str) -> list[int]:
        """Return the companies with the code, with a code one error away, or with the organisation code."""
        found = self._coded("uscc", [code] if code else repairs)
        return found + (self._coded("organisation", [organisation]) if organisation else [])

    def _coded(self, which: str, codes: Sequence[str]) -> list[int]:
        keys = self._arrays[f"{which}_sorted"]
        out: list[int] = []
        for code in codes:
            wanted = np.bytes_(code.encode())
            low, high = np.searchsorted(keys, wanted, "left"), np.searchsorted(keys, wanted, "right")
            out.extend(int(company) for company in self._arrays[f"{which}_company"][low:high])
        return out

    def overlaps(self, value: str, entries: Sequence[int]) -> list[Overlap]:
        """Return how much of an index text and of each entry's text is shared, for entries that were found otherwise."""
        gram, weight, _ = self._weighed([value])
        mine = float((weight**2).sum())
        own = dict(zip(gram.tolist(), weight.tolist(), strict=True))
        out = []
        for entry in entries:
            name = self.name(entry)
            theirs, other, _ = self._weighed([index_text(name, side_of(name).parts)])
            shared = sum(
                own.get(key, 0.0) * value for key, value in zip(theirs.tolist(), other.tolist(), strict=True)
            )
            out.append(Overlap(shared, mine, float(self._arrays["doc_norm"][entry]) ** 2))
        return out

    def _weighed(self, texts: Sequence[str]) -> tuple[Grams, Floats, npt.NDArray[np.int32]]:
        """Return the pairs of texts, their weights (unknown pairs weigh as the rarest) and the text of each."""
        gram, query, distance = pairs_of(texts)
        known = self._arrays["gram"]
        row = np.minimum(np.searchsorted(known, gram), max(len(known) - 1, 0))
        rarest = np.log1p(len(self._arrays["doc_norm"]))
        seen = known[row] == gram if len(known) else np.zeros(len(gram), np.bool_)
        idf = (
            np.where(seen, self._arrays["gram_idf"][row], rarest)
            if len(known)
            else np.full(len(gram), rarest)
        )
        return gram, np.asarray(idf * np.array(FACTORS)[distance], np.float64), query

    def nearest(self, texts: Sequence[str], k: int = NEAREST) -> list[dict[int, Overlap]]:
        """Return for each index text the entries that share its most telling character pairs, best first."""
        from qiaomen.registry.retrieve import nearest

        arrays = self._arrays
        if not texts or len(arrays["gram"]) == 0:
            return [{} for _ in texts]
        gram, weight, query = self._weighed(texts)
        mine = np.bincount(query, weights=weight**2, minlength=len(texts))
        row = np.minimum(np.searchsorted(arrays["gram"], gram), len(arrays["gram"]) - 1)
        known = arrays["gram"][row] == gram
        row, query, weight = row[known], query[known], weight[known]
        order = np.lexsort((-arrays["gram_idf"][row], query))
        norm = np.sqrt(np.maximum(mine, 1e-9))
        docs, cosines = nearest(
            np.searchsorted(query[order], np.arange(len(texts) + 1)),
            row[order].astype(np.int64),
            weight[order].astype(np.float32),
            norm.astype(np.float32),
            np.asarray(arrays["gram_start"]),
            np.asarray(arrays["posting_doc"]),
            np.asarray(arrays["posting_distance"]),
            np.asarray(arrays["gram_idf"]),
            np.array(FACTORS, np.float32),
            np.asarray(arrays["doc_norm"]),
            k,
        )
        theirs = arrays["doc_norm"][np.maximum(docs, 0)].astype(np.float64)
        shared = cosines * theirs * norm[:, None]
        return [
            {
                int(doc): Overlap(float(dot), float(own), float(other) ** 2)
                for doc, dot, other in zip(line, dots, others, strict=True)
                if doc >= 0
            }
            for line, dots, own, others in zip(docs, shared, mine, theirs, strict=True)
        ]
