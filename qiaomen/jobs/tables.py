"""Every lake table by name, and the page that documents them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from qiaomen import (
    bank,
    chains,
    customers,
    dispatch,
    membership,
    mining,
    opportunities,
    parks,
    prospects,
    reach,
    registry,
    scoring,
    supply,
    tags,
)
from qiaomen.vocab import Column, Table

OWNERS: Final = (
    bank,
    membership,
    registry,
    customers,
    supply,
    chains,
    parks,
    mining,
    opportunities,
    tags,
    reach,
    scoring,
    prospects,
    dispatch,
)


def _declared() -> dict[str, Table]:
    found: dict[str, Table] = {}
    for owner in OWNERS:
        for name in owner.__all__:
            value = getattr(owner, name)
            if isinstance(value, Table):
                found[value.name] = value
    return found


TABLES: Final = _declared()
LOADED_TABLES: Final = {name: table for name, table in TABLES.items() if table.loaded}


def data_model_page(tables: Iterable[Table]) -> str:
    """Return the text of ``docs/data-model.md`` (a test keeps the file equal to it)."""
    lines = [
        "# Data model / 数据模型",
        "",
        "Every table of the lake, as declared in `<folder>/tables.py`. `*_cny` is yuan rounded to fen; dates are business",
        "dates in Asia/Shanghai. Loaded tables hold one row per source record and end with the columns that say where the",
        "row came from. Kind, class (银行保险机构数据安全管理办法: 核心, 重要, 敏感, 其他一般) and level (JR/T 0197, 1-5) stand in",
        "`catalog/data/data_columns.csv` and `data_kinds.csv`; who reads which kind in clear: [access.md](access.md).",
        "",
    ]
    for table in tables:
        origin = "loaded / 装载" if table.loaded else "derived / 计算"
        lines += [
            f"## {table.name}",
            "",
            f"{table.doc} Owner: `{table.owner}`; {origin}; key: {', '.join(table.key)}.",
            "",
        ]
        lines += [
            "| column | type | kind | class | level | meaning |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        lines += [_line(table, column) for column in table.columns]
        lines.append("")
    return "\n".join(lines)


def _line(table: Table, column: Column) -> str:
    kind = bank.kind_of(table.name, column.name)
    row = bank.data_kinds()[kind]
    label = bank.CLASS_LABELS[row.data_class.value]
    return f"| `{column.name}` | {column.type} | {kind.value} | {label} | {row.level} | {column.doc.replace('|', '/')} |"
