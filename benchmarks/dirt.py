"""Makes a clean company name dirty in ways that bank lists show; seeded, so that a run can be repeated."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from qiaomen.registry import NameParts, normalise_name, parse_name

_NOTES: Final = ("（筹）", "-一般户", "*", "待核实", "（原老户）", "一般户", "(已注销)", " ", "0", "-基本户")
_CONFUSABLE: Final = "科料技枝有友限现公工司词贸货易昌电店子于新薪实石业叶工土程成机几械戒器气材才医药约"
_FORMS: Final = ("有限公司", "有限责任公司", "股份有限公司", "公司", "")


def _typo(name: str, draw: random.Random) -> str:
    place = draw.randrange(len(name))
    kind = draw.randrange(4)
    if kind == 0 and place + 1 < len(name):
        return name[:place] + name[place + 1] + name[place] + name[place + 2 :]
    if kind == 1:
        return name[:place] + name[place + 1 :]
    extra = draw.choice(_CONFUSABLE)
    return name[:place] + extra + name[place + (kind == 2) :]


def _drop_trade(name: str, draw: random.Random) -> str:
    parts = parse_name(name)
    del draw
    return parts.region_text + parts.trade_name + parts.form if parts.trade else name


def _drop_part_of_trade(name: str, draw: random.Random) -> str:
    parts = parse_name(name)
    if len(parts.trade) < 4:
        return name
    kept = parts.trade[:2] if draw.random() < 0.5 else parts.trade[2:]
    return parts.region_text + parts.trade_name + kept + parts.form


def _drop_region(name: str, draw: random.Random) -> str:
    del draw
    parts = parse_name(name)
    return parts.core + parts.form


def _swap_form(name: str, draw: random.Random) -> str:
    parts = parse_name(name)
    return name.removesuffix(parts.form) + draw.choice(_FORMS) if parts.form else name


def _short(name: str, draw: random.Random) -> str:
    """Return what people call the company: 字号, mostly with a place or a word of the trade."""
    parts: NameParts = parse_name(name)
    region = parts.region_text[:2] if draw.random() < 0.5 else ""
    trade = parts.trade[-2:] if parts.trade and draw.random() < 0.6 else ""
    return region + parts.trade_name + trade


def _note(name: str, draw: random.Random) -> str:
    return name + draw.choice(_NOTES)


def _bracket(name: str, draw: random.Random) -> str:
    parts = parse_name(name)
    del draw
    return (
        f"{parts.trade_name}（{parts.region_text[:2]}）{parts.trade}{parts.form}"
        if parts.region_text
        else name
    )


def _branch(name: str, draw: random.Random) -> str:
    return name + draw.choice(("上海", "成都", "第二", "宁波")) + draw.choice(("分公司", "办事处", "营业部"))


KINDS: Final[dict[str, Callable[[str, random.Random], str]]] = {
    "clean": lambda name, _: name,
    "note": _note,
    "typo": _typo,
    "drop_trade": _drop_trade,
    "part_trade": _drop_part_of_trade,
    "drop_region": _drop_region,
    "swap_form": _swap_form,
    "short": _short,
    "bracket": _bracket,
    "branch": _branch,
    "typo_form": lambda name, draw: _swap_form(_typo(name, draw), draw),
    "region_typo": lambda name, draw: _typo(_drop_region(name, draw), draw),
    "region_trade": lambda name, draw: _drop_part_of_trade(_drop_region(name, draw), draw),
}


def dirty(name: str, draw: random.Random) -> tuple[str, str]:
    """Return a dirty form of the name and the kind of dirt; an unchanged or empty result is called clean."""
    kind = draw.choice(list(KINDS))
    made = KINDS[kind](normalise_name(name), draw)
    return (made, kind) if len(made) >= 2 else (name, "clean")
