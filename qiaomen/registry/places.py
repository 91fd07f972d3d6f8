"""The gazetteer: every present and former division name, full and short, for names and addresses."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from qiaomen.catalog import load_divisions
from qiaomen.vocab import PROVINCES, RegionLevel

_PEOPLES: Final = (
    "蒙古|回|藏|维吾尔|苗|彝|壮|布依|朝鲜|满|侗|瑶|白|土家|哈尼|哈萨克|傣|黎|傈僳|佤|畲|拉祜|水|东乡|纳西|景颇"
    "|柯尔克孜|土|达斡尔|仫佬|羌|布朗|撒拉|毛南|仡佬|锡伯|阿昌|普米|塔吉克|怒|鄂温克|德昂|保安|裕固|京|独龙"
    "|鄂伦春|赫哲|基诺|各"
)
_ENDING: Final = re.compile(
    rf"(?:(?:(?:{_PEOPLES})族?)*自治(?:区|州|县|旗)|特别行政区|维吾尔自治区|壮族自治区|回族自治区"
    r"|地区|林区|新区|矿区|省|市|区|县|盟|旗)$"
)
MAX_WORD: Final = 13
"""The longest division name has 13 characters or fewer."""


@dataclass(frozen=True, slots=True)
class Place:
    """One division that a word may stand for; ``former`` marks a name that is no longer in use."""

    code: str
    level: int
    former: bool
    short: bool


def short_division_name(name: str) -> str:
    """Return the name without 省, 市, 区, 县 and the peoples of an autonomous division (浙江, 延边, 昆山)."""
    short = _ENDING.sub("", name)
    return short if len(short) >= 2 else name


@dataclass(frozen=True)
class Gazetteer:
    """Words to places, and what lies above each code.

    ``heads`` holds the first two characters of every word, so that most positions of a text are ruled out at once.
    """

    places: dict[str, tuple[Place, ...]]
    heads: frozenset[str]
    names: dict[str, str]
    parents: dict[str, str]
    levels: dict[str, int]
    renumbered: dict[str, str]

    def longest(self, text: str, start: int) -> tuple[str, tuple[Place, ...]] | None:
        """Return the longest division word that stands at ``start``."""
        if text[start : start + 2] not in self.heads:
            return None
        for length in range(min(MAX_WORD, len(text) - start), 1, -1):
            word = text[start : start + length]
            found = self.places.get(word)
            if found is not None:
                return word, found
        return None

    def lies_in(self, code: str, outer: str) -> bool:
        """Return whether the division is ``outer`` or lies in it; an empty ``outer`` is the whole country."""
        while code and code != outer:
            code = self.parents.get(code, "")
        return code == outer

    def path(self, code: str) -> tuple[str, ...]:
        """Return the names from the province down."""
        found: list[str] = []
        while code:
            found.append(self.names[code])
            code = self.parents.get(code, "")
        return tuple(reversed(found))

    def present_code(self, code: str) -> str | None:
        """Return the present code of a present or former six-digit code, or None if it never was one."""
        return code if code in self.names else self.renumbered.get(code)


def _add(words: dict[str, dict[str, Place]], name: str, place: Place) -> None:
    known = words[name].get(place.code)
    if known is None or (known.former, known.short) > (place.former, place.short):
        words[name][place.code] = place


@lru_cache(maxsize=4)
def load_gazetteer(overlay: Path | None = None) -> Gazetteer:
    """Build the gazetteer from the catalogue ``divisions``.

    A 区 has no short word but 新区 (浦东): 和平, 新华 and the like are trade names far more often than places.
    """
    words: dict[str, dict[str, Place]] = defaultdict(dict)
    renumbered: dict[str, str] = {}
    divisions = load_divisions(overlay)
    for row in divisions:
        for name, former in ((row.name, False), *((old, True) for old, _ in row.former_places)):
            _add(words, name, Place(row.code, row.level, former, short=False))
            short = PROVINCES.get(row.code) or short_division_name(name)
            is_ward = row.level == RegionLevel.DISTRICT and name.endswith("区") and not name.endswith("新区")
            if short != name and not (is_ward or (former and row.level == RegionLevel.DISTRICT)):
                _add(words, short, Place(row.code, row.level, former, short=True))
        renumbered.update({code: row.code for _, code in row.former_places})
    return Gazetteer(
        places={word: tuple(sorted(found.values(), key=_preference)) for word, found in words.items()},
        heads=frozenset(word[:2] for word in words),
        names={row.code: row.name for row in divisions},
        parents={row.code: row.parent for row in divisions},
        levels={row.code: row.level for row in divisions},
        renumbered={
            old: new for old, new in renumbered.items() if old not in {row.code for row in divisions}
        },
    )


def _preference(place: Place) -> tuple[bool, int, bool, str]:
    return place.former, place.level, place.short, place.code
