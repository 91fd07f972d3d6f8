"""Which companies are marketable (可营销): a live company with a record and a real name of its own.

Reads companies and customers; writes NOT_MARKETABLE by the catalogue ``marketable_rules``. Who is in it is not scored,
tiered or listed; its facts stay where they are, and news of it may still become a lead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import model_validator

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.scoring.tables import NOT_MARKETABLE
from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir

NEEDS_WORDS: Final = frozenset({"masked", "status"})


class MarketableRule(CatalogRow):
    """One reason not to market a company; the first that fits is the one given."""

    name_zh: str
    check: Literal["masked", "mentioned", "unnamed", "status"]
    applies_to: Literal["all", "prospect"] = "all"
    words: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _words_where_needed(self) -> Self:
        if (self.check in NEEDS_WORDS) != bool(self.words):
            raise ValueError("check 为 masked、status 时须给 words，其余不给")
        return self


def load_marketable_rules(overlay: Path | None = None) -> tuple[MarketableRule, ...]:
    """Return the rules in the order in which they are tried."""
    return read_rows("marketable_rules", MarketableRule, overlay=overlay)


def leave_out(companies: ir.Table, customers: ir.Table, rules: Sequence[MarketableRule]) -> ir.Table:
    """Return NOT_MARKETABLE: one row per company left out, with the first rule that says so."""
    import ibis

    held = customers.filter(customers.company_id.notnull()).select(held_id="company_id").distinct()
    rows = companies.left_join(held, companies.company_id == held.held_id)
    rows = rows.mutate(prospect=rows.held_id.isnull())
    fitting = [(_CHECKS[rule.check](rows, rule) & _concerned(rows, rule), rule) for rule in rules]
    nothing = ibis.null("string")
    found = rows.mutate(
        rule=ibis.cases(*((fits, rule.code) for fits, rule in fitting), else_=nothing),
        reason=ibis.cases(*((fits, rule.name_zh) for fits, rule in fitting), else_=nothing),
    )
    return found.filter(found.rule.notnull()).select(*NOT_MARKETABLE.names)


def _concerned(rows: ir.Table, rule: MarketableRule) -> ir.BooleanValue:
    import ibis

    return rows.prospect if rule.applies_to == "prospect" else ibis.literal(True)


def _masked(rows: ir.Table, rule: MarketableRule) -> ir.BooleanValue:
    return portable.contains_any(rows.name, rule.words)


def _mentioned(rows: ir.Table, rule: MarketableRule) -> ir.BooleanValue:  # noqa: ARG001
    return rows.sources.fill_null("") == ""


def _unnamed(rows: ir.Table, rule: MarketableRule) -> ir.BooleanValue:  # noqa: ARG001
    return (rows.origin != "registry") & rows.uscc.isnull() & rows.stock_code.isnull()


def _status(rows: ir.Table, rule: MarketableRule) -> ir.BooleanValue:
    return portable.contains_any(rows.status, rule.words)


_CHECKS: Final[Mapping[str, Callable[[ir.Table, MarketableRule], ir.BooleanValue]]] = {
    "masked": _masked,
    "mentioned": _mentioned,
    "unnamed": _unnamed,
    "status": _status,
}
