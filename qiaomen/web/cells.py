"""Typed columns of the tables on the pages: what a cell shows is decided here, how it looks in one macro."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, TypeVar
from urllib.parse import urlencode

from qiaomen.vocab import GRADE_LABELS, TIER_LABELS
from qiaomen.web import formats

Tone = Literal["grey", "brand", "amber", "red", "green", "violet", "teal"]
Align = Literal["left", "right"]
Row = TypeVar("Row")

TIER_TONES: Final[dict[str, Tone]] = {"prime": "green", "sound": "brand", "fair": "grey"}
GRADE_TONES: Final[dict[str, Tone]] = {"high": "amber", "medium": "brand", "low": "grey"}


@dataclass(frozen=True, slots=True)
class Chip:
    """A short label; the tone never carries meaning alone, the word does."""

    text: str
    tone: Tone = "grey"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a line is shown: words for staff and the source row."""

    words: str
    origin: str = ""

    @classmethod
    def parse(cls, text: str | None) -> Evidence | None:
        """Read evidence as the tables carry it; nothing where there is none."""
        words, origin = formats.statement(text)
        return cls(words, origin) if words or origin else None


@dataclass(frozen=True, slots=True)
class Cell:
    """What one table cell shows."""

    text: str = ""
    href: str = ""
    note: str = ""
    chips: tuple[Chip, ...] = ()
    meter: float | None = None
    evidence: Evidence | None = None
    tone: Literal["", "late", "rise", "fall", "soft"] = ""


@dataclass(frozen=True, slots=True)
class ColumnView(Generic[Row]):
    """One column: its title and how a row becomes a cell."""

    title: str
    cell: Callable[[Row], Cell]
    align: Align = "left"
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a longer list is shown."""

    number: int
    size: int
    total: int
    path: str
    query: tuple[tuple[str, str], ...] = ()

    @property
    def count(self) -> int:
        """Number of pages, at least one."""
        return max(1, -(-self.total // self.size))

    @property
    def start(self) -> int:
        """Index of the first row shown."""
        return (self.number - 1) * self.size

    @property
    def previous(self) -> str:
        """Address of the page before; empty on the first."""
        return self.address(self.number - 1) if self.number > 1 else ""

    @property
    def following(self) -> str:
        """Address of the page after; empty on the last."""
        return self.address(self.number + 1) if self.number < self.count else ""

    def address(self, number: int) -> str:
        """Address of a page of the same list."""
        kept = [(key, value) for key, value in self.query if key != "page" and value]
        return f"{self.path}?{urlencode([*kept, ('page', str(number))])}"


@dataclass(frozen=True, slots=True)
class TableView:
    """A table ready to be drawn: titles, alignments and cells."""

    titles: tuple[str, ...]
    aligns: tuple[Align, ...]
    fixed: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    page: Page | None = None
    empty: str = ""
    empty_hint: str = ""
    # One value per row where rows can be chosen; those of ``unpicked`` are not ticked at first.
    keys: tuple[str, ...] = field(default=())
    unpicked: frozenset[str] | None = None


def table(
    columns: Iterable[ColumnView[Row]],
    rows: Iterable[Row],
    *,
    caption: str,
    page: Page | None = None,
    empty: str = "没有符合条件的记录",
    empty_hint: str = "",
    keys: Sequence[str] = (),
    unpicked: frozenset[str] | None = None,
) -> TableView:
    """Lay rows out by their columns; with ``keys`` each row can be chosen (ticked at first where ``unpicked`` is given)."""
    shown = tuple(columns)
    return TableView(
        titles=tuple(column.title for column in shown),
        aligns=tuple(column.align for column in shown),
        fixed=tuple(column.fixed for column in shown),
        rows=tuple(tuple(column.cell(row) for column in shown) for row in rows),
        caption=caption,
        page=page,
        empty=empty,
        empty_hint=empty_hint,
        keys=tuple(keys),
        unpicked=unpicked,
    )


def tier_chip(tier: str | None) -> tuple[Chip, ...]:
    """Chip of a marketing tier; none where the company is not scored."""
    if not tier:
        return ()
    return (Chip(TIER_LABELS.get(tier, tier), TIER_TONES.get(tier, "grey"), "营销分层，非信用评级"),)


def grade_chip(grade: str | None) -> tuple[Chip, ...]:
    """Chip of an opportunity's value grade."""
    if not grade:
        return ()
    return (Chip(f"{GRADE_LABELS.get(grade, grade)}价值", GRADE_TONES.get(grade, "grey")),)


def customer_chip(is_customer: bool) -> Chip:
    """Chip that tells an existing customer from a prospect."""
    return Chip("存量", "brand") if is_customer else Chip("潜客", "amber")
