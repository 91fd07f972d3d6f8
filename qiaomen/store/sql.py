"""The operational store: SQLAlchemy Core on SQLite (WAL) or PostgreSQL. Declares no business table.

Folders declare their tables in ``<folder>/schema.py`` on ``METADATA``. All writing goes through ``writing``:
one short transaction, committed at its end.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Dialect, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, OperationalError
from sqlalchemy.types import TypeDecorator

from qiaomen.store.disk import disk_errors, make_folder
from qiaomen.store.locks import fair_lock
from qiaomen.vocab import InputRejected, Unavailable

METADATA: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
BUSY_SECONDS: Final = 30.0
# Far beyond any lease, so that clocks of two machines may differ.
FARTHEST_LEASE: Final = timedelta(hours=1)
PING_AFTER_SECONDS: Final = 1.0
# A row number: 64 bits on PostgreSQL, the alias of rowid on SQLite.
BigKey: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MODE: Final = "qiaomen_mode"
_LAST: Final = "qiaomen_last"
_Statement = tuple[str, dict[str, Any]]


class Moment(TypeDecorator[datetime]):
    """An aware point in time, stored in UTC; a naive value is refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC; SQLite has no zones, so the zone is dropped there."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without zone: {value!r}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def open_sql(url: str) -> sa.Engine:
    """Open ``sqlite:///path`` or ``postgresql+psycopg://…``; ``InputRejected`` for any other address."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InputRejected(
            "数据库地址无法识别", remedy="写成 sqlite:///路径 或 postgresql+psycopg://用户:密码@主机/库"
        ) from error
    if parsed.drivername in {"postgresql", "postgresql+psycopg"}:
        return _open_postgres(parsed.set(drivername="postgresql+psycopg"))
    if parsed.drivername == "sqlite" and parsed.database and parsed.database != ":memory:":
        return _open_sqlite(Path(parsed.database))
    raise InputRejected(
        f"不支持的数据库：{parsed.drivername}", remedy="使用 sqlite:///路径 或 postgresql+psycopg://…"
    )


def _open_sqlite(path: Path) -> sa.Engine:
    absolute = path.absolute()
    with disk_errors(absolute):
        make_folder(absolute.parent)
        if not absolute.exists():
            _make_private(absolute)
    engine = sa.create_engine(
        f"sqlite:///{absolute}", connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private(path: Path) -> None:
    """Make an empty file that nobody else reads; SQLite gives its side files the same mode.

    It is closed before it stands at its place: closing a file that another thread has opened meanwhile would take the
    locks of this process away.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(handle)
    try:
        # There already, or a file system without links: then SQLite makes it.
        with suppress(OSError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def _open_postgres(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url, pool_size=10, max_overflow=20)
    event.listen(engine, "begin", _begin_postgres)
    event.listen(engine, "checkin", _note_checkin)
    event.listen(engine, "checkout", _ping_after_rest)
    engine.dialect.do_commit = _commit_postgres  # type: ignore[assignment,method-assign]
    return engine


def _note_checkin(connection: Any, record: Any) -> None:  # noqa: ARG001
    record.info["rested_since"] = time.monotonic()


def _ping_after_rest(connection: Any, record: Any, proxy: object) -> None:  # noqa: ARG001
    # A ping at every checkout costs a round trip; a server restart is noticed after a short rest all the same.
    since = record.info.get("rested_since")
    if since is None or time.monotonic() - since < PING_AFTER_SECONDS:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except Exception as error:
        raise DisconnectionError("the server closed the connection") from error


def _prepare_sqlite(connection: Any, record: object) -> None:  # noqa: ARG001
    # The driver must not open transactions by itself: `begin` does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    _switch_to_wal(cursor)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    # Of several who open a new store at once SQLite refuses all but one here without asking the busy handler.
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    writer = connection.get_execution_options().get(_MODE) != "read"
    raw: Any = connection.connection.driver_connection
    try:
        raw.execute(f"PRAGMA query_only={0 if writer else 1}")
        raw.execute("BEGIN IMMEDIATE" if writer else "BEGIN")
    except sqlite3.Error as error:
        raise OperationalError("BEGIN", None, error) from error


def _begin_postgres(connection: Connection) -> None:
    if connection.get_execution_options().get(_MODE) == "read":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")


@contextmanager
def _worded(engine: sa.Engine) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        place = engine.url.render_as_string(hide_password=True)
        text = str(error.orig)
        if "full" in text:
            raise Unavailable("磁盘空间不足，本次写入未生效", where=place, remedy="清理磁盘后重试") from error
        if "readonly" in text or "unable to open" in text:
            raise Unavailable("数据库不可写或无法打开", where=place, remedy="检查路径与权限") from error
        if "locked" in text or "deadlock" in text:
            raise Unavailable("数据库正忙", where=place, remedy="稍后重试") from error
        if "disk I/O error" in text:
            raise Unavailable(
                "磁盘读写失败，本次写入未生效", where=place, remedy="检查磁盘空间、配额与磁盘状况后重试"
            ) from error
        if "connection" in text.lower():
            raise Unavailable(
                "数据库连接失败", where=place, remedy="检查数据库是否启动、地址与口令"
            ) from error
        raise


@contextmanager
def writing(engine: sa.Engine) -> Iterator[Connection]:
    """Open a transaction that may write; commit at the end, roll back on an error.

    On SQLite writers queue for a fair lock first, so that none starves. Keep it short and do not nest it.
    """
    with _worded(engine):
        if engine.dialect.name != "sqlite":
            with engine.connect() as connection, _keeping_last(connection), connection.begin():
                yield connection
            return
        path = Path(f"{engine.url.database}.lock")
        with fair_lock(path).hold(BUSY_SECONDS), engine.connect() as connection, connection.begin():
            yield connection


@contextmanager
def _keeping_last(connection: Connection) -> Iterator[None]:
    info = connection.info
    info[_LAST] = []
    try:
        yield
    finally:
        info.pop(_LAST, None)


def _commit_postgres(connection: Any) -> None:
    """Commit with what waits, in one round trip: the server does not wait for this process to be scheduled again."""
    waiting: list[_Statement] = connection.info.get(_LAST) or []
    if not waiting:
        connection.commit()
        return
    with connection.driver_connection.pipeline():
        for statement, values in waiting:
            connection.driver_connection.execute(statement, values)
        connection.driver_connection.commit()


def execute_last(connection: Connection, statement: str, values: Mapping[str, Any]) -> None:
    """Send a statement together with the commit, after all others, so that what it locks is held for a moment only.

    PostgreSQL within ``writing``, in the driver's notation (``%(name)s``); its rows are not seen before the commit,
    unless ``send_last`` is called. Within any other transaction it is executed at once.
    """
    waiting = connection.info.get(_LAST)
    if waiting is None or connection.in_nested_transaction():
        # What a savepoint may take back must not wait for the commit of the whole.
        connection.exec_driver_sql(statement, dict(values))
    else:
        waiting.append((statement, dict(values)))


def send_last(connection: Connection) -> None:
    """Execute now what waits for the commit, for a reader within the same transaction."""
    waiting: list[_Statement] = connection.info.get(_LAST) or []
    while waiting:
        connection.exec_driver_sql(*waiting.pop(0))


@contextmanager
def reading(engine: sa.Engine) -> Iterator[Connection]:
    """Open a consistent view that cannot write."""
    with _worded(engine), engine.connect() as connection:
        reader = connection.execution_options(**{_MODE: "read"})
        transaction = reader.begin()
        try:
            yield reader
        finally:
            transaction.rollback()


@contextmanager
def consistently_reading(engine: sa.Engine) -> Iterator[Connection]:
    """Open a view in which every statement sees the same state, however long it takes; it cannot write."""
    with _worded(engine), engine.connect() as connection:
        options: dict[str, Any] = {_MODE: "read"}
        if engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"
        reader = connection.execution_options(**options)
        transaction = reader.begin()
        try:
            # The state is that of the first look at a table.
            reader.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar()
            yield reader
        finally:
            transaction.rollback()


def lapsed(lease_until: sa.ColumnElement[datetime | None], now: datetime) -> sa.ColumnElement[bool]:
    """Whether a lease has ended, or was given by a clock that has been set back since: no lease reaches that far."""
    return sa.or_(lease_until < now, lease_until > now + FARTHEST_LEASE)


def is_postgres(connection: Connection) -> bool:
    """Whether the connection is to PostgreSQL (else SQLite)."""
    return connection.dialect.name == "postgresql"


def file_of(engine: sa.Engine) -> Path | None:
    """Return the file of a SQLite store; None for PostgreSQL."""
    database = engine.url.database
    return Path(database) if engine.dialect.name == "sqlite" and database else None
