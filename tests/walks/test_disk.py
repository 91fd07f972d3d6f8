"""A full or read-only disk: words that help, nothing half written, and the same result once there is room again.

As root the disk is a small file system in memory (tmpfs). Where none may be mounted, a limit on the size of files stands
in for the full disk, and permissions for the read-only one (root has none to lose: then that part is skipped).
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from qiaomen.jobs import Workspace, apply_customer_list, back_up, result_hashes, try_customer_list
from qiaomen.vocab import Unavailable
from soak.nursery import Nursery
from soak.stopping import START, Undisturbed, make_bank
from tests.walks.city import count
from tests.walks.newcomers import MAPPING

pytestmark = pytest.mark.xdist_group("walks")
MEBIBYTE = 1 << 20
NOWHERE = "http://127.0.0.1:9/nobody"
CLOCK = START.isoformat()
FULL = "磁盘空间不足|磁盘读写失败"
LIST = "客户编码,户名,证照号,网点\nN1,上海某某有限公司,,S0101\n"


def require_mount() -> None:
    """Fail where a file system of its own must be mounted for these tests and was not."""
    if os.environ.get("QIAOMEN_REQUIRE_MOUNT") == "1":
        pytest.fail("no file system can be mounted here: run as root with the right to mount")


class Disk:
    """A small disk that a test fills and makes read-only."""

    def __init__(self, root: Path, mounted: bool) -> None:
        self.root = root
        self.mounted = mounted

    @contextmanager
    def full(self, leave: int = 0) -> Iterator[None]:
        """Leave so many bytes free; without a mount no file may grow beyond as many."""
        if not self.mounted:
            old = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (max(leave, 4096), old[1]))
            try:
                yield
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, old)
            return
        filler = self.root / "filler"
        found = os.statvfs(self.root)
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(4096, found.f_bavail * found.f_frsize - leave))
        try:
            yield
        finally:
            filler.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Refuse every write."""
        if self.mounted:
            subprocess.run(["mount", "-o", "remount,ro", self.root], check=True)
            try:
                yield
            finally:
                subprocess.run(["mount", "-o", "remount,rw", self.root], check=True)
            return
        if os.geteuid() == 0:
            require_mount()
            pytest.skip("root may write everywhere, and no file system may be mounted here")
        subprocess.run(["chmod", "-R", "a-w", self.root], check=True)
        try:
            yield
        finally:
            subprocess.run(["chmod", "-R", "u+w", self.root], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    root = tmp_path / "disk"
    root.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(root)]
    mounted = (
        shutil.which("mount") is not None and subprocess.run(options, capture_output=True).returncode == 0
    )
    yield Disk(root, mounted)
    if mounted:
        subprocess.run(["umount", "-l", root], check=True)


@contextmanager
def bank(root: Path, reference: Undisturbed) -> Iterator[Workspace]:
    workspace = make_bank(root, reference.inbox, NOWHERE)
    # The store is there before the disk fills, as in a system that has run for a while.
    assert count(workspace, "tasks") == 0
    yield workspace
    workspace.sql.dispose()


def differing(workspace: Workspace, reference: Undisturbed, work: str) -> list[str]:
    found, expected = result_hashes(workspace), reference.hashes[work]
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))


def stopped_before_its_tasks(nursery: Nursery, workspace: Workspace, reference: Undisturbed) -> None:
    """Load and run until the generation is there and its tasks are not."""
    usual = reference.outcomes["run"]
    nursery.work("load", workspace.root, clock=CLOCK)
    nursery.work("receive", workspace.root, clock=CLOCK)
    outcome = nursery.work("run", workspace.root, at=1, since=usual.operations[usual.published], clock=CLOCK)
    assert outcome.killed
    assert workspace.lake.snapshot().has("leads")
    assert count(workspace, "tasks") == 0


def test_loads_and_runs_on_a_full_disk(disk: Disk, nursery: Nursery, reference: Undisturbed) -> None:
    with bank(disk.root / "bank", reference) as workspace:
        for leave in (0, 40_000, 200_000) if disk.mounted else (0,):
            with disk.full(leave), pytest.raises(RuntimeError, match=FULL):
                try_to("load", disk, nursery, workspace.root)
            assert workspace.lake.snapshot().number == 0
            assert list((workspace.root / "lake" / "data").rglob("*.parquet*")) == []
        nursery.work("load", workspace.root, clock=CLOCK)
        assert differing(workspace, reference, "load") == []
        with disk.full(), pytest.raises(RuntimeError, match=FULL):
            try_to("receive", disk, nursery, workspace.root)
        nursery.work("receive", workspace.root, clock=CLOCK)
        assert differing(workspace, reference, "receive") == []
        with disk.full(300_000), pytest.raises(RuntimeError, match=FULL):
            try_to("run", disk, nursery, workspace.root)
        assert not workspace.lake.snapshot().has("leads")
        nursery.work("run", workspace.root, clock=CLOCK)
        assert differing(workspace, reference, "run") == []


def try_to(work: str, disk: Disk, nursery: Nursery, root: Path) -> None:
    """Work on the disk as it is: a limit on files holds for processes started under it, a full disk for all."""
    if disk.mounted:
        nursery.work(work, root, clock=CLOCK)
        return
    with Nursery() as limited:
        limited.work(work, root, clock=CLOCK)


def test_dispatch_and_push_on_a_full_disk(disk: Disk, nursery: Nursery, reference: Undisturbed) -> None:
    if not disk.mounted:
        require_mount()
        pytest.skip("a limit on the size of files does not stop a database that is large already")
    with bank(disk.root / "bank", reference) as workspace:
        stopped_before_its_tasks(nursery, workspace, reference)
        for leave in (0, 100_000):
            with disk.full(leave), pytest.raises(RuntimeError, match=FULL):
                nursery.work("run", workspace.root, clock=CLOCK)
            assert (
                count(workspace, "tasks")
                == count(workspace, "outbox")
                == count(workspace, "task_history")
                == 0
            )
        nursery.work("run", workspace.root, clock=CLOCK)
        assert differing(workspace, reference, "run") == []
        with disk.full(), pytest.raises(RuntimeError, match=FULL):
            nursery.work("push", workspace.root, clock=CLOCK)
        with workspace.sql.connect() as connection:
            states = connection.execute(sa.text("SELECT DISTINCT state FROM outbox")).scalars().all()
        assert states == ["waiting"]
        with disk.full(), pytest.raises(Unavailable, match="磁盘空间不足"):
            back_up(workspace, disk.root / "b.tar")
        assert not list(disk.root.glob("*.tar*"))


def test_an_upload_on_a_full_disk(
    disk: Disk, nursery: Nursery, reference: Undisturbed, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(LIST, encoding="utf-8")
    with bank(disk.root / "bank", reference) as workspace:
        nursery.work("load", workspace.root, clock=CLOCK)
        before = workspace.lake.snapshot().number
        assert try_customer_list(workspace, path, path.name, MAPPING).result.count("inserted") == 1
        with disk.full(), pytest.raises(Unavailable, match="磁盘空间不足"):
            apply_customer_list(workspace, path, path.name, MAPPING)
        assert workspace.lake.snapshot().number == before
        apply_customer_list(workspace, path, path.name, MAPPING)
        assert workspace.lake.snapshot().number == before + 1


def test_a_read_only_disk(disk: Disk, nursery: Nursery, reference: Undisturbed, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(LIST, encoding="utf-8")
    with bank(disk.root / "bank", reference) as workspace:
        nursery.work("load", workspace.root, clock=CLOCK)
        nursery.work("receive", workspace.root, clock=CLOCK)
        workspace.sql.dispose()
        before = workspace.lake.snapshot().number
        with disk.read_only():
            for work in ("load", "receive", "run", "push"):
                with pytest.raises(RuntimeError, match="不可写"):
                    nursery.work(work, workspace.root, clock=CLOCK)
            with pytest.raises(Unavailable, match="不可写"):
                apply_customer_list(workspace, path, path.name, MAPPING)
            assert workspace.lake.snapshot().number == before
            workspace.sql.dispose()
        nursery.work("run", workspace.root, clock=CLOCK)
        assert differing(workspace, reference, "run") == []
