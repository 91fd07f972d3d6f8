"""Users of the sign-in tests and what the audit log says of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from qiaomen.bank import (
    FirstPassword,
    Viewer,
    create_user,
    sign_in,
    viewer_by_login,
)
from qiaomen.store import reading, writing
from qiaomen.vocab import NotAllowed, Role

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
