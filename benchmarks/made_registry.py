"""A registry of made-up names and a dirty list of its customers, at the size of a large province; from a seed.

Recipe: each name is place + 字号 + one or two words of trade + legal form. Places are present divisions, trades the words
of the catalogue ``name_words``; a 字号 is two or three common characters, drawn so that a few are used very often (恒通) and
most rarely, as in real registers. One name in five is a near twin: a place, the trade or the form of an earlier name
changed. Of the customers 15 % are left out of the registry after they were drawn; 65 % carry a code, of which one in five
is written wrongly. Kinds of dirt are those of ``benchmarks.dirt``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from benchmarks.dirt import dirty
from qiaomen.catalog import read_rows
from qiaomen.registry.names import NameWord
from qiaomen.registry.places import load_gazetteer
from qiaomen.vocab.uscc import check_character, organisation_check_character

CHARACTERS: Final = (
    "恒通达华信泰安瑞丰盛源鑫金宏兴隆德海天龙祥和顺嘉诚博创联科中新远东美佳康益民正大明光宇星辰凯旋"
    "启航锦绣卓越永利万汇聚元亨泽润雅致合众力拓普惠诺迪奥森林源清泉江河湖山岳峰岭松柏梅兰竹菊云雨雷"
    "飞腾骏马麒麟凤凰鹏程志高行知行思睿慧智敏景福禄寿喜乐平顺昌荣耀辉煌铭钧铂钰银铜铁玉珠翠翔羽"
)
FORMS: Final = ("有限公司", "有限责任公司", "股份有限公司", "厂")
FORM_WEIGHTS: Final = (82, 10, 6, 2)
TWINS: Final = 0.2
ABSENT: Final = 0.15
CODED: Final = 0.65
WRITTEN_WRONG: Final = 0.2
_CODE_SIGNS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@dataclass(frozen=True, slots=True)
class MadeCase:
    """Registered names and codes (the place in the list is the company), and the list: name, code, truth, kind."""

    names: list[str]
    codes: list[str]
    customers: list[tuple[str, str, int, str]]


def made_case(companies: int, rows: int, seed: int) -> MadeCase:
    """Return a registry of that many names and a dirty list of that many rows."""
    draw = random.Random(seed)
    stream = _names(draw)
    names: list[str] = []
    seen: set[str] = set()
    while len(names) < companies + rows:
        name = next(stream)
        if name not in seen:
            seen.add(name)
            names.append(name)
    draw.shuffle(names)
    codes = [_code(place) for place in range(len(names))]
    absent = int(rows * ABSENT)
    # The last ones are nobody's: customers that the registry does not know.
    held = draw.sample(range(companies), rows - absent)
    wanted = held + list(range(companies, companies + absent))
    draw.shuffle(wanted)
    customers = []
    for place in wanted:
        name, kind = dirty(names[place], draw)
        customers.append((name, _written(codes[place], draw), place if place < companies else -1, kind))
    return MadeCase(names[:companies], codes[:companies], customers)


def _names(draw: random.Random) -> Iterator[str]:
    places = sorted(
        word for word, found in load_gazetteer().places.items() if 2 <= len(word) <= 4 and not found[0].former
    )
    trades = sorted(row.word for row in read_rows("name_words", NameWord) if row.kind == "trade")
    brands = sorted(
        {"".join(draw.choices(CHARACTERS, k=2 if draw.random() < 0.65 else 3)) for _ in range(160_000)}
    )
    draw.shuffle(brands)
    # Zipf with a flattened head: the commonest 字号 of a real register stands in about one name of a thousand.
    often = list(accumulate(1 / (50 + rank) ** 0.8 for rank in range(len(brands))))
    kept: list[tuple[str, str, str, str]] = []
    while True:
        if kept and draw.random() < TWINS:
            parts = list(draw.choice(kept))
            which = draw.choice((0, 2, 3))
        else:
            parts = [draw.choice(places), draw.choices(brands, cum_weights=often)[0], "", ""]
            which = -1
        if which in {-1, 0}:
            parts[0] = parts[0] if which else draw.choice(places)
        if which in {-1, 2}:
            parts[2] = "".join(draw.sample(trades, 1 if draw.random() < 0.55 else 2))
        if which in {-1, 3}:
            parts[3] = draw.choices(FORMS, FORM_WEIGHTS)[0]
        kept.append((parts[0], parts[1], parts[2], parts[3]))
        yield "".join(parts)


def _code(place: int) -> str:
    """Return a made-up code with valid check characters; no two companies share one."""
    eight = f"{place:08d}"
    body = f"91310000{eight}{organisation_check_character(eight)}"
    return body + check_character(body)


def _written(code: str, draw: random.Random) -> str:
    if draw.random() >= CODED:
        return ""
    if draw.random() >= WRITTEN_WRONG:
        return code
    place = draw.randrange(len(code))
    way = draw.randrange(3)
    if way == 0:
        return code[:place] + draw.choice(_CODE_SIGNS) + code[place + 1 :]
    if way == 1 and place + 1 < len(code):
        return code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    return code[8:17]
