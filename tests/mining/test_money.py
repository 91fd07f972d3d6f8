import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.mining import find_amounts, flatten, parse_amount, word_amount
from qiaomen.registry import load_money_reader

MONEY = load_money_reader()
USD = dict(MONEY.rates)["USD"]


@pytest.mark.parametrize(
    ("text", "cny"),
    [
        ("4.80亿元", 4.8e8),
        ("3.5亿人民币", 3.5e8),
        ("1,234.56万元", 12_345_600.0),
        ("约2 亿元", 2e8),
        ("不超过35,000万元", 3.5e8),
        ("2-3亿元", 2e8),
        ("2000万元至3000万元", 2e7),
        ("三千五百万元", 3.5e7),
        ("伍佰万元整", 5e6),
        ("叁亿元", 3e8),
        ("１２００万元", 1.2e7),
        ("数千万人民币", 3e7),
        ("近亿人民币", 9e7),
        ("过千万人民币", 1e7),
        ("百万级人民币", 1e6),
        ("1000万", 1e7),
        ("800万美元", 800e4 * USD),
        ("US$ 50万", 50e4 * USD),
        ("0.5元", 0.5),
    ],
)
def test_spellings_of_money(text: str, cny: float) -> None:
    amount = parse_amount(text, MONEY)
    assert amount is not None
    assert amount.cny == pytest.approx(cny)


@pytest.mark.parametrize(
    "text", ["未披露", "", "亿元人民币公司", "3850万股", "2万吨", "2019年", "1.2万亿亿亿元"]
)
def test_no_money_or_too_much_of_it(text: str) -> None:
    assert find_amounts(flatten(text), MONEY) == []


def test_spans_are_those_of_the_text() -> None:
    text = "公司以３，０００万元收购，另付不超过２亿元。"
    flat = flatten(text)
    assert len(flat) == len(text)
    assert [text[a.start : a.end] for a in find_amounts(flat, MONEY)] == ["３，０００万元", "不超过２亿元"]


@given(st.integers(1, 10**12), st.sampled_from([("元", 1), ("万元", 10_000), ("亿元", 10**8)]))
def test_what_is_written_is_read(number: int, unit: tuple[str, int]) -> None:
    amount = parse_amount(f"{number:,}{unit[0]}", MONEY)
    if number * unit[1] > 9e13:
        assert amount is None
    else:
        assert amount is not None
        assert amount.cny == float(number * unit[1])


@given(st.text(max_size=80))
def test_any_text_is_read_without_an_error(text: str) -> None:
    for amount in find_amounts(flatten(text), MONEY):
        assert 0 <= amount.start < amount.end <= len(text)


def test_words() -> None:
    assert [word_amount(x) for x in (None, 12.5, 25_000, 3e8)] == [
        "金额不详",
        "12.50元",
        "2.50万元",
        "3.00亿元",
    ]
