"""Fills the columns of a loaded table from a batch of text rows by a source's rules, per distinct value.

``fill_table`` yields the accepted rows and, for the others, which cell is at fault and why.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.cells import Cells, Whole, fill_template, first_of, holds, true_where
from qiaomen.registry.cleaning import make_cleaner
from qiaomen.registry.readers import normal_header
from qiaomen.registry.sources import (
    ColumnRule,
    Comparison,
    RefPart,
    TableRule,
    is_template,
)
from qiaomen.vocab import Table

ARROW: Final = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
}


# No cell of a spreadsheet is longer; only running text may be.
CELL_LIMIT: Final = 32_767
PLAIN_TEXT: Final = frozenset({"paragraphs", "json"})
_AMOUNT_UNIT: Final = re.compile(r"[(](万元|千元|亿元|百万元)[)]$")


@dataclass(frozen=True, slots=True)
class Fault:
    """One cell that cannot be accepted."""

    column: str
    reason: str
    value: str


@dataclass(slots=True)
class Filled:
    """Rows of one batch for one table: cleaned columns, origin rows, and the faults of the rows not accepted."""

    data: pa.Table
    origin: Whole
    faults: dict[int, list[Fault]]
    lenient: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(slots=True)
class Cleaned:
    """One column after cleaning; ``bad`` names the rows that were refused (their value is null)."""

    values: pa.Array
    bad: dict[int, Fault] = field(default_factory=dict)


class TableFiller:
    """Applies one table rule to batches; cleaners are made once."""

    def __init__(self, rule: TableRule, table: Table, overlay: Path | None) -> None:
        self.rule = rule
        self.table = table
        self._overlay = overlay
        self._made: dict[tuple[tuple[str, ...], str, float], Callable[[str], Any]] = {}

    def select(self, cells: Cells) -> tuple[Cells, Whole, int]:
        """Return the rows that the rule takes (one per piece where it splits), their batch rows, and pieces ignored."""
        rows: Whole = np.flatnonzero(holds(self.rule.where, cells)).astype(np.int64)
        split = self.rule.split
        if split is None:
            return (cells if len(rows) == cells.rows else cells.take(rows)), rows, 0
        text = first_of(cells, (split.header,)).take(pa.array(rows))
        pattern = re.compile(split.by)
        origin: list[int] = []
        pieces: list[str] = []
        ignored = 0
        for row, value in zip(rows.tolist(), text.to_pylist(), strict=True):
            found = [piece.strip() for piece in pattern.split(value or "") if piece and piece.strip()]
            kept = [piece for piece in dict.fromkeys(found) if piece not in split.ignore]
            ignored += sum(piece in split.ignore for piece in found)
            pieces += kept
            origin += [row] * len(kept)
        chosen = np.asarray(origin, dtype=np.int64)
        return cells.take(chosen, {split.into: pa.array(pieces, pa.string())}), chosen, ignored

    def fill(self, cells: Cells, origin: Whole) -> Filled:
        """Return the table's columns for rows already selected."""
        done: dict[str, pa.Array] = {}
        faults: dict[int, list[Fault]] = {}
        lenient: Counter[tuple[str, str]] = Counter()
        for name, rule in self.rule.columns.items():
            cleaned = self._column(name, rule, cells, done, lenient)
            for row, fault in cleaned.bad.items():
                if rule.on_bad == "reject":
                    faults.setdefault(row, []).append(fault)
                else:
                    lenient[fault.column, fault.reason] += 1
            done[name] = cleaned.values
            if rule.required:
                header = self._label(rule, cells, name)
                for row in np.flatnonzero(true_where(pc.is_null(cleaned.values))).tolist():
                    if row not in cleaned.bad:
                        faults.setdefault(row, []).append(Fault(header, "必填项为空", ""))
        self._laws(done, faults)
        columns = {name: done[name] for name in self.rule.columns}
        columns |= {part: fill_template(part, cells, done) for part in self.rule.key if is_template(part)}
        data = pa.table(columns)
        return Filled(data, origin, faults, lenient)

    def _label(self, rule: ColumnRule, cells: Cells, name: str) -> str:
        return next((cells.written(header) for header in rule.inputs if cells.has(header)), name)

    def _column(
        self,
        name: str,
        rule: ColumnRule,
        cells: Cells,
        done: Mapping[str, pa.Array],
        lenient: Counter[tuple[str, str]],
    ) -> Cleaned:
        kind = self.table.column(name).type
        if rule.ref:
            cleaned = self._reference(rule, cells, done, lenient)
        elif rule.template is not None:
            cleaned = Cleaned(fill_template(rule.template, cells, done))
        elif rule.json_keys:
            cleaned = Cleaned(_json(rule.json_keys, cells))
        elif rule.ordinal:
            cleaned = Cleaned(pa.nulls(cells.rows, pa.int64()))
        elif rule.const is not None:
            cleaned = self._clean(pa.repeat(rule.const, cells.rows), rule, kind, name)
        else:
            cleaned = self._headers(rule, cells, kind)
        if rule.default is not None:
            value = self._maker(rule.clean, kind)(rule.default)
            cleaned.values = pc.fill_null(cleaned.values, pa.scalar(value, ARROW[kind]))
        return cleaned

    def _headers(self, rule: ColumnRule, cells: Cells, kind: str) -> Cleaned:
        result = Cleaned(pa.nulls(cells.rows, ARROW[kind]))
        for header in rule.headers:
            if not cells.has(header):
                continue
            verbatim = "verbatim" in rule.clean
            text = cells.verbatim(header) if verbatim else cells.trimmed(header)
            if kind == "string" and (unit := _AMOUNT_UNIT.search(normal_header(cells.written(header)))):
                text = _with_unit(text, unit[1])
            found = self._clean(text, rule, kind, cells.written(header), rule.units.get(header, 1.0))
            _merge(result, found)
        return result

    def _reference(
        self,
        rule: ColumnRule,
        cells: Cells,
        done: Mapping[str, pa.Array],
        lenient: Counter[tuple[str, str]],
    ) -> Cleaned:
        result = Cleaned(pa.nulls(cells.rows, pa.string()))
        for part in rule.ref:
            if part.template is not None:
                texts = [("", fill_template(part.template, cells, done))]
            else:
                texts = [(header, cells.trimmed(header)) for header in part.headers if cells.has(header)]
            for header, text in texts:
                found = self._clean(self._allowed(part, text, cells), part, "string", cells.written(header))
                if part.scheme:
                    found.values = pc.binary_join_element_wise(part.scheme, found.values, ":")
                before = set(result.bad)
                _merge(result, found)
                for row in before - set(result.bad):
                    lenient["引用", "编码有误，改用名称等其他标识"] += int(row >= 0)
        return result

    def _allowed(self, part: RefPart, text: pa.Array, cells: Cells) -> pa.Array:
        if not part.where:
            return text
        return pc.if_else(pa.array(holds(part.where, cells)), text, pa.scalar(None, pa.string()))

    def _maker(self, steps: tuple[str, ...], kind: str, unit: float = 1.0) -> Callable[[str], Any]:
        found = self._made.get((steps, kind, unit))
        if found is None:
            found = self._made[steps, kind, unit] = make_cleaner(steps, kind, self._overlay, unit)
        return found

    def _clean(
        self, text: pa.Array, rule: ColumnRule | RefPart, kind: str, header: str, unit: float = 1.0
    ) -> Cleaned:
        """Clean each distinct value once."""
        coded = text.dictionary_encode()
        clean = _checked(self._maker(rule.clean, kind, unit), rule)
        values: list[Any] = []
        reasons: dict[int, str] = {}
        longest = None if PLAIN_TEXT & set(rule.clean) else CELL_LIMIT
        for code, value in enumerate(coded.dictionary.to_pylist()):
            try:
                if longest is not None and value is not None and len(value) > longest:
                    raise ValueError(f"单元格有 {len(value):,} 字，最多 {longest:,} 字")
                values.append(clean(value))
            except ValueError as error:
                values.append(None)
                reasons[code] = str(error)
        result = Cleaned(pa.array(values, ARROW[kind]).take(coded.indices))
        if reasons:
            wrong = pc.is_in(coded.indices, value_set=pa.array(list(reasons), coded.indices.type))
            for row in np.flatnonzero(true_where(wrong)).tolist():
                code = coded.indices[row].as_py()
                result.bad[row] = Fault(header, reasons[code], coded.dictionary[code].as_py()[:200])
        return result

    def _laws(self, done: Mapping[str, pa.Array], faults: dict[int, list[Fault]]) -> None:
        for law in self.rule.differ:
            _break(faults, law, pc.equal(done[law.columns[0]], done[law.columns[1]]))
        for law in self.rule.ordered:
            _break(faults, law, pc.greater(done[law.columns[0]], done[law.columns[1]]))
        for law in self.rule.any_of:
            empty = np.ones(len(done[law.columns[0]]), dtype=bool)
            for name in law.columns:
                empty &= true_where(pc.is_null(done[name]))
            _break(faults, law, pa.array(empty))


def _with_unit(text: pa.Array, unit: str) -> pa.Array:
    """Return bare numbers with the unit that their header states: 500 under 注册资金（万元） is 500万元."""
    bare = pc.match_substring_regex(text, r"^\s*[0-9][0-9,]*(\.[0-9]+)?\s*$")
    return pc.if_else(bare, pc.binary_join_element_wise(text, unit, ""), text)


def _break(faults: dict[int, list[Fault]], law: Comparison, broken: pa.Array) -> None:
    for row in np.flatnonzero(true_where(broken)).tolist():
        faults.setdefault(row, []).append(Fault("", law.reason, ""))


def _merge(result: Cleaned, found: Cleaned) -> None:
    """Take values where there are none yet; a refused cell counts only while no other way gives a value."""
    result.values = pc.coalesce(result.values, found.values)
    for row, fault in found.bad.items():
        result.bad.setdefault(row, fault)
    if result.bad:
        rows = np.fromiter(result.bad, dtype=np.int64)
        given = true_where(pc.is_valid(result.values.take(pa.array(rows))))
        for row in rows[given].tolist():
            del result.bad[row]


def _checked(clean: Callable[[str], Any], rule: ColumnRule | RefPart) -> Callable[[str], Any]:
    if isinstance(rule, RefPart) or not (rule.mapping or rule.one_of or rule.range):
        return clean
    allowed = frozenset(rule.one_of)

    def run(text: str) -> Any:
        value = clean(rule.mapping.get(text, text))
        if value is None:
            return None
        if allowed and value not in allowed:
            words = list(rule.mapping) or list(rule.one_of)
            raise ValueError(f"应为 {'、'.join(words[:12])} 之一")
        if rule.range and not rule.range[0] <= value <= rule.range[1]:
            raise ValueError(f"应在 {rule.range[0]:g} 与 {rule.range[1]:g} 之间")
        return value

    return run


def _json(keys: Mapping[str, str], cells: Cells) -> pa.Array:
    texts = [(key, first_of(cells, (header,)).to_pylist()) for key, header in keys.items()]
    rows: list[str | None] = []
    for row in range(cells.rows):
        found = {key: values[row] for key, values in texts if values[row] is not None}
        rows.append(json.dumps(found, ensure_ascii=False, sort_keys=True) if found else None)
    return pa.array(rows, pa.string())
