"""Serving: one line with the address, a worker beside the page that ends with it, ports that are taken, the demo."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import call, command, environment

pytestmark = pytest.mark.xdist_group("cli")


@contextmanager
def serving(workspace: Path, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the page and give its process and address."""
    # Standard error goes to a file: a pipe would be held open by the worker.
    with (workspace / "serve.log").open("w") as log:
        process = subprocess.Popen(
            command("serve", "--port", 0, *arguments, workspace=workspace),
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(),
            text=True,
        )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def wait_until(holds: object, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_page_answers_when_its_address_is_printed(ready: Path, number: int) -> None:
    with serving(ready, "--no-worker") as (process, address):
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{address}/login", timeout=30) as answer:
            assert answer.status == 200
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert out == ""
        assert "Traceback" not in (ready / "serve.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_worker_ends_with_the_page(ready: Path, number: int) -> None:
    with serving(ready) as (process, address):
        assert address
        workers = psutil.Process(process.pid).children()
        assert len(workers) == 1
        assert "work" in workers[0].cmdline()
        process.send_signal(number)
        process.wait(30)
        wait_until(lambda: not workers[0].is_running() or workers[0].status() == psutil.STATUS_ZOMBIE)


def test_a_taken_port_is_said(ready: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        answer = call("serve", "--port", other.getsockname()[1], workspace=ready)
    assert answer.code == 1
    assert answer.out == ""
    assert "已被占用" in answer.err


def test_an_address_that_is_not_ours(ready: Path) -> None:
    assert call("serve", "--host", "192.0.2.1", workspace=ready).code == 2


def test_demo_takes_the_next_port() -> None:
    from qiaomen.cli.serving import _next_port

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with _next_port("127.0.0.1", taken) as listener:
            assert listener.getsockname()[1] != taken


def test_demo_does_only_what_is_not_done(ready: Path, tmp_path: Path) -> None:
    """The demo on a workspace whose files are written, loaded and run: quick, nothing doubled, logins once."""
    import shutil

    from qiaomen.jobs import Workspace

    root = tmp_path / "demo"
    shutil.copytree(ready, root)
    (root / "operational.db").unlink()
    for name in ("operational.db-wal", "operational.db-shm"):
        (root / name).unlink(missing_ok=True)
    (root / "answers" / "written.txt").write_text("", encoding="utf-8")
    before = Workspace(root).lake.snapshot().number
    from qiaomen.jobs.tasking import sync_bank

    sync_bank(Workspace(root))
    for _ in range(2):
        answer = call("demo", "--no-serve", workspace=root)
        assert answer.code == 0, answer.err
        assert Workspace(root).lake.snapshot().number == before
        logins = root / "demo-logins.txt"
        assert logins.stat().st_mode & 0o777 == 0o600
        lines = logins.read_text(encoding="utf-8").splitlines()
        assert len({line.split("\t")[0] for line in lines}) == len(lines) > 5
        for role in ("客户经理", "支行管理员", "分行管理员", "总行分析师", "系统管理员"):
            assert role in answer.err
        login, password = lines[0].split("\t")[:2]
    from datetime import UTC, datetime

    from qiaomen.bank import sign_in

    assert sign_in(Workspace(root).sql, login, password, datetime.now(UTC)).viewer.login == login


def test_demo_refuses_a_bank_of_its_own(empty: Path) -> None:
    answer = call("demo", "--no-serve", workspace=empty)
    assert answer.code == 2
    assert not list((empty / "inbox").iterdir())


def test_a_workspace_without_users_says_how_to_make_them(ready: Path, tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "bank"
    shutil.copytree(ready, root)
    for name in ("operational.db", "operational.db-wal", "operational.db-shm"):
        (root / name).unlink(missing_ok=True)
    with serving(root, "--no-worker") as (_, address):
        assert address
        wait_until(lambda: "按 Ctrl-C 停止" in (root / "serve.log").read_text())
        assert "qiaomen users create admin" in (root / "serve.log").read_text()
