"""An uploaded list: mapping guessed and remembered, dry run, apply, error file, and undo down to the value."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.customers import (
    CUSTOMER_RECORDS,
    UPLOAD_CHANGES,
    Upload,
    apply_upload,
    guess_mapping,
    prepare_upload,
    read_head,
    save_mapping,
    saved_mapping,
    undo_upload,
    with_mapping,
)
from qiaomen.registry import load_sources
from qiaomen.store import reading, writing
from qiaomen.vocab import InputRejected, NotFound

SOURCE = load_sources()["customers"]
START = datetime(2026, 1, 1, tzinfo=UTC)
MAPPING = {"customer_no": "客户号", "name": "名称", "phone": "电话", "opened_on": "开户"}


class Bank:
    """Customer records and the history of uploads, as the lake holds them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = CUSTOMER_RECORDS.empty()
        self.history = UPLOAD_CHANGES.empty()
        self.count = 0

    def prepare(self, rows: list[tuple[str, ...]], mapping: dict[str, str] | None = None) -> Upload:
        path = self.folder / "list.csv"
        mapping = mapping or MAPPING
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([tuple(mapping.values()), *rows])
        self.count += 1
        return prepare_upload(
            path,
            mapping,
            SOURCE,
            self.records,
            load_id=f"U{self.count}",
            now=START + timedelta(minutes=self.count),
            file_name=f"list-{self.count % 2}.csv",
        )

    def apply(self, rows: list[tuple[str, ...]], mapping: dict[str, str] | None = None) -> str:
        upload = self.prepare(rows, mapping)
        tables = apply_upload(upload, self.history)
        self.records = tables.get("customer_records", self.records)
        self.history = tables.get("upload_changes", self.history)
        return upload.result.load_id

    def undo(self, load_id: str) -> Any:
        undone = undo_upload(load_id, self.records, self.history)
        self.records = undone.tables["customer_records"]
        self.history = undone.tables["upload_changes"]
        return undone

    def state(self) -> list[dict[str, Any]]:
        return sorted(self.records.to_pylist(), key=lambda row: row["record_key"])


def test_headers_are_guessed_and_each_serves_once(tmp_path: Path) -> None:
    path = tmp_path / "清单.xlsx"
    headers = [
        "序号",
        "客户号",
        "客户名称（全称）",
        "统一社会信用代码",
        "联系电话",
        "所属行业",
        "管户经理",
        "备注",
    ]
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, headers)
        page.write_row(1, 0, ["1", "C1", "甲有限公司", "", "", "", "", ""])
    head = read_head(path)
    assert head.headers == tuple(headers)
    assert head.rows[0][:3] == ("1", "C1", "甲有限公司")
    guess = guess_mapping(head.headers, SOURCE)
    assert guess == {
        "customer_no": "客户号",
        "name": "客户名称（全称）",
        "uscc_text": "统一社会信用代码",
        "phone": "联系电话",
        "industry_name": "所属行业",
        "manager_no": "管户经理",
    }
    assert guess_mapping(["x", ""], SOURCE) == {}


@settings(deadline=None)
@given(st.lists(st.text(max_size=6), max_size=8))
def test_a_guess_uses_only_headers_that_are_there(headers: list[str]) -> None:
    guess = guess_mapping(headers, SOURCE)
    assert set(guess.values()) <= set(headers)
    assert len(set(guess.values())) == len(guess)


def test_wrong_mappings_are_refused() -> None:
    with pytest.raises(InputRejected, match="客户号"):
        with_mapping(SOURCE, {"name": "名称"})
    with pytest.raises(InputRejected, match="nothing"):
        with_mapping(SOURCE, MAPPING | {"nothing": "x"})
    with pytest.raises(InputRejected, match="对应了两次"):
        with_mapping(SOURCE, MAPPING | {"address": "名称"})


def test_a_mapping_is_remembered_by_its_headers(sql: sa.Engine) -> None:
    headers = ["客户号", "名称", "电话"]
    with writing(sql) as connection:
        assert saved_mapping(connection, headers) is None
        save_mapping(connection, headers, {"name": "名称"}, by="u1", now=START)
        save_mapping(connection, headers, MAPPING, by="u2", now=START)
    with reading(sql) as connection:
        found = saved_mapping(connection, ["名 称", "电话", "客户号"])
        assert found == {"customer_no": "客户号", "name": "名 称", "phone": "电话"}
        assert saved_mapping(connection, ["名称"]) is None


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path) -> None:
    bank = Bank(tmp_path)
    upload = bank.prepare(
        [("C1", "甲", "1", "2020-01-01"), ("", "乙", "2", ""), ("C1", "甲", "1", "2020-01-01")]
    )
    result = upload.result
    assert (result.count("inserted"), result.count("repeated"), result.count("rejected")) == (1, 1, 1)
    assert bank.records.num_rows == 0
    (error,) = upload.error_rows
    assert (error["行号"], error["问题列"], error["名称"]) == ("3", "客户号", "乙")


def test_undo_gives_back_the_exact_state(tmp_path: Path) -> None:
    bank = Bank(tmp_path)
    bank.apply([("C1", "甲", "1", "2020-01-01"), ("C2", "乙", "2", "")])
    before = bank.state()
    second = bank.apply([("C1", "甲公司", "1", "2021-01-01"), ("C3", "丙", "3", "")])
    assert len(bank.state()) == 3
    undone = bank.undo(second)
    assert (undone.restored, undone.removed, undone.kept) == (1, 1, ())
    assert bank.state() == before
    with pytest.raises(NotFound):
        bank.undo(second)


def test_undo_leaves_and_lists_what_a_later_upload_changed(tmp_path: Path) -> None:
    bank = Bank(tmp_path)
    bank.apply([("C1", "甲", "1", "2020-01-01")])
    second = bank.apply([("C1", "甲公司", "2", "2020-01-01")])
    bank.apply([("C1", "甲公司", "3", "2020-01-01")])
    undone = bank.undo(second)
    (row,) = bank.state()
    assert (row["name"], row["phone"]) == ("甲", "3")
    assert [(kept.column, kept.value) for kept in undone.kept] == [("phone", "3")]


def test_a_list_without_a_column_leaves_that_column_alone(tmp_path: Path) -> None:
    bank = Bank(tmp_path)
    bank.apply([("C1", "甲", "1", "2020-01-01")])
    short = {"customer_no": "客户号", "name": "名称"}
    assert not bank.prepare([("C1", "甲")], short).result.changed
    bank.apply([("C1", "甲二")], short)
    (row,) = bank.state()
    assert (row["name"], row["phone"]) == ("甲二", "1")


def test_undo_of_a_row_that_another_load_changed_keeps_that_change(tmp_path: Path) -> None:
    bank = Bank(tmp_path)
    first = bank.apply([("C1", "甲", "1", "2020-01-01")])
    changed = bank.state()[0] | {"phone": "9", "load_id": "nightly"}
    bank.records = pa.Table.from_pylist([changed], schema=CUSTOMER_RECORDS.schema)
    undone = bank.undo(first)
    assert [kept.column for kept in undone.kept] == ["phone"]
    assert bank.state()[0]["phone"] == "9"


LISTS = st.lists(
    st.tuples(
        st.sampled_from(["C1", "C2"]),
        st.sampled_from(["甲", "乙"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["", "2020-01-01"]),
    ),
    max_size=3,
    unique_by=lambda row: row[0],
)


@settings(deadline=None, max_examples=80)
@given(base=LISTS, uploads=st.lists(LISTS, min_size=1, max_size=4), data=st.data())
def test_undoing_all_uploads_in_any_order_gives_back_the_first_state(
    tmp_path_factory: pytest.TempPathFactory, base: list[Any], uploads: list[list[Any]], data: st.DataObject
) -> None:
    bank = Bank(tmp_path_factory.mktemp("undo"))
    bank.apply([*base, ("C0", "始", "0", "")])
    bank.history = UPLOAD_CHANGES.empty()
    first = bank.state()
    done = [bank.apply([*rows, ("C0", "始", "0", "")]) for rows in uploads]
    for load_id in data.draw(st.permutations(done)):
        if load_id in bank.history["load_id"].to_pylist():
            bank.undo(load_id)
    assert bank.state() == first
    assert bank.history.num_rows == 0
