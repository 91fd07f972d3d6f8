"""The command line as a process: start-up, signals, a closed reader, and a run that is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import command, environment, make_loaded, run_process

pytestmark = pytest.mark.xdist_group("cli-process")

TINY = {
    "companies": 220,
    "persons": 260,
    "customers": 50,
    "events": 150,
    "texts": 8,
    "changes": 20,
    "contacts": 60,
    "known_paths": 2,
}
HEAVY = ("pyarrow", "ibis", "numba", "numpy", "duckdb", "sqlalchemy", "pandas", "lightgbm", "fastapi", "rich")


@pytest.mark.parametrize("arguments", [["--help"], ["screen", "--help"], ["tasks", "--nonsense"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom qiaomen.cli.entry import run_command\n"
        f"code = run_command({arguments!r})\n"
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment())
    assert done.stderr.splitlines()[-1] == f"{2 if '--nonsense' in arguments else 0} []"


def test_exit_codes_of_a_process(tmp_path: Path) -> None:
    assert run_process("--help").code == 0
    assert run_process().code == 2
    assert run_process("init", workspace=tmp_path / "w").code == 0
    assert run_process("rejects", workspace=tmp_path / "w").code == 0
    assert run_process("run", workspace=tmp_path / "w").code == 2
    assert run_process("nonsense").code == 2


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    run_process("init", workspace=tmp_path / "w")
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        command("rejects", "--json", workspace=tmp_path / "w"),
        stdout=writer,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    os.close(writer)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Traceback" not in err
    assert b"Exception ignored" not in err


def stopped(workspace: Path, words: str, number: int) -> int:
    """Start a run and send it a signal when it says ``words``; return how it left."""
    process = subprocess.Popen(
        command("run", "--again", workspace=workspace),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            process.send_signal(number)
            break
    process.communicate(timeout=120)
    return process.returncode


def derived(workspace: Path) -> dict[str, object]:
    from qiaomen.jobs import TABLES, Workspace

    snapshot = Workspace(workspace).lake.snapshot()
    return {name: snapshot.arrow(table) for name, table in TABLES.items() if snapshot.has(name)}


def leads(workspace: Path) -> list[str]:
    from qiaomen.bank import local_analyst
    from qiaomen.dispatch import TaskFilter, list_tasks
    from qiaomen.jobs import Workspace
    from qiaomen.store import writing

    with writing(Workspace(workspace).sql) as connection:
        viewer = local_analyst(connection, datetime.now(UTC))
        found = []
        while page := list_tasks(
            viewer, connection, TaskFilter(with_closed=True), limit=500, offset=len(found)
        ).tasks:
            found += [task.lead_id for task in page]
    return sorted(found)


def test_a_killed_run_is_finished_by_the_next(tmp_path: Path) -> None:
    whole = make_loaded(tmp_path / "whole", **TINY)
    broken = tmp_path / "broken"
    shutil.copytree(whole, broken)
    assert run_process("run", workspace=whole).code == 0

    assert stopped(broken, "构建图谱", signal.SIGKILL) == -signal.SIGKILL
    assert "companies" not in derived(broken)
    assert leads(broken) == []
    # Stopped by a signal it says so; killed again it leaves nothing behind either.
    assert stopped(broken, "评分", signal.SIGTERM) == 1
    started = time.monotonic()
    after = run_process("run", workspace=broken)
    assert after.code == 0, after.err
    assert time.monotonic() - started < 110, "the next run must not wait for a lease"
    tables, expected = derived(broken), derived(whole)
    assert tables.keys() == expected.keys()
    for name, table in expected.items():
        assert tables[name].equals(table), name  # type: ignore[attr-defined]
    assert leads(broken) == leads(whole)
    assert len(set(leads(whole))) == len(leads(whole)) > 0

    # Killed between publishing and the tasks: what was published stays, no task is doubled.
    stopped(broken, "生成任务", signal.SIGKILL)
    assert run_process("run", "--again", workspace=broken).code == 0
    assert run_process("run", "--again", workspace=whole).code == 0
    assert len(set(leads(broken))) == len(leads(broken))
    assert set(leads(whole)) <= set(leads(broken))
