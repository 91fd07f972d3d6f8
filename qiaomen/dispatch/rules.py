"""Declared rules of dispatch: admission, allocation, traits, deadlines, reasons, openers (catalogue files)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeVar

from pydantic import Field

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.vocab import CatalogInvalid, TaskState

Origin = Literal["opportunity", "long_list", "retention", "expiry", "hand"]
Check = Literal[
    "blacklist",
    "event",
    "status",
    "region",
    "industry",
    "age",
    "open_task",
    "closed_task",
    "contacts",
    "refusal",
]


class AdmissionRule(CatalogRow):
    """One admission rule: which check with which limits, and for which leads."""

    name: str
    check: Check
    applies_to: Literal["all", "prospect", "customer"] = "all"
    origins: tuple[Origin, ...] = ()
    polarities: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    amount_cny: float | None = None
    words: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    months: dict[str, int] = Field(default_factory=dict)
    days: int = 0
    at_most: int = 0


class AllocationNumber(CatalogRow):
    """One number of the allocation, with what it means."""

    value: float
    doc: str


@dataclass(frozen=True, slots=True)
class AllocationRules:
    """The numbers of lead building and allocation (catalogue ``allocation_rules``)."""

    min_value: float
    list_top: int
    tier_weight: float
    value_weight: float
    warmth_weight: float
    tier_default: float
    retention_boost: float
    expiry_boost: float
    capacity_default: int
    pool_limit: int
    hold_out_share: float
    near_km: float


class Trait(CatalogRow):
    """A trait of a sub-branch and what in a company fits it."""

    name: str
    tags: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()


class DeadlineRow(CatalogRow):
    """How long a task may stay in a state (``code``), and what happens then."""

    hours: int
    action: Literal["pool", "recycle", "remind"]
    doc: str


class TaskReason(CatalogRow):
    """A reason that staff may give for an event."""

    event: str
    name: str


class Opener(CatalogRow):
    """How to open the talk for an origin; shown only once reviewed."""

    words: str
    reviewed_on: date


Row = TypeVar("Row", bound=CatalogRow)


def load_admission_rules(overlay: Path | None = None) -> tuple[AdmissionRule, ...]:
    """Read the admission rules in the order in which they are shown."""
    return read_rows("admission_rules", AdmissionRule, overlay=overlay)


@cache
def shipped_allocation_rules() -> AllocationRules:
    """Return the shipped numbers of the allocation, read once."""
    return load_allocation_rules()


@cache
def shipped_deadlines() -> Mapping[TaskState, timedelta]:
    """Return the shipped deadlines, read once."""
    return MappingProxyType(dict(load_deadlines()))


def load_allocation_rules(overlay: Path | None = None) -> AllocationRules:
    """Read the numbers of the allocation; ``CatalogInvalid`` where one is unknown, missing or out of range."""
    numbers = {
        row.code: row.value for row in read_rows("allocation_rules", AllocationNumber, overlay=overlay)
    }
    names = {field.name for field in fields(AllocationRules)}
    for code in sorted(numbers.keys() ^ names):
        wrong = "不认识的" if code in numbers else "缺少"
        raise CatalogInvalid(f"allocation_rules：{wrong}代码“{code}”", remedy="对照随附文件改正")
    if not 0 <= numbers["hold_out_share"] < 0.5:
        raise CatalogInvalid("allocation_rules：hold_out_share 应在 0 到 0.5 之间", remedy="改正该值")
    whole = {"list_top", "capacity_default", "pool_limit"}
    return AllocationRules(**{name: int(v) if name in whole else v for name, v in numbers.items()})  # type: ignore[arg-type]


def load_traits(overlay: Path | None = None) -> tuple[Trait, ...]:
    """Read which tags and industries fit which trait of a sub-branch."""
    return read_rows("allocation_traits", Trait, overlay=overlay)


def load_deadlines(overlay: Path | None = None) -> Mapping[TaskState, timedelta]:
    """Read how long a task may stay in each state."""
    deadlines: dict[TaskState, timedelta] = {}
    for row in read_rows("sla", DeadlineRow, overlay=overlay):
        if row.code not in set(TaskState) or row.hours <= 0:
            raise CatalogInvalid(
                f"sla：“{row.code}”不是任务状态，或时限不为正", remedy="改为五个任务状态之一"
            )
        deadlines[TaskState(row.code)] = timedelta(hours=row.hours)
    return deadlines


def load_reasons(overlay: Path | None = None) -> tuple[TaskReason, ...]:
    """Read the reasons that staff may give."""
    return read_rows("task_reasons", TaskReason, overlay=overlay)


def load_openers(overlay: Path | None = None) -> Mapping[str, str]:
    """Read how to open the talk, by origin."""
    return {row.code: row.words for row in read_rows("openers", Opener, overlay=overlay)}


def reason_name(reasons: Iterable[TaskReason], code: str) -> str:
    """Return a reason in words; a text that is no code is its own words."""
    return next((reason.name for reason in reasons if reason.code == code), code)
