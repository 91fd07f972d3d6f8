"""The shipped tags are complete and right by their own examples; a broken one is refused by file and line."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

import qiaomen.catalog
from qiaomen.tags import GROUPS, check_examples, load_size_standards, load_tags
from qiaomen.tags.rules import ListRule, WindowRule
from qiaomen.vocab import CatalogInvalid

DATA = Path(qiaomen.catalog.__file__).parent / "data"
GOOD = """
- code: bank_own
  name_zh: 本行自定
  group: 企业特点
  definition: 本行自定义的标签
  rule: {kind: expression, where: {column: employees, op: ge, value: 7}, evidence: "参保{employees}人"}
  source: 本行
  validity: 长期
  owner: 本行
  coverage: [0, 1]
  tests:
    carries: [{companies: {employees: 9}}]
    lacks: [{companies: {employees: 6}}]
"""


def test_all_groups_and_enough_distinct_tags() -> None:
    tags = load_tags()
    counted = Counter(tag.group for tag in tags.values())
    assert set(counted) == set(GROUPS)
    assert min(counted.values()) >= 5
    assert len(tags) >= 200
    assert len({tag.name_zh for tag in tags.values()}) == len(tags)
    assert len({repr(tag.rules) for tag in tags.values()}) == len(tags)


def test_every_example_comes_out_as_declared() -> None:
    assert check_examples(load_tags()) == []


def test_every_kind_that_a_window_names_is_declared() -> None:
    with (DATA / "opportunity_kinds.csv").open(encoding="utf-8") as file:
        known = {row["code"] for row in csv.DictReader(file)}
    named = {
        kind
        for tag in load_tags().values()
        for rule in tag.rules
        if isinstance(rule, WindowRule)
        for kind in rule.kinds
    }
    assert named <= known


def test_a_list_name_does_not_serve_two_tags_of_one_group() -> None:
    names = Counter(
        (tag.group, name)
        for tag in load_tags().values()
        for rule in tag.rules
        if isinstance(rule, ListRule)
        for name in rule.lists
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_size_standards_fall_from_large_to_small() -> None:
    for standard in load_size_standards():
        for measure in ("employees", "revenue_cny"):
            bounds = [getattr(standard, f"{measure}_{size}") for size in ("small", "medium", "large")]
            assert bounds == [None] * 3 or bounds == sorted(bounds)


def _overlay(folder: Path, text: str) -> Path:
    (folder / "tags").mkdir()
    (folder / "tags" / "own.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_bank_adds_its_own(tmp_path: Path) -> None:
    tags = load_tags(_overlay(tmp_path, GOOD))
    assert check_examples({"bank_own": tags["bank_own"]}) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("employees, op: ge", "staff, op: ge", "没有列"),
        ("op: ge", "op: exec", "rules"),
        ("group: 企业特点", "group: 我的分组", "group"),
        ("kind: expression", "kind: python", "rules"),
        ("{employees}", "{employees.__class__}", "依据模板"),
        ("coverage: [0, 1]", "coverage: [0.6, 0.2]", "coverage"),
        ("    lacks: [{companies: {employees: 6}}]", "    lacks: []", "样例|tests"),
        ("code: bank_own", "code: Bank-Own", "code"),
        ("companies: {employees: 9}", "companies: {staff: 9}", "样例"),
    ],
)
def test_a_broken_rule_is_refused_by_file_and_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = GOOD.replace(old, new)
    assert text != GOOD
    with pytest.raises(CatalogInvalid, match=said) as refused:
        load_tags(_overlay(tmp_path, text))
    assert "own.yaml" in str(refused.value)
    assert "第 2 行" in str(refused.value)


def test_a_failing_example_is_named(tmp_path: Path) -> None:
    tags = load_tags(_overlay(tmp_path, GOOD.replace("employees: 9", "employees: 5")))
    assert check_examples({"bank_own": tags["bank_own"]}) == ["标签“本行自定”（bank_own）的样例1应有而没有"]


@pytest.mark.parametrize(("used", "said"), [("nothing_here", "不存在"), ("bank_own", "互相引用")])
def test_combinations_must_end_somewhere(tmp_path: Path, used: str, said: str) -> None:
    rule = GOOD[GOOD.index("{kind: expression") : GOOD.index("\n  source")]
    with pytest.raises(CatalogInvalid, match=said):
        load_tags(_overlay(tmp_path, GOOD.replace(rule, f"{{kind: tags, any: [{used}]}}")))
