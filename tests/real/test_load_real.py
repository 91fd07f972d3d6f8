"""The real folders load: every row lands, repeats or is rejected, and loading again changes nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from qiaomen.jobs import LOADED_TABLES
from qiaomen.registry import LoadResult, load_sources, plan_files, read_files
from qiaomen.vocab import Table

pytestmark = pytest.mark.real
OUTCOMES = ("inserted", "updated", "unchanged", "repeated", "rejected")
FOLDERS = ("chain", "ashare", "registry", "invest", "invoice")


@pytest.fixture(scope="module")
def data() -> Path:
    given = os.environ.get("QIAOMEN_REAL_DATA")
    if not given:
        pytest.skip("set QIAOMEN_REAL_DATA to the folder of the real data")
    return Path(given)


class Loaded:
    """One folder loaded twice."""

    def __init__(self, folder: Path) -> None:
        self.tables: dict[str, pa.Table] = {}
        self.seconds = 0.0
        self.first = self._load(folder)
        self.second = self._load(folder)

    def _load(self, folder: Path) -> LoadResult:
        sources = load_sources()
        plan = plan_files(sources, [folder], source=folder.name)
        assert plan.unknown == (), "every file of the folder is declared"
        start = time.perf_counter()
        result = read_files(
            sources[folder.name],
            plan.files,
            LOADED_TABLES,
            self.existing,
            load_id="L",
            now=datetime(2026, 3, 31, tzinfo=UTC),
        )
        self.seconds = max(self.seconds, time.perf_counter() - start)
        self.tables |= result.tables
        return result

    def existing(self, table: Table) -> pa.Table:
        return self.tables.get(table.name, table.empty())

    def counts(self, file: str, table: str) -> dict[str, int]:
        rows = self.first.loads.to_pylist()
        return next(row for row in rows if row["file"] == file and row["table"] == table)

    def column(self, table: str, name: str) -> list[object]:
        values: list[object] = self.tables[table][name].to_pylist()
        return values


_CACHE: dict[str, Loaded] = {}


@pytest.fixture(scope="module", autouse=True)
def forget() -> Iterator[None]:
    yield
    _CACHE.clear()


def loaded(data: Path, folder: str) -> Loaded:
    if folder not in _CACHE:
        _CACHE.clear()
        _CACHE[folder] = Loaded(data / folder)
    return _CACHE[folder]


@pytest.mark.parametrize("folder", FOLDERS)
def test_counts_add_up_and_a_second_load_changes_nothing(data: Path, folder: str) -> None:
    found = loaded(data, folder)
    for row in found.first.loads.to_pylist():
        assert row["read"] == sum(row[name] for name in OUTCOMES), row
        assert row["read"] > 0
    for name, table in found.tables.items():
        pairs = pc.binary_join_element_wise(table["source"], table["record_key"], "\x1f")
        assert pc.count_distinct(pairs).as_py() == table.num_rows, name
    assert not found.second.changed
    assert found.second.count("read") == found.first.count("read")
    assert found.second.count("unchanged") == found.first.count("inserted")


def test_the_reference_folder_is_declared_file_by_file(data: Path) -> None:
    plan = plan_files(load_sources(), [data / "reference"], source="reference")
    assert plan.files == plan.unknown == ()
    assert all(item.reason for item in plan.ignored)
    assert len(plan.ignored) == len([path for path in (data / "reference").iterdir() if path.is_file()])


def test_chain_codes_become_six_digits_and_faults_are_named(data: Path) -> None:
    found = loaded(data, "chain")
    counts = found.counts("company.csv", "company_records")
    refs = found.column("company_records", "company_ref")
    assert counts["read"] == 4654
    assert len(refs) == counts["inserted"] == 4654 - counts["repeated"] - counts["rejected"]
    assert all(isinstance(ref, str) and len(ref) == 12 and ref.startswith("stock:") for ref in refs)
    reasons = " ".join(str(reason) for reason in found.first.rejects["reason"].to_pylist())
    assert "整行错列" in reasons
    assert found.counts("product_product.csv.gz", "goods_relation_records")["rejected"] == 108
    goods = found.tables["company_goods_records"]
    assert not pc.any(pc.match_substring(goods["goods_name"], "\n")).as_py()
    assert pc.max(goods["share"]).as_py() <= 1
    assert pc.min(goods["share"]).as_py() >= 0
    nodes = found.tables["chain_node_records"]
    assert nodes.num_rows == 511
    assert nodes["parent_code"].null_count == 511 - 480


def test_short_names_give_no_registered_name(data: Path) -> None:
    found = loaded(data, "ashare")
    companies = found.tables["company_records"]
    assert companies["name"].null_count == companies.num_rows
    basic = companies.filter(pc.starts_with(companies["record_key"], "basic|"))
    assert basic.num_rows == 5448
    assert basic["region_code"].null_count == basic["short_name"].null_count == 0
    assert found.tables["person_records"].num_rows == 24_775
    assert not any(found.column("person_records", "identified"))
    holders = found.counts("top10_holders_2016_2017.csv.gz", "relation_records")
    assert (holders["read"], holders["repeated"]) == (7364, 48)
    relations = found.tables["relation_records"]
    held = relations.filter(pc.equal(relations["kind"], "shareholding"))
    assert not pc.any(pc.match_substring(held["from_name"], "自有资金")).as_py()
    assert 0 < pc.max(held["ratio"]).as_py() <= 1


def test_registry_capital_codes_and_dates(data: Path) -> None:
    found = loaded(data, "registry")
    companies = found.tables["company_records"]
    assert companies.num_rows == 8590
    assert companies["name"].null_count == 0
    assert companies["capital_cny"].null_count <= 10
    assert pc.min(companies["founded_on"]).as_py() >= date(1970, 1, 1)
    assert companies["uscc"].null_count == 92 + 17
    assert sum(not str(ref).startswith("uscc:") for ref in companies["company_ref"].to_pylist()) == 109


def test_financing_amounts_are_read(data: Path) -> None:
    found = loaded(data, "invest")
    feed = found.tables["opportunity_records"].to_pylist()
    amounts = {row["amount_text"]: row["amount_cny"] for row in feed}
    assert amounts["3.5亿人民币"] == 350_000_000
    assert amounts["数千万人民币"] == 30_000_000
    assert None in amounts, "未披露 is no amount"
    assert all(row["amount_cny"] is not None for row in feed if row["amount_text"] is not None)
    assert found.counts("smoothnlp_investment_events.csv", "opportunity_records")["rejected"] == 2
    assert all(str(ref).startswith("brand:") for ref in found.column("relation_records", "from_ref"))


def test_invoices_are_keyed_by_group_and_code(data: Path) -> None:
    found = loaded(data, "invoice")
    supply = found.tables["supply_records"]
    assert supply.num_rows == 856_638
    assert pc.sum(pc.greater(supply["ordinal"], 1)).as_py() == 10_082
    assert pc.sum(pc.equal(supply["status"], "void")).as_py() == 48_144
    assert pc.sum(pc.less(supply["amount_cny"], 0)).as_py() > 0.018 * supply.num_rows
    refs = pc.unique(pc.list_element(pc.split_pattern(supply["supplier_ref"], "/"), 0))
    assert set(refs.to_pylist()) == {"invoice:有信贷记录", "invoice:无信贷记录"}
    assert found.tables["company_records"]["name"].null_count == 336
    assert found.seconds < 60
