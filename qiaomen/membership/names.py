"""By which names a query may call dimensions, values and fields, and what lies below a value.

Made when the index is built from the values in use and the table ``membership_names``; travels inside the index.
"""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import pyarrow as pa

from qiaomen.membership.hierarchy import PATH_SEPARATOR, ancestors, path_ancestors, spellings

DIMENSION_LABELS: Final[dict[str, str]] = {
    "tag": "标签",
    "chain": "产业链",
    "goods": "产品",
    "park": "园区",
    "region": "地区",
    "industry": "行业",
    "tier": "分层",
    "customer": "客户",
    "opportunity": "商机",
    "list": "名单",
}
FIELD: Final = "field"
NEAREST: Final = 5


def folded(text: str) -> str:
    """Return a name as names are compared: NFKC, no outer blanks, lower case."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


@dataclass(frozen=True, slots=True)
class ValueName:
    """One value of a dimension: its label, other names and path of words."""

    value: str
    label: str
    aliases: tuple[str, ...] = ()
    path: str | None = None


@dataclass(frozen=True)
class Names:
    """Names of every dimension, value and field.

    ``values`` holds per dimension the declared and used values with every value above them; ``fields`` maps a fact
    field to ``number``, ``date`` or ``boolean``.
    """

    values: Mapping[str, Mapping[str, ValueName]]
    fields: Mapping[str, str]
    field_labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, used: Iterable[tuple[str, str]], fields: Mapping[str, str], names: pa.Table | None = None
    ) -> Names:
        """Collect names from (dimension, value) pairs in use, fields with their types, and ``membership_names`` rows."""
        values: dict[str, dict[str, ValueName]] = {dimension: {} for dimension in DIMENSION_LABELS}
        labels: dict[str, str] = {}
        for row in names.to_pylist() if names is not None else ():
            if row["dimension"] == FIELD:
                labels[row["value"]] = row["label"]
                continue
            aliases = tuple(part for part in (row["aliases"] or "").split(";") if part)
            named = ValueName(row["value"], row["label"] or row["value"], aliases, row["path"])
            values.setdefault(row["dimension"], {})[row["value"]] = named
        for dimension, value in used:
            values.setdefault(dimension, {}).setdefault(value, ValueName(value, value))
        for dimension, known in values.items():
            _add_ancestors(dimension, known)
        both = set(values) & set(fields)
        if both:
            raise ValueError(f"named as dimension and as field: {sorted(both)}")
        return cls(values, dict(fields), labels)

    def to_bytes(self) -> bytes:
        """Return the names as UTF-8 JSON."""
        document = {
            "fields": self.fields,
            "field_labels": self.field_labels,
            "values": {
                dimension: [[name.value, name.label, name.aliases, name.path] for name in known.values()]
                for dimension, known in self.values.items()
            },
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Names:
        """Read what ``to_bytes`` wrote."""
        document: dict[str, Any] = json.loads(data)
        values = {
            dimension: {row[0]: ValueName(row[0], row[1], tuple(row[2]), row[3]) for row in rows}
            for dimension, rows in document["values"].items()
        }
        return cls(values, document["fields"], document["field_labels"])

    @cached_property
    def _heads(self) -> dict[str, str]:
        heads = {folded(label): code for code, label in DIMENSION_LABELS.items()}
        heads.update(
            {folded(label): code for code, label in self.field_labels.items() if code in self.fields}
        )
        heads.update({folded(code): code for code in (*self.values, *self.fields)})
        return heads

    @cached_property
    def _called(self) -> dict[str, dict[str, set[str]]]:
        called: dict[str, dict[str, set[str]]] = {}
        for dimension, known in self.values.items():
            words: dict[str, set[str]] = defaultdict(set)
            for name in known.values():
                for word in (name.label, *name.aliases, *([name.path] if name.path else [])):
                    words[folded(word)].add(name.value)
            called[dimension] = words
        return called

    @cached_property
    def _above(self) -> dict[str, dict[str, tuple[str, ...]]]:
        return {dimension: _values_above(dimension, known) for dimension, known in self.values.items()}

    @cached_property
    def _below(self) -> dict[str, dict[str, tuple[str, ...]]]:
        below: dict[str, dict[str, tuple[str, ...]]] = {}
        for dimension, above in self._above.items():
            collected: dict[str, list[str]] = defaultdict(list)
            for value, upper in above.items():
                for code in upper:
                    collected[code].append(value)
            below[dimension] = {code: tuple(sorted(values)) for code, values in collected.items()}
        return below

    def head(self, word: str) -> str | None:
        """Return the dimension or field that a word names, by code or label."""
        return self._heads.get(folded(word))

    def find(self, dimension: str, word: str) -> tuple[str, ...]:
        """Return the values that a word names: none, one, or several where a label is not unique."""
        known = self.values.get(dimension, {})
        if word in known:
            return (word,)
        spelled = tuple(code for code in spellings(dimension, word) if code in known)
        if spelled:
            return spelled
        return tuple(sorted(self._called.get(dimension, {}).get(folded(word), ())))

    def above(self, dimension: str, value: str) -> tuple[str, ...]:
        """Return the values above a value, nearest first."""
        return self._above.get(dimension, {}).get(value, ())

    def below(self, dimension: str, value: str) -> tuple[str, ...]:
        """Return the value and every value below it."""
        return (value, *self._below.get(dimension, {}).get(value, ()))

    def children(self, dimension: str, value: str) -> tuple[str, ...]:
        """Return the values directly below a value."""
        return tuple(
            code for code in self.below(dimension, value)[1:] if self.above(dimension, code)[0] == value
        )

    def label(self, dimension: str, value: str) -> str:
        """Return the label of a value, or the value itself."""
        name = self.values.get(dimension, {}).get(value)
        return name.label if name else value

    def nearest_heads(self, word: str) -> tuple[str, ...]:
        """Return the dimensions and fields spelled most like a word."""
        return tuple(dict.fromkeys(self._heads[found] for found in _nearest(word, self._heads)))

    def nearest_values(self, dimension: str, word: str) -> tuple[str, ...]:
        """Return the values of a dimension called most like a word, as ``label（code）``."""
        called = self._called.get(dimension, {})
        words = {**{folded(value): {value} for value in self.values.get(dimension, {})}, **called}
        found = dict.fromkeys(code for word_ in _nearest(word, words) for code in sorted(words[word_]))
        return tuple(self.describe(dimension, code) for code in list(found)[:NEAREST])

    def describe(self, dimension: str, value: str) -> str:
        """Return ``label（code）``, or the code alone where it is its own label."""
        label = self.label(dimension, value)
        return value if label == value else f"{label}（{value}）"


def _nearest(word: str, words: Iterable[str]) -> list[str]:
    from rapidfuzz import fuzz, process

    hits = process.extract(folded(word), list(words), scorer=fuzz.WRatio, limit=NEAREST, score_cutoff=50)
    return [hit[0] for hit in hits]


def _add_ancestors(dimension: str, known: dict[str, ValueName]) -> None:
    """Add the values above the known ones: coded levels by code, paths by the path itself where no one code has it."""
    for name in list(known.values()):
        if name.path is None and dimension == "chain" and PATH_SEPARATOR in name.value:
            known[name.value] = ValueName(name.value, name.label, name.aliases, name.value)
        for code in ancestors(dimension, name.value):
            known.setdefault(code, ValueName(code, code))
    owners = _owners(known)
    for path in list(owners):
        for step in (path, *path_ancestors(path)):
            if len(owners.get(step, ())) != 1:
                known.setdefault(step, ValueName(step, step.split(PATH_SEPARATOR)[-1], (), step))


def _owners(known: Mapping[str, ValueName]) -> dict[str, list[str]]:
    owners: dict[str, list[str]] = defaultdict(list)
    for name in known.values():
        if name.path:
            owners[name.path].append(name.value)
    return owners


def _values_above(dimension: str, known: Mapping[str, ValueName]) -> dict[str, tuple[str, ...]]:
    stands_for = {path: codes[0] if len(codes) == 1 else path for path, codes in _owners(known).items()}
    above = {}
    for value, name in known.items():
        if name.path is None:
            above[value] = tuple(code for code in ancestors(dimension, value) if code in known)
            continue
        steps = (stands_for.get(path) for path in (name.path, *path_ancestors(name.path)))
        above[value] = tuple(code for code in steps if code is not None and code != value)
    return above
