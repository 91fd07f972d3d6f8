"""Signing in: passwords, locks, outside identities, sessions, tokens; on SQLite and PostgreSQL."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.bank import (
    Action,
    FirstPassword,
    Identity,
    LocalSignIn,
    LockRules,
    Match,
    PasswordRules,
    SignInRules,
    Viewer,
    Way,
    begin_provider,
    change_password,
    close_own_session,
    close_sessions,
    create_token,
    create_user,
    drop_expired_sessions,
    has_administrator,
    list_own_sessions,
    list_tokens,
    list_users,
    open_session,
    reset_password,
    session_of,
    set_active,
    sign_in,
    sign_in_as,
    sign_out_user,
    take_provider_start,
    token_viewer,
    touch_session,
    touch_token,
    unbind_user,
    unlock_user,
    viewer_by_login,
    wrong_password,
)
from qiaomen.bank.guards import address_guard
from qiaomen.bank.passwords import check_new_password, hash_password, is_outdated
from qiaomen.store import reading, writing
from qiaomen.vocab import InputRejected, NotAllowed, NotFound, Role, Unavailable

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
GOOD, OTHER = "violet tractor monsoon", "seven quiet lanterns"
HOUR = timedelta(hours=1)


def user(sql: sa.Engine, login: str = "e0005", **more: Any) -> str:
    """Make a user and return the password."""
    with writing(sql) as connection:
        values = {"role": Role.ANALYST, "now": NOW, "first": FirstPassword.LASTS, **more}
        return create_user(connection, login, "刘敏", **values).password


def administrator(sql: sa.Engine) -> Viewer:
    with writing(sql) as connection:
        create_user(connection, "root", "管理员", role=Role.ADMINISTRATOR, now=NOW)
        return viewer_by_login(connection, "root", NOW)


def actions_noted(sql: sa.Engine) -> list[tuple[str, str]]:
    with reading(sql) as connection:
        rows = connection.execute(sa.text("SELECT action, object FROM audit_log ORDER BY number"))
        return [(str(action), str(what)) for action, what in rows]


def failing(sql: sa.Engine, login: str, now: datetime, **more: Any) -> str:
    with pytest.raises(NotAllowed) as caught:
        sign_in(sql, login, "wrong password", now, **more)
    return str(caught.value)


# --- passwords ---------------------------------------------------------------------------------------------------


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


# --- locks -------------------------------------------------------------------------------------------------------


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


# --- ways in -----------------------------------------------------------------------------------------------------


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


# --- sessions ----------------------------------------------------------------------------------------------------


def test_a_session_ends_by_idleness_and_by_age(sql: sa.Engine) -> None:
    user(sql)
    with writing(sql) as connection:
        viewer = viewer_by_login(connection, "e0005", NOW)
        token = open_session(connection, viewer, NOW, life=3 * HOUR, idle=timedelta(minutes=10))
        assert session_of(connection, token, NOW + timedelta(minutes=9, seconds=59)).stale
        with pytest.raises(NotAllowed):
            session_of(connection, token, NOW + timedelta(minutes=10))
        for minutes in range(0, 180, 9):
            touch_session(connection, token, NOW + timedelta(minutes=minutes))
        assert session_of(connection, token, NOW + timedelta(minutes=179))
        touch_session(connection, token, NOW + timedelta(minutes=179, seconds=59))
        with pytest.raises(NotAllowed):
            session_of(connection, token, NOW + 3 * HOUR)


def test_other_roles_end_the_session(sql: sa.Engine) -> None:
    user(sql)
    with writing(sql) as connection:
        viewer = viewer_by_login(connection, "e0005", NOW)
        token = open_session(connection, viewer, NOW, life=HOUR)
        assert session_of(connection, token, NOW).viewer == viewer
        connection.execute(sa.text("UPDATE users SET role = 'administrator' WHERE login = 'e0005'"))
        with pytest.raises(NotAllowed, match="角色已变更"):
            session_of(connection, token, NOW)


def test_people_see_and_end_their_own_sessions_only(sql: sa.Engine) -> None:
    user(sql)
    user(sql, "e0006")
    with writing(sql) as connection:
        mine, theirs = (viewer_by_login(connection, login, NOW) for login in ("e0005", "e0006"))
        here = open_session(connection, mine, NOW, life=HOUR, address="10.0.0.1", agent="Firefox" * 99)
        open_session(connection, mine, NOW - timedelta(minutes=1), life=HOUR, way=Way.PROVIDER)
        foreign = open_session(connection, theirs, NOW, life=HOUR)
        shown = list_own_sessions(connection, mine, here, NOW)
        assert [(item.current, item.way) for item in shown] == [(True, Way.LOCAL), (False, Way.PROVIDER)]
        assert here not in str(shown)
        (key,) = [item.key for item in list_own_sessions(connection, theirs, foreign, NOW)]
        for stranger in (key, "", "%", "0"):
            with pytest.raises(NotFound):
                close_own_session(connection, mine, stranger, now=NOW)
        close_own_session(connection, mine, shown[1].key, now=NOW)
        open_session(connection, mine, NOW, life=HOUR)
        assert close_sessions(connection, mine, now=NOW, but=here) == 1
        assert len(list_own_sessions(connection, mine, here, NOW)) == 1
        assert session_of(connection, foreign, NOW)
    root = administrator(sql)
    with writing(sql) as connection:
        assert sign_out_user(root, connection, "e0005", now=NOW) == 1
        with pytest.raises(NotAllowed):
            session_of(connection, here, NOW)


# --- tokens ------------------------------------------------------------------------------------------------------


def test_a_token_is_shown_once_noted_when_used_and_found_by_its_start(sql: sa.Engine) -> None:
    root = administrator(sql)
    with writing(sql) as connection:
        made = create_token(
            root,
            connection,
            "客户关系系统",
            actions=[Action.SEE_TASKS],
            institution_code=None,
            expires_at=NOW + HOUR,
            now=NOW,
        )
    touch_token(sql, made.secret, NOW)
    touch_token(sql, made.secret, NOW + timedelta(minutes=4))
    touch_token(sql, "qm_unknown", NOW)
    with reading(sql) as connection:
        (row,) = list_tokens(root, connection)
        assert row["last_used_at"] == NOW
        assert made.secret.startswith(row["start"])
        assert len(row["start"]) == 11
        assert row["created_by"] == "root"
        stored = str(connection.execute(sa.text("SELECT * FROM api_tokens")).all())
        noted = str(connection.execute(sa.text("SELECT * FROM audit_log")).all())
    assert made.secret not in stored + noted
    touch_token(sql, made.secret, NOW + timedelta(minutes=5))
    with reading(sql) as connection:
        assert list_tokens(root, connection)[0]["last_used_at"] == NOW + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"actions": []}, "操作"),
        ({"name": "  "}, "名称"),
        ({"name": "x" * 101}, "名称"),
        ({"expires_at": NOW}, "有效期"),
        ({"expires_at": NOW + timedelta(days=31)}, "30 天"),
        ({"institution_code": "??"}, "机构"),
    ],
)
def test_a_token_without_limits_is_not_made(sql: sa.Engine, changed: dict[str, Any], words: str) -> None:
    root = administrator(sql)
    values: dict[str, Any] = {
        "name": "crm",
        "actions": [Action.SEE_TASKS],
        "institution_code": None,
        "expires_at": NOW + HOUR,
    }
    values |= changed
    name = values.pop("name")
    with pytest.raises(InputRejected, match=words), writing(sql) as connection:
        create_token(root, connection, name, **values, now=NOW, longest=timedelta(days=30))


@given(st.text(max_size=60))
def test_no_guessed_text_is_a_session_or_a_token(text: str) -> None:
    from qiaomen.bank.sessions import hashed

    assert len(hashed(text)) == 64


def test_guessed_tokens_and_sessions_are_refused(sql: sa.Engine) -> None:
    with reading(sql) as connection:
        for text in ("", "qm_", "qm_" + "A" * 43, "' OR 1=1 --", "é\ud800", "x" * 5000):
            with pytest.raises(NotAllowed):
                token_viewer(connection, text, NOW)
            with pytest.raises(NotAllowed):
                session_of(connection, text, NOW)


def test_only_an_active_administrator_counts_as_one(sql: sa.Engine) -> None:
    with reading(sql) as connection:
        assert not has_administrator(connection)
    root = administrator(sql)
    with writing(sql) as connection:
        assert has_administrator(connection)
        set_active(root, connection, "root", active=False, now=NOW)
        assert not has_administrator(connection)


def test_no_two_first_passwords_are_alike_and_none_is_built_in(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        made = [create_user(connection, f"u{n}", "x", now=NOW).password for n in range(5)]
        hashes = connection.execute(sa.text("SELECT password_hash FROM users")).scalars().all()
    assert len(set(made)) == 5
    assert all(a != b for a, b in itertools.combinations(hashes, 2))
    assert all(check_new_password(password, PasswordRules(), []) is None for password in made)
