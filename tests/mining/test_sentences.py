from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from qiaomen.mining.sentences import LONGEST, split_sentences


def pieces(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


def test_sentences_end_at_marks_and_lines() -> None:
    assert pieces("甲中标。 乙签约！”\n丙；丁") == ["甲中标。", "乙签约！”", "丙；", "丁"]


@given(st.text(alphabet="甲乙，。；\n 　!a", max_size=200))
def test_nothing_but_white_space_is_lost(text: str) -> None:
    spans = list(split_sentences(text))
    assert all(a < b for a, b in spans)
    covered = {place for a, b in spans for place in range(a, b)}
    assert all(text[place].isspace() for place in range(len(text)) if place not in covered)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def test_a_hostile_text_is_cut() -> None:
    assert max(len(piece) for piece in pieces("甲" * 10_000)) <= LONGEST
    assert len(pieces("甲，" * 5_000)) >= 8
