"""Finds companies while one types: by name, short name, credit code, or the first letters of the pinyin.

``build_search_index`` makes plain numpy arrays in the run; ``search_companies`` answers from them (memory-mapped) in
milliseconds: pairs of characters narrow the names down, then each is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry import normalise_name
from qiaomen.vocab import normalise_code

Arrays = dict[str, npt.NDArray[Any]]
Ints = npt.NDArray[np.int64]
KINDS: Final = ("legal", "short", "former", "mention")
_LOOKED_AT: Final = 800
_SEVERAL_READINGS: Final = frozenset("重长行厦朝乐都六蚌单尉曾解盖查翟调传降石车藏晟")
_SHIFT: Final = np.uint64(21)
_CODE_LENGTH: Final = 4
"""From so many characters on, digits and letters are tried as the beginning of a credit code."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A company found, the name that was met, and whether the whole name is what was typed."""

    company_id: int
    name: str
    kind: str
    exact: bool


def build_search_index(companies: pa.Table, company_names: pa.Table) -> Arrays:
    """Build the index over every name of every company, and over credit codes."""
    kept = company_names.filter(pc.is_in(company_names["kind"], value_set=pa.array(KINDS)))
    names = [name or "" for name in kept["name_norm"].to_pylist()]
    blob, start = _pack(names)
    shown, shown_start = _pack([name or "" for name in kept["name"].to_pylist()])
    coded = companies.filter(pc.is_valid(companies["uscc"])).sort_by("uscc")
    registered = companies.filter(pc.equal(companies["origin"], "registry"))["company_id"]
    out: Arrays = {
        "company_id": _numbers(kept["company_id"]),
        "kind": _numbers(pc.index_in(kept["kind"], value_set=pa.array(KINDS))).astype(np.int8),
        "registered": np.isin(_numbers(kept["company_id"]), _numbers(registered)),
        "name_blob": blob,
        "name_start": start,
        "shown_blob": shown,
        "shown_start": shown_start,
        "uscc": np.array(coded["uscc"].to_pylist(), dtype="S18"),
        "uscc_company": _numbers(coded["company_id"]),
    }
    letters = initials(names)
    letter_blob, letter_start = _pack(letters)
    out |= {"letter_blob": letter_blob, "letter_start": letter_start}
    for which, texts in (("name", names), ("letter", letters)):
        out |= _pairs(which, texts)
    return out


def _numbers(values: pa.Array | pa.ChunkedArray) -> Ints:
    return np.asarray(values.to_numpy(), dtype=np.int64)


def _pack(values: Sequence[str]) -> tuple[npt.NDArray[np.uint8], Ints]:
    encoded = [value.encode("utf-8", "replace") for value in values]
    start = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(value) for value in encoded], out=start[1:])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8).copy(), start


def _pairs(which: str, texts: Sequence[str]) -> Arrays:
    """Return which texts hold each pair of neighbouring characters, texts ascending within a pair."""
    pair, owner = _pairs_of(texts)
    order = np.lexsort((owner, pair))
    pair, owner = pair[order], owner[order]
    fresh = np.ones(len(pair), np.bool_)
    fresh[1:] = (pair[1:] != pair[:-1]) | (owner[1:] != owner[:-1])
    pair, owner = pair[fresh], owner[fresh]
    first = np.flatnonzero(np.r_[True, pair[1:] != pair[:-1]]) if len(pair) else np.zeros(0, np.int64)
    return {
        f"{which}_pair": pair[first] if len(pair) else pair,
        f"{which}_pair_start": np.r_[first, len(pair)].astype(np.int64),
        f"{which}_pair_text": owner,
    }


def _pairs_of(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    lengths = np.array([len(value) for value in texts], dtype=np.int64)
    points = np.frombuffer("".join(texts).encode("utf-32-le", "replace"), dtype="<u4").astype(np.uint64)
    owner = np.repeat(np.arange(len(texts), dtype=np.int32), lengths)
    same = np.flatnonzero(owner[:-1] == owner[1:]) if len(owner) > 1 else np.zeros(0, np.int64)
    return (points[same] << _SHIFT) | points[same + 1], owner[same]


def initials(names: Iterable[str]) -> list[str]:
    """Return the first letters of each name's pinyin, lower case; other characters stay.

    A name with a character of several common readings (重庆, 银行) is read as a phrase, all others by character.
    """
    from pypinyin import Style, lazy_pinyin

    out = []
    for name in names:
        if _SEVERAL_READINGS.isdisjoint(name):
            letters = [_letter(character) for character in name]
        else:
            letters = [part[:1] for part in lazy_pinyin(name, style=Style.FIRST_LETTER, errors=_each)]
        out.append("".join(letters).lower() if len(letters) == len(name) else name.lower())
    return out


def _each(run: str) -> Any:
    """Keep every character that has no pinyin as a part of its own."""
    return list(run)


@lru_cache(maxsize=65536)
def _letter(character: str) -> str:
    """Return the first letter of a character's usual reading; the character itself where it has none."""
    from pypinyin import Style, pinyin

    found = pinyin(character, style=Style.FIRST_LETTER, errors=_each)
    return str(found[0][0])[:1] if found and found[0] else character


def search_companies(arrays: Mapping[str, npt.NDArray[Any]], text: str, limit: int = 20) -> list[Hit]:
    """Return the companies that the text may mean, best first, each company once; fewer than two characters find nothing."""
    typed = normalise_name(text)
    if len(typed) < 2:
        return []
    hits = _by_code(arrays, text, limit)
    rows = _holding(arrays, "name", typed)
    ranked = sorted(rows, key=lambda row: _rank(arrays, row, typed))
    if typed.isascii() and typed.isalpha():
        letters = _holding(arrays, "letter", typed.lower())
        ranked += sorted(letters, key=lambda row: _letter_rank(arrays, row, typed.lower()))
    if not ranked:
        ranked = _nearly(arrays, typed, limit)
    seen = {hit.company_id for hit in hits}
    for row in ranked:
        number = int(arrays["company_id"][row])
        if number not in seen and len(hits) < limit:
            seen.add(number)
            hits.append(_hit(arrays, row, typed))
    return hits[:limit]


def _hit(arrays: Mapping[str, npt.NDArray[Any]], row: int, typed: str) -> Hit:
    name = _text(arrays, "name", row)
    shown = _text(arrays, "shown", row)
    return Hit(int(arrays["company_id"][row]), shown, KINDS[int(arrays["kind"][row])], name == typed)


def _text(arrays: Mapping[str, npt.NDArray[Any]], which: str, row: int) -> str:
    start = arrays[f"{which}_start"]
    return bytes(arrays[f"{which}_blob"][start[row] : start[row + 1]]).decode("utf-8", "replace")


def _by_code(arrays: Mapping[str, npt.NDArray[Any]], text: str, limit: int) -> list[Hit]:
    code = normalise_code(text)
    if not (_CODE_LENGTH <= len(code) <= 18) or not code[:2].isalnum() or not any(c.isdigit() for c in code):
        return []
    low, high = (
        int(np.searchsorted(arrays["uscc"], np.bytes_(bound.encode()))) for bound in (code, code + "~")
    )
    return [
        Hit(int(arrays["uscc_company"][at]), arrays["uscc"][at].decode(), "uscc", len(code) == 18)
        for at in range(low, min(high, low + limit))
    ]


def _holding(arrays: Mapping[str, npt.NDArray[Any]], which: str, typed: str) -> list[int]:
    """Return the rows whose text contains what was typed: those with all its pairs, then looked at one by one."""
    lists = _lists(arrays, which, typed)
    if not lists or any(len(found) == 0 for found in lists):
        return []
    lists.sort(key=len)
    rows = lists[0]
    for other in lists[1:]:
        if len(rows) <= 1:
            break
        at = np.minimum(np.searchsorted(other, rows), len(other) - 1)
        rows = rows[other[at] == rows]
    kept = rows if len(rows) <= _LOOKED_AT else _preferred(arrays, rows)
    return [int(row) for row in kept if typed in _text(arrays, which, int(row))]


def _preferred(arrays: Mapping[str, npt.NDArray[Any]], rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the rows worth looking at where there are too many: registered companies with the shortest names."""
    length = arrays["name_start"][rows + 1] - arrays["name_start"][rows]
    return rows[np.lexsort((length, ~arrays["registered"][rows]))[:_LOOKED_AT]]


def _lists(arrays: Mapping[str, npt.NDArray[Any]], which: str, typed: str) -> list[npt.NDArray[Any]]:
    pairs = np.unique(_pairs_of([typed])[0])
    known, start, texts = (arrays[f"{which}_pair{part}"] for part in ("", "_start", "_text"))
    if len(known) == 0:
        return []
    at = np.minimum(np.searchsorted(known, pairs), len(known) - 1)
    return [
        np.asarray(texts[start[i] : start[i + 1]]) if known[i] == pair else np.zeros(0, np.int32)
        for i, pair in zip(at.tolist(), pairs, strict=True)
    ]


def _nearly(arrays: Mapping[str, npt.NDArray[Any]], typed: str, limit: int) -> list[int]:
    """Return the rows that share most of the typed pairs (at least half): a wrong character still finds something."""
    lists = _lists(arrays, "name", typed)
    joined = np.concatenate(lists) if lists else np.zeros(0, np.int32)
    if len(joined) == 0:
        return []
    rows, shared = np.unique(joined, return_counts=True)
    enough = shared * 2 >= len(lists)
    rows, shared = rows[enough], shared[enough]
    length = arrays["name_start"][rows + 1] - arrays["name_start"][rows]
    return [int(row) for row in rows[np.lexsort((length, ~arrays["registered"][rows], -shared))[: limit * 3]]]


def _rank(
    arrays: Mapping[str, npt.NDArray[Any]], row: int, typed: str
) -> tuple[bool, bool, bool, int, int, int]:
    name = _text(arrays, "name", row)
    kind, number = int(arrays["kind"][row]), int(arrays["company_id"][row])
    starts = name.startswith(typed)
    return name != typed, not arrays["registered"][row], not starts, kind if starts else 0, len(name), number


def _letter_rank(
    arrays: Mapping[str, npt.NDArray[Any]], row: int, typed: str
) -> tuple[bool, bool, bool, int, int]:
    letters = _text(arrays, "letter", row)
    number = int(arrays["company_id"][row])
    return (
        letters != typed,
        not arrays["registered"][row],
        not letters.startswith(typed),
        len(letters),
        number,
    )
