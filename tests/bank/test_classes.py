"""Every column of every table has its kind, class and level; a new one fails here until it is classified."""

from __future__ import annotations

import importlib
from pathlib import Path

import qiaomen
from qiaomen.bank import CLASS_LABELS, DataKind, data_columns, data_kinds
from qiaomen.jobs import TABLES
from qiaomen.store import METADATA
from qiaomen.vocab import DataClass


def declared() -> set[str]:
    """Every column of the lake and of the operational store."""
    root = Path(qiaomen.__file__).parent
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        if "migrations" not in parts and "METADATA," in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(parts).removesuffix(".__init__"))
    lake = {f"{table.name}.{name}" for table in TABLES.values() for name in table.names}
    return lake | {f"{table.name}.{column.name}" for table in METADATA.tables.values() for column in table.c}


def test_every_column_is_classified_and_no_other() -> None:
    here, named = declared(), set(data_columns())
    assert here - named == set(), "add these columns to catalog/data/data_columns.csv"
    assert named - here == set(), "these columns are gone"


def test_every_kind_has_its_class_and_level() -> None:
    kinds = data_kinds()
    assert set(kinds) == set(DataKind)
    assert set(CLASS_LABELS) == {item.value for item in DataClass}
    for kind, row in kinds.items():
        assert 1 <= row.level <= 5
        assert (row.data_class is DataClass.GENERAL) == (row.level <= 2), kind


def test_what_a_table_declares_as_sensitive_is_so() -> None:
    columns, kinds = data_columns(), data_kinds()
    for table in TABLES.values():
        for column in table.columns:
            if column.data_class is not DataClass.GENERAL:
                row = kinds[columns[f"{table.name}.{column.name}"]]
                assert row.data_class is not DataClass.GENERAL, f"{table.name}.{column.name}"


def test_names_that_tell_a_kind_have_it() -> None:
    for code, kind in data_columns().items():
        name = code.partition(".")[2]
        if name in {"phone", "email"}:
            assert kind is DataKind.CONTACT, code
        if name == "legal_representative":
            assert kind is DataKind.PERSON, code
        if name in {"password_hash", "token_hash"}:
            assert kind is DataKind.CREDENTIAL, code
        if name == "customer_no":
            assert kind is DataKind.CUSTOMER, code
