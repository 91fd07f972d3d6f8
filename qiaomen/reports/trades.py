"""Suppliers and buyers of a company with how much of its trade is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from qiaomen.bank import DataKind, reads
from qiaomen.registry import COMPANIES
from qiaomen.reports.model import Coverage, Trade
from qiaomen.supply import SUPPLY_PAIRS, SUPPLY_TOTALS

if TYPE_CHECKING:
    from qiaomen.reports.profile import Subject

SHOWN: Final = 20


def partners(subject: Subject, side: Literal["supplier", "buyer"]) -> tuple[Trade, ...]:
    """Return the company's suppliers or buyers, the largest first."""
    own = "buyer_id" if side == "supplier" else "supplier_id"
    share = "share_of_purchases" if side == "supplier" else "share_of_sales"
    rows = subject.reads.rows(SUPPLY_PAIRS, own, subject.company_id)
    rows.sort(key=lambda row: (-(row["amount_cny"] or 0.0), row[f"{side}_id"]))
    seen = reads(subject.viewer, DataKind.AMOUNT)
    return tuple(
        Trade(
            company_id=row[f"{side}_id"],
            name=name_of(subject, row[f"{side}_id"]),
            amount_cny=row["amount_cny"] if seen else None,
            count=row["count"],
            share=row[share],
            rank=row[f"rank_of_{side}"],
            first_on=row["first_on"],
            last_on=row["last_on"],
            core=row[f"core_{side}"],
            evidence=row["evidence"] or row["rule"] or "",
        )
        for row in rows[:SHOWN]
    )


def coverage(subject: Subject) -> tuple[Coverage, ...]:
    """Return how much of its sales and purchases is known."""
    rows = subject.reads.rows(SUPPLY_TOTALS, "company_id", subject.company_id)
    return tuple(
        Coverage(
            side=row["side"],
            known_cny=row["known_cny"] if reads(subject.viewer, DataKind.AMOUNT) else None,
            coverage=row["coverage"],
            counterparties=row["counterparties"],
            judged=row["judged"],
        )
        for row in rows
    )


def name_of(subject: Subject, company_id: int) -> str:
    """Return a company's name."""
    rows = subject.reads.rows(COMPANIES, "company_id", company_id)
    return (rows[0]["name"] if rows else None) or f"企业 {company_id}"
