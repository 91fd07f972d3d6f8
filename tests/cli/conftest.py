"""A small made-up bank: loaded, and run; and the command line called in this process or as one of its own."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

SMALL = {
    "companies": 600,
    "persons": 800,
    "customers": 120,
    "events": 500,
    "texts": 20,
    "changes": 60,
    "contacts": 150,
    "known_paths": 3,
}


@dataclass(frozen=True)
class Answer:
    """What a command said and how it left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def call(*arguments: object, workspace: Path | None = None) -> Answer:
    """Run a command in this process."""
    from qiaomen.cli.entry import run_command

    place = ["--workspace", str(workspace)] if workspace else []
    raw, err = io.BytesIO(), io.StringIO()
    out = io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=True)
    with redirect_stdout(out), redirect_stderr(err):
        code = run_command([*place, *map(str, arguments)])
    return Answer(code, raw.getvalue().decode("utf-8"), err.getvalue())


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("QIAOMEN_")}


def command(*arguments: object, workspace: Path | None = None) -> list[str]:
    place = ["--workspace", str(workspace)] if workspace else []
    return [sys.executable, "-m", "qiaomen", *place, *map(str, arguments)]


def run_process(*arguments: object, workspace: Path | None = None, **more: Any) -> Answer:
    """Run a command as a process of its own."""
    done = subprocess.run(
        command(*arguments, workspace=workspace),
        capture_output=True,
        env=environment(),
        timeout=300,
        **more,
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def make_loaded(root: Path, **size: int) -> Path:
    """Make a workspace with the files of a small city loaded."""
    from qiaomen.demo import DEMO_AS_OF, Size, write_demo
    from qiaomen.jobs import init_workspace, load_files, silent

    workspace = init_workspace(root, {"bank_name": "测试银行", "as_of": DEMO_AS_OF, "demo_logins": True})
    write_demo(workspace.inbox, root / "answers", size=Size(**size))
    load_files(workspace, None, [], silent)
    # A plain copy of an open SQLite file takes the locks of this process away from it; other processes then spoil it.
    workspace.sql.dispose()
    return root


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Workspace with files loaded and nothing run; copy it to change it."""
    return make_loaded(tmp_path_factory.mktemp("cli") / "loaded", **SMALL)


@pytest.fixture(scope="session")
def ready(loaded: Path) -> Path:
    """Workspace after one run, with a login for every post; commands here only read."""
    from qiaomen.bank import create_users_for_staff
    from qiaomen.jobs import Workspace, run_all, silent
    from qiaomen.store import writing

    root = loaded.with_name("ready")
    shutil.copytree(loaded, root)
    workspace = Workspace(root)
    run_all(workspace, None, silent)
    with writing(workspace.sql) as connection:
        create_users_for_staff(connection, now=datetime.now(UTC))
    workspace.sql.dispose()
    return root


@pytest.fixture
def fresh(loaded: Path, tmp_path: Path) -> Path:
    """A loaded workspace of the test's own."""
    root = tmp_path / "workspace"
    shutil.copytree(loaded, root)
    return root


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A workspace with nothing in it."""
    from qiaomen.jobs import init_workspace

    return init_workspace(tmp_path / "empty").root


@pytest.fixture(scope="session")
def people(ready: Path) -> Mapping[str, str]:
    """One login per role; the manager is one with customers."""
    from qiaomen.customers import CUSTOMERS
    from qiaomen.jobs import Workspace

    rows = (ready / "inbox" / "staff.csv").read_text(encoding="utf-8-sig").splitlines()
    names = rows[0].split(",")
    staff = [dict(zip(names, row.split(","), strict=True)) for row in rows[1:]]
    found = {row["role"]: row["staff_no"].lower() for row in reversed(staff)}
    held = Workspace(ready).lake.snapshot().arrow(CUSTOMERS)["manager_no"].to_pylist()
    managers = {row["staff_no"] for row in staff if row["role"] == "manager"}
    found["manager"] = next(number for number in held if number in managers).lower()
    return found


Call = Callable[..., Answer]
