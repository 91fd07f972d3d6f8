"""Matching of files: what is read and written, whatever the form of the files; bad input named by file and line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qiaomen.demo.companies import make_uscc
from qiaomen.registry import match_files
from qiaomen.registry.case_files import STAMP, open_index
from qiaomen.vocab import InputRejected

CODES = [make_uscc("310115", number) for number in range(60_000_001, 60_000_005)]
REGISTRY = [
    ("0", "上海初敲光刻胶科技有限公司", CODES[0]),
    ("1", "上海再敲光刻胶科技有限公司", CODES[1]),
    ("7", "苏州远山纺织有限公司", CODES[2]),
    ("9", "杭州近水食品有限公司", ""),
]
LIST = [
    ("a", "上海初敲光刻胶科技有限公司", CODES[0]),
    ("b", "蘇州遠山紡織有限公司", ""),
    ("c", "上海再敲光刻胶科技有限公司", CODES[2]),
    ("d", "广州不在册机械有限公司", ""),
    ("e", "苏州远山纺织有限公司昆山分公司", ""),
    ("f", "杭州靠山食品有限公司", ""),
    ("=1+1", "", ""),
]
FORMER = [("9", "杭州靠山食品有限公司")]


def write(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]], encoding: str = "utf-8") -> Path:
    if path.suffix == ".parquet":
        columns = list(zip(*rows, strict=True))
        arrays = {
            name: [int(value) for value in column] if name == "rid" else list(column)
            for name, column in zip(header, columns, strict=True)
        }
        pq.write_table(pa.table(arrays), path)
        return path
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read(path: Path) -> dict[str, dict[str, Any]]:
    if path.suffix == ".parquet":
        return {row["cid"]: row for row in pq.read_table(path).to_pylist()}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["cid"]: row | {"rid": int(row["rid"])} for row in rows}


def case(folder: Path, suffix: str = ".csv", **more: Any) -> tuple[Path, Path, Path]:
    return (
        write(folder / f"registry{suffix}", ("rid", "name", "uscc"), REGISTRY, **more),
        write(folder / f"customers{suffix}", ("cid", "name", "uscc"), LIST, **more),
        write(folder / f"former{suffix}", ("rid", "old"), FORMER, **more),
    )


@pytest.mark.parametrize(
    ("suffix", "more", "out"),
    [(".csv", {}, ".csv"), (".csv", {"encoding": "gb18030"}, ".parquet"), (".parquet", {}, ".csv")],
)
def test_every_row_gets_an_outcome_in_any_form(
    tmp_path: Path, suffix: str, more: dict[str, str], out: str
) -> None:
    registry, customers, former = case(tmp_path, suffix, **more)
    result, considered = tmp_path / f"out{out}", tmp_path / "candidates.parquet"
    done = match_files(registry, customers, result, former=former, candidates=considered)
    rows = read(result)
    assert list(rows) == [cid for cid, _, _ in LIST]
    assert (done.rows, done.companies, done.names) == (7, 4, 5)
    assert sum(done.outcomes.values()) == 7
    found = {cid: (row["rid"], row["outcome"], row["relation"]) for cid, row in rows.items()}
    assert found["a"] == (0, "verified", "self")
    assert found["b"] == (7, "matched", "self")
    assert found["c"] == (-1, "ambiguous", "self"), "a code that contradicts the name never wins alone"
    assert found["d"] == (-1, "unmatched", "self")
    assert found["e"][2] == "branch" or found["e"][0] == -1
    assert found["f"][0] in {9, -1}
    assert found["=1+1"][:2] == (-1, "unmatched")
    evidence = json.loads(rows["a"]["evidence"])
    assert evidence["agrees"] == ["code"]
    assert evidence["rule"] == "name_and_code"
    ranks = pq.read_table(considered).to_pylist()
    assert [row["rank"] for row in ranks if row["cid"] == "a"][:1] == [1]
    assert {row["rid"] for row in ranks if row["cid"] == "c"} >= {1, 7}


def test_a_former_name_is_found_by_its_file_alone(tmp_path: Path) -> None:
    registry, customers, former = case(tmp_path)
    with_names, without = tmp_path / "with.csv", tmp_path / "without.csv"
    match_files(registry, customers, with_names, former=former)
    match_files(registry, customers, without)
    assert read(with_names)["f"]["rid"] == 9
    assert read(without)["f"]["rid"] == -1


def test_other_columns_are_not_read(tmp_path: Path) -> None:
    registry, customers, _ = case(tmp_path)
    told = write(
        tmp_path / "told.csv",
        ("truth", "cid", "name", "kind", "uscc"),
        [("999", cid, name, "typo", code) for cid, name, code in LIST],
    )
    match_files(registry, customers, tmp_path / "one.csv")
    match_files(registry, told, tmp_path / "other.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "other.csv").read_bytes()


def test_an_index_is_kept_for_the_same_files_only(tmp_path: Path) -> None:
    registry, customers, former = case(tmp_path)
    folder, out = tmp_path / "index", tmp_path / "out.csv"
    first = match_files(registry, customers, out, former=former, index=folder)
    fresh = out.read_bytes()
    second = match_files(registry, customers, out, former=former, index=folder)
    assert (first.index_reused, second.index_reused) == (False, True)
    assert out.read_bytes() == fresh
    assert not match_files(registry, customers, out, index=folder).index_reused, "without the former names"
    write(registry, ("rid", "name", "uscc"), [*REGISTRY, ("11", "广州不在册机械有限公司", "")])
    changed = match_files(registry, customers, out, index=folder)
    assert not changed.index_reused
    assert read(out)["d"]["rid"] == 11
    # A stopped writer leaves arrays without a stamp, or a stamp with broken arrays: both are made anew.
    (folder / "name_hash.npy").write_bytes(b"broken")
    assert not match_files(registry, customers, out, index=folder).index_reused
    (folder / STAMP).unlink()
    assert not match_files(registry, customers, out, index=folder).index_reused
    assert open_index(registry, None, folder)[3]


BAD = [
    ("registry.csv", "rid,name\n1,甲\n1,乙\n", "第 3 行", "重复"),
    ("registry.csv", "rid,name\nx,甲\n", "第 2 行", "不是非负整数"),
    ("registry.csv", "rid,name\n-1,甲\n", "第 2 行", "不是非负整数"),
    ("registry.csv", "rid,name\n99999999999999999999,甲\n", "第 2 行", "不是非负整数"),
    ("registry.csv", "rid,title\n1,甲\n", "registry.csv", "缺少列 name"),
    ("customers.csv", "cid,name\na,甲\n,乙\n", "第 3 行", "cid 为空"),
    ("customers.csv", "cid,name\na,甲\nb,乙\na,丙\n", "第 4 行", "重复，前一处在第 2 行"),
    ("former.csv", "rid,old\n5,旧名\n", "第 2 行", "不在登记企业中"),
    ("customers.csv", "", "customers.csv", "空"),
]


@pytest.mark.parametrize(("name", "content", "where", "said"), BAD)
def test_bad_input_is_named_by_file_and_line_and_writes_nothing(
    tmp_path: Path, name: str, content: str, where: str, said: str
) -> None:
    registry, customers, former = case(tmp_path)
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputRejected) as refused:
        match_files(registry, customers, tmp_path / "out.csv", former=former)
    assert where in str(refused.value)
    assert said in str(refused.value)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("out", "candidates", "said"),
    [
        ("customers.csv", None, "是输入文件"),
        ("out.xlsx", None, "不能写成"),
        ("out.csv.gz", None, "不能写成"),
        ("nowhere/out.csv", None, "没有文件夹"),
        ("out.csv", "out.csv", "同一个文件"),
        ("out.csv", "registry.csv", "是输入文件"),
    ],
)
def test_an_output_overwrites_no_input(tmp_path: Path, out: str, candidates: str | None, said: str) -> None:
    registry, customers, _ = case(tmp_path)
    before = customers.read_bytes(), registry.read_bytes()
    with pytest.raises(InputRejected, match=said):
        match_files(
            registry, customers, tmp_path / out, candidates=tmp_path / candidates if candidates else None
        )
    assert (customers.read_bytes(), registry.read_bytes()) == before


def test_an_empty_list_gives_an_empty_answer(tmp_path: Path) -> None:
    registry, customers, _ = case(tmp_path)
    customers.write_text("cid,name,uscc\n", encoding="utf-8")
    done = match_files(registry, customers, tmp_path / "out.parquet", candidates=tmp_path / "c.csv")
    assert done.rows == 0
    assert pq.read_table(tmp_path / "out.parquet").column_names == [
        "cid", "rid", "outcome", "relation", "probability", "evidence",
    ]  # fmt: skip


def test_a_masked_registered_name_is_matched_by_nobody(tmp_path: Path) -> None:
    rows = [*REGISTRY, ("11", "**市**商贸有限公司", "")]
    registry = write(tmp_path / "registry.csv", ("rid", "name", "uscc"), rows)
    wanted = [("a", "市商贸有限公司", ""), ("b", "**市**商贸有限公司", ""), ("c", "市商贸", "")]
    customers = write(tmp_path / "customers.csv", ("cid", "name", "uscc"), wanted)
    out, candidates = tmp_path / "out.csv", tmp_path / "candidates.csv"
    match_files(registry, customers, out, candidates=candidates)
    assert {row["rid"] for row in read(out).values()} == {-1}
    with candidates.open(encoding="utf-8", newline="") as file:
        assert "11" not in {row["rid"] for row in csv.DictReader(file)}
