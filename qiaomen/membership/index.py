"""Answers screening queries from bitmaps and sorted columns; the arrays may be mapped from disk."""

from __future__ import annotations

import datetime as dt
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from qiaomen.membership.build import FORMAT
from qiaomen.membership.expression import And, Compare, Everything, Expression, Known, Member, Not, Or, fold
from qiaomen.membership.names import Names
from qiaomen.vocab import InputRejected, Unavailable

if TYPE_CHECKING:
    from pyroaring import BitMap

KEPT_BITMAPS: Final = 512
WALK_ABOVE: Final = 20_000
EXACT_INTEGERS: Final = 2**53


@dataclass(frozen=True, slots=True)
class Facet:
    """How many companies of a selection have one value of a dimension."""

    value: str
    label: str
    count: int
    parent: str | None


class Index:
    """The screening index: selections, counts, facets and sorted pages."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        meta = json.loads(arrays["meta"].tobytes())
        if meta["format"] != FORMAT:
            raise Unavailable("筛选索引的格式已变", remedy="重新运行 qiaomen run")
        self._arrays = arrays
        self._keys: dict[str, Any] = meta["keys"]
        self._kept: OrderedDict[int, BitMap] = OrderedDict()
        self.left_out: dict[str, int] = meta["left_out"]
        self.names = Names.from_bytes(arrays["names"].tobytes())
        self._fields = {field: number for number, field in enumerate(self.names.fields)}

    @classmethod
    def open(cls, arrays: Mapping[str, np.ndarray]) -> Index:
        """Open the arrays that ``build_index`` made."""
        return cls(arrays)

    @property
    def live(self) -> BitMap:
        """All live companies."""
        return self._bitmap(self._keys["live"])

    def select(self, expression: Expression) -> BitMap:
        """Return the companies for which the expression is true; the result is the caller's own."""
        return fold(expression, self._leaf, self._combine).copy()

    def count(self, expression: Expression) -> int:
        """Return how many companies the expression is true for."""
        if isinstance(expression, Member):
            number = self._number(expression)
            return int(self._arrays["bitmap_counts"][number]) if number >= 0 else 0
        return len(fold(expression, self._leaf, self._combine))

    def ids(self, expression: Expression) -> npt.NDArray[np.int64]:
        """Return all selected company numbers in ascending order."""
        return _numbers(self.select(expression)).astype(np.int64)

    def facets(self, dimension: str, within: Expression | BitMap, *, under: str | None = None) -> list[Facet]:
        """Count a selection by the values of a dimension, most first; values without a company are left out.

        A value counts what lies below it too. With ``under``, only the values directly below that value are counted.
        """
        known = self._keys["values"].get(dimension)
        if known is None:
            raise InputRejected(f"没有名为“{dimension}”的维度", remedy="见 docs/screening.md")
        selected = self._selected(within)
        wanted = known if under is None else self.names.children(dimension, under)
        found = []
        for value in wanted:
            number = known[value][1]
            count = selected.intersection_cardinality(self._bitmap(number)) if number >= 0 else 0
            if count:
                above = self.names.above(dimension, value)
                label = self.names.label(dimension, value)
                found.append(Facet(value, label, count, above[0] if above else None))
        return sorted(found, key=lambda facet: (-facet.count, facet.value))

    def page(
        self,
        within: Expression | BitMap,
        sort: str | None = None,
        *,
        descending: bool = False,
        offset: int = 0,
        limit: int = 50,
    ) -> list[int]:
        """Return one page of company numbers sorted by a field (``None``: by number).

        Equal values stand in company order in both directions; companies without the value come last.
        """
        if offset < 0 or limit < 0:
            raise InputRejected("页的起点和行数不能为负")
        selected = self._selected(within)
        if sort is None:
            ids = _numbers(selected)
            ids = ids[::-1] if descending else ids
            return ids[offset : offset + limit].tolist()
        if sort not in self._fields:
            raise InputRejected(f"没有名为“{sort}”的字段", remedy="、".join(self._fields))
        ordered = self._ordered(selected, sort, descending, offset + limit)
        return ordered[offset : offset + limit].tolist()

    def values(self, field: str, ids: npt.ArrayLike) -> list[float | bool | dt.date | None]:
        """Return a field's values for given companies, ``None`` where unknown."""
        values, order = self._column(field)
        wanted = np.asarray(ids, dtype=np.uint32)
        by_id = np.argsort(order, kind="stable")
        place = np.searchsorted(order, wanted, sorter=by_id)
        found: list[float | bool | dt.date | None] = []
        for company, position in zip(wanted.tolist(), place.tolist(), strict=True):
            row = int(by_id[position]) if position < len(by_id) else -1
            known = row >= 0 and int(order[row]) == company
            found.append(_native(self.names.fields[field], values[row]) if known else None)
        return found

    def _selected(self, within: Expression | BitMap) -> BitMap:
        if isinstance(within, Everything | Member | Compare | Known | Not | And | Or):
            return fold(within, self._leaf, self._combine)
        return within

    def _ordered(self, selected: BitMap, field: str, descending: bool, wanted: int) -> npt.NDArray[np.uint32]:
        """Return at least ``wanted`` first companies of a selection in the order of a field, or all of them."""
        values, ids = self._column(field)
        if len(selected) > WALK_ABOVE:
            known = _walked(values, ids, selected, descending, wanted)
        else:
            held = np.isin(ids, _numbers(selected))
            known = _in_order(values[held], ids[held], descending)
        if len(known) >= wanted:
            return known
        return np.concatenate([known, np.setdiff1d(_numbers(selected), ids)])

    def _column(self, field: str) -> tuple[np.ndarray, npt.NDArray[np.uint32]]:
        number = self._fields[field]
        return self._arrays[f"field_{number}_values"], self._arrays[f"field_{number}_ids"]

    def _leaf(self, condition: Expression) -> BitMap:
        from pyroaring import BitMap

        match condition:
            case Everything():
                return self.live
            case Member():
                return self._bitmap(self._number(condition))
            case Known(field):
                return BitMap(np.sort(self._column(field)[1]))
            case Compare(field, operator, value):
                return self._range(field, operator, value)
        raise TypeError(f"not a condition: {condition!r}")

    def _combine(self, expression: Expression, parts: list[BitMap]) -> BitMap:
        from pyroaring import BitMap

        match expression:
            case Not():
                return self.live - parts[0]
            case And():
                ordered = sorted(parts, key=len)
                return BitMap.intersection(*ordered)
            case _:
                return BitMap.union(*parts)

    def _range(self, field: str, operator: str, value: Any) -> BitMap:
        from pyroaring import BitMap

        values, ids = self._column(field)
        literal: Any = (value - dt.date(1970, 1, 1)).days if isinstance(value, dt.date) else value
        if isinstance(literal, int) and abs(literal) > EXACT_INTEGERS:
            literal = float(literal)
        low = int(np.searchsorted(values, literal, side="left"))
        high = int(np.searchsorted(values, literal, side="right"))
        pieces = {
            "=": [slice(low, high)],
            "!=": [slice(0, low), slice(high, None)],
            "<": [slice(0, low)],
            "<=": [slice(0, high)],
            ">": [slice(high, None)],
            ">=": [slice(low, None)],
        }[operator]
        return BitMap(np.sort(np.concatenate([ids[piece] for piece in pieces])))

    def _number(self, member: Member) -> int:
        if member.value is None:
            return int(self._keys["any"].get(member.dimension, -1))
        numbers = self._keys["values"].get(member.dimension, {}).get(member.value)
        return int(numbers[0 if member.exactly else 1]) if numbers else -1

    def _bitmap(self, number: int) -> BitMap:
        from pyroaring import BitMap

        if number < 0:
            return BitMap()
        kept = self._kept.get(number)
        if kept is None:
            start, end = self._arrays["bitmap_offsets"][number : number + 2]
            kept = BitMap.deserialize(self._arrays["bitmaps"][start:end].tobytes())
            self._kept[number] = kept
            if len(self._kept) > KEPT_BITMAPS:
                self._kept.popitem(last=False)
        return kept


def _numbers(bitmap: BitMap) -> npt.NDArray[np.uint32]:
    return np.frombuffer(bitmap.to_array(), dtype=np.uint32)


def _in_order(values: np.ndarray, ids: npt.NDArray[np.uint32], descending: bool) -> npt.NDArray[np.uint32]:
    """Turn (value, company) order into descending values with companies still ascending among equals."""
    if not descending or not len(values):
        return ids
    runs = np.cumsum(np.r_[0, values[1:] != values[:-1]])
    return ids[np.lexsort((ids, -runs))]


def _walked(
    values: np.ndarray, ids: npt.NDArray[np.uint32], selected: BitMap, descending: bool, wanted: int
) -> npt.NDArray[np.uint32]:
    """Walk a sorted column from its end until enough selected companies are found; a run of equals is not cut."""
    found: list[npt.NDArray[np.uint32]] = []
    total, at, step = 0, len(ids) if descending else 0, max(4096, wanted * 2)
    while total < wanted and (at > 0 if descending else at < len(ids)):
        if descending:
            edge = max(0, at - step)
            start, end = int(np.searchsorted(values, values[edge], side="left")), at
            at = start
        else:
            start, end = at, min(len(ids), at + step)
            at = end
        part = ids[start:end]
        mask = np.fromiter((number in selected for number in part.tolist()), dtype=bool, count=len(part))
        found.append(_in_order(values[start:end][mask], part[mask], descending))
        total += int(mask.sum())
        step *= 2
    return np.concatenate(found) if found else np.empty(0, np.uint32)


def _native(kind: str, value: Any) -> float | bool | dt.date:
    if kind == "date":
        return dt.date(1970, 1, 1) + dt.timedelta(days=int(value))
    if kind == "boolean":
        return bool(value)
    return int(value) if np.issubdtype(type(value), np.integer) else float(value)
