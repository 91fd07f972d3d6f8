"""How reports say codes, amounts and dates: products, tags, kinds, units, staff; 万元 and 亿元."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qiaomen.opportunities import OpportunityKind
    from qiaomen.scoring import Product
    from qiaomen.tags import Tag


@dataclass(frozen=True)
class Words:
    """The names behind codes; what is not in a mapping is shown as its code."""

    products: Mapping[str, Product] = field(default_factory=dict)
    tags: Mapping[str, Tag] = field(default_factory=dict)
    kinds: Mapping[str, OpportunityKind] = field(default_factory=dict)
    institutions: Mapping[str, str] = field(default_factory=dict)
    staff: Mapping[str, str] = field(default_factory=dict)

    def product(self, code: str | None) -> str:
        """Return a product's name."""
        product = self.products.get(code or "")
        return product.name_zh if product else code or ""

    def tag(self, code: str) -> str:
        """Return a tag's name."""
        return self.tags[code].name_zh if code in self.tags else code

    def kind(self, code: str) -> str:
        """Return an opportunity kind's name."""
        return self.kinds[code].name if code in self.kinds else code

    def institution(self, code: str | None) -> str:
        """Return an institution's name."""
        return self.institutions.get(code or "", code or "")

    def person_of_staff(self, number: str | None) -> str:
        """Return the name of a member of staff."""
        return self.staff.get(number or "", number or "")


def load_words(
    overlay: Path | None,
    institutions: Mapping[str, str] | None = None,
    staff: Mapping[str, str] | None = None,
) -> Words:
    """Read the names of products, tags and kinds; those of units and staff come from the operational store."""
    from qiaomen.opportunities import load_kinds
    from qiaomen.scoring import load_products
    from qiaomen.tags import load_tags

    return Words(
        load_products(overlay), load_tags(overlay), load_kinds(overlay), institutions or {}, staff or {}
    )


def money(amount_cny: float | None) -> str:
    """Return an amount in 元, 万元 or 亿元; empty where it is unknown."""
    if amount_cny is None:
        return ""
    size = abs(amount_cny)
    for unit, name in ((1e8, "亿元"), (1e4, "万元")):
        if size >= unit:
            return f"{amount_cny / unit:,.2f}".rstrip("0").rstrip(".") + name
    return f"{amount_cny:,.2f}".rstrip("0").rstrip(".") + "元"


def percent(share: float | None) -> str:
    """Return a share of 0 to 1 in percent; empty where it is unknown."""
    return "" if share is None else f"{share * 100:.2f}".rstrip("0").rstrip(".") + "%"


def day(value: dt.date | None) -> str:
    """Return a date as text; empty where it is unknown."""
    return "" if value is None else value.isoformat()


def joined(*parts: Any, by: str = "，") -> str:
    """Join what is not empty."""
    return by.join(str(part) for part in parts if part not in (None, ""))
