"""A screening index in which some companies do not belong where they do: what a viewer may not know is not there.

Knows no owner: the caller says which values are secret for which companies. Every answer (selection, count, facet,
sorted page) is computed from the reduced sets, so that none of them tells more than another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from qiaomen.membership.expression import Compare, Expression, Known, fold
from qiaomen.membership.index import Index

if TYPE_CHECKING:
    from pyroaring import BitMap


@dataclass(frozen=True, slots=True)
class Hidden:
    """What is hidden of some companies: whole dimensions, single values of others, fields."""

    companies: npt.NDArray[np.int64]
    dimensions: Collection[str]
    values: Mapping[str, Collection[str]]
    fields: Collection[str]


class SeenIndex(Index):
    """An index without the hidden memberships.

    Companies hidden in a field are left out of every answer that the field decides, its complement included.
    """

    def __init__(self, index: Index, hidden: Hidden) -> None:
        self.__dict__.update(index.__dict__)
        self._index = index
        self._hidden = hidden

    @cached_property
    def _without(self) -> BitMap:
        from pyroaring import BitMap

        return BitMap(np.asarray(self._hidden.companies, np.uint32))

    @cached_property
    def _secret(self) -> frozenset[int]:
        """Numbers of the bitmaps that hold hidden memberships and nothing else."""
        numbers: set[int] = set()
        for dimension in self._hidden.dimensions:
            held = self._keys["values"].get(dimension, {})
            numbers |= {int(number) for pair in held.values() for number in pair}
            numbers.add(int(self._keys["any"].get(dimension, -1)))
        for dimension, chosen in self._hidden.values.items():
            held = self._keys["values"].get(dimension, {})
            numbers |= {int(held[value][0]) for value in chosen if value in held}
        return frozenset(numbers - {-1})

    @cached_property
    def _made_of(self) -> dict[int, list[int]]:
        """Bitmaps that join hidden memberships with others, by number: the numbers of what they join."""
        made: dict[int, list[int]] = {}
        for dimension, chosen in self._hidden.values.items():
            held = self._keys["values"].get(dimension, {})
            made[int(self._keys["any"].get(dimension, -1))] = [int(pair[0]) for pair in held.values()]
            touched = {
                above for value in chosen if value in held for above in self.names.above(dimension, value)
            }
            for value in touched | (set(chosen) & set(held)):
                below = self.names.below(dimension, value)
                made[int(held[value][1])] = [int(held[code][0]) for code in below if code in held]
        return {number: parts for number, parts in made.items() if number not in self._secret | {-1}}

    def select(self, expression: Expression) -> BitMap:
        """Return the companies for which the expression is true as far as may be known."""
        found = super().select(expression)
        return found - self._without if self._asks_field(expression) else found

    def count(self, expression: Expression) -> int:
        """Return how many companies the expression is true for."""
        return len(self.select(expression))

    def page(self, within: Expression | BitMap, sort: str | None = None, **more: Any) -> list[int]:
        """Return one page; sorted by a field, the companies hidden in it are left out."""
        selected = self._selected(within)
        if sort in self._hidden.fields:
            selected = selected - self._without
        return super().page(selected, sort, **more)

    def _asks_field(self, expression: Expression) -> bool:
        return bool(
            fold(
                expression,
                lambda leaf: isinstance(leaf, Compare | Known) and leaf.field in self._hidden.fields,
                lambda _, parts: any(parts),
            )
        )

    def _selected(self, within: Expression | BitMap) -> BitMap:
        from pyroaring import BitMap

        if isinstance(within, BitMap):
            return within
        found = super()._selected(within)
        return found - self._without if self._asks_field(within) else found

    def _bitmap(self, number: int) -> BitMap:
        from pyroaring import BitMap

        if number in self._made_of:
            return BitMap.union(BitMap(), *(self._bitmap(part) for part in self._made_of[number]))
        found = super()._bitmap(number)
        return found - self._without if number in self._secret else found

    def values(self, field: str, ids: npt.ArrayLike) -> list[Any]:
        """Return a field's values, ``None`` where they may not be known."""
        found = super().values(field, ids)
        if field not in self._hidden.fields:
            return found
        wanted = np.asarray(ids, np.int64).tolist()
        return [
            None if number in self._without else value for number, value in zip(wanted, found, strict=True)
        ]
