"""Runs the examples that each tag is declared with: small records that must and must not carry it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import pyarrow as pa

from qiaomen.tags.apply import apply_tags
from qiaomen.tags.catalogue import Tag
from qiaomen.tags.rules import Examples, table_columns, usable_tables

# Examples are written against this day, so that they do not age.
EXAMPLES_AS_OF: Final = date(2026, 6, 30)


def _company_column(table: str) -> str:
    columns = table_columns()[table]
    return next(name for name in ("company_id", "to_id", "supplier_id") if name in columns)


def _records(examples: Examples) -> list[tuple[bool, dict[str, Any]]]:
    return [*((True, record) for record in examples.carries), *((False, record) for record in examples.lacks)]


def _add(rows: dict[str, list[dict[str, Any]]], record: Mapping[str, Any], number: int) -> None:
    company = {"company_id": number, "name": f"样例企业{number}", "status": "存续", "sources": "example"}
    rows["companies"].append({**company, **record.get("companies", {})})
    for table, given in record.items():
        if table == "companies":
            continue
        for line, row in enumerate(given if isinstance(given, list) else [given]):
            key = {} if row.keys() & {"to_id", "from_id", "buyer_id"} else {_company_column(table): number}
            filled = {**key, **row}
            # In relations and pairs, 0 stands for the example's own company.
            for side in ("from_id", "to_id", "supplier_id", "buyer_id"):
                if filled.get(side) == 0:
                    filled[side] = number
            columns = table_columns()[table]
            if "record_key" in columns:
                filled = {"source": "example", "record_key": f"{number}-{line}", **filled}
            if table == "opportunities":
                filled = {"opportunity_id": f"{number}-{line}", "title": "样例商机", **filled}
            rows[table].append(filled)


def example_tables(tags: Mapping[str, Tag]) -> tuple[dict[str, pa.Table], list[tuple[int, str, bool]]]:
    """Return the tables of all examples together and, per example, (company number, tag, must carry)."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    expected: list[tuple[int, str, bool]] = []
    for tag in tags.values():
        for carries, record in _records(tag.tests):
            number = len(expected) + 1
            _add(rows, record, number)
            expected.append((number, tag.code, carries))
    tables = {}
    for name, table in usable_tables().items():
        tables[name] = pa.Table.from_pylist(rows[name], schema=table.schema)
    return tables, expected


def check_examples(tags: Mapping[str, Tag]) -> list[str]:
    """Return what is wrong, in Chinese, one line for each example that fails; empty is right."""
    import ibis

    used = dict(tags)
    tables, expected = example_tables(used)
    lent = {name: ibis.memtable(table) for name, table in tables.items()}
    carried = apply_tags(used, lent, EXAMPLES_AS_OF)
    found = set(zip(carried.column("company_id").to_pylist(), carried.column("tag").to_pylist(), strict=True))
    names = {tag.code: tag.name_zh for tag in tags.values()}
    wrong = []
    for number, code, carries in expected:
        if ((number, code) in found) != carries:
            wanted = "应有而没有" if carries else "不应有而有"
            wrong.append(f"标签“{names[code]}”（{code}）的样例{number}{wanted}")
    return wrong
