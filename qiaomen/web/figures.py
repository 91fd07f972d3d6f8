"""One large figure on a page: value, unit, change. A figure without data says what is missing instead of zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qiaomen.web import formats


@dataclass(frozen=True, slots=True)
class Figure:
    """A label with its value. ``change_tone`` is empty where neither direction is good or bad (a backlog)."""

    label: str
    value: str
    unit: str = ""
    note: str = ""
    none: str = "暂无数据"
    href: str = ""
    change: str = ""
    change_tone: Literal["", "rise", "fall"] = ""
    spark: str = ""


def change(now: float, before: float, *, judged: bool) -> tuple[str, Literal["", "rise", "fall"]]:
    """Write the change against the period before; red is up, as in Chinese finance.

    ``judged`` is false for counts such as a backlog, where the direction carries no praise or blame.
    """
    if not before:
        return "", ""
    rate = (now - before) / before
    if round(abs(rate), 3) == 0:
        return "→ 持平", ""
    text = f"{'↑' if rate > 0 else '↓'} {formats.percent(abs(rate))}"
    if not judged:
        return text, ""
    return text, "rise" if rate > 0 else "fall"
