"""How figures are written."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.web import formats
from qiaomen.web.figures import change
from qiaomen.web.firms import brief


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (None, "—"),
        (float("nan"), "—"),
        (0, "0 元"),
        (0.5, "0.5 元"),
        (9_999.6, "1 万元"),
        (12_800_000, "1,280 万元"),
        (125_000, "12.5 万元"),
        (99_999_999, "1 亿元"),
        (-320_000_000, "-3.2 亿元"),
    ],
)
def test_money_takes_the_unit_that_staff_read(amount: float | None, words: str) -> None:
    assert formats.money(amount) == words


@given(st.floats(min_value=1, max_value=9e13))
def test_money_keeps_its_size(amount: float) -> None:
    number, unit = formats.money_parts(amount)
    factor = {"元": 1, "万元": 1e4, "亿元": 1e8}[unit]
    assert float(number.replace(",", "")) * factor == pytest.approx(amount, rel=0.06, abs=0.6)


def test_a_share_of_nothing_is_no_share() -> None:
    assert formats.share(0, 0) is None
    assert formats.percent(formats.share(1, 3)) == "33.3%"


def test_what_is_left_of_a_date() -> None:
    today = dt.date(2026, 6, 30)
    assert formats.remaining(dt.date(2026, 7, 3), today) == "剩 3 天"
    assert formats.remaining(today, today) == "今天到期"
    assert formats.remaining(dt.date(2026, 6, 28), today) == "超期 2 天"


def test_evidence_splits_into_words_and_source() -> None:
    assert formats.statement("任董事｜relations/t/1") == ("任董事", "relations/t/1")
    assert formats.statement(None) == ("", "")


def test_red_is_up_and_a_backlog_is_not_judged() -> None:
    assert change(12, 10, judged=True) == ("↑ 20%", "rise")
    assert change(8, 10, judged=True) == ("↓ 20%", "fall")
    assert change(8, 10, judged=False) == ("↓ 20%", "")
    assert change(10.0001, 10, judged=True) == ("→ 持平", "")
    assert change(5, 0, judged=True) == ("", "")


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("上海澜微电子有限公司", "澜微电子"),
        ("恒森皮革珠宝科技(上海)有限公司", "恒森皮革珠宝科技"),
        ("上海电气", "上海电气"),
        ("有限公司", "有限公司"),
    ],
)
def test_a_name_is_shortened_for_drawings(name: str, short: str) -> None:
    assert brief(name) == short
