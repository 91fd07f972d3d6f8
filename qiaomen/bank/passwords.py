"""What a password must be and how it is kept: argon2id, a length, no common words, no forced mixture by default.

Sources: GB/T 22239-2019 8.1.4.1 (complexity and regular change) and OWASP ASVS 5.0 6.2 (length, banned words, no forced
mixture, no forced change); where they differ a setting decides.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from qiaomen.vocab import InputRejected, Unavailable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

# The least cost that OWASP's password storage sheet names for argon2id: 19 MiB, two passes, one lane.
MEMORY_KIB: Final = 19_456
PASSES: Final = 2
LANES: Final = 1
LONGEST: Final = 128
# So many passwords are hashed at once; further sign-ins wait, so that a flood of them cannot take all memory.
AT_ONCE: Final = 4
PATIENCE_SECONDS: Final = 20.0
# zxcvbn's score for more than 10**8 guesses; it reads no more than so many characters.
SAFE_SCORE: Final = 3
SCORED: Final = 72
OWN_WORDS: Final = (
    "qiaomen",
    "敲门",
    "admin",
    "administrator",
    "root",
    "password",
    "bank",
    "yinhang",
    "mima",
)
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_KINDS: Final = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")
_NOBODY: Final = secrets.token_urlsafe(24)
_places = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """What local passwords must be.

    ``kinds`` of characters (small, capital, digit, other) that must occur; ``max_age`` after which a password must be
    changed (None: never); ``remembered`` former passwords that may not come back; ``first_life`` of a password that
    somebody else has given.
    """

    shortest: int = 12
    kinds: int = 1
    max_age: timedelta | None = timedelta(days=90)
    remembered: int = 5
    first_life: timedelta = timedelta(hours=72)
    words: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def hasher() -> PasswordHasher:
    """Return the hasher with the stated cost."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


@lru_cache(maxsize=1)
def _nobody() -> str:
    return hasher().hash(_NOBODY)


def hash_password(password: str) -> str:
    """Return the hash to keep."""
    return hasher().hash(password)


def fits(stored: str | None, password: str) -> bool:
    """Whether a password is the stored one; without a stored one it takes as long and is never."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    if not _places.acquire(timeout=PATIENCE_SECONDS):
        raise Unavailable("同时登录的人太多", remedy="稍后再试")
    try:
        return hasher().verify(stored or _nobody(), password) and stored is not None
    except (Argon2Error, InvalidHashError):
        return False
    finally:
        _places.release()


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with another cost than today's."""
    return hasher().check_needs_rehash(stored)


def new_password() -> str:
    """Return a random password of 79 bits without look-alike characters."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def check_new_password(password: str, rules: PasswordRules, about: Iterable[str]) -> None:
    """Raise ``InputRejected`` where a password is too weak; ``about`` are words of its owner (login, name, number)."""
    if not rules.shortest <= len(password) <= LONGEST:
        raise InputRejected(
            f"新密码须为 {rules.shortest} 至 {LONGEST} 位", remedy="可用几个不相干的词连成一句，空格也可以"
        )
    if sum(bool(re.search(kind, password)) for kind in _KINDS) < rules.kinds:
        raise InputRejected(
            f"新密码须含大写、小写、数字、符号中的至少 {rules.kinds} 类", remedy="补上缺少的字符种类"
        )
    words = [word for word in (*OWN_WORDS, *rules.words, *about) if word]
    if is_one_word(password, words) or _score(password, words) < SAFE_SCORE:
        raise InputRejected(
            "新密码太常见，容易被猜中", remedy="避开姓名、工号、行名、日期、键盘顺序与常见密码，或再长一些"
        )


def is_one_word(password: str, words: Iterable[str]) -> bool:
    """Whether a password is one of the words with digits and signs around it, as in ``Qiaomen2026!!``."""
    bare = _letters(password)
    return not bare or bare in {_letters(word) for word in words}


def _letters(text: str) -> str:
    """Return the letters alone; in names and phrases of other scripts those letters too."""
    return "".join(character for character in text.lower() if character.isalpha())


def _score(password: str, words: Iterable[str]) -> int:
    from zxcvbn import zxcvbn

    return int(zxcvbn(password[:SCORED], user_inputs=list(words))["score"])
