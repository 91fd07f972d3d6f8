"""The printed report of a run: words, no zeros, and a hint for what was loaded and could not be used."""

from __future__ import annotations

from qiaomen.jobs.report_words import COUNT_WORDS, STEP_WORDS, report_hints, report_rows


def test_counts_are_said_in_words_without_zeros() -> None:
    counts = {"match": {"rows": 1200, "verified": 900, "ambiguous": 0, "basis:x": 3}, "later": {"a": 1}}
    assert report_rows(counts) == [("匹配客户", "客户行 1,200，已核实 900"), ("later", "无")]
    assert set(COUNT_WORDS) <= set(STEP_WORDS)


def test_a_kind_that_the_catalogue_lacks_is_named() -> None:
    mined = {
        "feed_unknown_kind": 26,
        "feed_unknown_kind:中标": 24,
        "feed_unknown_kind:甲": 2,
        "feed_found": 7,
    }
    (hint,) = report_hints({"mine": mined, "match": {"rows": 3}})
    assert "中标 24 条、甲 2 条" in hint
    assert "处理办法" in hint
    assert report_hints({"mine": {"feed_found": 7}}) == []


def test_doubtful_customers_are_pointed_to_their_page() -> None:
    (hint,) = report_hints({"match": {"ambiguous": 4}})
    assert "匹配复核" in hint
