"""The check laws of USCC, organisation codes and registration numbers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.vocab import (
    check_organisation_code,
    check_registration_number,
    check_uscc,
    normalise_code,
    organisation_check_character,
    organisation_code,
    repair_candidates,
    uscc_check_character,
)

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@st.composite
def valid_codes(draw):
    prefix = draw(st.sampled_from(["91", "92", "93", "12", "51", "A1", "N2", "Y1", "81"]))
    region = "".join(draw(st.lists(st.sampled_from("0123456789"), min_size=6, max_size=6)))
    inner = "".join(draw(st.lists(st.sampled_from(ALPHABET), min_size=8, max_size=8)))
    body = prefix + region + inner + organisation_check_character(inner)
    return body + uscc_check_character(body)


@pytest.mark.parametrize("code", ["91330106FG3HT7823E", "91310115C892MG105R"])
def test_known_codes_are_right(code):
    assert check_uscc(code) is None


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("", "18 位"),
        ("91330106FG3HT7823", "18 位"),
        ("91330106FG3HT7823F", "校验位"),
        ("X1330106FG3HT7823E", "不存在"),
        ("9133010OFG3HT7823E", "字符"),
        ("9133A106FG3HT7823E", "数字"),
    ],
)
def test_wrong_codes_get_a_reason(code, word):
    assert word in check_uscc(code)


@settings(deadline=None)
@given(valid_codes())
def test_made_codes_pass_with_every_prefix(code):
    assert check_uscc(code) is None
    assert check_organisation_code(organisation_code(code)) is None
    assert normalise_code(code) == code


@settings(deadline=None)
@given(valid_codes(), st.integers(0, 17), st.sampled_from(ALPHABET))
def test_one_substitution_is_found_again(code, place, character):
    wrong = code[:place] + character + code[place + 1 :]
    if wrong != code:
        assert check_uscc(wrong) is not None
        assert code in repair_candidates(wrong)


@settings(deadline=None)
@given(valid_codes(), st.integers(0, 16))
def test_one_swap_is_found_again(code, place):
    wrong = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    if wrong != code:
        assert code in repair_candidates(wrong)


@settings(deadline=None)
@given(valid_codes(), st.integers(0, 17), st.sampled_from(ALPHABET))
def test_one_missing_or_extra_character_is_found_again(code, place, extra):
    assert code in repair_candidates(code[:place] + code[place + 1 :])
    assert code in repair_candidates(code[:place] + extra + code[place:])


@settings(deadline=None)
@given(valid_codes())
def test_repairs_are_right_and_few(code):
    candidates = repair_candidates(code)
    assert all(check_uscc(candidate) is None for candidate in candidates)
    assert code not in candidates
    assert len(candidates) <= 35


@settings(deadline=None)
@given(valid_codes())
def test_dirt_is_normalised_away(code):
    wide = "".join(chr(ord(character) + 0xFEE0) for character in code.lower())
    confused = code.replace("0", "o").replace("1", "i")
    assert normalise_code(f" {wide[:4]}-{wide[4:]}　") == code
    assert normalise_code(confused) == code


@settings(deadline=None)
@given(st.text(max_size=25))
def test_any_text_is_judged_without_error(text):
    code = normalise_code(text)
    check_uscc(code)
    check_uscc(text)
    check_organisation_code(text)
    check_registration_number(text)
    assert repair_candidates(text) is not None


@settings(deadline=None)
@given(st.lists(st.sampled_from("0123456789"), min_size=14, max_size=14))
def test_registration_number_has_one_right_digit(digits):
    first = "".join(digits)
    right = [last for last in "0123456789" if check_registration_number(first + last) is None]
    assert len(right) == 1


def test_registration_number_of_the_standard_shape():
    assert check_registration_number("330214000048633") is None
    assert check_registration_number("330214000048634") is not None
    assert check_registration_number("３３０２１４０００") is not None
