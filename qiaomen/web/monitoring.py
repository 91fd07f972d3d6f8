"""``/health`` for watchdogs and ``/metrics`` for Prometheus (text format 0.0.4).

Counts of requests are those of this process: each web process is asked at its own address, and its series carry its
number. Everything else comes from the stores and is the same from every process. Labels are names of routes, kinds and
states, never a value that somebody typed.
"""

from __future__ import annotations

import hmac
import os
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qiaomen.jobs import Measures, check_stores, measure
from qiaomen.vocab import NotFound
from qiaomen.web.visit import site_of

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FORMAT: Final = "text/plain; version=0.0.4; charset=utf-8"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# An address that no route answers: whatever it was, it is one series.
NO_ROUTE: Final = "none"
STARTED: Final = time.time()

router = APIRouter()
Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]


class Requests:
    """Counts and times the requests of this process by route."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, int], int] = defaultdict(int)
        self._times: dict[str, list[int]] = {}
        self._sums: dict[str, float] = defaultdict(float)

    def note(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        with self._lock:
            self._counts[route, method, status] += 1
            buckets = self._times.setdefault(route, [0] * (len(BUCKETS) + 1))
            buckets[bisect_left(BUCKETS, seconds)] += 1
            self._sums[route] += seconds

    def samples(self) -> Iterator[tuple[str, str, str, list[Sample]]]:
        """Yield the families: name, type, help, samples."""
        with self._lock:
            counts, sums = dict(self._counts), dict(self._sums)
            times = {route: list(buckets) for route, buckets in self._times.items()}
        yield (
            "qiaomen_http_requests_total",
            "counter",
            "Requests answered, by route and status.",
            [
                ("", {"route": route, "method": method, "status": str(status)}, number)
                for (route, method, status), number in sorted(counts.items())
            ],
        )
        histogram: list[Sample] = []
        for route, buckets in sorted(times.items()):
            below = 0
            for limit, number in zip((*map(str, BUCKETS), "+Inf"), buckets, strict=True):
                below += number
                histogram.append(("_bucket", {"route": route, "le": limit}, below))
            histogram.append(("_sum", {"route": route}, sums[route]))
            histogram.append(("_count", {"route": route}, below))
        yield "qiaomen_http_request_seconds", "histogram", "Seconds until an answer was complete.", histogram


class CountRequests:
    """Notes every request with the route that answered it. Plain ASGI, outermost: refusals count too."""

    def __init__(self, app: ASGIApp, requests: Requests, paths: Mapping[Any, str]) -> None:
        self.app = app
        self.requests = requests
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and note its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            method = str(scope["method"])
            seconds = time.perf_counter() - started
            self.requests.note(self._route(scope), method if method in METHODS else "other", status, seconds)

    def _route(self, scope: Scope) -> str:
        if str(scope["path"]).startswith("/static/"):
            return "/static"
        return self.paths.get(scope.get("endpoint"), NO_ROUTE)


@router.get("/health")
def health(request: Request) -> Response:
    """Say whether this process can serve: 200, or 503 with the part that does not answer."""
    parts = check_stores(site_of(request).workspace)
    body = {"status": "ok" if all(parts.values()) else "unavailable", **parts}
    return JSONResponse(body, 200 if all(parts.values()) else 503)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Answer with the metrics to who knows the token of the settings; without one there is no such page."""
    workspace = site_of(request).workspace
    token = workspace.settings.metrics_token
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not token or not hmac.compare_digest(given.encode(), token.encode()):
        raise NotFound("没有这个页面")
    families = [
        *request.app.state.requests.samples(),
        *_of_stores(measure(workspace)),
        *_of_process(workspace.sql),
    ]
    process = {"process": str(os.getpid())}
    return PlainTextResponse(_text(families, process), media_type=FORMAT)


Family = tuple[str, str, str, list[Sample]]


def _gauge(name: str, about: str, samples: Iterable[tuple[Labels, float | None]]) -> Family:
    found: list[Sample] = [("", labels, value) for labels, value in samples if value is not None]
    return name, "gauge", about, found


def _of_stores(found: Measures) -> Iterator[Family]:
    yield _gauge(
        "qiaomen_jobs",
        "Jobs by kind and state.",
        [({"kind": kind, "state": state}, number) for (kind, state), number in sorted(found.jobs.items())],
    )
    yield _gauge(
        "qiaomen_job_oldest_waiting_seconds", "Age of the oldest waiting job.", [({}, found.oldest_job_s)]
    )
    yield _gauge(
        "qiaomen_outbox_messages",
        "Messages by state; dead ones were given up.",
        [
            ({"state": state}, found.messages.get(state, 0))
            for state in sorted({"waiting", "leased", "dead", *found.messages})
        ],
    )
    yield _gauge(
        "qiaomen_outbox_oldest_seconds", "Age of the oldest unsent message.", [({}, found.oldest_message_s)]
    )
    yield _gauge("qiaomen_lake_generation", "Newest generation of the lake.", [({}, found.generation)])
    yield _gauge("qiaomen_lake_age_seconds", "Age of that generation.", [({}, found.generation_age_s)])
    yield _gauge("qiaomen_rejected_rows", "Rejected rows on file.", [({}, found.rejects)])
    yield _gauge("qiaomen_run_seconds", "Duration of the last run.", [({}, found.run_seconds)])
    yield _gauge(
        "qiaomen_run_finished_timestamp_seconds", "End of the last run.", [({}, found.run_finished_at)]
    )
    yield _gauge(
        "qiaomen_run_step_seconds",
        "Duration of each step of the last run.",
        [({"step": step}, seconds) for step, seconds in found.run_steps.items()],
    )
    yield _gauge(
        "qiaomen_schedule_turn_timestamp_seconds",
        "Last turn of recurring work.",
        [({"kind": kind}, at) for kind, at in sorted(found.turns.items())],
    )
    yield _gauge(
        "qiaomen_info",
        "Version of program and database.",
        [({"version": version("qiaomen"), "schema": found.schema}, 1)],
    )


def _of_process(sql: sa.Engine) -> Iterator[Family]:
    pool = sql.pool
    if isinstance(pool, sa.QueuePool):
        sizes = {"in_use": pool.checkedout(), "idle": pool.checkedin()}
        yield _gauge(
            "qiaomen_database_connections",
            "Connections of this process to the database.",
            [({"state": state}, number) for state, number in sizes.items()],
        )
    yield "process_start_time_seconds", "gauge", "Start of the process.", [("", {}, STARTED)]
    cpu = time.process_time()
    yield "process_cpu_seconds_total", "counter", "Processor seconds of the process.", [("", {}, cpu)]
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        files = len(list(Path("/proc/self/fd").iterdir()))
    except OSError:
        return
    memory = pages * os.sysconf("SC_PAGE_SIZE")
    yield _gauge("process_resident_memory_bytes", "Memory of the process.", [({}, memory)])
    yield _gauge("process_open_fds", "Open files of the process.", [({}, files)])


def _text(families: Iterable[Family], common: Labels) -> str:
    lines: list[str] = []
    for name, kind, about, samples in families:
        lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
        for suffix, labels, value in samples:
            own = common if name.startswith(("qiaomen_http_", "process_", "qiaomen_database_")) else {}
            inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in {**labels, **own}.items())
            lines.append(
                f"{name}{suffix}{{{inside}}} {value:.17g}" if inside else f"{name}{suffix} {value:.17g}"
            )
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def install_monitoring(app: FastAPI) -> None:
    """Count requests from now on; the last gate installed is the first that a request meets. All routes are known."""
    app.state.requests = Requests()
    # A router that was included knows its own part of the address only.
    paths = {each.endpoint: str(each.path) for each in iter_route_contexts(app.routes) if each.endpoint}
    app.add_middleware(CountRequests, requests=app.state.requests, paths=paths)
