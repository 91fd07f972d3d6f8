"""What a chart shows, as plain data; ``static/js/charts.js`` draws it in the colours of the theme."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart; a missing value is a gap."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over named points. ``summary`` is read aloud instead of the drawing."""

    labels: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str
    summary: str
    kind: Literal["line", "bar"] = "line"

    def data(self) -> dict[str, Any]:
        """Return what the drawing needs."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FlowChart:
    """Flows between named nodes in columns (Sankey)."""

    nodes: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str, float], ...]
    unit: str
    summary: str
    kind: Literal["flow"] = "flow"

    def data(self) -> dict[str, Any]:
        """Return what the drawing needs."""
        return asdict(self)


Chart = LineChart | FlowChart


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a ranking, drawn by the server. ``part`` is 0 to 1 of the longest."""

    label: str
    part: float
    text: str
    href: str = ""
    note: str = ""


def bars(rows: list[tuple[str, float, str, str]]) -> tuple[Bar, ...]:
    """Build bars from (label, value, text, href); the longest fills the width."""
    longest = max((value for _, value, _, _ in rows), default=0.0)
    if longest <= 0:
        return ()
    return tuple(Bar(label, value / longest, text, href) for label, value, text, href in rows)


def spark(values: tuple[float, ...]) -> str:
    """Return the points of a sparkline in a 70 × 24 box; empty for fewer than two values."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = 70 / (len(values) - 1)
    return " ".join(f"{i * step:.1f},{22 - (v - low) / span * 20:.1f}" for i, v in enumerate(values))
