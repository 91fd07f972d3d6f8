"""Six-digit division codes (GB/T 2260): level, ancestors, containment, provinces. No I/O.

The names and points of all divisions stand in the catalogue ``divisions``; here is only what the digits say.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class RegionLevel(IntEnum):
    """Level of a division; 0 is the whole country or unknown."""

    NONE = 0
    PROVINCE = 1
    CITY = 2
    DISTRICT = 3


LEVEL_LABELS: Final[dict[int, str]] = {0: "未知", 1: "省级", 2: "地级", 3: "县级"}

PROVINCES: Final[dict[str, str]] = {
    "110000": "北京",
    "120000": "天津",
    "130000": "河北",
    "140000": "山西",
    "150000": "内蒙古",
    "210000": "辽宁",
    "220000": "吉林",
    "230000": "黑龙江",
    "310000": "上海",
    "320000": "江苏",
    "330000": "浙江",
    "340000": "安徽",
    "350000": "福建",
    "360000": "江西",
    "370000": "山东",
    "410000": "河南",
    "420000": "湖北",
    "430000": "湖南",
    "440000": "广东",
    "450000": "广西",
    "460000": "海南",
    "500000": "重庆",
    "510000": "四川",
    "520000": "贵州",
    "530000": "云南",
    "540000": "西藏",
    "610000": "陕西",
    "620000": "甘肃",
    "630000": "青海",
    "640000": "宁夏",
    "650000": "新疆",
    "710000": "台湾",
    "810000": "香港",
    "820000": "澳门",
}
"""Province code to its short name."""


def is_region_code(code: str) -> bool:
    """Return whether the text has the shape of a six-digit code of a known province."""
    return len(code) == 6 and code.isascii() and code.isdigit() and code[:2] + "0000" in PROVINCES


def region_level(code: str) -> RegionLevel:
    """Return the level that the digits state."""
    if not is_region_code(code):
        return RegionLevel.NONE
    if code[2:] == "0000":
        return RegionLevel.PROVINCE
    return RegionLevel.CITY if code[4:] == "00" else RegionLevel.DISTRICT


def region_ancestors(code: str) -> tuple[str, ...]:
    """Return the code itself and the codes above it by digits, lowest first."""
    level = region_level(code)
    chain = (code, code[:4] + "00", code[:2] + "0000")
    return chain[RegionLevel.DISTRICT - level :] if level else ()


def region_prefix(code: str) -> str:
    """Return the digits that all divisions within this one begin with (2, 4 or 6 of them)."""
    return code[: 2 * max(region_level(code), 1)]


def region_contains(outer: str, inner: str) -> bool:
    """Return whether ``inner`` is the division ``outer`` or lies within it; ``outer`` may be a bare prefix."""
    prefix = region_prefix(outer) if len(outer) == 6 else outer
    return bool(prefix) and inner.startswith(prefix)
