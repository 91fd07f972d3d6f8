"""A row of links of which one is chosen: scopes, periods, plans, districts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """One link of a choice."""

    code: str
    text: str
    href: str
    on: bool = False
    count: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A named row of links."""

    label: str
    options: tuple[Option, ...]
