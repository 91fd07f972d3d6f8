from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.chains import PhraseIndex, folded

LETTERS = "光刻胶车AI1 ;，"


def found(index: PhraseIndex, texts: list[str | None]) -> set[tuple[int, str, int]]:
    hits = index.find(pa.array(texts, pa.string()))
    words = [index.words[number] for number in hits.word.tolist()]
    return set(zip(hits.text.tolist(), words, hits.start.tolist(), strict=True))


def searched(words: list[str], texts: list[str | None]) -> set[tuple[int, str, int]]:
    """Look for every word at every place, the plain way."""
    result = set()
    for number, text in enumerate(texts):
        for word in words:
            left = r"(?<![0-9A-Z])" if re.match("[0-9A-Z]", word[0]) else ""
            right = r"(?![0-9A-Z])" if re.match("[0-9A-Z]", word[-1]) else ""
            for hit in re.finditer(f"(?={left}{re.escape(word)}{right})", folded(text or "")):
                result.add((number, word, hit.start()))
    return result


@given(
    st.lists(st.text(LETTERS, min_size=2, max_size=4).map(folded), min_size=1, max_size=12, unique=True),
    st.lists(st.one_of(st.none(), st.text(LETTERS, max_size=15)), max_size=8),
)
def test_finds_what_a_plain_search_finds(words, texts):
    assert found(PhraseIndex(words), texts) == searched(words, texts)


def test_latin_words_stand_alone_and_width_does_not_matter():
    index = PhraseIndex(["AI", "MES"])
    assert found(index, ["DAIRY", "ａｉ芯片", "mes系统", "AIMES", None, ""]) == {(1, "AI", 0), (2, "MES", 0)}


def test_no_word_reaches_over_the_end_of_a_text():
    assert found(PhraseIndex(["光刻"]), ["光", "刻", "光\0刻"]) == set()


def test_clauses_share_a_unit_and_texts_do_not():
    hits = PhraseIndex(["芯片", "销售"], separators=";").find(pa.array(["芯片；销售", "芯片销售"]))
    units = hits.unit.tolist()
    assert units[0] != units[1]
    assert units[2] == units[3]
    assert len(set(units)) == 3


def test_chunks_and_blocks_count_on(monkeypatch):
    monkeypatch.setattr("qiaomen.chains.phrases.BLOCK", 8)
    texts = ["芯片"] * 10
    chunked = pa.chunked_array([texts[:3], texts[3:]])
    hits = PhraseIndex(["芯片"]).find(chunked)
    assert hits.text.tolist() == list(range(10))
    assert len(set(hits.unit.tolist())) == 10


@pytest.mark.parametrize("words", [["光"], ["ai", "AI"]])
def test_refuses_words_it_cannot_tell_apart(words):
    with pytest.raises(ValueError, match="word"):
        PhraseIndex(words)
