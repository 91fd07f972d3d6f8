"""Locks and the ways in: local, directory, provider; on SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from qiaomen.bank import (
    FirstPassword,
    Identity,
    LocalSignIn,
    LockRules,
    Match,
    SignInRules,
    Way,
    begin_provider,
    drop_expired_sessions,
    list_users,
    set_active,
    sign_in,
    sign_in_as,
    take_provider_start,
    unbind_user,
    unlock_user,
    viewer_by_login,
    wrong_password,
)
from qiaomen.bank.guards import address_guard
from qiaomen.store import reading, writing
from qiaomen.vocab import NotAllowed, NotFound, Role, Unavailable
from tests.bank.sign_in_examples import HOUR, NOW, actions_noted, administrator, failing, user


def test_a_known_and_an_unknown_name_answer_alike_at_every_step(sql: sa.Engine) -> None:
    user(sql)
    answers = {
        login: [failing(sql, login, NOW + timedelta(seconds=n)) for n in range(8)]
        for login in ("e0005", "ghost")
    }
    assert answers["e0005"] == answers["ghost"]
    assert [("锁定" in answer) for answer in answers["ghost"]] == [False] * 5 + [True] * 3
    assert [entry for entry in actions_noted(sql) if entry[0] == "lock_sign_in"] == [
        ("lock_sign_in", "e0005"),
        ("lock_sign_in", "unknown"),
    ]


def test_what_was_typed_as_a_name_is_not_written_down(sql: sa.Engine) -> None:
    failing(sql, "my-secret-password", NOW)
    with reading(sql) as connection:
        everything = [
            str(connection.execute(sa.text(f"SELECT * FROM {table}")).all())
            for table in ("audit_log", "sign_in_guards", "users")
        ]
    assert "my-secret-password" not in "".join(everything)


def test_a_lock_holds_for_the_right_password_and_ends_by_itself_or_by_an_administrator(
    sql: sa.Engine,
) -> None:
    password = user(sql)
    root = administrator(sql)
    for _ in range(5):
        failing(sql, "e0005", NOW)
    with pytest.raises(NotAllowed, match="锁定"):
        sign_in(sql, "e0005", password, NOW + timedelta(minutes=14))
    with reading(sql) as connection:
        assert list_users(root, connection, now=NOW)[0]["locked_until"] == NOW + timedelta(minutes=15)
        assert list_users(root, connection, now=NOW + HOUR)[0]["locked_until"] is None
    assert sign_in(sql, "e0005", password, NOW + timedelta(minutes=15)).viewer.login == "e0005"
    for _ in range(5):
        failing(sql, "e0005", NOW + HOUR)
    with writing(sql) as connection:
        with pytest.raises(NotAllowed):
            unlock_user(viewer_by_login(connection, "e0005", NOW), connection, "e0005", now=NOW)
        unlock_user(root, connection, "E0005", now=NOW + HOUR)
        with pytest.raises(NotFound):
            unlock_user(root, connection, "nobody", now=NOW)
    assert sign_in(sql, "e0005", password, NOW + HOUR).viewer.login == "e0005"
    assert ("unlock_user", "e0005") in actions_noted(sql)


def test_failures_far_apart_do_not_lock(sql: sa.Engine) -> None:
    password = user(sql)
    for n in range(12):
        failing(sql, "e0005", NOW + n * timedelta(minutes=16))
    assert sign_in(sql, "e0005", password, NOW + timedelta(days=2))


def test_an_address_is_locked_whatever_names_it_tries(sql: sa.Engine) -> None:
    password = user(sql)
    rules = SignInRules(locks=LockRules(account_failures=5, address_failures=6))
    for n in range(6):
        failing(sql, f"guess{n}", NOW, address="10.1.2.3", rules=rules)
        # A right sign-in in between does not wipe the address clean.
        if n == 2:
            sign_in(sql, "e0005", password, NOW, address="10.1.2.3", rules=rules)
    with pytest.raises(NotAllowed, match="锁定"):
        sign_in(sql, "e0005", password, NOW, address="10.1.2.3", rules=rules)
    assert sign_in(sql, "e0005", password, NOW, address="10.1.2.4", rules=rules)


def test_addresses_are_counted_as_they_are_given_out() -> None:
    assert address_guard("10.1.2.3") == address_guard("::ffff:10.1.2.3") == "address:10.1.2.3"
    assert address_guard("2001:db8::1") == address_guard("2001:db8::ffff:1%eth0")
    assert address_guard("2001:db8:0:1::1") != address_guard("2001:db8::1")
    assert address_guard("") == address_guard("testclient") == ""


def test_a_hundred_guesses_at_once_get_no_more_tries_than_in_turn(sql: sa.Engine) -> None:
    password = user(sql)
    guesses = ["wrong"] * 20 + [password] * 20

    def guess(text: str) -> str:
        try:
            sign_in(sql, "e0005", text, NOW)
        except NotAllowed as error:
            return error.message
        return "in"

    for _ in range(5):
        failing(sql, "e0005", NOW)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(guess, guesses))
    assert set(answers) == {"连续登录失败，已暂时锁定"}

    with writing(sql) as connection:
        connection.execute(sa.text("DELETE FROM sign_in_guards"))
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(guess, ["wrong"] * 40))
    assert answers.count("登录名或密码不正确") <= 5


def test_old_guards_and_sign_ins_are_swept_out(sql: sa.Engine) -> None:
    failing(sql, "ghost", NOW, address="10.1.2.3")
    with writing(sql) as connection:
        begin_provider(connection, "visitor", "/", NOW)
        drop_expired_sessions(connection, NOW + timedelta(hours=25))
        for table in ("sign_in_guards", "sign_in_starts"):
            assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar() == 0


def directory(login: str, password: str) -> Identity:
    """A directory that knows two people by one password each."""
    people = {"e0005": ("pass five", "number-5"), "zhao": ("pass zhao", "number-9")}
    if people.get(login, ("", ""))[0] != password or not password:
        raise wrong_password()
    return Identity(Match.LOGIN, login, people[login][1])


def test_the_directory_is_asked_for_those_without_an_admitted_local_password(sql: sa.Engine) -> None:
    local = user(sql, "root", role=Role.ADMINISTRATOR)
    own = user(sql, "e0005")
    user(sql, "zhao", first=FirstPassword.NONE)
    everyone, some = SignInRules(), SignInRules(local=LocalSignIn.ADMINISTRATORS)
    assert sign_in(sql, "e0005", own, NOW, rules=everyone, directory=directory).way is Way.LOCAL
    assert sign_in(sql, "zhao", "pass zhao", NOW, rules=everyone, directory=directory).way is Way.DIRECTORY
    assert sign_in(sql, "root", local, NOW, rules=some, directory=directory).way is Way.LOCAL
    assert sign_in(sql, "e0005", "pass five", NOW, rules=some, directory=directory).way is Way.DIRECTORY
    for login, password, rules, asked in [
        ("e0005", own, some, directory),
        ("e0005", "pass five", everyone, directory),
        ("e0005", own, some, None),
        ("root", local, SignInRules(local=LocalSignIn.NOBODY), directory),
        ("zhao", "", everyone, None),
        ("zhao", "pass zhao", everyone, None),
    ]:
        with pytest.raises(NotAllowed, match="不正确"):
            sign_in(sql, login, password, NOW, rules=rules, directory=asked)


def test_a_directory_out_of_reach_is_no_failure_of_the_user(sql: sa.Engine) -> None:
    user(sql, "zhao", first=FirstPassword.NONE)

    def silent(login: str, password: str) -> Identity:
        raise Unavailable("员工目录暂时无法连接", remedy="稍后再试")

    for _ in range(8):
        with pytest.raises(Unavailable):
            sign_in(sql, "zhao", "pass zhao", NOW, directory=silent, address="10.0.0.1")
    assert sign_in(sql, "zhao", "pass zhao", NOW, directory=directory, address="10.0.0.1")


def test_the_directory_knows_somebody_whom_we_do_not(sql: sa.Engine) -> None:
    with pytest.raises(NotAllowed, match="不正确"):
        sign_in(sql, "zhao", "pass zhao", NOW, directory=directory)


def test_a_provider_lets_in_only_users_of_ours_and_gives_no_role(sql: sa.Engine) -> None:
    user(sql, "e0005", role=Role.ANALYST)
    with pytest.raises(NotAllowed, match="没有与之对应的用户"):
        sign_in_as(sql, Identity(Match.LOGIN, "ghost", "iss u-9"), NOW)
    for empty in ("", "  "):
        with pytest.raises(NotAllowed, match="没有与之对应的用户"):
            sign_in_as(sql, Identity(Match.STAFF_NO, empty, "iss u-9"), NOW)
    signed = sign_in_as(sql, Identity(Match.LOGIN, "E0005", "iss u-1"), NOW)
    assert (signed.viewer.login, signed.way, signed.password_due_at) == ("e0005", Way.PROVIDER, None)
    assert signed.viewer.roles == {Role.ANALYST}


def test_a_number_given_to_somebody_else_opens_nothing_until_unbound(sql: sa.Engine) -> None:
    user(sql, "e0005")
    root = administrator(sql)
    sign_in_as(sql, Identity(Match.LOGIN, "e0005", "iss u-1"), NOW)
    with pytest.raises(NotAllowed, match="已变更"):
        sign_in_as(sql, Identity(Match.LOGIN, "e0005", "iss u-2"), NOW)
    with writing(sql) as connection:
        unbind_user(root, connection, "e0005", now=NOW)
    assert sign_in_as(sql, Identity(Match.LOGIN, "e0005", "iss u-2"), NOW)


@pytest.mark.parametrize("way", ["local", "directory", "provider"])
def test_who_is_kept_out_is_kept_out_of_every_door(sql: sa.Engine, way: str) -> None:
    password = user(sql, "e0005")
    root = administrator(sql)
    with writing(sql) as connection:
        set_active(root, connection, "e0005", active=False, now=NOW)
    with pytest.raises(NotAllowed, match="停用"):
        if way == "provider":
            sign_in_as(sql, Identity(Match.LOGIN, "e0005", "iss u-1"), NOW)
        else:
            rules = SignInRules(local=LocalSignIn.EVERYONE if way == "local" else LocalSignIn.NOBODY)
            right = password if way == "local" else "pass five"
            sign_in(sql, "e0005", right, NOW, rules=rules, directory=directory)


def test_a_state_is_good_once_for_its_browser_and_ten_minutes(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        start = begin_provider(connection, "visitor", "/companies/3", NOW)
        again = begin_provider(connection, "visitor", "/", NOW)
        assert take_provider_start(connection, start.state, "visitor", NOW) == start
        for state, visitor, now in [
            (start.state, "visitor", NOW),
            (again.state, "another", NOW),
            (again.state, "", NOW),
            (again.state, "visitor", NOW + timedelta(minutes=10)),
            ("", "visitor", NOW),
            ("é\ud800", "visitor", NOW),
        ]:
            with pytest.raises(NotAllowed, match="失效"):
                take_provider_start(connection, state, visitor, now)
        stored = str(connection.execute(sa.text("SELECT * FROM sign_in_starts")).all())
        assert again.state not in stored
