"""What lies above a value: divisions by prefix, GB/T 4754 by letter and digits, everything with a path by its words."""

from __future__ import annotations

import re
from typing import Final

_DIVISION: Final = re.compile(r"\d{6}")
_INDUSTRY: Final = re.compile(r"([A-Z]?)(\d{2,4})")
PATH_SEPARATOR: Final = "/"


def ancestors(dimension: str, value: str) -> tuple[str, ...]:
    """Return the codes above a coded value, nearest first; empty where the code has no levels."""
    if dimension == "region":
        return _division_ancestors(value)
    if dimension == "industry":
        return _industry_ancestors(value)
    return ()


def path_ancestors(path: str) -> tuple[str, ...]:
    """Return the paths above a path, nearest first."""
    words = path.split(PATH_SEPARATOR)
    return tuple(PATH_SEPARATOR.join(words[:size]) for size in range(len(words) - 1, 0, -1))


def _division_ancestors(value: str) -> tuple[str, ...]:
    if not _DIVISION.fullmatch(value):
        return ()
    above = (value[:4] + "00", value[:2] + "0000")
    return tuple(
        code for position, code in enumerate(above) if code != value and code not in above[:position]
    )


def _industry_ancestors(value: str) -> tuple[str, ...]:
    found = _INDUSTRY.fullmatch(value)
    if found is None:
        return ()
    letter, digits = found.groups()
    above = [letter + digits[:size] for size in range(len(digits) - 1, 1, -1)]
    return (*above, letter) if letter else tuple(above)


def spellings(dimension: str, word: str) -> tuple[str, ...]:
    """Return other codes that a short spelling may stand for: 31 is 310000."""
    if dimension == "region" and re.fullmatch(r"\d{2}|\d{4}", word):
        return (word.ljust(6, "0"),)
    if dimension == "industry" and re.fullmatch(r"\d{2,4}", word):
        return tuple(chr(letter) + word for letter in range(ord("A"), ord("U")))
    if dimension == "industry" and re.fullmatch(r"[a-t]\d{0,4}", word):
        return (word.upper(),)
    return ()
