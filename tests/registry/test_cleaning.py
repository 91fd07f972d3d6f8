"""Every named cleaner on the spellings it must take and must refuse."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.registry.cleaning import CLEANERS, make_cleaner
from qiaomen.registry.dates import read_date
from qiaomen.registry.money import load_money_reader
from qiaomen.vocab import CatalogInvalid


def cleaned(step: str, text: str) -> Any:
    return make_cleaner((step,), CLEANERS[step.partition(":")[0]].type, None)(text)


@pytest.mark.parametrize(
    ("text", "yuan"),
    [
        ("500万元人民币", 5_000_000),
        ("500万人民币", 5_000_000),
        ("500 万元", 5_000_000),
        ("500万", 5_000_000),
        ("1000000", 1_000_000),
        ("1,000,000.50元", 1_000_000.5),
        ("１０００万元", 10_000_000),
        ("3.5亿人民币", 350_000_000),
        ("1亿2000万元", 120_000_000),
        ("数千万人民币", 30_000_000),
        ("数十万人民币", 300_000),
        ("数亿", 300_000_000),
        ("近亿人民币", 90_000_000),
        ("过亿人民币", 100_000_000),
        ("近百万人民币", 900_000),
        ("1000万美元", 71_879_000),
        ("500 万元 美元", 35_939_500),
        ("数百万美元", 21_563_700),
        ("USD 100", 718.79),
        ("$100", 718.79),
        ("50万欧元", 3_745_500),
        ("100万港币", 924_890),
        ("100万日元", 46_123),
        ("20万英镑", 1_811_680),
        ("￥88.00", 88),
        ("人民币伍佰万元整", 5_000_000),
        ("一千二百万元", 12_000_000),
        ("-123.45", -123.45),
        ("(123.45)", -123.45),
        ("500万人民币元", 5_000_000),
    ],
)
def test_money_in_many_spellings(text: str, yuan: float) -> None:
    assert cleaned("money", text) == pytest.approx(yuan, abs=0.005)


@pytest.mark.parametrize("text", ["万人民币", "亿", "abc", "12万3", "1e300", "元", "1.2.3万", "面议"])
def test_money_refuses_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="金额"):
        cleaned("money", text)


def test_a_bare_number_takes_the_unit_of_its_header_and_a_written_unit_does_not() -> None:
    clean = make_cleaner(("money",), "float64", None, 10_000)
    assert [clean(text) for text in ("500", "1,000", "500万元", "500元")] == [5e6, 1e7, 5e6, 500]


@settings(deadline=None)
@given(st.integers(0, 9 * 10**13 * 100 - 1))
def test_every_amount_in_fen_survives(fen: int) -> None:
    assert cleaned("money", f"{fen // 100}.{fen % 100:02d}元") == round(fen / 100, 2)


def test_rates_come_from_the_banks_overlay(tmp_path: Path) -> None:
    (tmp_path / "currencies.csv").write_text(
        "code,name_zh,words,rate_cny,as_of\nUSD,美元,美元,7,2026-01-01\n", encoding="utf-8"
    )
    assert load_money_reader(tmp_path).read("10美元") == 70


@pytest.mark.parametrize(
    "text",
    [
        "2019-06-03",
        "2019/6/3",
        "2019.06.03",
        "20190603",
        "2019年6月3日",
        "2019年06月03日 10:30",
        "2019-06-03 00:00:00",
        "2019-06-03T08:00:00Z",
        "２０１９－０６－０３",
        "43619",
        "43619.5",
    ],
)
def test_dates_in_many_spellings(text: str) -> None:
    assert cleaned("date", text) == date(2019, 6, 3)


@pytest.mark.parametrize(
    "text",
    ["0002-12-02", "2019-02-30", "2019-13-01", "1700-01-01", "2200-01-01", "2019-06", "abc", "1", "19/6/3"],
)
def test_impossible_dates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="日期"):
        cleaned("date", text)


def test_no_end_is_no_date_and_a_month_is_its_first_day() -> None:
    assert cleaned("date", "长期") is None
    assert cleaned("date", "9999-12-31") is None
    assert cleaned("month", "2025年6月") == cleaned("month", "2025-06") == cleaned("month", "20250615")
    assert cleaned("month", "202506") == date(2025, 6, 1)


@settings(deadline=None)
@given(st.dates(date(1800, 1, 1), date(2100, 12, 31)))
def test_every_believable_date_survives(day: date) -> None:
    for text in (day.isoformat(), f"{day:%Y%m%d}", f"{day.year}年{day.month}月{day.day}日"):
        assert read_date(text) == day


@pytest.mark.parametrize("text", ["300729.SZ", "300729", "sz.300729", "SZ300729", " 300729.sz"])
def test_stock_codes_in_every_form_give_six_digits(text: str) -> None:
    assert cleaned("stock_code", text) == "300729"


@pytest.mark.parametrize(
    ("code", "board"),
    [
        ("600000.SH", "上交所主板"),
        ("688001", "科创板"),
        ("000001", "深交所主板"),
        ("301079", "创业板"),
        ("830799", "北交所"),
    ],
)
def test_boards(code: str, board: str) -> None:
    assert cleaned("listed_board", code) == board


@pytest.mark.parametrize(
    ("step", "text", "value"),
    [
        ("name", "\u00a0上海（敲门）\u3000有限公司\u200b ", "上海（敲门） 有限公司"),
        ("text", "光纤复合\n架空地线\n", "光纤复合 架空地线"),
        ("text", "&nbsp;", None),
        ("code", " ＡＢ 12\u3000", "AB12"),
        ("list", "科技；普惠、绿色;科技", "科技;普惠;绿色"),
        ("decimal", "1,234.5", 1234.5),
        ("integer", "12人", 12),
        ("integer", "12.0", 12),
        ("percent", "12.5%", 0.125),
        ("percent", "0.125", 0.125),
        ("percent:100", "12.5", 0.125),
        ("bool", "是", True),
        ("bool", "0", False),
        ("region", "310115", "310115"),
        ("region", "310115000000", "310115"),
        ("region", "31", "310000"),
        ("region", "上海", "310000"),
        ("region", "浦东新区", "310115"),
        ("region", "310119", "310115"),
        ("industry_code", "3973", "C3973"),
        ("industry_code", "c39", "C39"),
        ("phone", "021-6888 8888", "02168888888"),
        ("phone", "+86 13800138000；12", "13800138000"),
        ("email", " A@B.CN ", "a@b.cn"),
        ("holder", "中国人寿保险股份有限公司-传统-普通保险产品", "中国人寿保险股份有限公司"),
        ("holder", "STYLE-SUCCESS LIMITED", "STYLE-SUCCESS LIMITED"),
        ("birth_year:2018", "58", 1960),
        ("birth_year:2018", "-1", None),
        ("code_parent:2,4,6", "110101", "110100"),
        ("code_parent:2,4,6", "110100", "110000"),
        ("code_parent:2,4,6", "110000", None),
        ("json", '{"b":1, "a":"二"}', '{"a": "二", "b": 1}'),
        ("verbatim", "  原样  ", "  原样  "),
        ("paragraphs", "一\r\n二 \n", "一\n二"),
    ],
)
def test_cleaners(step: str, text: str, value: Any) -> None:
    assert cleaned(step, text) == value


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("code", "9.1310115E+17"),
        ("code", "6.228480000000000e+18"),
        ("uscc", "913302040933533734"),
        ("uscc", "9.13E+17"),
        ("stock_code", "2010-02-11"),
        ("integer", "1.5"),
        ("bool", "也许"),
        ("region", "999999"),
        ("region", "朝阳区"),
        ("industry_code", "Z99"),
        ("phone", "12"),
        ("email", "a.b.cn"),
        ("json", "{"),
        ("decimal", "+"),
        ("birth_year:2018", "300"),
    ],
)
def test_cleaners_refuse(step: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"[\u4e00-\u9fff]"):
        cleaned(step, text)


@settings(deadline=None)
@given(st.text(max_size=30), st.sampled_from(sorted(set(CLEANERS) - {"birth_year", "code_parent"})))
def test_no_text_breaks_a_cleaner(text: str, step: str) -> None:
    try:
        value = cleaned(step, text)
    except ValueError as error:
        assert any("\u4e00" <= character <= "\u9fff" for character in str(error)), "the reason is in Chinese"
    else:
        assert value is None or isinstance(value, (str, float, int, bool, date))


def test_an_unknown_cleaner_is_named() -> None:
    with pytest.raises(CatalogInvalid, match="nonsense"):
        make_cleaner(("nonsense",), "string", None)
