"""The declared rule of core judgement and its window. Reads the catalogue ``core_rules``."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from qiaomen.catalog import CatalogRow, read_rows

if TYPE_CHECKING:
    import ibis.expr.types as ir

VOID: str = "void"


class CoreRule(CatalogRow):
    """When a counterparty is core, over which window.

    ``window_end``: ``as_of`` the run's date, ``last_trade`` the newest valid trade not after it, ``fixed`` the
    declared ``ends_on``.
    """

    name: str
    window_months: int = Field(default=24, ge=1, le=600)
    window_end: Literal["as_of", "last_trade", "fixed"] = "as_of"
    ends_on: date | None = None
    min_share: float = Field(default=0.3, gt=0, le=1)
    top_ranks: int = Field(default=3, ge=0)
    top_share: float = Field(default=0.1, ge=0, le=1)
    min_months: int = Field(default=3, ge=1)
    min_counterparties: int = Field(default=5, ge=1)
    core_enterprise_suppliers: int = Field(default=3, ge=1)
    note: str = ""

    @model_validator(mode="after")
    def _fixed_end_is_given(self) -> Self:
        if (self.window_end == "fixed") != (self.ends_on is not None):
            raise ValueError("window_end 为 fixed 时须给 ends_on，其余不给")
        return self


@dataclass(frozen=True, slots=True)
class Window:
    """First and last day of the documents that count, both included."""

    starts_on: date
    ends_on: date

    @property
    def words(self) -> str:
        """Return the window as staff read it."""
        return f"{self.starts_on:%Y-%m-%d} 至 {self.ends_on:%Y-%m-%d}"


def load_core_rules(overlay: Path | None = None) -> dict[str, CoreRule]:
    """Return the rules by code; ``default`` is the one that a run uses unless told otherwise."""
    return {rule.code: rule for rule in read_rows("core_rules", CoreRule, overlay=overlay)}


def months_before(day: date, months: int) -> date:
    """Return the same day ``months`` earlier, the month's last day where it has no such day."""
    total = day.year * 12 + day.month - 1 - months
    year, month = divmod(total, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def find_window(supply_records: ir.Table, as_of: date, rule: CoreRule) -> Window:
    """Return the rule's window; ``last_trade`` asks the engine for the newest valid date not after ``as_of``."""
    end = as_of
    if rule.ends_on is not None:
        end = min(as_of, rule.ends_on)
    elif rule.window_end == "last_trade":
        valid = supply_records.filter(
            supply_records.status.fill_null("").strip().lower() != VOID, supply_records.traded_on <= as_of
        )
        newest = valid.traded_on.max().to_pyarrow().as_py()
        end = newest or as_of
    return Window(months_before(end, rule.window_months) + timedelta(days=1), end)
