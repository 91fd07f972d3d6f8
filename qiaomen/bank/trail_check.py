"""Checks the audit log's chain, and writes and reads anchors: the chain's end kept outside the database.

The chain alone shows a row altered, left out, put in or moved, and rows cut off the end against ``audit_head``. Who
rewrites both tables leaves no break; an anchor written before that shows it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank.trail import ORIGIN, AuditEntry, row_hash, row_rest
from qiaomen.store import is_postgres, send_last
from qiaomen.vocab import InputRejected, Unavailable

BATCH: Final = 5_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST: Final = 2**63 - 1
# What is stored is read without the driver's conversions: they forgive bytes that a writer of ours never wrote.
_SQLITE: Final = (
    "SELECT number, CAST(at AS BLOB), CAST(actor AS BLOB), user_id, CAST(action AS BLOB), CAST(object AS BLOB), "
    "CAST(detail AS BLOB), CAST(hash AS BLOB), typeof(number) || typeof(at) || typeof(actor) || typeof(user_id) || "
    "typeof(action) || typeof(object) || typeof(detail) || typeof(hash) "
    "FROM audit_log WHERE number > :after AND number <= :to ORDER BY number"
)
_POSTGRES: Final = (
    "SELECT number, CASE WHEN isfinite(at) THEN CAST(extract(epoch FROM at) * 1000000 AS bigint) END, actor, user_id, "
    "action, object, detail, hash FROM audit_log WHERE number > :after AND number <= :to ORDER BY number"
)
_KINDS: Final = frozenset(f"integertexttext{kind}texttexttexttext" for kind in ("integer", "null"))
_EXTENT: Final = (
    "SELECT (SELECT max(number) FROM audit_log), (SELECT min(number) FROM audit_log), "
    "(SELECT count(*) FROM audit_log WHERE number IS NULL), (SELECT count(*) FROM audit_head), "
    "(SELECT max(head) FROM audit_head), (SELECT max(number) FROM audit_head), "
    "(SELECT CAST(max(hash) AS {text}) FROM audit_head)"
)


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """Result of checking the chain: rows read, the first number that does not fit (None where all fit), and the end."""

    rows: int
    broken_at: int | None
    reason: str
    number: int = 0
    hash: str = ORIGIN
    anchors: int = 0

    def document(self) -> dict[str, Any]:
        """Return the result as a JSON document."""
        return {
            "ok": self.broken_at is None,
            "rows": self.rows,
            "broken_at": self.broken_at,
            "reason": self.reason,
            "last": {"number": self.number, "hash": self.hash},
            "anchors": self.anchors,
        }


@dataclass(frozen=True, slots=True)
class Anchor:
    """One line of an anchor file: the chain's end at a moment, with a signature where there is a key."""

    number: int
    hash: str
    at: str
    mac: str = ""


class _Broken(Exception):
    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number
        self.reason = reason


@dataclass(slots=True)
class _Walk:
    """How far the check has come."""

    number: int = 0
    hash: str = ORIGIN
    rows: int = 0


def verify_audit(connection: Connection, anchors: Sequence[Anchor] = (), *, since: int = 0) -> AuditCheck:
    """Recompute the chain in constant memory, from its start or from the row ``since``, which is then taken on trust.

    Rows that others append meanwhile are checked as well.
    """
    send_last(connection)
    walk = _Walk()
    due = sorted((anchor for anchor in anchors if anchor.number >= since), key=lambda anchor: anchor.number)
    try:
        if since:
            walk.number, walk.hash = since, _hash_at(connection, since)
        _check_anchors(walk, due)
        _walk_to_end(connection, walk, due)
    except _Broken as broken:
        return AuditCheck(walk.rows, broken.number, broken.reason, walk.number, walk.hash)
    return AuditCheck(walk.rows, None, "", walk.number, walk.hash, len(due))


def _walk_to_end(connection: Connection, walk: _Walk, due: Sequence[Anchor]) -> None:
    waiting = [anchor for anchor in due if anchor.number > walk.number]
    while True:
        target, ending = _extent(connection, walk)
        for stored in _stored(connection, walk.number, target):
            _follow(walk, stored)
            while waiting and waiting[0].number == walk.number:
                _check_anchors(walk, [waiting.pop(0)])
        if walk.number < target:
            raise _Broken(walk.number + 1, "末尾的行被删去，或链头的记录被改动")
        if walk.hash != ending:
            raise _Broken(max(walk.number, 1), "链头的记录被改动")
        if connection.execute(sa.text("SELECT max(number) FROM audit_log")).scalar() in (walk.number, None):
            break
    if waiting:
        raise _Broken(walk.number + 1, f"锚点记有第 {waiting[0].number} 行，末尾的行被删去")


def _extent(connection: Connection, walk: _Walk) -> tuple[int, str]:
    """Return number and hash of the chain's end as the head has it; ``_Broken`` where the rows say otherwise."""
    kind = "text" if is_postgres(connection) else "BLOB"
    found = connection.execute(sa.text(_EXTENT.format(text=kind))).one()
    last, first, unnumbered, heads, head, number, ending = found
    text = ending.decode("utf-8", "replace") if isinstance(ending, bytes) else ending
    if heads == 0:
        number, head, text = 0, 1, ORIGIN
    if heads > 1 or head != 1 or not isinstance(number, int):
        raise _Broken(walk.number + 1, "链头的记录被改动")
    ends = last if last is not None else 0
    if unnumbered or not isinstance(ends, int) or (first is not None and first < 1):
        raise _Broken(walk.number + 1, "多出一行")
    if ends > number:
        raise _Broken(max(number, 0) + 1, "末尾多出行，或链头的记录被改动")
    if ends < number:
        raise _Broken(ends + 1, "末尾的行被删去，或链头的记录被改动")
    return number, text


def _stored(connection: Connection, after: int, to: int) -> Iterator[tuple[int, str, str, AuditEntry]]:
    """Yield (number, hash, moment in ISO 8601, entry) as stored; ``_Broken`` where no writer of ours wrote it."""
    postgres = is_postgres(connection)
    query = sa.text(_POSTGRES if postgres else _SQLITE)
    options = {"stream_results": True, "yield_per": BATCH}
    read = _read_postgres if postgres else _read_sqlite
    with connection.execute(query, {"after": after, "to": to}, execution_options=options) as rows:
        for row in rows:
            yield read(row)


def _read_postgres(row: Any) -> tuple[int, str, str, AuditEntry]:
    number, micros, actor, user_id, action, object_, detail, hash_ = row
    try:
        at = _EPOCH + timedelta(microseconds=micros)
    except (OverflowError, TypeError):
        raise _Broken(int(number), "内容被改动") from None
    return int(number), hash_, at.isoformat(), AuditEntry(at, actor, user_id, action, object_, detail)


def _read_sqlite(row: Any) -> tuple[int, str, str, AuditEntry]:
    number, at, actor, user_id, action, object_, detail, hash_, kinds = row
    if not isinstance(number, int):
        raise _Broken(0, "行号被改动")
    if kinds not in _KINDS:
        raise _Broken(number, "内容被改动")
    try:
        text = at.decode()
        moment = datetime.fromisoformat(text)
        entry = AuditEntry(
            moment, actor.decode(), user_id, action.decode(), object_.decode(), detail.decode()
        )
        found = hash_.decode()
    except (UnicodeDecodeError, ValueError):
        raise _Broken(number, "内容被改动") from None
    if moment.tzinfo is not None or moment.isoformat(" ", "microseconds") != text:
        raise _Broken(number, "内容被改动")
    return number, found, moment.replace(tzinfo=UTC).isoformat(), entry


def _follow(walk: _Walk, stored: tuple[int, str, str, AuditEntry]) -> None:
    number, found, at, entry = stored
    walk.rows += 1
    if number != walk.number + 1:
        raise _Broken(walk.number + 1, "缺少一行" if number > walk.number + 1 else "多出一行")
    try:
        wanted = row_hash(walk.hash, number, row_rest(at, entry))
    except (UnicodeEncodeError, TypeError):
        raise _Broken(number, "内容被改动") from None
    if wanted != found:
        raise _Broken(number, "内容被改动")
    walk.number, walk.hash = number, found


def _check_anchors(walk: _Walk, anchors: Sequence[Anchor]) -> None:
    for anchor in anchors:
        if anchor.number == walk.number and anchor.hash != walk.hash:
            raise _Broken(max(walk.number, 1), f"与锚点（{anchor.at}）不符：此行或更早的行被改写")


def _hash_at(connection: Connection, number: int) -> str:
    found = connection.execute(
        sa.text("SELECT hash FROM audit_log WHERE number = :number"), {"number": number}
    )
    value = found.scalar()
    if value is None:
        raise _Broken(number, "缺少一行")
    return str(value)


def _mac(key: str, anchor: Anchor) -> str:
    text = f"qiaomen audit anchor\n{anchor.number}\n{anchor.hash}\n{anchor.at}"
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def make_anchor(check: AuditCheck, now: datetime, key: str = "") -> Anchor:
    """Return the anchor of a chain found whole; signed where there is a key."""
    bare = Anchor(check.number, check.hash, now.astimezone(UTC).isoformat(timespec="seconds"))
    return Anchor(bare.number, bare.hash, bare.at, _mac(key, bare)) if key else bare


def write_anchor(path: Path, anchor: Anchor) -> None:
    """Append an anchor to a file and see it on the disk."""
    line = json.dumps({name: getattr(anchor, name) for name in Anchor.__slots__}) + "\n"
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Unavailable(
            f"锚点没有写成：{error.strerror or error}", where=str(path), remedy="检查目录、权限与磁盘空间"
        ) from error


def read_anchors(path: Path, key: str = "") -> list[Anchor]:
    """Return the anchors of a file; ``InputRejected`` names a line that is no anchor or, with a key, not ours."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputRejected("锚点文件无法读取", where=str(path), remedy="检查路径，或从备份取回") from error
    found = []
    for line_number, line in enumerate(lines, 1):
        where = f"{path} 第 {line_number} 行"
        anchor = _anchor(line)
        if anchor is None:
            raise InputRejected("不是锚点", where=where, remedy="从备份取回锚点文件")
        if key and not hmac.compare_digest(_mac(key, anchor), anchor.mac):
            raise InputRejected(
                "锚点的签名不对", where=where, remedy="核对设置 audit_key，或从备份取回锚点文件"
            )
        found.append(anchor)
    if not found:
        raise InputRejected("锚点文件是空的", where=str(path), remedy="用 qiaomen audit anchor 写入")
    return found


def _anchor(line: str) -> Anchor | None:
    try:
        values = json.loads(line)
        anchor = Anchor(values["number"], values["hash"], values["at"], values.get("mac", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    texts = (anchor.hash, anchor.at, anchor.mac)
    fits = isinstance(anchor.number, int) and 0 <= anchor.number <= _LARGEST
    return anchor if fits and all(isinstance(text, str) and text.isascii() for text in texts) else None
