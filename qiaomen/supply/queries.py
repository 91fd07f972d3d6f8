"""Suppliers, buyers and core enterprises of one firm. Reads ``supply_pairs``, ``core_enterprises``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir


def suppliers_of(pairs: ir.Table, company_id: int) -> ir.Table:
    """Return the pairs in which the company buys, its largest supplier first."""
    return pairs.filter(pairs.buyer_id == company_id).order_by("rank_of_supplier", "supplier_id")


def buyers_of(pairs: ir.Table, company_id: int) -> ir.Table:
    """Return the pairs in which the company sells, its largest buyer first."""
    return pairs.filter(pairs.supplier_id == company_id).order_by("rank_of_buyer", "buyer_id")


def core_enterprises_served(pairs: ir.Table, core_enterprises: ir.Table, company_id: int) -> ir.Table:
    """Return the core enterprises that the company sells to, with ``served_by``, largest share of sales first."""
    served = core_enterprises.select(core_id="company_id", served_by="served_by")
    found = pairs.filter(pairs.supplier_id == company_id).join(served, pairs.buyer_id == served.core_id)
    return found.drop("core_id").order_by(portable.descending(found.share_of_sales), "buyer_id")
