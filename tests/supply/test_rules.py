from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.store import Engine
from qiaomen.supply import CoreRule, Window, load_core_rules
from qiaomen.supply.rules import find_window, months_before
from qiaomen.vocab import CatalogInvalid
from tests.supply.plain import RULE, document, records


def test_the_shipped_rules_are_the_agreed_ones():
    rules = load_core_rules()
    default = rules["default"]
    assert (default.window_months, default.min_share, default.top_ranks, default.top_share) == (
        24,
        0.3,
        3,
        0.1,
    )
    assert (default.min_months, default.min_counterparties) == (3, 5)
    assert rules["last_trade"].window_end == "last_trade"


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2025, 12, 31), 24, date(2023, 12, 31)),
        (date(2025, 3, 31), 1, date(2025, 2, 28)),
        (date(2024, 3, 31), 1, date(2024, 2, 29)),
        (date(2025, 1, 15), 1, date(2024, 12, 15)),
    ],
)
def test_months_count_by_the_calendar(day, months, expected):
    assert months_before(day, months) == expected


@given(st.dates(date(1950, 1, 1), date(2100, 1, 1)), st.integers(1, 600))
def test_months_before_goes_back_exactly_that_many_months(day, months):
    found = months_before(day, months)
    assert (day.year - found.year) * 12 + day.month - found.month == months
    assert found.day <= day.day


def test_windows_end_where_the_rule_says():
    rows = [
        document(1, 2, 1.0, date(2020, 2, 21)),
        document(1, 2, 1.0, date(2020, 6, 1), status="void"),
        document(1, 2, 1.0, date(2030, 1, 1)),
    ]
    as_of = date(2026, 6, 30)
    with Engine() as engine:
        table = engine.memory(records(rows))
        empty = engine.memory(records([]))
        last = RULE.model_copy(update={"window_end": "last_trade"})
        fixed = RULE.model_copy(update={"window_end": "fixed", "ends_on": date(2021, 1, 31)})
        assert find_window(table, as_of, RULE) == Window(date(2024, 7, 1), as_of)
        assert find_window(table, as_of, last) == Window(date(2018, 2, 22), date(2020, 2, 21))
        assert find_window(table, as_of, fixed) == Window(date(2019, 2, 1), date(2021, 1, 31))
        assert find_window(empty, as_of, last) == Window(date(2024, 7, 1), as_of)
    assert last.window_months == 24
    assert Window(date(2019, 2, 1), date(2021, 1, 31)).words == "2019-02-01 至 2021-01-31"


def test_a_fixed_window_needs_its_end(tmp_path):
    (tmp_path / "core_rules.csv").write_text("code,name,window_end\nbank,本行规则,fixed\n", encoding="utf-8")
    with pytest.raises(CatalogInvalid, match="ends_on"):
        load_core_rules(tmp_path)


def test_a_bank_states_its_own_rule(tmp_path):
    (tmp_path / "core_rules.csv").write_text("code,name,min_share\ndefault,本行规则,0.4\n", encoding="utf-8")
    assert load_core_rules(tmp_path)["default"] == CoreRule(code="default", name="本行规则", min_share=0.4)
