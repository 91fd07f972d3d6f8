"""The audit log: append-only, each row hashed with the one before it. Tables ``audit_log`` and ``audit_head``.

A change and an export are noted in the transaction that makes them; page reads go through ``read_log``. The row of
``audit_head`` serialises the writers, so that there is one chain whatever the number of processes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.access import Action, require
from qiaomen.bank.schema import AUDIT_HEAD, AUDIT_LOG
from qiaomen.bank.viewers import Viewer
from qiaomen.store import execute_last, insert_missing, is_postgres, send_last

ORIGIN: Final = "0" * 64
SYSTEM: Final = "system"
LONGEST_ACTION: Final = 64
LONGEST_OBJECT: Final = 200
LONGEST_ACTOR: Final = 100

_TO_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_INSERT: Final = "INSERT INTO audit_log (number, at, actor, user_id, action, object, detail, hash) VALUES (?,?,?,?,?,?,?,?)"
# The server takes the head, computes the hash and commits in one round trip (figures in the decision record). Without
# a head the number is null, which the table refuses: no row is lost unseen.
_APPEND: Final = (
    "WITH head AS (UPDATE audit_head SET number = number + 1, hash = encode(sha256(convert_to("
    "hash || '[' || CAST(number + 1 AS text) || CAST(%(rest)s AS text), 'UTF8')), 'hex') "
    "RETURNING number, hash) "
    "INSERT INTO audit_log (number, at, actor, user_id, action, object, detail, hash) "
    "SELECT head.number, CAST(%(at)s AS timestamptz), CAST(%(actor)s AS text), CAST(%(user_id)s AS bigint), "
    "CAST(%(action)s AS text), CAST(%(object)s AS text), CAST(%(detail)s AS text), head.hash "
    "FROM (VALUES (1)) AS one(row) LEFT JOIN head ON true"
)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What one row says before it has its number and hash; texts fit their columns."""

    at: datetime
    actor: str
    user_id: int | None
    action: str
    object: str
    detail: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows to show; an empty field does not filter. ``action`` means the action and what begins with it."""

    actor: str = ""
    action: str = ""
    object: str = ""
    since: datetime | None = None
    until: datetime | None = None


def entry_of(
    viewer: Viewer | None, action: str, object_: str, detail: Mapping[str, Any] | None, now: datetime
) -> AuditEntry:
    """Return what a row will say; no viewer means the system itself."""
    return AuditEntry(
        at=now.astimezone(UTC),
        actor=_fitting(viewer.actor if viewer else SYSTEM, LONGEST_ACTOR),
        user_id=viewer.user_id if viewer else None,
        action=_fitting(action, LONGEST_ACTION),
        object=_fitting(object_, LONGEST_OBJECT),
        detail=_plain(json.dumps(detail or {}, ensure_ascii=False, sort_keys=True, default=str)),
    )


def _plain(text: str) -> str:
    """Return a text that both databases can store: no NUL, no half of a surrogate pair."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _fitting(text: str, longest: int) -> str:
    """Return a text that fits; a longer one ends in a hash of the whole, so that it still names one thing."""
    plain = _plain(text)
    if len(plain) <= longest:
        return plain
    return f"{plain[: longest - 17]}#{hashlib.sha256(plain.encode()).hexdigest()[:16]}"


def row_rest(at: str, entry: AuditEntry) -> str:
    """Return the hashed text of a row after its number; ``at`` is the moment in ISO 8601, UTC."""
    return "," + _TO_JSON((at, entry.actor, entry.user_id, entry.action, entry.object, entry.detail))[1:]


def row_hash(previous: str, number: int, rest: str) -> str:
    """Return the hash of a row that follows a row of hash ``previous``."""
    return hashlib.sha256(f"{previous}[{number}{rest}".encode()).hexdigest()


def audit(
    connection: Connection,
    viewer: Viewer | None,
    action: str,
    object_: str,
    detail: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> None:
    """Append a row in the caller's transaction; no viewer means the system itself.

    ``detail`` must hold no names, phones or amounts of customers. On PostgreSQL the row goes with the commit.
    """
    append_entries(connection, [entry_of(viewer, action, object_, detail, now)])


def append_entries(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    """Append rows in the caller's transaction, in order."""
    if is_postgres(connection):
        if len(entries) == 1:
            _append_one(connection, entries[0])
        else:
            _append_many(connection, entries)
        return
    number, previous = _head(connection)
    rows = []
    for entry in entries:
        number += 1
        previous = row_hash(previous, number, row_rest(entry.at.isoformat(), entry))
        at = entry.at.replace(tzinfo=None).isoformat(" ", "microseconds")
        values = (entry.actor, entry.user_id, entry.action, entry.object, entry.detail)
        rows.append((number, at, *values, previous))
    connection.exec_driver_sql(_INSERT, rows)
    connection.exec_driver_sql("UPDATE audit_head SET number = ?, hash = ?", (number, previous))


def _append_one(connection: Connection, entry: AuditEntry) -> None:
    values = {
        "rest": row_rest(entry.at.isoformat(), entry),
        "at": entry.at,
        "actor": entry.actor,
        "user_id": entry.user_id,
        "action": entry.action,
        "object": entry.object,
        "detail": entry.detail,
    }
    execute_last(connection, _APPEND, values)


def _append_many(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    send_last(connection)
    number, previous = _head(connection)
    rows = []
    for entry in entries:
        number += 1
        previous = row_hash(previous, number, row_rest(entry.at.isoformat(), entry))
        named = {name: getattr(entry, name) for name in AuditEntry.__slots__}
        rows.append({"number": number, **named, "hash": previous})
    connection.execute(sa.insert(AUDIT_LOG), rows)
    connection.execute(sa.update(AUDIT_HEAD).values(number=number, hash=previous))


def _head(connection: Connection) -> tuple[int, str]:
    """Lock the head and return its number and hash; the first writer of all makes it."""
    query = sa.select(AUDIT_HEAD.c.number, AUDIT_HEAD.c.hash).with_for_update()
    head = connection.execute(query).first()
    if head is None:
        insert_missing(connection, AUDIT_HEAD, [{"head": 1, "number": 0, "hash": ORIGIN}], unique=("head",))
        head = connection.execute(query).one()
    return int(head.number), str(head.hash)


def audit_export(
    connection: Connection,
    viewer: Viewer,
    what: str,
    *,
    query: str,
    rows: int,
    sha256: str,
    generation: int,
    form: str,
    now: datetime,
) -> None:
    """Note an export before the file leaves: who, what was asked, how many rows, which bytes, of which generation.

    Texts within quotation marks in ``query`` may be names and are left out; its hash proves the whole query.
    """
    detail = {
        "query": without_texts(query),
        "query_sha256": hashlib.sha256(query.encode("utf-8", "replace")).hexdigest(),
        "rows": rows,
        "sha256": sha256,
        "generation": generation,
        "format": form,
    }
    audit(connection, viewer, f"export.{what}", what, detail, now=now)


def without_texts(query: str) -> str:
    """Return a query with what stands within quotation marks left out."""
    parts = query.split('"')
    return '"…"'.join(parts[::2])[:2000]


def audit_rows(
    viewer: Viewer,
    connection: Connection,
    wanted: AuditFilter | None = None,
    *,
    before: int | None = None,
    limit: int = 200,
) -> list[dict[str, Any]]:
    """Return rows newest first for those who may see the log; ``before`` is the number that the former page ended at."""
    require(viewer, Action.SEE_AUDIT)
    send_last(connection)
    query = sa.select(AUDIT_LOG).where(*_conditions(wanted or AuditFilter()))
    if before is not None:
        query = query.where(AUDIT_LOG.c.number < before)
    rows = connection.execute(query.order_by(AUDIT_LOG.c.number.desc()).limit(limit))
    return [dict(row) for row in rows.mappings()]


def newest_row(viewer: Viewer, connection: Connection, action: str = "") -> dict[str, Any] | None:
    """Return the newest row of all, or of one action, for those who may see the log."""
    found = audit_rows(viewer, connection, AuditFilter(action=action), limit=1)
    return found[0] if found else None


def newest_detail(connection: Connection, action: str) -> dict[str, Any] | None:
    """Return the detail of the newest row of an action, for jobs that compare with what they noted last."""
    send_last(connection)
    query = sa.select(AUDIT_LOG.c.detail).where(AUDIT_LOG.c.action == action)
    found = connection.execute(query.order_by(AUDIT_LOG.c.number.desc()).limit(1)).scalar()
    return None if found is None else dict(json.loads(found))


def _conditions(wanted: AuditFilter) -> list[sa.ColumnElement[bool]]:
    log = AUDIT_LOG.c
    found: list[sa.ColumnElement[bool]] = []
    if wanted.actor:
        login = wanted.actor.strip().lower()
        # A deputy's rows say for whom: “e0006（代 王五）”.
        found.append(sa.or_(log.actor == login, log.actor.startswith(f"{login}（", autoescape=True)))
    if wanted.action:
        found.append(
            sa.or_(log.action == wanted.action, log.action.startswith(f"{wanted.action}.", autoescape=True))
        )
    if wanted.object:
        found.append(log.object == wanted.object.strip())
    if wanted.since is not None:
        found.append(log.at >= wanted.since)
    if wanted.until is not None:
        found.append(log.at < wanted.until)
    return found
