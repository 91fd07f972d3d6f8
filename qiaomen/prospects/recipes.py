"""Declared recipes and the strength of links to introducers. Reads ``recipes`` and ``introducer_links``."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.vocab import CatalogInvalid

Method = Literal[
    "park_trade",
    "park_leader_supply",
    "park_leader_chain",
    "customer_core_supply",
    "core_supplier",
    "region_gap",
]

LINK_CODES: Final = frozenset(
    {
        "shareholding",
        "branch_of",
        "transaction",
        "supply",
        "guarantee",
        "office",
        "investment",
        "shared_ip",
        "same_park",
    }
)


class Recipe(CatalogRow):
    """One recipe: a method and its parameters. ``chains``, ``regions``, ``parks`` narrow it; empty means all."""

    name: str
    method: Method
    definition: str
    leaders: int = Field(default=5, ge=1)
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    min_share: float = Field(default=0.0, ge=0, le=1)
    min_companies: int = Field(default=10, ge=1)
    per_seed: int = Field(default=200, ge=1)
    limit: int = Field(default=5000, ge=1)
    chains: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    parks: tuple[str, ...] = ()


class IntroducerLink(CatalogRow):
    """How strong a kind of link from a prospect to an existing customer is, 0 to 1."""

    name: str
    strength: float = Field(ge=0, le=1)
    note: str = ""


def load_recipes(overlay: Path | None = None) -> tuple[Recipe, ...]:
    """Return the recipes in file order."""
    return read_rows("recipes", Recipe, overlay=overlay)


def load_introducer_links(overlay: Path | None = None) -> dict[str, IntroducerLink]:
    """Return the links by kind; each of ``LINK_CODES`` must be there."""
    links = {row.code: row for row in read_rows("introducer_links", IntroducerLink, overlay=overlay)}
    if links.keys() != LINK_CODES:
        raise CatalogInvalid(
            f"引荐关系种类不符：{sorted(links.keys() ^ LINK_CODES)}",
            where="introducer_links",
            remedy="种类是固定的，只能改强度",
        )
    return links
