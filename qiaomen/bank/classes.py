"""What each column of each table holds: its kind, its class (银行保险机构数据安全管理办法) and its level (JR/T 0197).

Catalogues ``data_kinds`` and ``data_columns``. A column that the catalogue does not name is read by nobody: it counts
as the kind ``credential`` until it is classified, and a test names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.vocab import DataClass


class DataKind(StrEnum):
    """Kinds of content; class and level follow from the kind."""

    PUBLIC = "public"
    INTERNAL = "internal"
    COLLEAGUE = "colleague"
    CUSTOMER = "customer"
    AMOUNT = "amount"
    PERSON = "person"
    CONTACT = "contact"
    IDENTITY = "identity"
    TEXT = "text"
    CREDENTIAL = "credential"


class KindRow(CatalogRow):
    """One kind with its class and level."""

    name_zh: str
    data_class: DataClass
    level: int
    meaning: str


class ColumnRow(CatalogRow):
    """The kind of one column; ``code`` is ``table.column``."""

    kind: DataKind


CLASS_LABELS: Final[dict[str, str]] = {
    "core": "核心",
    "important": "重要",
    "sensitive": "敏感",
    "general": "其他一般",
}


@lru_cache(maxsize=1)
def data_kinds() -> Mapping[DataKind, KindRow]:
    """Return the kinds with class and level."""
    return {DataKind(row.code): row for row in read_rows("data_kinds", KindRow)}


@lru_cache(maxsize=1)
def data_columns() -> Mapping[str, DataKind]:
    """Return the kind of every classified column by ``table.column``."""
    return {row.code: row.kind for row in read_rows("data_columns", ColumnRow)}


def kind_of(table: str, column: str) -> DataKind:
    """Return what a column holds; one that is not classified is read by nobody."""
    return data_columns().get(f"{table}.{column}", DataKind.CREDENTIAL)
