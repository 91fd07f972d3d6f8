"""The percent shown on standard error."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stderr

from hypothesis import example, given
from hypothesis import strategies as st

from qiaomen.cli.progress import watched
from qiaomen.jobs.running import NUMBERED, PUBLISHED, STEPS, WHOLE


def percents(fractions: list[float]) -> list[int]:
    said = io.StringIO()
    with redirect_stderr(said), watched("运行") as observer:
        for fraction in fractions:
            observer("步骤", fraction)
    return [int(number) for number in re.findall(r"\] +(-?\d+)% 运行：步骤", said.getvalue())]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True)))
@example([0.5, 1.01, 0.95, 1.0])
@example([0.3, 0.1, -0.2])
def test_the_percent_never_falls_nor_exceeds_a_hundred(fractions: list[float]) -> None:
    shown = percents(fractions)
    assert len(shown) == len(fractions)
    assert shown == sorted(shown)
    assert all(0 <= number <= 100 for number in shown)


@given(st.lists(st.floats(0, 1)))
def test_a_rising_fraction_is_shown_as_it_is(fractions: list[float]) -> None:
    rising = sorted(fractions)
    assert percents(rising) == [int(f"{fraction:.0%}"[:-1]) for fraction in rising]


def test_the_steps_of_a_run_end_where_publishing_begins() -> None:
    done = NUMBERED + sum(share / WHOLE * (PUBLISHED - NUMBERED) for _, _, share in STEPS)
    assert abs(done - PUBLISHED) < 1e-9
