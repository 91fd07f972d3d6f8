"""Company names: one normal form, and the structure 区域 + 字号 + 行业 + 组织形式 (+ 分支机构).

Words come from the catalogue ``name_words`` (forms, trades, branch words, noise, surnames), places from ``divisions``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.registry.places import Gazetteer, Place, load_gazetteer

_BRACKETS: Final = dict.fromkeys("([{<【〔〖《〈「『（［｛＜﹙", "(") | dict.fromkeys(
    ")]}>】〕〗》〉」』）］｝＞﹚", ")"
)
_DASHES: Final = frozenset("-‐‑‒–—―−－﹣ー")
_KEPT: Final = frozenset("()-&+")
_BARE_AFTER: Final = "司厂店社所院行部心团户)伙"
_SHORT_MARK: Final = re.compile(r"^(?:S?ST|XD|XR|DR|PT|[NC](?=[一-鿿]{2}))+(?=[一-鿿])")
_SHORT_TAIL: Final = re.compile(r"(?<=[一-鿿])(?:[AB]|-?[UWD]{1,2})$")
_BRACKETED: Final = re.compile(r"\(([^()]{2,13})\)")
_PERSON: Final = re.compile(r"[一-鿿]{2,4}")


class NameWord(CatalogRow):
    """One word of the catalogue ``name_words``.

    ``kind``: form, branch, noise, trade, surname, or not_place (a county whose short word is a trade name far more often).
    """

    kind: str
    word: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class NameParts:
    """A normalised name taken apart.

    ``core`` is 字号 + 行业 without places and form; ``parent`` is the name before a branch suffix, else empty;
    ``region_code`` is the lowest place named, empty where none is or where it is not the only one of its name.
    """

    region_code: str
    region_text: str
    trade_name: str
    trade: str
    form: str
    form_group: str
    branch: str
    parent: str

    @property
    def core(self) -> str:
        """字号 and 行业 together."""
        return self.trade_name + self.trade


@dataclass(frozen=True)
class _Words:
    forms: dict[str, str]
    branch_ends: tuple[str, ...]
    trades: frozenset[str]
    longest_trade: int
    noise: re.Pattern[str]
    noise_ends: frozenset[str]
    surnames: frozenset[str]
    not_places: frozenset[str]
    parent: re.Pattern[str]


@lru_cache(maxsize=1)
def _words() -> _Words:
    rows = read_rows("name_words", NameWord)
    by_kind: dict[str, list[NameWord]] = {}
    for row in rows:
        by_kind.setdefault(row.kind, []).append(row)
    forms = {row.word: row.group for row in sorted(by_kind["form"], key=lambda row: -len(row.word))}
    noise = sorted((row.word for row in by_kind["noise"]), key=len, reverse=True)
    choice = "|".join(map(re.escape, noise))
    trades = frozenset(row.word for row in by_kind["trade"])
    return _Words(
        forms=forms,
        branch_ends=tuple(row.word for row in by_kind["branch"]),
        trades=trades,
        longest_trade=max(map(len, trades)),
        noise=re.compile(
            rf"(?:\((?:{choice}|原[^()]*|曾用名[^()]*)\)|-(?:{choice})|(?<=[{_BARE_AFTER}])(?:{choice}|[0-9]{{1,3}})|-)+$"
        ),
        noise_ends=frozenset(word[-1] for word in noise) | frozenset(")-0123456789"),
        surnames=frozenset(row.word for row in by_kind["surname"]),
        not_places=frozenset(row.word for row in by_kind["not_place"]),
        parent=re.compile(
            r"(.{2,}(?:公司|银行|厂|合作社|集团|信用社|事务所|研究院|医院|合伙\)|合伙企业))(.*)"
        ),
    )


def _simplified() -> dict[str, str]:
    """Return traditional to simplified characters; one that is also simplified in its own right stays (乾, 著)."""
    text = files("opencc").joinpath("dictionary/TSCharacters.txt").read_text(encoding="utf-8")
    pairs = (line.split("\t") for line in text.splitlines() if "\t" in line)
    return {old: new.split()[0] for old, new in pairs if old not in new.split()}


def _cleaned(character: str, simplified: dict[str, str]) -> str:
    if character in _BRACKETS:
        return _BRACKETS[character]
    if character in _DASHES:
        return "-"
    out = []
    for part in unicodedata.normalize("NFKC", character).upper():
        single = simplified.get(part, part)
        category = unicodedata.category(single)
        if category[0] in "LN" or single in _KEPT:
            out.append(single)
    return "".join(out)


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    """Build the one translation table: width, case, brackets, dashes, simplified characters; all else is deleted."""
    simplified = _simplified()
    wanted = [*range(0x10000), *(ord(character) for character in simplified if ord(character) > 0xFFFF)]
    table = {}
    for code in wanted:
        character = chr(code)
        cleaned = _cleaned(character, simplified)
        if cleaned != character:
            table[code] = cleaned
    return table


@lru_cache(maxsize=65536)
def normalise_name(text: str) -> str:
    """Return the normal form of a company name used for comparing.

    Full-width and traditional forms, brackets, case, blanks and signs are levelled; notes at the end that are no part
    of the name are dropped: （筹）, -一般户, 待核实, （原…）.
    """
    name = text.translate(_table())
    if not name or name[-1] not in _words().noise_ends:
        return name
    cut = _words().noise.sub("", name)
    return cut if len(cut) >= 2 else name


def normalise_short_name(text: str) -> str:
    """Return the normal form of a brand or stock short name: without *ST, XD, N and the A or B of the share."""
    name = normalise_name(text)
    cut = _SHORT_TAIL.sub("", _SHORT_MARK.sub("", name))
    return cut if len(cut) >= 2 else name


def normalise_names(names: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the normal forms of an Arrow array of names; each distinct value is worked on once, null stays null."""
    return _each_distinct(names, normalise_name)


def normalise_short_names(names: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the normal forms of an Arrow array of short names."""
    return _each_distinct(names, normalise_short_name)


def _each_distinct(names: pa.Array | pa.ChunkedArray, function: Callable[[str], str]) -> pa.Array:
    whole = names.combine_chunks() if isinstance(names, pa.ChunkedArray) else names
    encoded = pc.dictionary_encode(whole)
    values = [
        function(value) or None if value is not None else None for value in encoded.dictionary.to_pylist()
    ]
    return pa.array(values, pa.string()).take(encoded.indices)


def looks_like_person(name: str) -> bool:
    """Return whether a holder's name reads as a natural person: 2 to 4 Han characters that begin with a surname.

    Words of organisations and of trades rule it out; a name that is not sure is taken for an organisation.
    """
    words = _words()
    if not _PERSON.fullmatch(name):
        return False
    single, double = name[0] in words.surnames, name[:2] in words.surnames
    if not (single or double) or (len(name) == 4 and not double):
        return False
    if len(name) > 2 and (name[-2:] in words.trades or name[-2:] in words.forms):
        return False
    return name[-1] not in "厂店社所院部" and load_gazetteer().places.get(name) is None


@lru_cache(maxsize=65536)
def parse_name(name: str) -> NameParts:
    """Take a normalised name apart."""
    branch, parent = _split_branch(name)
    rest, form, group = _strip_form(parent or name)
    rest, code, region_text = _strip_regions(rest, load_gazetteer())
    trade_name, trade = _split_trade(rest)
    return NameParts(code, region_text, trade_name, trade, form, group, branch, parent)


def parse_names(names: Iterable[str]) -> list[NameParts]:
    """Take many normalised names apart."""
    return [parse_name(name) for name in names]


def _split_branch(name: str) -> tuple[str, str]:
    words = _words()
    for word in words.branch_ends:
        if name.endswith(word) and len(name) > len(word) + 4:
            found = words.parent.fullmatch(name[: -len(word)])
            if found and len(found[2]) <= 24:
                return found[2] + word, found[1]
            return _split_short_branch(name, word)
    return "", ""


def _split_short_branch(name: str, word: str) -> tuple[str, str]:
    """Split 中国联通江门分公司, where the parent carries no legal form, before the last place."""
    gazetteer, end = load_gazetteer(), len(name) - len(word)
    for start in range(2, end - 1):
        found = gazetteer.longest(name[:end], start)
        if found is not None and start + len(found[0]) == end:
            return name[start:], name[:start]
    return "", ""


def _strip_form(name: str) -> tuple[str, str, str]:
    """Return what stands before the legal form, the form as written (集团 included) and its group."""
    rest, group = name, ""
    while True:
        for length in range(min(12, len(rest) - 2), 0, -1):
            found = _words().forms.get(rest[-length:])
            if found and group in {"", found}:
                rest, group = rest[:-length], group or found
                break
        else:
            if rest.endswith("(集团)") and len(rest) > 6:
                rest = rest[:-4]
                continue
            return rest, name[len(rest) :], group
        if group not in {"company", "partnership"}:
            return rest, name[len(rest) :], group


def _strip_regions(text: str, gazetteer: Gazetteer) -> tuple[str, str, str]:
    """Return the text without places at its head or in brackets, the lowest place and the words taken away."""
    code, taken = "", ""
    for found in _BRACKETED.finditer(text):
        places = gazetteer.places.get(found[1])
        if places or found[1] in {"中国", "集团", "控股"}:
            text = text.replace(found[0], "", 1)
            if places:
                code, taken = _settle(places, code, gazetteer), taken + found[1]
    position = 2 if text.startswith("中国") and len(text) > 5 else 0
    while (step := _region_step(text, position, code, gazetteer)) is not None:
        position, code = step
    rest = text[position:]
    return (rest, code, taken + text[:position]) if len(rest) >= 2 else (text, code, taken)


def _region_step(text: str, position: int, code: str, gazetteer: Gazetteer) -> tuple[int, str] | None:
    found = gazetteer.longest(text, position)
    if found is None or found[0] in _words().not_places:
        return None
    word, places = found
    end = position + len(word)
    if word.endswith("市") and text[end : end + 1] in {"政", "场", "容"} and word[:-1] in gazetteer.places:
        word, end = word[:-1], end - 1
        places = gazetteer.places[word]
    inside = tuple(place for place in places if gazetteer.lies_in(place.code, code))
    if not inside or len(text) - end < 2:
        return None
    if places[0].short and text[end : end + 1] in {"市", "省", "县"} and len(text) - end > 2:
        end += text[end + 1 : end + 2] not in {"政", "场", "容"}
    return end, _settle(inside, code, gazetteer)


def _settle(places: tuple[Place, ...], code: str, gazetteer: Gazetteer) -> str:
    """Return the one place meant: the highest level and present name first; undecided keeps what was known."""
    inside = [place for place in places if gazetteer.lies_in(place.code, code)] or list(places)
    first = (inside[0].former, inside[0].level)
    best = [place for place in inside if (place.former, place.level) == first]
    return best[0].code if len(best) == 1 else code


def _split_trade(rest: str) -> tuple[str, str]:
    """Split 字号 from 行业: trade words are taken off the end while two characters stay in front."""
    words = _words()
    position = len(rest)
    while position > 2:
        for length in range(min(words.longest_trade, position - 2), 1, -1):
            if rest[position - length : position] in words.trades:
                position -= length
                break
        else:
            break
    return rest[:position], rest[position:]
