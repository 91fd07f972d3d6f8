"""Choices of people on doubtful customer rows: which company it is, or none of them. SQL table ``match_decisions``.

A choice takes effect with the next run, which passes all of them to the matching; until then pages show it as waiting.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import Action, Viewer, audit, require
from qiaomen.registry import normalise_name
from qiaomen.store import METADATA, BigKey, Moment
from qiaomen.vocab import normalise_code

MATCH_DECISIONS: Final = sa.Table(
    "match_decisions",
    METADATA,
    sa.Column("source", sa.String(64), primary_key=True),
    sa.Column("record_key", sa.String(200), primary_key=True),
    sa.Column("name_norm", sa.String(300), nullable=False),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("company_id", BigKey),
    sa.Column("relation", sa.String(16), nullable=False),
    sa.Column("decided_by", sa.String(100), nullable=False),
    sa.Column("decided_at", Moment, nullable=False),
)


def decide_match(
    viewer: Viewer,
    connection: Connection,
    record: dict[str, Any],
    company_id: int | None,
    *,
    relation: str = "self",
    now: datetime,
) -> None:
    """Note that a customer record is a company, or none of the candidates; a later choice replaces an earlier one."""
    require(viewer, Action.DECIDE_MATCHES)
    key = {"source": record["source"], "record_key": record["record_key"]}
    connection.execute(_delete(key))
    connection.execute(
        sa.insert(MATCH_DECISIONS).values(
            **key,
            name_norm=normalise_name(record.get("name") or ""),
            code=normalise_code(record.get("uscc_text") or ""),
            company_id=company_id,
            relation=relation,
            decided_by=viewer.login,
            decided_at=now,
        )
    )
    audit(connection, viewer, "decide_match", record["record_key"], {"company": company_id}, now=now)


def undo_decision(
    viewer: Viewer, connection: Connection, source: str, record_key: str, *, now: datetime
) -> None:
    """Take a choice back; the next run matches the row as if there had been none."""
    require(viewer, Action.DECIDE_MATCHES)
    connection.execute(_delete({"source": source, "record_key": record_key}))
    audit(connection, viewer, "undo_match_decision", record_key, now=now)


def _delete(key: dict[str, str]) -> sa.Delete:
    table = MATCH_DECISIONS.c
    return sa.delete(MATCH_DECISIONS).where(
        table.source == key["source"], table.record_key == key["record_key"]
    )


def match_decisions(connection: Connection) -> pa.Table:
    """Return every choice with the columns that ``match_customers`` takes, and its record."""
    rows = connection.execute(sa.select(MATCH_DECISIONS)).mappings().all()
    names = ("source", "record_key", "name_norm", "code", "company_id", "relation", "decided_by")
    types = [pa.string()] * 4 + [pa.int64(), pa.string(), pa.string()]
    return pa.table(
        {name: pa.array([row[name] for row in rows], kind) for name, kind in zip(names, types, strict=True)}
    )
