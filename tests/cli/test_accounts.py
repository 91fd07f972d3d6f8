"""``qiaomen users`` and ``qiaomen token`` from the first administrator on."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from qiaomen.bank import INSTITUTION_RECORDS, STAFF_RECORDS, Action, sign_in, sync_institutions, token_viewer
from qiaomen.jobs import Workspace
from qiaomen.store import reading, writing
from qiaomen.vocab import NotAllowed, Table
from tests.cli.conftest import call
from tests.cli.test_documents import check

pytestmark = pytest.mark.xdist_group("cli")


def records(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    filled = [
        {name: row.get(name) for name in table.names} | {"file": "t.csv", "line": n}
        for n, row in enumerate(rows, start=2)
    ]
    return pa.Table.from_pylist(filled, schema=table.schema)


@pytest.fixture
def bank(empty: Path) -> Path:
    """A workspace with one sub-branch and two members of staff, and nobody who could sign in."""
    units = [
        {"institution_code": "HQ", "name": "总行", "unit_type": "总行"},
        {"institution_code": "B1", "name": "一分行", "unit_type": "分行", "parent_code": "HQ"},
        {"institution_code": "S1", "name": "一支行", "unit_type": "支行", "parent_code": "B1"},
    ]
    staff = [
        {"staff_no": "M1", "name": "王五", "role": "客户经理", "institution_code": "S1"},
        {"staff_no": "H1", "name": "赵六", "role": "analyst", "institution_code": "HQ"},
    ]
    with writing(Workspace(empty).sql) as connection:
        sync_institutions(connection, records(INSTITUTION_RECORDS, units), records(STAFF_RECORDS, staff))
    return empty


@pytest.fixture
def root(bank: Path) -> Path:
    """The bank with its first administrator, ``root``."""
    answer = call(
        "users", "create", "root", "--name", "管理员", "--role", "administrator", "--json", workspace=bank
    )
    made = check("users-create", answer)
    signed = sign_in(Workspace(bank).sql, "root", made["password"], datetime.now(UTC))
    assert signed.password_due_at is not None, "a given password must be changed"
    return bank


def audited(root: Path) -> list[str]:
    import sqlalchemy as sa

    with reading(Workspace(root).sql) as connection:
        return [str(row[0]) for row in connection.execute(sa.text("SELECT action FROM audit_log"))]


def test_the_first_administrator_is_made_once(root: Path) -> None:
    again = call(
        "users", "create", "root2", "--name", "x", "--role", "administrator", "--json", workspace=root
    )
    assert (again.code, again.document["error"]["code"]) == (2, "not_allowed")
    by_root = call(
        "users",
        "create",
        "root2",
        "--name",
        "x",
        "--role",
        "administrator",
        "--as",
        "root",
        "--json",
        workspace=root,
    )
    assert check("users-create", by_root)["login"] == "root2"
    assert "create_first_administrator" in audited(root)
    assert "create_user" in audited(root)


def called(actions: str, days: int, institution: str) -> tuple[str, ...]:
    """The rest of a command that makes a token."""
    return ("crm", "--actions", actions, "--days", str(days), "--institution", institution, "--as", "root")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("users", "list"), "not_allowed"),
        (("users", "create", "x", "--name", "x"), "not_allowed"),
        (("users", "create", "x", "--name", "x", "--as", "nobody"), "not_found"),
        (("users", "create", "root", "--name", "x", "--as", "root"), "conflict"),
        (("users", "create", "x", "--name", " ", "--as", "root"), "input_rejected"),
        (("users", "create", "x", "--name", "x", "--role", "king", "--as", "root"), "input_rejected"),
        (("users", "create", "x", "--name", "x", "--staff-no", "M9", "--as", "root"), "input_rejected"),
        (("users", "reset", "nobody", "--as", "root"), "not_found"),
        (("users", "unlock", "root"), "not_allowed"),
        (("token", "list"), "not_allowed"),
        (("token", "revoke", "1", "--as", "root"), "not_found"),
        (("token", "create", "crm", "--actions", "see_tasks", "--institution", "S1"), "usage"),
        (("token", "create", *called("manage_users", 9, "S1")), "input_rejected"),
        (("token", "create", *called("see_tasks", 200, "S1")), "input_rejected"),
        (("token", "create", *called("see_tasks", 9, "S9")), "input_rejected"),
        (("token", "create", *called(",", 9, "all")), "input_rejected"),
    ],
)
def test_what_is_not_allowed_or_wrong_is_refused(root: Path, arguments: tuple[str, ...], code: str) -> None:
    answer = call(*arguments, "--json", workspace=root)
    assert answer.code in (1, 2)
    assert check("error", answer)["error"]["code"] == code


def test_users_are_locked_unlocked_reset_and_kept_out(root: Path) -> None:
    made = call(
        "users",
        "create",
        "liu",
        "--name",
        "刘敏",
        "--staff-no",
        "M1",
        "--as",
        "root",
        "--json",
        workspace=root,
    )
    password = check("users-create", made)["password"]
    sql, now = Workspace(root).sql, datetime.now(UTC)
    for _ in range(5):
        with pytest.raises(NotAllowed):
            sign_in(sql, "liu", "wrong", now)
    listed = check("users-list", call("users", "list", "--locked", "--as", "root", "--json", workspace=root))
    assert [user["login"] for user in listed["users"]] == ["liu"]
    check("users-unlock", call("users", "unlock", "LIU", "--as", "root", "--json", workspace=root))
    assert sign_in(sql, "liu", password, now).viewer.staff_no == "M1"
    fresh = check("users-reset", call("users", "reset", "liu", "--as", "root", "--json", workspace=root))[
        "password"
    ]
    with pytest.raises(NotAllowed):
        sign_in(sql, "liu", password, now)
    assert sign_in(sql, "liu", fresh, now)
    ended = call("users", "sign-out", "liu", "--as", "root", "--json", workspace=root)
    assert check("users-sign-out", ended)["sessions"] == 0
    for verb in ("disable", "enable", "unbind"):
        check(f"users-{verb}", call("users", verb, "liu", "--as", "root", "--json", workspace=root))
    assert {"unlock_user", "reset_password", "deactivate_user", "activate_user", "unbind_user"} <= set(
        audited(root)
    )


def test_staff_get_users_and_their_passwords_a_file_of_its_own(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "first.tsv"
    asked = ("users", "create-for-staff", "--out", out, "--as", "root", "--json")
    assert check("users-create-for-staff", call(*asked, workspace=root))["users"] == 2
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    rows = [line.split("\t") for line in out.read_text(encoding="utf-8").splitlines()]
    assert sorted(row[0] for row in rows) == ["h1", "m1"]
    for login, password, *_ in rows:
        assert sign_in(Workspace(root).sql, login, password, datetime.now(UTC)).password_due_at is not None
    assert call(*asked, workspace=root).code == 2, "the file is never overwritten"
    other = call(
        "users", "create-for-staff", "--out", tmp_path / "b", "--as", "root", "--json", workspace=root
    )
    assert check("users-create-for-staff", other)["users"] == 0


def test_without_a_file_no_user_is_made(root: Path, tmp_path: Path) -> None:
    answer = call("users", "create-for-staff", "--out", tmp_path, "--as", "root", "--json", workspace=root)
    assert answer.code == 2
    listed = call("users", "list", "--as", "root", "--json", workspace=root).document["users"]
    assert [user["login"] for user in listed] == ["root"]


def test_a_user_of_the_directory_has_no_password(root: Path) -> None:
    made = call(
        "users", "create", "zhao", "--name", "赵", "--no-password", "--as", "root", "--json", workspace=root
    )
    assert check("users-create", made)["password"] is None
    for password in ("", "None", "（无）"):
        with pytest.raises(NotAllowed):
            sign_in(Workspace(root).sql, "zhao", password, datetime.now(UTC))


def test_tokens_are_made_listed_and_revoked(root: Path) -> None:
    asked = (
        "--actions",
        "see_tasks, work_tasks",
        "--days",
        30,
        "--institution",
        "B1",
        "--as",
        "root",
        "--json",
    )
    made = check("token-create", call("token", "create", "客户关系系统", *asked, workspace=root))
    sql, now = Workspace(root).sql, datetime.now(UTC)
    with reading(sql) as connection:
        viewer = token_viewer(connection, made["token"], now)
    assert viewer.actions == {Action.SEE_TASKS, Action.WORK_TASKS}
    assert viewer.below == {"B1", "S1"}
    listed = call("token", "list", "--as", "root", "--json", workspace=root)
    (row,) = check("token-list", listed)["tokens"]
    assert (row["state"], row["created_by"]) == ("active", "root")
    assert made["token"] not in listed.out
    assert made["token"].startswith(row["start"])
    ended = call("token", "revoke", made["token_id"], "--as", "root", "--json", workspace=root)
    check("token-revoke", ended)
    with pytest.raises(NotAllowed), reading(sql) as connection:
        token_viewer(connection, made["token"], now)
    again = call("token", "list", "--as", "root", "--json", workspace=root).document["tokens"]
    assert again[0]["state"] == "revoked"


def test_people_read_tables(root: Path) -> None:
    reset = call("users", "reset", "root", "--as", "root", workspace=root)
    assert "只显示这一次" in reset.out + reset.err
    assert "管理员" in call("users", "list", "--as", "root", workspace=root).out
    assert "已解锁" in call("users", "unlock", "root", "--as", "root", workspace=root).out
    more = ("--actions", "see_tasks", "--days", 1, "--institution", "all", "--as", "root")
    assert "qm_" in call("token", "create", "crm", *more, workspace=root).out
    assert "全行" in call("token", "list", "--as", "root", workspace=root).out
    assert "已吊销" in call("token", "revoke", 1, "--as", "root", workspace=root).out
