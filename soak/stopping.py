"""Stops a bank's work with SIGKILL at drawn points, starts it anew, and compares what comes out with undisturbed work.

One trial: load, receiving what another system pushes, run (which first takes that, and ends with the dispatch) and push of
a made-up bank of 500 companies, killed a number of times in each, on SQLite or PostgreSQL. Afterwards the hashes of all results equal those of the undisturbed bank, and the receiver of
pushed messages holds the same set by idempotency key. Every draw comes from the trial's seed.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from qiaomen.connectors import Receiver
from qiaomen.demo import DEMO_AS_OF, Size, write_demo
from qiaomen.jobs import Workspace, init_workspace, result_hashes
from qiaomen.settings import FILE_NAME
from qiaomen.store import outbox, reading
from soak.nursery import Nursery, Outcome

SIZE: Final = Size(
    companies=500, persons=600, customers=60, events=600, texts=40, changes=80, contacts=200, known_paths=2
)
START: Final = datetime(2026, 6, 30, 2, tzinfo=UTC)
SECRET: Final = "a secret of the double, thirty-two characters"
PHASES: Final = ("load", "receive", "take", "run", "dispatch", "push")
# Generations that a run publishes before its own numbers: what was pushed through each of two channels.
TAKEN: Final = 2
# Commits from the start of a run that finds its generation there, to that of its tasks.
SHORT_WAY: Final = 5


@dataclass(frozen=True)
class Undisturbed:
    """The bank's inbox and what came out of undisturbed work, phase by phase."""

    inbox: Path
    hashes: dict[str, dict[str, str]]
    outcomes: dict[str, Outcome]
    received: dict[str, bytes]


@dataclass
class Trial:
    """What a trial did: kills by phase, repeats at the receiver, and what differed in the end (nothing)."""

    seed: int
    database: str
    kills: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    differences: list[str] = field(default_factory=list)


def make_bank(root: Path, inbox: Path | None, url: str, database_url: str = "") -> Workspace:
    """Make the workspace; its messages go to the receiver at ``url``."""
    workspace = init_workspace(
        root,
        {
            "as_of": DEMO_AS_OF,
            "webhook_url": url,
            "webhook_secret": SECRET,
            "egress_private": True,
            "database_url": database_url,
        },
        clock=lambda: START,
    )
    with (root / FILE_NAME).open("a", encoding="utf-8") as file:
        file.write('egress_hosts = ["127.0.0.1"]\n')
    if inbox is None:
        write_demo(workspace.inbox, root / "answers", size=SIZE)
    else:
        shutil.copytree(inbox, workspace.inbox, dirs_exist_ok=True)
    return Workspace(root, clock=lambda: START)


@contextmanager
def _opened(workspace: Workspace) -> Iterator[Workspace]:
    try:
        yield workspace
    finally:
        workspace.sql.dispose()


def undisturbed(nursery: Nursery, root: Path) -> Undisturbed:
    """Do the work once without a stop."""
    with Receiver() as receiver, _opened(make_bank(root, None, receiver.url)) as workspace:
        outcomes, hashes = {}, {}
        for phase in ("load", "receive", "run", "push"):
            outcomes[phase] = nursery.work(phase, root, clock=START.isoformat())
            hashes[phase] = result_hashes(workspace)
        assert not any(outcome.killed for outcome in outcomes.values())
        received = {key: bodies[0] for key, bodies in _by_key(receiver).items()}
        assert received and len(receiver.requests) == len(received)
    return Undisturbed(root / "inbox", hashes, outcomes, received)


def _by_key(receiver: Receiver) -> dict[str, list[bytes]]:
    bodies: dict[str, list[bytes]] = {}
    for request in receiver.requests:
        # A sender that was killed in the middle of a body has sent nothing: no receiver takes half a request.
        if len(request.body) != int(request.headers["content-length"]):
            continue
        bodies.setdefault(request.headers["idempotency-key"], []).append(request.body)
    return bodies


@dataclass
class _Course:
    """A trial in progress."""

    nursery: Nursery
    reference: Undisturbed
    workspace: Workspace
    receiver: Receiver
    draw: random.Random
    trial: Trial
    # Leases of a killed sender end by the clock, so it goes on between two pushes.
    clock: datetime = START

    def kill(self, phase: str, work: str, at: int, delay: float = 0.0, since: str = "") -> bool:
        """Start the work and kill it at an operation, or a little later; False where it was done before."""
        outcome = self.nursery.work(
            work, self.workspace.root, at=at, delay=delay, since=since, clock=self.clock.isoformat()
        )
        if outcome.killed:
            self.trial.kills[phase] += 1
            self.check_readable()
        return outcome.killed

    def moment(self, low: int, high: int, gap: float) -> tuple[int, float]:
        """Draw an operation between two, and at times a delay within a gap."""
        return self.draw.randrange(low, max(low + 1, high)), self.draw.choice(
            (0.0, self.draw.uniform(0, gap))
        )

    def check_readable(self) -> None:
        """After a kill the lake's newest generation is whole, and so is the database."""
        snapshot = self.workspace.lake.snapshot()
        gone = [path for path in snapshot.manifest.paths() if not (snapshot.root / path).exists()]
        if gone:
            self.trial.differences.append(f"files of generation {snapshot.number} are missing: {gone}")
        engine = sa.create_engine(self.workspace.sql.url)
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                said = connection.exec_driver_sql("PRAGMA quick_check").scalar()
                if said != "ok":
                    self.trial.differences.append(f"database: {said}")
        engine.dispose()

    def finish(self, work: str) -> None:
        """Do the rest of the work and compare."""
        outcome = self.nursery.work(work, self.workspace.root, clock=self.clock.isoformat())
        assert not outcome.killed
        self.compare(work)

    def compare(self, work: str) -> None:
        """Note which hashes differ from those of undisturbed work."""
        found, expected = result_hashes(self.workspace), self.reference.hashes[work]
        for name in sorted(found.keys() | expected.keys()):
            if found.get(name) != expected.get(name):
                self.trial.differences.append(f"after {work}: {name}")


def run_trial(
    nursery: Nursery,
    reference: Undisturbed,
    root: Path,
    seed: int,
    kills: Mapping[str, int],
    database_url: str = "",
) -> Trial:
    """Kill the work as often in each phase as ``kills`` says, and compare."""
    trial = Trial(seed, "postgres" if database_url else "sqlite")
    with (
        Receiver() as receiver,
        _opened(make_bank(root, reference.inbox, receiver.url, database_url)) as workspace,
    ):
        course = _Course(nursery, reference, workspace, receiver, random.Random(seed), trial)
        _stop_load(course, kills["load"])
        _stop_receive(course, kills["receive"])
        _stop_run(course, kills["take"], kills["run"], kills["dispatch"])
        _stop_push(course, kills["push"])
    return trial


def _stop_load(course: _Course, count: int) -> None:
    """Kill a load before it publishes, and the last time anywhere."""
    usual = course.reference.outcomes["load"]
    # From its last commit to its publishing a load takes less than the longest delay.
    early = usual.place("commit") - 1
    for number in range(count):
        last = number == count - 1
        at, delay = course.moment(0, len(usual.operations) if last else early, 0.002)
        if not course.kill("load", "load", at, delay) or course.workspace.lake.snapshot().number:
            break
    # Killed after it published a load is done; to load the same files again would be another generation.
    if course.workspace.lake.snapshot().number:
        course.compare("load")
    else:
        course.finish("load")


def _stop_receive(course: _Course, count: int) -> None:
    """Kill the bank while it takes what is pushed; the sender, who got no answer, begins anew."""
    usual = course.reference.outcomes["receive"]
    for _ in range(count):
        at, delay = course.moment(0, len(usual.operations) - 1, 0.01)
        if not course.kill("receive", "receive", at, delay):
            break
    course.finish("receive")


def _stop_run(course: _Course, take_kills: int, run_kills: int, dispatch_kills: int) -> None:
    """Kill a run while it takes what was pushed, before it publishes, once between publishing and its tasks, then again while these are written.

    Work that was done before its kill is done: to start it anew would be another run.
    """
    usual = course.reference.outcomes["run"]
    publishing, ending = usual.published, usual.place("commit")
    # Steps near the end are short: a long delay there would reach beyond them.
    early = publishing * 2 // 3
    # A kill after the pushed rows were published finds them there the next time, and fewer operations with them.
    taking = usual.published_at(TAKEN - 1)
    draws = [("take", *course.moment(0, taking + 3, 0.002), "") for _ in range(take_kills)]
    for _ in range(run_kills):
        at, delay = course.moment(0, publishing - 20, 0.002)
        draws.append(("run", at, delay if at > early else delay * 50, ""))
    if dispatch_kills:
        between = course.moment(0, ending - publishing, 0.0005)
        draws.append(("dispatch", *between, usual.operations[publishing]))
        # The way from a generation that lacks its tasks has at least so many operations.
        draws += [("dispatch", *course.moment(0, SHORT_WAY, 0.002), "") for _ in range(dispatch_kills - 2)]
        if dispatch_kills > 1:
            writing = usual.gap(ending - 1) * 0.6
            draws.append(("dispatch", SHORT_WAY - 1, course.draw.uniform(0, writing), ""))
    for phase, at, delay, since in draws:
        if not course.kill(phase, "run", at, delay, since):
            break
    course.finish("run")


def _stop_push(course: _Course, count: int) -> None:
    usual = course.reference.outcomes["push"]
    for _ in range(count):
        at, delay = course.moment(0, len(usual.operations) // (count + 1), 0.01)
        if not course.kill("push", "push", at, delay):
            break
        course.clock += outbox.LEASE + timedelta(seconds=1)
    course.finish("push")
    bodies = _by_key(course.receiver)
    course.trial.repeats = sum(len(each) for each in bodies.values()) - len(bodies)
    expected = course.reference.received
    if bodies.keys() != expected.keys():
        course.trial.differences.append(f"received {len(bodies)} keys instead of {len(expected)}")
    if any(len(set(each)) != 1 for each in bodies.values()):
        course.trial.differences.append("a repeat has another body than the first")
    with reading(course.workspace.sql) as connection:
        states = outbox.counts(connection)
    if states != {"done": len(expected)}:
        course.trial.differences.append(f"outbox: {states}")
