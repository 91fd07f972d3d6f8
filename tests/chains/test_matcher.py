from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chains.examples import MATCHER, RULES


def named(matches) -> list[tuple[int, str, str, float]]:
    return [
        (text, RULES[node].node_code, MATCHER.words[word], round(factor, 3))
        for text, node, word, factor in zip(
            matches.text.tolist(),
            matches.node.tolist(),
            matches.word.tolist(),
            matches.factor.tolist(),
            strict=True,
        )
    ]


def prose(*texts: str | None):
    return named(MATCHER.in_prose(pa.array(texts, pa.string())))


def names(*texts: str | None):
    return named(MATCHER.in_names(pa.array(texts, pa.string())))


def test_a_word_inside_a_longer_word_says_nothing_of_its_own():
    assert names("光刻胶清洗剂", "正性光刻胶") == [
        (0, "ic.clean", "光刻胶清洗剂", 1.0),
        (1, "ic.resist", "光刻胶", 1.0),
    ]


def test_an_exclude_word_rules_the_node_out():
    assert names("兽用原料药", "特色原料药") == [(1, "bio.api", "原料药", 1.0)]


def test_prose_is_read_by_clause():
    assert prose("兽用药品；原料药生产") == [(0, "bio.api", "原料药", 1.0)]
    assert prose("兽用原料药生产；其他") == []


@pytest.mark.parametrize("text", ["化工产品（不含光刻胶）", "除外项目：光刻胶除外", "不得从事光刻胶生产"])
def test_a_clause_that_denies_proves_nothing(text):
    assert prose(text) == []


def test_trade_alone_proves_less_except_where_the_node_trades():
    assert prose("光刻胶的销售") == [(0, "ic.resist", "光刻胶", 0.6)]
    assert prose("光刻胶的研发与销售") == [(0, "ic.resist", "光刻胶", 1.0)]
    assert prose("元器件的销售") == [(0, "ic.sell", "元器件", 1.0)]


def test_the_best_clause_counts():
    assert prose("光刻胶的销售；光刻胶的生产") == [(0, "ic.resist", "光刻胶", 1.0)]


def test_nothing_is_found_in_nothing():
    assert prose() == []
    assert prose(None, "", "   ") == []


@given(st.lists(st.sampled_from(["光刻胶", "清洗剂", "兽用", "原料药", "片剂", "销售", "生产"]), max_size=6))
def test_names_and_prose_agree_on_one_clause_of_own_work(parts):
    text = "".join(parts) + "制造"
    assert [row[1] for row in names(text)] == [row[1] for row in prose(text)]
