"""Public standards as catalogues: divisions (GB/T 2260, present and former) and trades (GB/T 4754-2017).

Both files are written by ``scripts/write_divisions.py``; a bank may add to them through its overlay.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from qiaomen.catalog.rows import CatalogRow, read_rows

# Digits three and four of the groups that stand between a province and its districts without a name of their own.
_GROUPS: Final = {"01": "市辖区", "02": "县"}


class Division(CatalogRow):
    """One present division; ``former`` holds `name@code` of every former division that it took over."""

    name: str
    level: int
    parent: str = ""
    lon: float | None = None
    lat: float | None = None
    former: tuple[str, ...] = ()

    @property
    def former_places(self) -> tuple[tuple[str, str], ...]:
        """Former (name, code) pairs."""
        pairs = (entry.partition("@") for entry in self.former)
        return tuple((name, code) for name, _, code in pairs)


def division_names(rows: Iterable[Division]) -> dict[str, str]:
    """Return names by code of the divisions and of the nameless groups between province and district (310100)."""
    listed = list(rows)
    names = {row.code: row.name for row in listed}
    for row in listed:
        group, province = f"{row.code[:4]}00", names.get(f"{row.code[:2]}0000", "")
        if group not in names:
            names[group] = province + _GROUPS.get(row.code[2:4], "直辖县级行政区划")
    return names


class Industry(CatalogRow):
    """One trade of GB/T 4754: section (level 1), division, group or class (level 4)."""

    name: str
    level: int
    parent: str = ""


@lru_cache(maxsize=4)
def load_divisions(overlay: Path | None = None) -> tuple[Division, ...]:
    """Return all present divisions of levels 1 (province) to 3 (district) by code."""
    return read_rows("divisions", Division, overlay=overlay)


@lru_cache(maxsize=4)
def load_industries(overlay: Path | None = None) -> tuple[Industry, ...]:
    """Return all trades of GB/T 4754 in order of the standard."""
    return read_rows("gbt4754", Industry, overlay=overlay)
