"""Every source says who supplied it, by what right, what for and for how long; one that does not is refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
import yaml

from qiaomen.catalog import read_rows
from qiaomen.registry import LOADS, Held, load_sources, retention_report, sources_past
from qiaomen.registry.sources import PERSONAL, Source
from qiaomen.vocab import BASIS_LABELS, CatalogInvalid, LawfulBasis

SHIPPED = Path(__file__).parents[2] / "qiaomen" / "catalog" / "data" / "sources"
OWN = {
    "code": "our_list",
    "name_zh": "协会名单",
    "supplier": "行业协会",
    "authorisation": "合作协议",
    "purpose": "园区获客",
    "retention": "三年",
    "retention_days": 1095,
    "files": [
        {
            "patterns": ["协会*"],
            "tables": [
                {
                    "table": "company_records",
                    "key": ["company_ref"],
                    "columns": {"company_ref": {"ref": [{"scheme": "name", "from": "单位"}]}},
                }
            ],
        }
    ],
}


def load(folder: Path, source: dict[str, object], comment: str = "") -> dict[str, Source]:
    path = folder / "sources" / "our_list.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(comment + yaml.safe_dump(source, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return load_sources(folder)


def test_every_shipped_source_states_all(tmp_path: Path) -> None:
    sources = load_sources()
    assert len(sources) == len(list(SHIPPED.glob("*.yaml")))
    for source in sources.values():
        assert min(map(len, (source.supplier, source.authorisation, source.purpose, source.retention))) > 1
        assert source.retention_days >= 1
    assert load(tmp_path, OWN)["our_list"].retention_days == 1095


@pytest.mark.parametrize("field", ["supplier", "authorisation", "purpose", "retention", "retention_days"])
@pytest.mark.parametrize("value", [None, "", " ", "-"])
def test_a_source_that_leaves_one_out_is_refused_by_file_and_line(
    tmp_path: Path, field: str, value: str | None
) -> None:
    changed = {name: content for name, content in OWN.items() if name != field}
    if value is not None:
        changed[field] = value
    with pytest.raises(CatalogInvalid) as caught:
        load(tmp_path, changed, "# one line before\n")
    assert caught.value.where == "sources/our_list.yaml 第 2 行"
    assert field in caught.value.message


@pytest.mark.parametrize("column", sorted(PERSONAL))
def test_personal_information_needs_a_lawful_basis(tmp_path: Path, column: str) -> None:
    rule = {"ref": [{"scheme": "name", "from": "单位"}]}
    table = {
        "table": "company_records",
        "key": ["company_ref"],
        "columns": {"company_ref": rule, column: {"from": "列"}},
    }
    changed = OWN | {"files": [{"patterns": ["协会*"], "tables": [table]}]}
    with pytest.raises(CatalogInvalid, match="lawful_basis") as caught:
        load(tmp_path, changed)
    assert caught.value.where == "sources/our_list.yaml 第 1 行"
    assert (
        load(tmp_path, changed | {"lawful_basis": "disclosed"})["our_list"].lawful_basis
        is LawfulBasis.DISCLOSED
    )
    with pytest.raises(CatalogInvalid):
        load(tmp_path, changed | {"lawful_basis": "because"})


def test_the_grounds_are_the_seven_of_article_13() -> None:
    items = ("一", "二", "三", "四", "五", "六", "七")
    assert [f"第{item}项" in BASIS_LABELS[basis] for item, basis in zip(items, LawfulBasis, strict=True)] == [
        True
    ] * 7


def test_rows_of_other_catalogues_are_not_sources() -> None:
    assert all(row.code for row in read_rows("sources", Source))


def test_rows_past_their_retention_are_counted() -> None:
    sources = load_sources()
    limit = sources["customers"].retention_days
    day = dt.date(2026, 3, 1)
    loads = LOADS.conform(
        pa.Table.from_pylist(
            [
                {"load_id": load, "source": "customers", "inserted": 1, "updated": 0, "loaded_at": moment}
                for load, moment in (
                    ("old", dt.datetime(2026, 3, 1, tzinfo=dt.UTC) - dt.timedelta(days=limit + 1)),
                    ("edge", dt.datetime(2026, 3, 1, tzinfo=dt.UTC) - dt.timedelta(days=limit)),
                    ("new", dt.datetime(2026, 2, 1, tzinfo=dt.UTC)),
                )
            ]
        )
    )
    held = [
        Held("customer_records", "customers", "old", 3),
        Held("customer_records", "customers", "edge", 5),
        Held("customer_records", "customers", "new", 7),
        Held("customer_records", "gone", "new", 2),
        Held("dealing_records", "dealings", "unknown", 4),
    ]
    zone = ZoneInfo("UTC")
    rows = {row.source: row for row in retention_report(held, loads, sources, day, zone)}
    assert (rows["customers"].rows, rows["customers"].past_rows) == (15, 3)
    assert rows["customers"].oldest_on == day - dt.timedelta(days=limit + 1)
    assert (rows["gone"].past_rows, rows["gone"].retention_days) == (2, None)
    assert (rows["dealings"].past_rows, rows["dealings"].oldest_on) == (4, None)
    assert sources_past(loads, sources, day, zone) == ["customers"]
    assert sources_past(loads, sources, day - dt.timedelta(days=1), zone) == []
