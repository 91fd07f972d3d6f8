"""Chinese words for the codes of catalogues: divisions, opportunity kinds, products, tags. Read once at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qiaomen.catalog import load_divisions
from qiaomen.chains import load_plans
from qiaomen.opportunities import OpportunityKind, load_kinds
from qiaomen.scoring import Product, load_products
from qiaomen.tags import Tag, load_tags


@dataclass(frozen=True, eq=False)
class Labels:
    """Words by code; an unknown code is shown as it is."""

    regions: Mapping[str, str]
    kinds: Mapping[str, OpportunityKind]
    products: Mapping[str, Product]
    tags: Mapping[str, Tag]
    plans: Mapping[str, str]

    @classmethod
    def read(cls, overlay: Path | None) -> Labels:
        """Read the catalogues with the bank's overlay."""
        return cls(
            regions={row.code: row.name for row in load_divisions(overlay)},
            kinds=load_kinds(overlay),
            products=load_products(overlay),
            tags=load_tags(overlay),
            plans={row.plan: row.plan_name for row in load_plans(overlay)},
        )

    def region(self, code: str | None) -> str:
        """Name of a division."""
        return self.regions.get(code or "", code or "")

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

    def plan(self, code: str) -> str:
        """Name of an industry plan."""
        return self.plans.get(code, code)
