"""The made-up registry of the benchmark: the same from the same seed, true truths, valid codes."""

from __future__ import annotations

from benchmarks.made_registry import made_case
from qiaomen.registry import normalise_name
from qiaomen.vocab import check_uscc


def test_a_seed_gives_one_case_and_another_gives_another() -> None:
    assert made_case(500, 100, 3) == made_case(500, 100, 3)
    assert made_case(500, 100, 3).customers != made_case(500, 100, 4).customers


def test_truths_point_to_the_company_that_the_row_was_made_from() -> None:
    case = made_case(2000, 400, 20)
    assert len(set(case.names)) == 2000
    assert all(check_uscc(code) is None for code in case.codes)
    truths = [truth for _, _, truth, _ in case.customers]
    assert truths.count(-1) == 60
    present = [truth for truth in truths if truth >= 0]
    assert len(set(present)) == len(present) == 340
    clean = [(name, truth) for name, _, truth, kind in case.customers if kind == "clean"]
    assert clean
    for name, truth in clean:
        registered = {normalise_name(each) for each in case.names}
        assert (normalise_name(name) in registered) == (truth >= 0)
        if truth >= 0:
            assert normalise_name(case.names[truth]) == normalise_name(name)


def test_codes_that_are_right_are_the_companys_own() -> None:
    case = made_case(2000, 400, 20)
    right = [(code, truth) for _, code, truth, _ in case.customers if code and check_uscc(code) is None]
    assert right
    known = [(code, truth) for code, truth in right if truth >= 0]
    assert all(case.codes[truth] == code for code, truth in known)
