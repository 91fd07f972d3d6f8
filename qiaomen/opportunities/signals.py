"""Banking signals of opportunities and the products that each suggests.

The needs come from the kind and the role; the products from the catalogue ``signal_products``: a row for the kind,
signal and role, else for the kind and signal, else for the signal alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.mining import OpportunityKind, load_kinds
from qiaomen.opportunities.tables import OPPORTUNITY_SIGNALS
from qiaomen.vocab import CatalogInvalid, Signal

SignalProducts = Mapping[tuple[str, str, str], tuple[str, ...]]
_STANDING: Final = ("active",)


class SignalProductRow(CatalogRow):
    """Products (codes of the bank's products, best first) that a signal suggests; kind and role may be left open.

    A row without products says that none of the bank's products fits (流贷 may not pay for a buy-back).
    """

    signal: Signal
    kind: str = ""
    role: str = ""
    products: tuple[str, ...] = ()


def load_signal_products(overlay: Path | None = None) -> SignalProducts:
    """Return products by (kind, role, signal); ``CatalogInvalid`` for an unknown kind, role or a key given twice."""
    kinds = load_kinds(overlay)
    products: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for row in read_rows("signal_products", SignalProductRow, overlay=overlay):
        where = f"signal_products {row.code}"
        if row.kind and row.kind not in kinds:
            raise CatalogInvalid(f"不存在的种类 {row.kind}", where=where, remedy="改成已有种类的代码")
        if row.role and row.role not in {role.role for role in kinds[row.kind].role_needs}:
            raise CatalogInvalid(f"种类 {row.kind} 没有角色“{row.role}”", where=where, remedy="改成已有角色")
        key = (row.kind, row.role, str(row.signal))
        if key in products:
            raise CatalogInvalid("种类、角色与信号的组合重复", where=where, remedy="合并为一行")
        products[key] = row.products
    return products


def products_for(products: SignalProducts, kind: str, role: str, signal: str) -> tuple[str, ...]:
    """Return the products of the closest row; empty where none is declared."""
    for key in ((kind, role, signal), (kind, "", signal), ("", "", signal)):
        if key in products:
            return products[key]
    return ()


def signal_rows(
    opportunities: pa.Table, kinds: Mapping[str, OpportunityKind], products: SignalProducts
) -> pa.Table:
    """Return the signals of the opportunities that stand (``status`` active)."""
    needs = {
        (code, role.role): tuple(
            (str(signal), ";".join(products_for(products, code, role.role, signal))) for signal in role.needs
        )
        for code, kind in kinds.items()
        for role in kind.role_needs
    }
    columns = ("opportunity_id", "company_id", "kind", "subject_role", "status")
    rows: list[tuple[str, int, str, str]] = []
    for number, company_id, kind, role, status in zip(
        *(opportunities[name].to_pylist() for name in columns), strict=True
    ):
        if status in _STANDING:
            rows += [(number, company_id, signal, codes) for signal, codes in needs[kind, role]]
    table = pa.table(
        {
            name: pa.array([row[place] for row in rows], OPPORTUNITY_SIGNALS.schema.field(name).type)
            for place, name in enumerate(OPPORTUNITY_SIGNALS.names)
        }
    )
    return OPPORTUNITY_SIGNALS.conform(table).sort_by(
        [("opportunity_id", "ascending"), ("signal", "ascending")]
    )
