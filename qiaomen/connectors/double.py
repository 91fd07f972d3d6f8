"""A test double of the outside world: a receiver on the loopback that keeps what it was sent.

It can refuse, ask for a pause, break the connection after it took a message (``DROP``), and answer too late (``STALL``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

DROP: Final = 0
STALL: Final = -1


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """An HTTP receiver: answers with ``statuses`` in turn, the last one for ever; ``requests`` holds what came."""

    statuses: Sequence[int] = (200,)
    location: str = ""
    retry_after: str = ""
    stall_s: float = 1.0
    requests: list[Received] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            raise RuntimeError("the receiver is not running")
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/hook"

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                turn = min(len(receiver.requests), len(receiver.statuses) - 1)
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append(Received(self.path, headers, body))
                status = receiver.statuses[turn]
                if status == STALL:
                    time.sleep(receiver.stall_s)
                if status in (DROP, STALL):
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in (("Location", receiver.location), ("Retry-After", receiver.retry_after)):
                    if value:
                        self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
