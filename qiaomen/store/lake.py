"""The lake: Parquet tables and memory-mapped arrays in numbered generations.

Layout: ``data/<table>/<uuid>.parquet``, ``arrays/<name>/<uuid>/<key>.npy``, ``manifest/<generation>.json``,
``stages/<uuid>.lock``. A writer stages files beside the published ones and publishes them by linking the next
manifest (compare-and-swap). A stopped writer leaves the former generation intact; its files are collected later.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qiaomen.store import manifest as manifests
from qiaomen.store import parquet
from qiaomen.store.disk import disk_errors, make_folder, sync_file, sync_folder
from qiaomen.store.manifest import Manifest, TableFiles
from qiaomen.vocab import Conflict, NotFound, Table

Arrays = dict[str, npt.NDArray[Any]]
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


class Snapshot:
    """One published generation, read only."""

    def __init__(self, root: Path, manifest: Manifest) -> None:
        self.root = root
        self.manifest = manifest

    @property
    def number(self) -> int:
        """The generation; 0 is the empty lake."""
        return self.manifest.number

    @property
    def note(self) -> Mapping[str, Any]:
        """What the publisher noted (as_of, run id …)."""
        return self.manifest.note

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tables, sorted."""
        return tuple(sorted(self.manifest.tables))

    @property
    def array_names(self) -> tuple[str, ...]:
        """Names of the arrays, sorted."""
        return tuple(sorted(self.manifest.arrays))

    def published_at(self) -> float | None:
        """Return when the generation was published, in seconds of the machine's clock; None for the empty lake."""
        if not self.number:
            return None
        try:
            return (self.root / manifests.relative_path(self.number)).stat().st_mtime
        except FileNotFoundError:
            return None

    def paths(self) -> set[str]:
        """Return every file of the generation, its manifest included, relative to the lake."""
        return self.manifest.paths() | ({manifests.relative_path(self.number)} if self.number else set())

    def has(self, name: str) -> bool:
        """Whether the generation holds a table or arrays of that name."""
        return name in self.manifest.tables or name in self.manifest.arrays

    def rows(self, name: str) -> int:
        """Number of rows of a table; 0 where it is absent."""
        entry = self.manifest.tables.get(name)
        return entry.rows if entry else 0

    def files(self, name: str) -> tuple[Path, ...]:
        """Parquet files of a table; none where it is absent."""
        entry = self.manifest.tables.get(name)
        return tuple(self.root / file for file in entry.files) if entry else ()

    def arrow(self, table: Table) -> pa.Table:
        """Read a table; the declared empty one where it is absent."""
        return parquet.read(table, self.files(table.name))

    def undeclared(self, name: str) -> pa.Table:
        """Read a table as its files have it, for one that this program does not declare."""
        return parquet.read_plain(self.files(name))

    def arrays(self, name: str) -> Arrays:
        """Open arrays memory-mapped; ``NotFound`` where the generation has none of that name."""
        entry = self.manifest.arrays.get(name)
        if entry is None:
            raise NotFound(f"还没有“{name}”数据", remedy="先运行 qiaomen run")
        return {key: _open_array(self.root / file) for key, file in entry.items()}


def _open_array(path: Path) -> npt.NDArray[Any]:
    try:
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError:
            # An empty array cannot be mapped; a broken file fails again here.
            array: npt.NDArray[Any] = np.load(path, allow_pickle=False)
            array.setflags(write=False)
            return array
    except (OSError, ValueError, EOFError) as error:
        raise parquet.broken(path) from error


class Stage(Snapshot):
    """Tables and arrays being written on top of a generation; nothing of it is seen before ``publish``.

    Reading sees staged data first. As a context manager it removes what was not published.
    """

    def __init__(self, lake: Lake, base: Manifest) -> None:
        super().__init__(lake.path, Manifest(base.number, dict(base.tables), dict(base.arrays), base.note))
        self._lake = lake
        self._tables: dict[str, TableFiles] = {}
        self._arrays: dict[str, dict[str, str]] = {}
        self._dropped: set[str] = set()
        self._written: list[str] = []
        self._lock = _StageLock(lake.path / "stages")

    def _refresh(self) -> None:
        base = self.manifest
        tables = {name: entry for name, entry in base.tables.items() if name not in self._dropped}
        arrays = {name: entry for name, entry in base.arrays.items() if name not in self._dropped}
        self.manifest = Manifest(base.number, tables | self._tables, arrays | self._arrays, base.note)

    def write(self, table: Table, data: parquet.TableData) -> int:
        """Stage the whole new content of a table, sorted by its key, and return its rows.

        Takes an Arrow table, or a reader or iterable of batches of any size (sorted outside memory).
        ``ValueError`` for undeclared columns, values that do not fit, or a key given twice.
        """
        relative = f"data/{_checked(table.name)}/{uuid.uuid4().hex}.parquet"
        path = self._claim(relative)
        if isinstance(data, pa.Table):
            rows = parquet.write_sorted(table, data, path)
        else:
            rows = parquet.write_stream(table, data, path, self._lake.memory, self._lake.threads)
        with disk_errors(path):
            sync_folder(path.parent)
        self._tables[table.name] = TableFiles((relative,), rows, manifests.schema_hash(table.schema))
        self._dropped.discard(table.name)
        self._refresh()
        return rows

    def write_arrays(self, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Stage the whole new content of named arrays; object arrays are refused (``ValueError``)."""
        folder = f"arrays/{_checked(name)}/{uuid.uuid4().hex}"
        staged: dict[str, str] = {}
        for key, array in arrays.items():
            if array.dtype.hasobject:
                raise ValueError(f"{name}.{key}: an object array cannot be stored")
            relative = f"{folder}/{_checked(key)}.npy"
            path = self._claim(relative)
            with disk_errors(path):
                np.save(path, np.ascontiguousarray(array), allow_pickle=False)
                sync_file(path)
                sync_folder(path.parent)
            staged[key] = relative
        self._arrays[name] = staged
        self._refresh()

    def drop(self, name: str) -> None:
        """Leave a table or arrays out of the next generation."""
        self._dropped.add(name)
        self._tables.pop(name, None)
        self._arrays.pop(name, None)
        self._refresh()

    def _claim(self, relative: str) -> Path:
        path = self.root / relative
        with disk_errors(path):
            make_folder(path.parent)
            self._lock.claim(relative)
        self._written.append(relative)
        return path

    def publish(self, note: Mapping[str, Any] | None = None) -> Snapshot:
        """Make the staged data the next generation; ``Conflict`` if another one was published meanwhile."""
        base = self.manifest
        following = Manifest(base.number + 1, base.tables, base.arrays, dict(note or {}))
        manifests.publish(self.root / "manifest", following)
        self._written.clear()
        self._lock.release()
        return Snapshot(self.root, following)

    def abandon(self) -> None:
        """Remove the staged files; what cannot be removed is an orphan, collected later."""
        for relative in self._written:
            with suppress(OSError):
                (self.root / relative).unlink(missing_ok=True)
        self._written.clear()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abandon()


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a name of lower-case letters, digits and underscores: {name!r}")
    return name


class _StageLock:
    """A file that lists what a stage writes; the lock on it ends with the process, and so does the claim."""

    def __init__(self, folder: Path) -> None:
        with disk_errors(folder):
            make_folder(folder)
            self.path = folder / f"{uuid.uuid4().hex}.lock"
            self._file: Any = self.path.open("xb", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def claim(self, relative: str) -> None:
        """Note a file before it is written."""
        if self._file.closed:
            raise Conflict("该暂存已结束", remedy="重新运行本步骤")
        self._file.write(f"{relative}\n".encode())

    def release(self) -> None:
        """End the claim."""
        if not self._file.closed:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            self._file.close()


class Lake:
    """The tables and arrays of one workspace. ``memory`` and ``threads`` bound the sorting of large writes."""

    def __init__(self, path: Path | str, *, memory: str = "1GB", threads: int = 2) -> None:
        self.path = Path(path)
        self.memory = memory
        self.threads = threads

    def snapshot(self, number: int | None = None) -> Snapshot:
        """Open the newest generation, or the one asked for (``NotFound`` if it is gone)."""
        folder = self.path / "manifest"
        try:
            found = manifests.newest(folder) if number is None else manifests.read(folder, number)
        except FileNotFoundError as error:
            if number is None:
                return self.snapshot()
            raise NotFound(f"第 {number} 代数据不存在或已清理", remedy="改用最新一代数据") from error
        return Snapshot(self.path, found)

    def generations(self) -> tuple[int, ...]:
        """Generations still on disk, ascending."""
        return tuple(manifests.numbers(self.path / "manifest"))

    def stage(self) -> Stage:
        """Begin the next generation on top of the newest one."""
        return Stage(self, self.snapshot().manifest)

    def collect(
        self,
        *,
        keep: int = 3,
        pinned: frozenset[int] = frozenset(),
        older_than: timedelta = timedelta(hours=1),
    ) -> int:
        """Remove generations beyond the newest ``keep`` and files of none; return the number of files removed.

        A file of a live stage, a pinned generation, or anything younger than ``older_than`` stays.
        """
        before = time.time() - older_than.total_seconds()
        folder = self.path / "manifest"
        known = manifests.numbers(folder)
        with disk_errors(self.path):
            for number in known[: max(0, len(known) - max(1, keep))]:
                path = folder / f"{number:012d}.json"
                if number not in pinned and path.stat().st_mtime <= before:
                    path.unlink(missing_ok=True)
            needed = self._claimed(before)
            for number in manifests.numbers(folder):
                needed |= manifests.read(folder, number).paths()
            return _remove_orphans(self.path, needed, before)

    def _claimed(self, before: float) -> set[str]:
        claimed: set[str] = set()
        for path in sorted((self.path / "stages").glob("*.lock")):
            try:
                with path.open("r", encoding="utf-8") as file:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        if path.stat().st_mtime <= before:
                            path.unlink(missing_ok=True)
                    except BlockingIOError:
                        claimed.update(file.read().split())
            except FileNotFoundError:
                continue
        return claimed


def _remove_orphans(root: Path, needed: set[str], before: float) -> int:
    removed = 0
    for top in ("data", "arrays", "manifest"):
        for folder, _, names in os.walk(root / top, topdown=False):
            for path in (Path(folder) / name for name in names):
                if path.suffix != ".json" and not _needed(path, root, needed) and _older(path, before):
                    path.unlink(missing_ok=True)
                    removed += 1
            if _older(Path(folder), before):
                with suppress(OSError):  # not empty
                    Path(folder).rmdir()
    return removed


def _needed(path: Path, root: Path, needed: set[str]) -> bool:
    # A file beside a staged one (its unsorted form, its spill) carries the staged name as prefix.
    stem, parquet_suffix, _ = str(path.relative_to(root)).partition(".parquet")
    return stem + parquet_suffix in needed


def _older(path: Path, before: float) -> bool:
    try:
        return path.stat().st_mtime <= before
    except FileNotFoundError:
        return False
