"""Search by name, short name, code and pinyin initials."""

import time

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.registry import COMPANIES, COMPANY_NAMES, normalise_name, normalise_short_name
from qiaomen.reports import build_search_index, search_companies
from qiaomen.reports.search import initials

NAMES = {
    1: ("邵阳维克液压股份有限公司", "邵阳液压", "91330106FG3HT7823E"),
    2: ("重庆长安汽车股份有限公司", "长安汽车", "91310115C892MG105R"),
    3: ("宁波银行股份有限公司", "宁波银行", None),
    4: ("宁波恒通科技有限公司", None, None),
    5: ("ABC（中国）有限公司", None, None),
}


def index(names):
    companies = COMPANIES.conform(
        pa.table(
            {
                "company_id": pa.array(list(names), pa.int64()),
                "name": [row[0] for row in names.values()],
                "uscc": pa.array([row[2] for row in names.values()], pa.string()),
                "origin": ["registry"] * len(names),
            }
        )
    )
    rows = [(i, row[0], normalise_name(row[0]), "legal") for i, row in names.items()]
    rows += [(i, row[1], normalise_short_name(row[1]), "short") for i, row in names.items() if row[1]]
    columns = [list(column) for column in zip(*rows, strict=True)]
    named = pa.table(dict(zip(("company_id", "name", "name_norm", "kind"), columns, strict=True)))
    return build_search_index(companies, COMPANY_NAMES.conform(named))


ARRAYS = index(NAMES)


def found(text):
    return [hit.company_id for hit in search_companies(ARRAYS, text)]


def test_names_short_names_and_parts():
    assert found("邵阳维克液压股份有限公司")[0] == 1
    assert found("邵阳液压") == [1]
    assert found("維克液壓") == [1]
    assert set(found("宁波")) == {3, 4}
    assert found("abc(中国)") == [5]
    assert search_companies(ARRAYS, "长安汽车")[0].exact


def test_codes_whole_and_begun():
    assert found("91330106FG3HT7823E") == [1]
    assert found("91330106") == [1]
    assert found("９１３３０１０６ｆｇ３") == [1]


def test_pinyin_initials_read_phrases():
    assert initials(["重庆长安汽车", "宁波银行", "A股"]) == ["cqcaqc", "nbyh", "ag"]
    assert found("syyy") == [1]
    assert found("nbyh") == [3]
    assert 2 in found("cqca")


def test_a_wrong_character_still_finds():
    assert found("邵阳维可液压股份")[0] == 1


def test_too_little_finds_nothing():
    assert found("") == found("邵") == found("  ") == []


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_answered(text):
    hits = search_companies(ARRAYS, text, limit=3)
    assert len(hits) <= 3
    assert len({hit.company_id for hit in hits}) == len(hits)


@settings(deadline=None)
@given(st.sampled_from(sorted(NAMES)), st.integers(0, 10), st.integers(2, 8))
def test_every_part_of_a_name_finds_it(number, start, length):
    name = normalise_name(NAMES[number][0])
    part = name[start : start + length]
    if len(part) >= 2:
        assert number in found(part)


def test_twenty_thousand_names_answer_quickly():
    names = {i: (f"{a}{b}{c}{d}科技有限公司", None, None) for i, (a, b, c, d) in enumerate(_words(), 1)}
    arrays = index(names)
    start = time.perf_counter()
    for text in ("天地玄黄", "科技", "tdxh", "有限公司", "地玄"):
        assert search_companies(arrays, text)
    assert time.perf_counter() - start < 2.0


def _words():
    letters = "天地玄黄宇宙洪荒日月盈昃"
    return [(a, b, c, d) for a in letters for b in letters for c in letters for d in letters]


def test_an_empty_index_answers():
    arrays = build_search_index(COMPANIES.empty(), COMPANY_NAMES.empty())
    assert search_companies(arrays, "恒通") == []
