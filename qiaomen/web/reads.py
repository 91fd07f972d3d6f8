"""Which requests show sensitive rows, and how each is noted in the audit log. What is not listed is noted all the same.

A request is one row: who, which page or interface, which object, the answer's status. The noting happens before the
answer is sent; ``bank.ReadLog`` appends it within half a second without making the reader wait.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qiaomen.bank import ReadLog, Viewer, without_texts
from qiaomen.vocab import Unavailable
from qiaomen.web.problems import on_known
from qiaomen.web.refusals import OVERFLOWED, REFUSED, RefusalBound, refused_action

# Endpoint (module.function) to the action and to the object, in which parts of the path stand in braces.
READS: Final[Mapping[str, tuple[str, str]]] = {
    "pages.company.show": ("read.company", "company:{company_id}"),
    "pages.customers.show": ("read.uploads", "uploads"),
    "pages.customers.try_out": ("read.upload", "upload:{number}"),
    "pages.customers.errors": ("read.upload_errors", "upload:{number}"),
    "pages.matches.show": ("read.matches", "matches"),
    "pages.today.show": ("read.today", "tasks"),
    "pages.board.show": ("read.tasks", "tasks"),
    "pages.dispatch.show": ("read.leads", "leads"),
    "pages.sending.plan": ("read.dispatch_plan", "leads"),
    "pages.sending.plan_hand": ("read.dispatch_plan", "leads"),
    "pages.sending.show_hand": ("read.dispatch_hand", "companies"),
    "pages.sending.show_batch": ("read.dispatch_batch", "batch:{number}"),
    "pages.opportunities.show": ("read.opportunities", "opportunities"),
    "pages.screening.show": ("read.screen", "screen"),
    "pages.reach.show_paths": ("read.reach", "company:{company_id}"),
    "pages.reach.show_warm": ("read.reach_list", "reach"),
    "pages.radius.show": ("read.map", "map"),
    "pages.radius.show_inside": ("read.map", "map"),
    "pages.chains.show_atlas": ("read.chains", "chains"),
    "pages.chains.show_chain": ("read.chain", "chain:{code}"),
    "pages.parks.show_parks": ("read.parks", "parks"),
    "pages.parks.show_park": ("read.park", "park:{code}"),
    "pages.search.show": ("read.search", "search"),
    "pages.cockpit.show": ("read.cockpit", "cockpit"),
    "pages.system.show": ("read.system", "system"),
    "pages.audit.show": ("read.audit", "audit"),
    "pages.staff.show": ("read.staff", "staff"),
    "pages.staff.show_person": ("read.staff", "staff:{staff_no}"),
    "pages.hand_overs.plan": ("read.hand_over_plan", "staff:{staff_no}"),
    "pages.users.show": ("read.users", "users"),
    "pages.search.suggest": ("read.search", "search"),
    "api.companies.company": ("read.company", "company:{key}"),
    "api.companies.search": ("read.search", "search"),
    "api.companies.reach": ("read.reach", "company:{key}"),
    "api.companies.screen": ("read.screen", "screen"),
    "api.companies.screen_json": ("read.screen", "screen"),
    "api.companies.opportunities": ("read.opportunities", "opportunities"),
    "api.tasks.tasks": ("read.tasks", "tasks"),
    "api.tasks.task": ("read.task", "task:{task_id}"),
    "api.catalogue.list_chains": ("read.chains", "chains"),
    "api.catalogue.read_chain": ("read.chain", "chain:{code}"),
    "api.catalogue.list_parks": ("read.parks", "parks"),
    "api.catalogue.show_park": ("read.park", "park:{code}"),
}
# These show no row of a company, a person or a task; exports note themselves, in the transaction before the file leaves.
SILENT: Final[Mapping[str, str]] = {
    "pages.entry.first": "leads on to another page",
    "monitoring.health": "whether the process serves",
    "monitoring.metrics": "numbers of the whole system, without any row",
    "pages.entry.nothing": "says that there is nothing to see",
    "pages.entry.show_login": "the login page",
    "pages.provider.begin": "leads to the identity provider; the sign-in is noted when it succeeds or fails",
    "pages.provider.come_back": "the sign-in notes itself",
    "pages.provider.left": "says that the session is over",
    "pages.account.show": "the viewer's own account",
    "pages.screening.count": "one number",
    "pages.system.show_runs": "states of runs, without any company",
    "pages.screening.export": "an export, noted with its rows and hash",
}
# Free words typed by a person; they may be names or telephone numbers.
_TYPED: Final = frozenset({"q", "text", "csrf", "next"})
_EXPRESSIONS: Final = frozenset({"read.screen", "refused.screen"})
_FOREIGN: Final = re.compile(r"[^\x20-\x7e]+")
_DIGITS: Final = re.compile(r"\d{7,}")
_CODE: Final = re.compile(r"[\x21-\x7e]{1,80}")
# The key of a company may be a name or what somebody took for one.
_KEY: Final = re.compile(r"[0-9A-Z]{18}|\d{1,10}")
_LONGEST: Final = 300


def endpoint_name(endpoint: Any) -> str:
    """Return how the tables above call an endpoint."""
    return f"{str(endpoint.__module__).removeprefix('qiaomen.web.')}.{endpoint.__name__}"


def about(request: Request, object_: str) -> None:
    """Say which object a request turned out to be about, where the address names it in words."""
    request.state.about = object_


def harmless(text: str) -> str:
    """Return a typed text without words, quotations and long numbers: codes and operators remain."""
    return _DIGITS.sub("#", _FOREIGN.sub("…", without_texts(text)))[:_LONGEST]


def _query(action: str, raw: bytes) -> str:
    kept = []
    for name, value in parse_qsl(raw.decode("latin-1")):
        if name in _TYPED and action not in _EXPRESSIONS:
            kept.append(f"{name}=({len(value)})")
        else:
            kept.append(f"{harmless(name)}={harmless(value)}")
    return "&".join(kept)[:_LONGEST]


def _object(template: str, parameters: Mapping[str, Any]) -> str:
    """Fill in the object; a part that is no code or number (a company's name) shows as words do."""
    shown = {}
    for name, value in parameters.items():
        known = (_KEY if name == "key" else _CODE).fullmatch(str(value))
        shown[name] = str(value) if known else harmless(str(value))
    return template.format(**shown)


def read_of(scope: Scope, status: int) -> tuple[Viewer, str, str, dict[str, Any]] | None:
    """Return (viewer, action, object, detail) of an answered request that is to be noted; none for any other."""
    state = scope.get("state") or {}
    viewer = state.get("viewer")
    endpoint = scope.get("endpoint")
    if viewer is None or endpoint is None:
        return None
    name = endpoint_name(endpoint)
    refused = status in REFUSED
    silent = name in SILENT or (name not in READS and scope["method"] not in {"GET", "HEAD"})
    if silent and not refused:
        return None
    action, template = READS.get(name, ("read.other", ""))
    if refused:
        action = refused_action(action if name in READS else None)
    object_ = (
        state.get("about") or _object(template, scope.get("path_params") or {}) or harmless(scope["path"])
    )
    detail: dict[str, Any] = {"status": status, "generation": state.get("generation")}
    if refused:
        detail |= {"method": scope["method"], "path": harmless(scope["path"])}
    if scope["path"].startswith("/api/"):
        detail["by"] = "api"
    if query := _query(action, scope.get("query_string", b"")):
        detail["query"] = query
    return viewer, action, object_, detail


class NotesReads:
    """Notes each read before its answer is sent; answers 503 instead where the log takes no more."""

    def __init__(self, app: ASGIApp, log: ReadLog, bound: RefusalBound) -> None:
        self._app = app
        self._log = log
        self._bound = bound

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and look at the head of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = False

        async def noting(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                error = await self._note(scope, int(message["status"]))
                if error is not None:
                    refused = True
                    await on_known(Request(scope), error)(scope, receive, send)
            if not refused:
                await send(message)

        await self._app(scope, receive, noting)

    async def _note(self, scope: Scope, status: int) -> Unavailable | None:
        found = read_of(scope, status)
        if found is None:
            return None
        if status in REFUSED:
            more = self._bound.admit(found[0])
            if more is None:
                return None
            found[3].update(more)
        if self._log.note(*found, dt.datetime.now(dt.UTC)):
            return None
        try:
            await run_in_threadpool(self._log.flush)
        except Unavailable as error:
            return error
        return None


def install_read_log(app: FastAPI, log: ReadLog, bound: RefusalBound) -> None:
    """Note every read of the application; ``close_read_log`` ends it."""
    app.add_middleware(NotesReads, log=log, bound=bound)


def close_read_log(log: ReadLog, bound: RefusalBound) -> None:
    """Note how many refusals were left out, write what waits and end the log."""
    for viewer, left_out in bound.rest():
        log.note(viewer, OVERFLOWED, "requests", {"left_out": left_out}, dt.datetime.now(dt.UTC))
    log.close()
