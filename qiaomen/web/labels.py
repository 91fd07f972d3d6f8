"""Chinese words for the codes of catalogues: divisions, opportunity kinds, products, tags. Read once at start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qiaomen.catalog import division_names, load_divisions, load_industries
from qiaomen.chains import load_plans
from qiaomen.opportunities import OpportunityKind, load_kinds
from qiaomen.registry import load_sources
from qiaomen.scoring import Product, load_products
from qiaomen.tags import Tag, load_tags

SOURCE: Final = re.compile(r"来源：([a-z_]+)")


@dataclass(frozen=True, eq=False)
class Labels:
    """Words by code; an unknown code is shown as it is."""

    regions: Mapping[str, str]
    industries: Mapping[str, str]
    kinds: Mapping[str, OpportunityKind]
    products: Mapping[str, Product]
    tags: Mapping[str, Tag]
    plans: Mapping[str, str]
    sources: Mapping[str, str]

    @classmethod
    def read(cls, overlay: Path | None) -> Labels:
        """Read the catalogues with the bank's overlay."""
        return cls(
            regions=division_names(load_divisions(overlay)),
            industries={row.code: row.name for row in load_industries(overlay)},
            kinds=load_kinds(overlay),
            products=load_products(overlay),
            tags=load_tags(overlay),
            sources={code: row.name_zh for code, row in load_sources(overlay).items()},
            plans={row.plan: row.plan_name for row in load_plans(overlay)},
        )

    def region(self, code: str | None) -> str:
        """Name of a division."""
        return self.regions.get(code or "", code or "")

    def industry(self, code: str | None) -> str:
        """Name of a trade of GB/T 4754; the nearest one above where the code itself is not listed."""
        text = code or ""
        while text and text not in self.industries:
            text = text[:-1]
        return self.industries.get(text, code or "")

    def kind(self, code: str | None) -> str:
        """Name of an opportunity kind."""
        row = self.kinds.get(code or "")
        return row.name if row else code or ""

    def product(self, code: str | None) -> str:
        """Name of a bank product."""
        row = self.products.get(code or "")
        return row.name_zh if row else code or ""

    def tag(self, code: str | None) -> str:
        """Name of a tag."""
        row = self.tags.get(code or "")
        return row.name_zh if row else code or ""

    def plain(self, text: str, *names: str) -> str:
        """Say a sentence without the names given, and its sources in words."""
        said = text
        for name in names:
            for written in (name, name.replace("(", "（").replace(")", "）")):
                said = said.replace(f"{written}：", "").replace(written, "")
        return SOURCE.sub(lambda found: f"来源：{self.sources.get(found[1], found[1])}", said).strip()

    def plan(self, code: str) -> str:
        """Name of an industry plan."""
        return self.plans.get(code, code)
