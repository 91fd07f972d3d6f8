import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.mining.dates import find_dates

PUBLISHED = dt.date(2025, 3, 2)


@pytest.mark.parametrize(
    ("text", "on", "precise"),
    [
        ("2024年12月5日", dt.date(2024, 12, 5), True),
        ("2024-12-05", dt.date(2024, 12, 5), True),
        ("2024/12/5", dt.date(2024, 12, 5), True),
        ("2024年12月", dt.date(2024, 12, 1), False),
        ("2月28日晚间", dt.date(2025, 2, 28), True),
        ("12月20日晚公告", dt.date(2024, 12, 20), True),
        ("昨日", dt.date(2025, 3, 1), True),
        ("今日", PUBLISHED, True),
        ("近日", PUBLISHED, False),
        ("本月", PUBLISHED, False),
        ("上月", dt.date(2025, 2, 28), False),
        ("去年", dt.date(2024, 12, 31), False),
    ],
)
def test_dates(text: str, on: dt.date, precise: bool) -> None:
    found = find_dates(text, PUBLISHED)
    assert (found[0].on, found[0].precise) == (on, precise)


@pytest.mark.parametrize("text", ["2024年13月5日", "2月30日", "电话020-12345678", "1.25亿元", ""])
def test_impossible_or_other_numbers(text: str) -> None:
    assert [date for date in find_dates(text, PUBLISHED) if date.precise] == []


@given(st.text(max_size=60), st.dates(dt.date(1990, 1, 1), dt.date(2100, 1, 1)))
def test_any_text_is_read_without_an_error(text: str, published_on: dt.date) -> None:
    for date in find_dates(text, published_on):
        assert 0 <= date.start < date.end <= len(text)


@given(st.dates(dt.date(1950, 1, 1), dt.date(2099, 12, 31)))
def test_what_is_written_is_read(on: dt.date) -> None:
    assert find_dates(f"于{on.year}年{on.month}月{on.day}日", PUBLISHED)[0].on == on
