"""Sessions of people and tokens of machines; on SQLite and PostgreSQL."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.bank import (
    Action,
    PasswordRules,
    Way,
    close_own_session,
    close_sessions,
    create_token,
    create_user,
    has_administrator,
    list_own_sessions,
    list_tokens,
    open_session,
    session_of,
    set_active,
    sign_out_user,
    token_viewer,
    touch_session,
    touch_token,
    viewer_by_login,
)
from qiaomen.bank.passwords import check_new_password
from qiaomen.store import reading, writing
from qiaomen.vocab import InputRejected, NotAllowed, NotFound
from tests.bank.sign_in_examples import HOUR, NOW, administrator, user


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
        # Nobody keeps himself out; another administrator may.
        set_active(replace(root, user_id=999), connection, "root", active=False, now=NOW)
        assert not has_administrator(connection)


def test_no_two_first_passwords_are_alike_and_none_is_built_in(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        made = [create_user(connection, f"u{n}", "x", now=NOW).password for n in range(5)]
        hashes = connection.execute(sa.text("SELECT password_hash FROM users")).scalars().all()
    assert len(set(made)) == 5
    assert all(a != b for a, b in itertools.combinations(hashes, 2))
    assert all(check_new_password(password, PasswordRules(), []) is None for password in made)
