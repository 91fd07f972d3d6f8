"""The page docs/reach.md says what the catalogues say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qiaomen.reach import load_warmth, load_wording
from qiaomen.reach.wording import PLACES
from qiaomen.vocab import RELATION_LABELS, CatalogInvalid

PAGE = (Path(__file__).parents[2] / "docs" / "reach.md").read_text(encoding="utf-8")
TIERS = ("直接", "疑似", "产业关联")
MEASURES = {"ratio": "比例", "amount": "金额（元）", "count": "次数"}


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number >= 1 or number == 0 else f"{number:g}"


@pytest.mark.parametrize(("kind", "label"), RELATION_LABELS.items())
def test_every_kind_stands_with_its_factors(kind, label):
    base, recency = load_warmth().row(f"kind.{kind}"), load_warmth().row(f"recency.{kind}")
    seen = "最近观察" if recency.measure == "observed" else "最近发生"
    numbers = f"{recency.half_life_years:g} | {recency.factor:g} | {recency.missing:g}"
    assert f"| `{kind}` | {label} | {base.factor:g} | {TIERS[base.tier]} | {seen} | {numbers} |" in PAGE


@pytest.mark.parametrize("kind", RELATION_LABELS)
@pytest.mark.parametrize("measure", MEASURES)
def test_every_strength_stands(kind, measure):
    rows = load_warmth().of("strength", kind, measure)
    if rows:
        steps = "，".join(f"≥{_plain(row.at_least)} → {row.factor:g}" for row in rows)
        assert f"| {RELATION_LABELS[kind]} | {MEASURES[measure]} | {steps} |" in PAGE


def test_offices_hubs_fatigue_and_overlap_stand():
    warmth = load_warmth()
    for row in warmth.of("role", "office"):
        assert f"| {'、'.join(row.words) or '其他或未写明'} | {row.factor:g} |" in PAGE
    for code, name in (("hub.company", "企业"), ("hub.person", "人员"), ("hub.node", "产业链节点与产品")):
        assert f"{name} {warmth.row(code).at_least:g} 与 {warmth.row(code).factor:g}" in PAGE
    ask = warmth.row("fatigue.ask")
    assert f"最近 {ask.at_least:g} 天内每被请托一次乘 {ask.factor:g}" in PAGE
    assert f"睡眠户乘 {warmth.row('fatigue.sleeping').factor:g}" in PAGE
    assert f"不超过 {warmth.row('diverse.overlap').factor:g}" in PAGE


def test_every_place_of_the_phrases_stands():
    assert set(re.findall(r"\{(\w+)\}", PAGE)) == set(PLACES)


@pytest.mark.parametrize("text", ["{a}与{nobody}", "{a", "{}"])
def test_a_phrase_with_a_wrong_place_is_refused(tmp_path, text):
    (tmp_path / "reach_wording.csv").write_text(f"code,text\nshared_ip,{text}\n", encoding="utf-8")
    with pytest.raises(CatalogInvalid, match="shared_ip"):
        load_wording(tmp_path)


def test_a_needed_phrase_cannot_be_retired(tmp_path):
    (tmp_path / "reach_wording.csv").write_text("code,retired\noffice.along,true\n", encoding="utf-8")
    with pytest.raises(CatalogInvalid, match="office"):
        load_wording(tmp_path)
