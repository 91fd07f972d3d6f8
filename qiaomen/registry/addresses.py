"""Addresses to division codes: present and former names, with province or city left out, and the level reached.

A former name gives the present code and says so. Nothing is guessed: two places that fit equally well give the
division above them, or none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.names import normalise_name
from qiaomen.registry.places import Gazetteer, Place, load_gazetteer
from qiaomen.vocab import RegionLevel

_LOOKED_AT: Final = 40
"""A division stands within the first characters of an address; what comes later is a street or a building."""
_GAP: Final = 8
"""Characters that may stand between two divisions (a development zone, a repeated word)."""
_TRADE_ZONE: Final = re.compile(r"^中国\((.{2,3})\)自由贸易(?:试验|实验)区(?:.{2,4}片区)?")
_STREETS: Final = ("路", "街", "道", "大道", "巷", "弄", "村", "镇", "乡", "大厦", "广场")


@dataclass(frozen=True, slots=True)
class Region:
    """Where an address lies: present six-digit code, level reached, and whether a former name led there."""

    code: str
    level: RegionLevel
    former: bool


NOWHERE: Final = Region("", RegionLevel.NONE, former=False)


@lru_cache(maxsize=65536)
def resolve_address(address: str) -> Region:
    """Return the division that an address names."""
    text = _TRADE_ZONE.sub(r"\1", normalise_name(address))[:_LOOKED_AT]
    found = _mentions(text, load_gazetteer())
    return _settled(found, load_gazetteer()) if found else NOWHERE


def resolve_addresses(addresses: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the division code of each address, null where none is found; each distinct address is read once."""
    whole = addresses.combine_chunks() if isinstance(addresses, pa.ChunkedArray) else addresses
    encoded = pc.dictionary_encode(whole)
    codes = [resolve_address(text).code or None if text else None for text in encoded.dictionary.to_pylist()]
    return pa.array(codes, pa.string()).take(encoded.indices)


def normalise_address(address: str) -> str:
    """Return the form of an address used for comparing: the division words at its head replaced by the code."""
    text = normalise_name(address)
    region, end = resolve_address(address), 0
    gazetteer = load_gazetteer()
    while (step := gazetteer.longest(text, end)) is not None and end + len(step[0]) < len(text):
        word, places = step
        if not any(gazetteer.lies_in(region.code, place.code) for place in places) or _is_street(
            text, end, word
        ):
            break
        end += len(word)
    return f"{region.code}|{text[end:]}"


def region_from_words(words: str) -> Region:
    """Return the division that a bare place word such as 深圳, 浙江省宁波市 or a six-digit code stands for."""
    code = load_gazetteer().present_code(words.strip())
    if code is not None:
        return Region(code, RegionLevel(load_gazetteer().levels[code]), former=code != words.strip())
    return resolve_address(words)


def _is_street(text: str, start: int, word: str) -> bool:
    """Return whether the word is the beginning of a street name (北京路, 上海大厦)."""
    rest = text[start + len(word) :]
    return not word.endswith(("省", "市", "县", "区", "旗", "州", "盟")) and rest.startswith(_STREETS)


def _mentions(text: str, gazetteer: Gazetteer) -> list[tuple[Place, ...]]:
    """Return the places mentioned from left to right; looking stops at the first long stretch without one."""
    found: list[tuple[Place, ...]] = []
    position = last = 0
    while position < len(text) - 1 and position - last <= (_GAP if found else _LOOKED_AT // 4):
        step = gazetteer.longest(text, position)
        if step is None or _is_street(text, position, step[0]):
            position += 1
            continue
        word, places = step
        position += len(word)
        if text[position : position + 1] in {"省", "市"} and places[0].short:
            position += 1
        found.append(places if not found else _full_or_near(places, position - len(word), last))
        last = position
        if not found[-1]:
            found.pop()
    return found


def _full_or_near(places: Sequence[Place], start: int, last: int) -> tuple[Place, ...]:
    """Past a gap only full names count: a short word in the middle of a street is no division."""
    return tuple(place for place in places if not place.short or start - last <= 1)


def _settled(found: Sequence[tuple[Place, ...]], gazetteer: Gazetteer) -> Region:
    """Walk down from the first mention; a later one must lie in what is known, in its province, or is left out."""
    best = _best(found[0], found[1:], gazetteer)
    for places in found[1:]:
        inside = [place for place in places if best is None or gazetteer.lies_in(place.code, best.code)]
        moved = inside or [
            place for place in places if best is not None and _same_province(place, best, gazetteer)
        ]
        lower = _only(sorted(moved, key=lambda place: (place.former, place.short)), gazetteer)
        if lower is not None and (best is None or lower.level > best.level or not inside):
            best = _lower_of(best, lower, found_inside=bool(inside))
    return NOWHERE if best is None else Region(best.code, RegionLevel(best.level), best.former)


def _lower_of(best: Place | None, lower: Place, *, found_inside: bool) -> Place:
    """A division of the same province outside the known city wins only where the city's name is an old one's too."""
    if best is None or found_inside or (lower.level > best.level) or lower.former:
        return lower if best is None or lower.level >= best.level else best
    return best


def _same_province(place: Place, best: Place, gazetteer: Gazetteer) -> bool:
    return (
        place.code[:2] == best.code[:2]
        and (
            best.level == RegionLevel.DISTRICT or place.former or not gazetteer.lies_in(place.code, best.code)
        )
        and best.level > RegionLevel.PROVINCE
    )


def _best(first: Sequence[Place], rest: Sequence[tuple[Place, ...]], gazetteer: Gazetteer) -> Place | None:
    """Choose among places of one word by the next mention, then by level and by being present."""
    fitting = [
        place for place in first if rest and any(gazetteer.lies_in(low.code, place.code) for low in rest[0])
    ]
    return _only(fitting or list(first), gazetteer)


def _only(places: Sequence[Place], gazetteer: Gazetteer) -> Place | None:
    """Return the single best place, or the one above several that share it, or None."""
    if not places:
        return None
    rank = min((place.former, place.level if not place.former else 0, place.short) for place in places)
    best = [p for p in places if (p.former, p.level if not p.former else 0, p.short) == rank]
    if len(best) == 1:
        return best[0]
    above = {gazetteer.parents[place.code] for place in best}
    code = above.pop()
    if above or not code:
        return None
    return Place(code, gazetteer.levels[code], best[0].former, short=False)
