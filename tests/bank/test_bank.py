"""Institutions, users, sessions, tokens and the audit log, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from qiaomen.bank import (
    INSTITUTION_RECORDS,
    STAFF_RECORDS,
    Action,
    Viewer,
    audit,
    audit_rows,
    change_password,
    close_session,
    create_token,
    create_user,
    create_users_for_staff,
    drop_expired_sessions,
    institution_names,
    institutions_in_force,
    list_tokens,
    list_users,
    local_analyst,
    may,
    open_session,
    posts_held,
    reset_password,
    revoke_token,
    rotate_session,
    scope_of,
    session_of,
    set_active,
    sign_in,
    sync_institutions,
    token_viewer,
    touch_session,
    verify_audit,
    viewer_by_login,
)
from qiaomen.store import reading, writing
from qiaomen.vocab import Conflict, InputRejected, NotAllowed, NotFound, Role, Table

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


def records(table: Table, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows of a loaded table with file and line filled in."""
    filled = [
        {name: row.get(name) for name in table.names} | {"file": f"{table.name}.csv", "line": number}
        for number, row in enumerate(rows, start=2)
    ]
    return pa.Table.from_pylist(filled, schema=table.schema)


def unit(code: str, kind: str, parent: str | None, **more: Any) -> dict[str, Any]:
    return {"institution_code": code, "name": f"{code}行", "unit_type": kind, "parent_code": parent} | more


def person(no: str, role: str, code: str, **more: Any) -> dict[str, Any]:
    return {"staff_no": no, "name": f"员工{no}", "role": role, "institution_code": code} | more


UNITS = [
    unit("S1", "支行", "B1", traits="科技;普惠", region_codes="310115"),
    unit("S2", "sub_branch", "B1"),
    unit("B1", "分行", "HQ", region_codes="31"),
    unit("B2", "branch", "HQ", region_codes="32"),
    unit("S3", "sub_branch", "B2"),
    unit("HQ", "总行", None),
]
PEOPLE = [
    person("M1", "客户经理", "S1", capacity=20),
    person("M1", "manager", "S2", since=date(2026, 6, 1)),
    person("M2", "manager", "S2", until=date(2025, 12, 31)),
    person("A1", "sub_branch_admin", "S1"),
    person("A2", "branch_admin", "B1"),
    person("H1", "analyst", "HQ"),
    person("Z1", "administrator", "HQ"),
]


def bank(connection: sa.Connection) -> None:
    sync_institutions(connection, records(INSTITUTION_RECORDS, UNITS), records(STAFF_RECORDS, PEOPLE))


def test_the_banks_lists_become_institutions_and_posts(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        bank(connection)
        bank(connection)
        fewer = [row for row in UNITS if row["institution_code"] != "S3"]
        renamed = [row | {"name": "新名"} if row["institution_code"] == "S1" else row for row in fewer]
        result = sync_institutions(
            connection, records(INSTITUTION_RECORDS, renamed), records(STAFF_RECORDS, PEOPLE)
        )
    assert (result.institutions, result.closed, result.staff, result.posts) == (5, 1, 6, 7)
    with reading(sql) as connection:
        units = {found.institution_code: found for found in institutions_in_force(connection)}
        assert sorted(units) == ["B1", "B2", "HQ", "S1", "S2"]
        assert units["S1"].name == "新名"
        assert units["S1"].traits == {"科技", "普惠"}
        assert institution_names(connection)["S3"] == "S3行"
        assert [post.staff_no for post in posts_held(connection, date(2026, 3, 1))].count("M2") == 0


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ([unit("HQ", "总行", None), unit("HQ", "总行", None)], "重复"),
        ([unit("HQ", "总行", None), unit("B1", "分行", "XX")], "不存在"),
        ([unit("HQ", "总部", None)], "层级"),
        ([unit("HQ", "总行", None), unit("B1", "分行", None)], "上级层级不对"),
        ([unit("HQ", "总行", None), unit("S1", "支行", "S2"), unit("S2", "支行", "HQ")], "上级层级不对"),
        ([unit("B1", "分行", "B2"), unit("B2", "分行", "B1")], "成环"),
        ([unit("", "总行", None)], "缺少编号"),
    ],
)
def test_wrong_institutions_are_refused_with_their_line(units: list[dict[str, Any]], words: str) -> None:
    from qiaomen.bank import read_institutions

    with pytest.raises(InputRejected, match=words) as caught:
        read_institutions(records(INSTITUTION_RECORDS, units))
    assert "institution_records.csv 第" in str(caught.value)


@pytest.mark.parametrize(
    ("staff", "words"),
    [
        (person("M1", "行长助理", "S1"), "角色"),
        (person("M1", "integrator", "S1"), "角色"),
        (person("M1", "manager", "S9"), "机构"),
        (person("", "manager", "S1"), "缺少工号"),
        (person("M1", "manager", "S1", since=date(2026, 2, 1), until=date(2026, 1, 1)), "止期"),
    ],
)
def test_wrong_staff_are_refused_with_their_line(staff: dict[str, Any], words: str) -> None:
    from qiaomen.bank import read_institutions, read_posts

    units = read_institutions(records(INSTITUTION_RECORDS, UNITS))
    with pytest.raises(InputRejected, match=words) as caught:
        read_posts(records(STAFF_RECORDS, [staff]), units)
    assert "staff_records.csv 第 2 行" in str(caught.value)


def test_viewers_follow_their_posts_in_time(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        bank(connection)
        users = create_users_for_staff(connection, now=NOW)
        assert create_users_for_staff(connection, now=NOW) == [], "nobody is made twice"
    assert sorted(user.login for user in users) == ["a1", "a2", "h1", "m1", "z1"], "M2 has no post in force"
    with reading(sql) as connection:
        manager = viewer_by_login(connection, " M1 ", NOW)
        assert (manager.staff_no, manager.roles, manager.homes) == ("M1", {Role.MANAGER}, {"S1"})
        assert viewer_by_login(connection, "m1", NOW + timedelta(days=120)).homes == {"S1", "S2"}
        assert viewer_by_login(connection, "a2", NOW).below == {"B1", "S1", "S2"}
        assert viewer_by_login(connection, "h1", NOW).whole_bank
        with pytest.raises(NotFound):
            viewer_by_login(connection, "m2", NOW)


def test_the_local_analyst_sees_everything_and_cannot_log_in(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        viewer = local_analyst(connection, NOW)
        assert local_analyst(connection, NOW) == viewer
    assert scope_of(viewer).whole_bank
    with pytest.raises(NotAllowed):
        sign_in(sql, "local", "", NOW)


def test_passwords_lock_out_and_change(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        made = create_user(connection, "Root", "管理员", role=Role.ADMINISTRATOR, now=NOW)
        with pytest.raises(Conflict):
            create_user(connection, "root", "另一个", now=NOW)
    with reading(sql) as connection:
        stored = connection.execute(sa.text("SELECT password_hash FROM users")).scalar_one()
    assert stored.startswith("$argon2id$")
    assert sign_in(sql, "ROOT", made.password, NOW).viewer.login == "root"
    for _ in range(5):
        with pytest.raises(NotAllowed, match="不正确"):
            sign_in(sql, "root", "guess", NOW)
    with pytest.raises(NotAllowed, match="锁定"):
        sign_in(sql, "root", made.password, NOW)
    with pytest.raises(NotAllowed, match="不正确"):
        sign_in(sql, "nobody", "guess", NOW)
    later = NOW + timedelta(minutes=16)
    viewer = sign_in(sql, "root", made.password, later).viewer
    for weak in ("short", "aaaaaaaaaaaaaaa"):
        with pytest.raises(InputRejected):
            change_password(sql, viewer, made.password, weak, later)
    with pytest.raises(NotAllowed):
        change_password(sql, viewer, "wrong", "a-long-new-password", later)
    change_password(sql, viewer, made.password, "a-long-new-password", later)
    assert sign_in(sql, "root", "a-long-new-password", later)
    with writing(sql) as connection:
        fresh = reset_password(viewer, connection, "root", now=later)
        with pytest.raises(NotFound):
            reset_password(viewer, connection, "nobody", now=later)
    assert sign_in(sql, "root", fresh, later)


def administrator(sql: sa.Engine) -> Viewer:
    with writing(sql) as connection:
        create_user(connection, "root", "管理员", role=Role.ADMINISTRATOR, now=NOW)
        return viewer_by_login(connection, "root", NOW)


def test_sessions_expire_rotate_and_end(sql: sa.Engine) -> None:
    viewer = administrator(sql)
    with writing(sql) as connection:
        token = open_session(connection, viewer, NOW, life=timedelta(hours=12))
        session = session_of(connection, token, NOW + timedelta(minutes=6))
        assert session.viewer == viewer
        assert session.stale
        touch_session(connection, token, NOW + timedelta(hours=1))
        fresh = rotate_session(connection, token, NOW + timedelta(hours=2))
        assert token not in str(connection.execute(sa.text("SELECT token_hash FROM sessions")).all())
        with pytest.raises(NotAllowed, match="失效"):
            session_of(connection, token, NOW + timedelta(hours=2))
        assert not session_of(connection, fresh, NOW + timedelta(hours=2)).stale
        with pytest.raises(NotAllowed, match="失效"):
            session_of(connection, fresh, NOW + timedelta(hours=5))
        touch_session(connection, fresh, NOW + timedelta(hours=12))
        with pytest.raises(NotAllowed, match="失效"):
            session_of(connection, fresh, NOW + timedelta(hours=12, minutes=1))
        assert drop_expired_sessions(connection, NOW + timedelta(hours=13)) == 1
        other = open_session(connection, viewer, NOW, life=timedelta(hours=1))
        close_session(connection, other)
        with pytest.raises(NotAllowed):
            session_of(connection, other, NOW)
        kept = open_session(connection, viewer, NOW, life=timedelta(hours=1))
        with pytest.raises(Conflict, match="自己"):
            set_active(viewer, connection, "root", active=False, now=NOW)
        another = replace(viewer, user_id=999, login="second")
        set_active(another, connection, "root", active=False, now=NOW)
        with pytest.raises(NotAllowed):
            session_of(connection, kept, NOW)
        set_active(another, connection, "root", active=True, now=NOW)


def test_tokens_are_scoped_expiring_and_revocable(sql: sa.Engine) -> None:
    root = administrator(sql)
    later = NOW + timedelta(days=30)
    with writing(sql) as connection:
        bank(connection)
        token = create_token(
            root,
            connection,
            "客户关系系统",
            actions=[Action.SEE_TASKS, Action.MANAGE_USERS],
            institution_code="B1",
            expires_at=later,
            now=NOW,
        ).secret
        viewer = token_viewer(connection, token, NOW)
        assert viewer.below == {"B1", "S1", "S2"}
        assert may(viewer, Action.SEE_TASKS)
        assert not may(viewer, Action.MANAGE_USERS), "no token gives more than the role"
        assert not may(viewer, Action.EXPORT), "a token gives only its own actions"
        with pytest.raises(NotAllowed):
            token_viewer(connection, token, later)
        with pytest.raises(InputRejected, match="机构"):
            create_token(
                root,
                connection,
                "x",
                actions=[Action.SEE_TASKS],
                institution_code="??",
                expires_at=later,
                now=NOW,
            )
        with pytest.raises(InputRejected, match="有效期"):
            create_token(
                root,
                connection,
                "x",
                actions=[Action.SEE_TASKS],
                institution_code=None,
                expires_at=NOW + timedelta(days=999),
                now=NOW,
            )
        (row,) = list_tokens(root, connection)
        assert token not in str(row)
        revoke_token(root, connection, row["token_id"], now=NOW)
        with pytest.raises(NotAllowed):
            token_viewer(connection, token, NOW)
        with pytest.raises(NotFound):
            revoke_token(root, connection, row["token_id"], now=NOW)
        assert "password_hash" not in list_users(root, connection, now=NOW)[0]
        with pytest.raises(NotAllowed):
            list_users(viewer, connection, now=NOW)


def test_the_audit_log_is_chained_and_refuses_changes(sql: sa.Engine) -> None:
    root = administrator(sql)
    with writing(sql) as connection:
        for number in range(5):
            audit(
                connection,
                root,
                "export",
                f"list-{number}",
                {"rows": number, "on": date(2026, 3, 1)},
                now=NOW,
            )
        audit(connection, None, "run", "第 1 代", now=NOW)
        check = verify_audit(connection)
        assert (check.rows, check.broken_at) == (6, None)
        assert [row["number"] for row in audit_rows(root, connection, limit=2)] == [6, 5]
        with pytest.raises(NotAllowed):
            audit_rows(local_analyst(connection, NOW), connection)
    for statement in ("UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log WHERE number = 6"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), writing(sql) as connection:
            connection.execute(sa.text(statement))


@pytest.mark.parametrize(
    ("damage", "broken_at"),
    [
        ("UPDATE audit_log SET object = 'list-9' WHERE number = 3", 3),
        ("DELETE FROM audit_log WHERE number = 2", 2),
        ("DELETE FROM audit_log WHERE number = 6", 6),
    ],
)
def test_damage_to_the_audit_log_is_found(sql: sa.Engine, damage: str, broken_at: int) -> None:
    with writing(sql) as connection:
        for number in range(6):
            audit(connection, None, "export", f"list-{number}", now=NOW)
    guards = {
        "sqlite": ["DROP TRIGGER audit_log_no_update", "DROP TRIGGER audit_log_no_delete"],
        "postgresql": ["DROP TRIGGER audit_log_no_change ON audit_log"],
    }
    with writing(sql) as connection:
        for statement in [*guards[sql.dialect.name], damage]:
            connection.execute(sa.text(statement))
        assert verify_audit(connection).broken_at == broken_at
