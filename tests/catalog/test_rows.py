"""Declared rules: read, overlaid, refused by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from qiaomen.catalog import CatalogRow, read_rows, rows
from qiaomen.vocab import CatalogInvalid


class Fruit(CatalogRow):
    name: str
    weight: float = 1.0
    kinds: tuple[str, ...] = ()


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(rows, "SHIPPED", folder)
    return folder


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_csv_empty_cells_are_defaults_and_lists_are_split(shipped: Path) -> None:
    write(shipped, "fruits.csv", "code,name,weight,kinds\na,苹果,,红;青\nb,梨,2.5,\n")
    first, second = read_rows("fruits", Fruit)
    assert (first.weight, first.kinds) == (1.0, ("红", "青"))
    assert (second.weight, second.kinds) == (2.5, ())


def test_yaml_folder_and_file_are_read_together(shipped: Path) -> None:
    write(shipped, "fruits/one.yaml", "code: a\nname: 苹果\n")
    write(shipped, "fruits/two.yaml", "- {code: b, name: 梨}\n- {code: c, name: 桃}\n")
    assert [row.code for row in read_rows("fruits", Fruit)] == ["a", "b", "c"]


def test_overlay_replaces_adds_and_retires(shipped: Path, tmp_path: Path) -> None:
    write(shipped, "fruits.csv", "code,name\na,苹果\nb,梨\n")
    overlay = tmp_path / "overlay"
    write(
        overlay,
        "fruits.yaml",
        "- {code: a, name: 本行苹果}\n- {code: b, retired: true}\n- {code: d, name: 杏}\n",
    )
    assert {row.code: row.name for row in read_rows("fruits", Fruit, overlay=overlay)} == {
        "a": "本行苹果",
        "d": "杏",
    }


@pytest.mark.parametrize(
    ("name", "text", "place", "word"),
    [
        ("fruits.csv", "code,name,weight\na,苹果,x\n", "第 2 行", "weight"),
        ("fruits.csv", "code,name\na,苹果\na,梨\n", "第 3 行", "重复"),
        ("fruits.csv", "code,name,colour\na,苹果,红\n", "第 2 行", "colour"),
        ("fruits.csv", "code,name\na\n", "第 2 行", "列数"),
        ("fruits.csv", 'code,name\na,"苹\n', "第 2 行", "CSV"),
        ("fruits.yaml", "- code: a\n  name: 苹果\n- code: b\n", "第 3 行", "name"),
        ("fruits.yaml", "- code: a\n  name: 一\n  name: 二\n", "第 3 行", "重复"),
        ("fruits.yaml", "- {code: a\n", "第 2 行", "语法"),
        ("fruits.yaml", "- 苹果\n", "第 1 行", "键值"),
    ],
)
def test_a_bad_row_is_refused_by_file_and_line(
    shipped: Path, name: str, text: str, place: str, word: str
) -> None:
    write(shipped, name, text)
    with pytest.raises(CatalogInvalid) as caught:
        read_rows("fruits", Fruit)
    assert name in caught.value.where
    assert place in caught.value.where
    assert word in caught.value.message


def test_retiring_what_is_not_there_is_refused(shipped: Path, tmp_path: Path) -> None:
    write(shipped, "fruits.csv", "code,name\na,苹果\n")
    write(tmp_path / "overlay", "fruits.yaml", "- {code: z, retired: true}\n")
    with pytest.raises(CatalogInvalid, match="不存在"):
        read_rows("fruits", Fruit, overlay=tmp_path / "overlay")


def test_an_unknown_catalogue_is_refused(shipped: Path) -> None:
    with pytest.raises(CatalogInvalid, match="没有名为"):
        read_rows("fruits", Fruit)
