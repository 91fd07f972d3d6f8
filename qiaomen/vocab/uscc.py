"""统一社会信用代码 and the codes before it: normalising, checking, repairing. No I/O.

Sources: GB 32100-2015 with its amendment (18 characters, check character by ISO 7064 style weights 3^i mod 31),
GB 11714-1997 (organisation code inside it, modulus 11), GS15-2006 (15-digit registration number, ISO 7064 MOD 11,10).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
LENGTH: Final = 18
PREFIXES: Final[dict[str, str]] = {
    "1": "1239",
    "2": "19",
    "3": "123459",
    "4": "19",
    "5": "12349",
    "6": "129",
    "7": "129",
    "8": "19",
    "9": "1239",
    "A": "19",
    "N": "1239",
    "Y": "1",
}
"""Registering department to the categories it may give; `1` of `Y` is every organisation of another department."""

_VALUE: Final = {character: value for value, character in enumerate(ALPHABET)}
_WEIGHTS: Final = tuple(pow(3, index, 31) for index in range(17))
_INVERSES: Final = tuple(pow(weight, -1, 31) for weight in _WEIGHTS)
_INNER_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_INNER_VALUE: Final = {
    character: value for value, character in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}
_NOISE: Final = re.compile(r"[^0-9A-Z]+")
_CONFUSED: Final = str.maketrans("OISZ", "0152")
_SHAPE: Final = re.compile(f"[{ALPHABET}]{{2}}[0-9]{{6}}[{ALPHABET}]{{10}}")


def normalise_code(text: str) -> str:
    """Return the code in upper case without full-width forms, spaces, dashes and other noise.

    In an 18-character code the letters O, I, S, Z do not exist and are read as the digits 0, 1, 5, 2.
    """
    code = _NOISE.sub("", unicodedata.normalize("NFKC", text).upper())
    return code.translate(_CONFUSED) if len(code) == LENGTH else code


def check_character(first_seventeen: str) -> str:
    """Return the 18th character that GB 32100 asks for; ``KeyError`` if a character is outside the alphabet."""
    total = sum(
        _VALUE[character] * weight for character, weight in zip(first_seventeen, _WEIGHTS, strict=True)
    )
    return ALPHABET[-total % 31]


def organisation_check_character(first_eight: str) -> str:
    """Return the 9th character that GB 11714 asks for; ``KeyError`` if a character is no digit or letter."""
    pairs = zip(first_eight, _INNER_WEIGHTS, strict=True)
    return "0123456789X"[-sum(_INNER_VALUE[character] * weight for character, weight in pairs) % 11]


def check_organisation_code(code: str) -> str | None:
    """Return why a 9-character organisation code (dash left out) is wrong, or None if it is right."""
    if len(code) != 9:
        return f"组织机构代码应为 9 位，实为 {len(code)} 位"
    if not set(code[:8]) <= set(_INNER_VALUE):
        return "组织机构代码含有不允许的字符"
    return None if organisation_check_character(code[:8]) == code[8] else "组织机构代码校验位不符"


def check_uscc(code: str) -> str | None:
    """Return why a normalised USCC is wrong, in Chinese, or None if it is right."""
    if len(code) != LENGTH:
        return f"统一社会信用代码应为 18 位，实为 {len(code)} 位"
    outside = sorted(set(code) - set(ALPHABET))
    if outside:
        return f"统一社会信用代码含有不允许的字符 {'、'.join(outside)}"
    if code[1] not in PREFIXES.get(code[0], ""):
        return f"登记管理部门和机构类别代码 {code[:2]} 不存在"
    if not code[2:8].isdigit():
        return "登记管理机关行政区划码（第 3 至 8 位）应为数字"
    if organisation_check_character(code[8:16]) != code[16]:
        return "内含的组织机构代码校验位不符"
    return None if check_character(code[:17]) == code[17] else "统一社会信用代码校验位不符"


def check_registration_number(code: str) -> str | None:
    """Return why an old 15-digit registration number is wrong, or None if it is right (ISO 7064 MOD 11,10)."""
    if len(code) != 15 or not (code.isascii() and code.isdigit()):
        return "工商注册号应为 15 位数字"
    product = 10
    for digit in code[:14]:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return None if (product + int(code[14])) % 10 == 1 else "工商注册号校验位不符"


def organisation_code(uscc: str) -> str:
    """Return the 9-character organisation code inside a USCC."""
    return uscc[8:17]


def repair_candidates(code: str) -> tuple[str, ...]:
    """Return every valid USCC one error away, sorted: a wrong, missing or extra character, or two neighbours swapped.

    The check character's equation is solved per position, so a code has few candidates and no search is needed.
    """
    found: set[str] = set()
    if len(code) == LENGTH:
        found.update(_substitutions(code))
        found.update(code[:i] + code[i + 1] + code[i] + code[i + 2 :] for i in range(LENGTH - 1))
    elif len(code) == LENGTH - 1:
        for i in range(LENGTH):
            found.update(_solved(code[:i] + "0" + code[i:], i))
    elif len(code) == LENGTH + 1:
        found.update(code[:i] + code[i + 1 :] for i in range(len(code)))
    found.discard(code)
    return tuple(sorted(candidate for candidate in found if check_uscc(candidate) is None))


def _substitutions(code: str) -> set[str]:
    wrong = [i for i, character in enumerate(code) if character not in _VALUE]
    positions = wrong or range(LENGTH)
    return {fixed for i in positions for fixed in _solved(code[:i] + "0" + code[i + 1 :], i)}


def _solved(code: str, position: int) -> tuple[str, ...]:
    """Return the code with the one character at ``position`` that satisfies the check equation."""
    if not set(code) <= set(ALPHABET):
        return ()
    if position == LENGTH - 1:
        return (code[:17] + check_character(code[:17]),)
    total = sum(_VALUE[character] * weight for character, weight in zip(code, _WEIGHTS, strict=False))
    value = -(total + _VALUE[code[17]]) * _INVERSES[position] % 31
    return (code[:position] + ALPHABET[value] + code[position + 1 :],)
