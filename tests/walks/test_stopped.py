"""Nothing is lost or doubled: a second run changes nothing, and work that was killed anywhere is finished by the next."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from soak.nursery import Nursery
from soak.stopping import Undisturbed, run_trial
from tests.walks.city import Demo, contents, count, run_city, tasks_of

pytestmark = pytest.mark.xdist_group("walks")
KILLS = {"load": 5, "receive": 5, "take": 2, "run": 4, "dispatch": 5, "push": 7}


def test_a_second_run_changes_nothing(city: Demo, own_city: Demo) -> None:
    before, tasks = contents(own_city.snapshot), tasks_of(own_city.workspace)
    messages = count(own_city.workspace, "outbox")
    run_city(own_city)
    assert own_city.snapshot.number > city.snapshot.number
    after = contents(own_city.snapshot)
    assert {name for name in before if before[name] != after[name]} == set()
    assert set(before) == set(after)
    assert tasks_of(own_city.workspace) == tasks
    assert count(own_city.workspace, "outbox") == messages


def test_work_killed_at_twenty_points_ends_as_if_undisturbed(
    nursery: Nursery, reference: Undisturbed, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"replay: python -m soak --seed {seed} --trials 1")
    trial = run_trial(nursery, reference, tmp_path / "bank", seed, KILLS)
    assert trial.differences == []
    # A drawn delay may outlast the work it was drawn for.
    assert trial.kills.total() >= 20


@pytest.mark.postgres
def test_killed_dispatch_and_push_on_postgres(
    nursery: Nursery, reference: Undisturbed, tmp_path: Path, postgres_url: str
) -> None:
    """The hashes are those of the bank on SQLite."""
    kills = {"load": 0, "receive": 2, "take": 1, "run": 0, "dispatch": 3, "push": 3}
    trial = run_trial(nursery, reference, tmp_path / "bank", 20260630, kills, postgres_url)
    assert trial.differences == []
    assert trial.kills.total() >= 4
