"""Local passwords: what they must be, how they are kept, when they are due; on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.bank import (
    FirstPassword,
    PasswordRules,
    SignInRules,
    change_password,
    open_session,
    reset_password,
    session_of,
    sign_in,
)
from qiaomen.bank.passwords import check_new_password, hash_password, is_outdated
from qiaomen.store import reading, writing
from qiaomen.vocab import InputRejected, NotAllowed
from tests.bank.sign_in_examples import GOOD, HOUR, NOW, administrator, user


@pytest.mark.parametrize(
    "password", [GOOD, "w8#kLp2!vNq4", "中文口令也可以很长很难猜吧", "correct horse battery"]
)
def test_long_passwords_of_any_mixture_are_taken(password: str) -> None:
    check_new_password(password, PasswordRules(), ["e0005", "刘敏"])


@pytest.mark.parametrize(
    "password",
    [
        "short one 1",
        "x" * 129,
        "123456789012",
        "aaaaaaaaaaaaaaa",
        "P@ssw0rd1234",
        "1qaz2wsx3edc4rfv",
        "Qiaomen2026!!",
        "Admin@1234567",
        "e0005e0005e0005",
        "liumin@2026-01",
        "20260101-20261231",
        "abcabcabcabc",
        "示范银行20260101",
    ],
)
def test_short_common_and_personal_passwords_are_refused(password: str) -> None:
    with pytest.raises(InputRejected):
        check_new_password(password, PasswordRules(words=("示范银行",)), ["e0005", "刘敏", "liumin"])


def test_a_mixture_is_asked_only_where_the_bank_wants_it() -> None:
    check_new_password(GOOD, PasswordRules(kinds=2), [])
    with pytest.raises(InputRejected, match="3 类"):
        check_new_password(GOOD, PasswordRules(kinds=3), [])
    check_new_password("Violet tractor monsoon 7", PasswordRules(kinds=4), [])


@given(st.text(max_size=200))
def test_any_text_is_judged_without_an_error(password: str) -> None:
    try:
        check_new_password(password, PasswordRules(), ["e0005"])
    except InputRejected:
        return
    assert 12 <= len(password) <= 128


def test_a_hash_of_another_cost_is_made_anew_at_the_next_sign_in(sql: sa.Engine) -> None:
    from argon2 import PasswordHasher

    user(sql)
    old = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(GOOD)
    assert is_outdated(old)
    assert not is_outdated(hash_password(GOOD))
    with writing(sql) as connection:
        connection.execute(sa.text("UPDATE users SET password_hash = :h"), {"h": old})
    sign_in(sql, "e0005", GOOD, NOW)
    with reading(sql) as connection:
        stored = connection.execute(sa.text("SELECT password_hash FROM users")).scalar_one()
    assert stored != old
    assert "m=19456,t=2,p=1" in stored
    assert sign_in(sql, "e0005", GOOD, NOW).viewer.login == "e0005"


def test_former_passwords_do_not_come_back(sql: sa.Engine) -> None:
    current = user(sql)
    viewer = sign_in(sql, "e0005", current, NOW).viewer
    rules = SignInRules(passwords=PasswordRules(remembered=2))
    words = ["violet tractor monsoon", "seven quiet lanterns", "copper bridge whistle", "paper harbour onion"]
    for word in words:
        change_password(sql, viewer, current, word, NOW, rules=rules)
        current = word
    for former in 3 * words[1:]:
        with pytest.raises(InputRejected, match="最近用过"):
            change_password(sql, viewer, current, former, NOW, rules=rules)
    change_password(sql, viewer, current, words[0], NOW, rules=rules)


def test_a_password_is_due_after_its_age_and_at_once_where_somebody_gave_it(sql: sa.Engine) -> None:
    given_password = user(sql, "new", first=FirstPassword.TO_CHANGE)
    signed = sign_in(sql, "new", given_password, NOW + HOUR)
    assert signed.password_due_at is not None
    assert signed.password_due_at <= NOW + HOUR
    due = change_password(sql, signed.viewer, given_password, GOOD, NOW + HOUR)
    assert due == NOW + HOUR + timedelta(days=90)
    never = SignInRules(passwords=PasswordRules(max_age=None))
    assert sign_in(sql, "new", GOOD, NOW + HOUR, rules=never).password_due_at is None
    root = administrator(sql)
    with writing(sql) as connection:
        fresh = reset_password(root, connection, "new", now=NOW)
    with pytest.raises(NotAllowed, match="过期"):
        sign_in(sql, "new", fresh, NOW + timedelta(hours=73))
    assert sign_in(sql, "new", fresh, NOW + timedelta(hours=71)).password_due_at == NOW


def test_changing_the_password_ends_every_session(sql: sa.Engine) -> None:
    password = user(sql)
    viewer = sign_in(sql, "e0005", password, NOW).viewer
    with writing(sql) as connection:
        tokens = [open_session(connection, viewer, NOW, life=HOUR) for _ in range(3)]
    change_password(sql, viewer, password, GOOD, NOW)
    for token in tokens:
        with pytest.raises(NotAllowed), reading(sql) as connection:
            session_of(connection, token, NOW)
