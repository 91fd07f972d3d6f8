"""A fair lock between the writers of one SQLite file: first come, first served within a process and between processes.

SQLite's own busy handler sleeps and retries, so that under load some writers wait for seconds; a queue does not.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from qiaomen.store.disk import disk_errors
from qiaomen.vocab import Unavailable

_QUEUES: Final[dict[str, FairLock]] = {}
_REGISTER: Final = threading.Lock()


class FairLock:
    """One queue per file and process; its head waits for the lock between processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    @contextmanager
    def hold(self, timeout: float) -> Iterator[None]:
        """Hold the lock; ``Unavailable`` after ``timeout`` seconds of waiting."""
        self._enter(timeout)
        try:
            descriptor = _locked(self.path, timeout)
            try:
                yield
            finally:
                os.close(descriptor)
        finally:
            self._leave()

    def _enter(self, timeout: float) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=timeout):
            return
        with self._guard:
            if turn in self._waiting:
                self._waiting.remove(turn)
                raise _busy(self.path)
        # The turn came between the timeout and the guard: it is ours.

    def _leave(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


def _busy(path: Path) -> Unavailable:
    return Unavailable(
        "数据库正忙，写入等待超时", where=str(path), remedy="稍后重试；持续出现时检查是否有停住的进程"
    )


def _locked(path: Path, timeout: float) -> int:
    """Open and lock a file; the kernel wakes waiting processes in order of arrival."""
    with disk_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    except BlockingIOError:
        pass
    return _wait(path, descriptor, timeout)


def _wait(path: Path, descriptor: int, timeout: float) -> int:
    # flock() has no timeout, so a thread waits in it; one that comes too late gives the lock back.
    guard, done = threading.Lock(), threading.Event()
    abandoned = False

    def wait() -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with guard:
            if abandoned:
                os.close(descriptor)
            else:
                done.set()

    threading.Thread(target=wait, name="sqlite-lock", daemon=True).start()
    if done.wait(timeout):
        return descriptor
    with guard:
        if done.is_set():
            return descriptor
        abandoned = True
    raise _busy(path)


def fair_lock(path: Path) -> FairLock:
    """Return the process's queue for a file."""
    key = str(path)
    with _REGISTER:
        if key not in _QUEUES:
            _QUEUES[key] = FairLock(path)
        return _QUEUES[key]


def _forget_after_fork() -> None:
    # A child must not wait for turns that only its parent could pass on.
    global _REGISTER  # noqa: PLW0603 - the parent's lock may be held by a thread the child lacks
    _QUEUES.clear()
    _REGISTER = threading.Lock()  # type: ignore[misc]


os.register_at_fork(after_in_child=_forget_after_fork)
