"""Notes page and interface reads without making a reader wait for the database's one writer.

A process keeps what was read in memory and appends it to the audit log within ``EVERY_SECONDS``, many reads in one
transaction. A full buffer is written by the reader that fills it, and a reader whose look cannot be noted is refused:
nothing is shown unnoted. A process that is killed loses the reads of its last moment; a stopped one loses none.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from qiaomen.bank.trail import AuditEntry, append_entries, entry_of
from qiaomen.bank.viewers import Viewer
from qiaomen.store import writing
from qiaomen.vocab import Unavailable

EVERY_SECONDS: Final = 0.5
MOST_WAITING: Final = 2_000
MOST_AT_ONCE: Final = 500
LOG: Final = logging.getLogger(__name__)


class ReadLog:
    """The reads of one process that wait to be appended; one thread appends them."""

    def __init__(self, engine: sa.Engine, *, most: int = MOST_WAITING, every: float = EVERY_SECONDS) -> None:
        self._engine = engine
        self._most = most
        self._every = every
        self._waiting: list[AuditEntry] = []
        self._guard = threading.Lock()
        self._appending = threading.Lock()
        self._filled = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def note(
        self, viewer: Viewer, action: str, object_: str, detail: Mapping[str, Any] | None, now: datetime
    ) -> bool:
        """Take up one read; false where the buffer is now full, and ``flush`` must succeed before the answer is sent."""
        entry = entry_of(viewer, action, object_, detail, now)
        with self._guard:
            self._waiting.append(entry)
            full = len(self._waiting) >= self._most
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name="read-log", daemon=True)
                self._thread.start()
        self._filled.set()
        return not full and not self._closing.is_set()

    def flush(self) -> int:
        """Append what waits and return the rows; ``Unavailable`` keeps them for the next attempt."""
        appended = 0
        with self._appending:
            while True:
                with self._guard:
                    batch = self._waiting[:MOST_AT_ONCE]
                if not batch:
                    return appended
                try:
                    with writing(self._engine) as connection:
                        append_entries(connection, batch)
                except sa.exc.SQLAlchemyError as error:
                    raise Unavailable("查阅记录无法写入审计日志", remedy="检查数据库") from error
                with self._guard:
                    del self._waiting[: len(batch)]
                appended += len(batch)

    def close(self) -> None:
        """Append what waits and end the thread; later reads are appended at once."""
        self._closing.set()
        self._filled.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._filled.wait()
            self._closing.wait(self._every)
            self._filled.clear()
            try:
                self.flush()
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever ails the database
                # The reads stay in the buffer; once it is full, readers are refused.
                LOG.warning("audit log cannot be written", extra={"error": type(error).__name__})
                time.sleep(self._every)
                self._filled.set()
