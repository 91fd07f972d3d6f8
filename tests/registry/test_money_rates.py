"""The shipped rates of exchange: each with its day and who says so."""

from __future__ import annotations

from qiaomen.catalog import read_rows
from qiaomen.registry.money import Currency, load_money_reader


def test_every_rate_names_its_day_and_source() -> None:
    rows = read_rows("currencies", Currency)
    assert len({row.as_of for row in rows}) == 1, "rates of one day"
    assert all(row.source for row in rows)


def test_the_dollar_is_worth_what_the_source_says() -> None:
    assert load_money_reader().read("100万美元") == 7_187_900.0
