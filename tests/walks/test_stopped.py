"""Nothing is lost or doubled: a second run changes nothing, and a run that was killed is finished by the next one."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qiaomen.jobs import TABLES, Workspace, init_workspace, load_files, silent
from qiaomen.registry import LOADS
from qiaomen.store import Snapshot
from tests.walks.city import Demo, contents, count, run_city, tasks_of

pytestmark = pytest.mark.xdist_group("walks")
CHILD = Path(__file__).with_name("child.py")
LAST_STEP = "生成任务"
STEPS = 19


def kill_at(what: str, root: Path, line: int, words: str = "", wait: float = 0.0) -> bool:
    """Start the work, kill its process after so many lines (or the line with the words); False where it was faster."""
    process = subprocess.Popen(
        [sys.executable, str(CHILD), what, str(root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    assert process.stdout is not None
    for number, said in enumerate(process.stdout):
        if (words in said) if words else number >= line:
            break
    time.sleep(wait)
    process.kill()
    _, errors = process.communicate()
    assert process.returncode in (0, -9), errors
    return process.returncode == -9


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


def test_a_run_killed_anywhere_is_finished_by_the_next(city: Demo, loaded: Demo, tmp_path: Path) -> None:
    demo = loaded.copy(tmp_path / "workspace")
    draw = random.Random(20260630)
    for step in sorted(draw.sample(range(STEPS), 2)):
        assert kill_at("run", demo.root, step, wait=draw.random() / 5)
        assert not demo.snapshot.has("leads"), "nothing of a stopped run is seen"
        assert count(demo.workspace, "tasks") == 0
    # Published, and killed while the tasks are written.
    killed = kill_at("run", demo.root, STEPS, words=LAST_STEP)
    assert demo.snapshot.has("leads")
    assert killed
    assert count(demo.workspace, "tasks") in (0, count(city.workspace, "tasks"))
    run_city(demo)
    found, expected = contents(demo.snapshot), contents(city.snapshot)
    assert {name for name in expected if found.get(name) != expected[name]} == set()
    assert tasks_of(demo.workspace) == tasks_of(city.workspace)
    assert count(demo.workspace, "outbox") == count(city.workspace, "outbox")
    assert count(demo.workspace, "controls") == count(city.workspace, "controls")


def content_of(snapshot: Snapshot) -> dict[str, list[str]]:
    """Return the hashes of all loaded rows by table; a load's own number is left out."""
    return {
        name: snapshot.arrow(table)["record_hash"].to_pylist()
        for name, table in TABLES.items()
        if table.loaded
    }


def test_a_killed_load_leaves_nothing_half_loaded(loaded: Demo, tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    init_workspace(root)
    for path in (loaded.root / "inbox").iterdir():
        (root / "inbox" / path.name).write_bytes(path.read_bytes())
    assert kill_at("load", root, 5)
    workspace = Workspace(root)
    assert workspace.lake.snapshot().number == 0
    report = load_files(workspace, None, [], silent)
    assert content_of(workspace.lake.snapshot()) == content_of(loaded.snapshot)
    assert workspace.lake.snapshot().rows(LOADS.name) == len(report.files)
    again = load_files(workspace, None, [], silent)
    assert again.totals["inserted"] == again.totals["updated"] == 0
    assert again.totals["unchanged"] == report.totals["inserted"]
