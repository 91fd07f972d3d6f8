"""The record of hand-overs (SQL table ``hand_overs``) and who may read it."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import Viewer, show_staff
from qiaomen.store import METADATA, BigKey, Moment

HAND_OVERS: Final = sa.Table(
    "hand_overs",
    METADATA,
    sa.Column("hand_over_id", BigKey, primary_key=True, autoincrement=True),
    sa.Column("from_manager_no", sa.String(64), nullable=False, index=True),
    sa.Column("to_manager_nos", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("customers", sa.Integer, nullable=False),
    sa.Column("tasks", sa.Integer, nullable=False),
    sa.Column("asks", sa.Integer, nullable=False),
    sa.Column("made_by", sa.String(100), nullable=False),
    sa.Column("made_at", Moment, nullable=False),
)


def hand_overs_of(viewer: Viewer, connection: Connection, staff_no: str, day: date) -> list[dict[str, Any]]:
    """Return the hand-overs that a member of staff gave or got, newest first; ``NotFound`` for one not governed.

    None where he works elsewhere now: what goes on there is not told here.
    """
    if show_staff(viewer, connection, staff_no, day).elsewhere:
        return []
    table = HAND_OVERS.c
    concerned = sa.or_(
        table.from_manager_no == staff_no, table.to_manager_nos.contains(staff_no, autoescape=True)
    )
    query = sa.select(HAND_OVERS).where(concerned).order_by(table.hand_over_id.desc())
    rows = connection.execute(query).mappings()
    return [
        dict(row)
        for row in rows
        if row["from_manager_no"] == staff_no or staff_no in row["to_manager_nos"].split(";")
    ]
