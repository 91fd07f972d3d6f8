"""One request by somebody who has signed in: who looks, at which generation, and how the answer is drawn."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from fastapi import Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from qiaomen.bank import (
    Action,
    ReadLog,
    Viewer,
    institution_names,
    require,
    scope_of,
    session_of,
    staff_names,
    token_viewer,
    touch_session,
    touch_token,
)
from qiaomen.jobs import Workspace
from qiaomen.reports import Words
from qiaomen.store import reading, writing
from qiaomen.vocab import ROLE_LABELS, NotAllowed
from qiaomen.web import formats
from qiaomen.web.entrance import Entrance, address_of
from qiaomen.web.labels import Labels
from qiaomen.web.navigation import Entry, leading_role, menu
from qiaomen.web.problems import PasswordDue, SignInNeeded, TooManyCalls
from qiaomen.web.reading import Reading, Readings
from qiaomen.web.rendering import chosen_theme, to_html
from qiaomen.web.security import (
    SAFE_METHODS,
    TOKEN_FIELD,
    TOKEN_HEADER,
    check_origin,
    check_token,
    form_token,
)
from qiaomen.web.seen import seen_reading

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")


class BankNames:
    """Names of institutions and staff; read again after a minute, since a run may change them."""

    LIFE_S = 60.0

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._read_at = -math.inf
        self._institutions: dict[str, str] = {}
        self._staff: dict[str, str] = {}

    def _refresh(self) -> None:
        if time.monotonic() - self._read_at < self.LIFE_S:
            return
        with reading(self._engine) as connection:
            self._institutions = institution_names(connection)
            self._staff = staff_names(connection)
        self._read_at = time.monotonic()

    @property
    def institutions(self) -> dict[str, str]:
        """Names of all institutions."""
        self._refresh()
        return self._institutions

    @property
    def everyone(self) -> dict[str, str]:
        """Names of all staff."""
        self._refresh()
        return self._staff

    def institution(self, code: str | None) -> str:
        """Name of an institution, or its code."""
        self._refresh()
        return self._institutions.get(code or "", code or "")

    def staff(self, number: str | None) -> str:
        """Name of a member of staff, or the number."""
        self._refresh()
        return self._staff.get(number or "", number or "")


@dataclass(frozen=True, slots=True)
class Site:
    """What the application holds for all requests."""

    workspace: Workspace
    readings: Readings
    labels: Labels
    names: BankNames
    read_log: ReadLog
    entrance: Entrance


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds every page: who is signed in, the menu, the date of the data."""

    name: str
    role: str
    unit: str
    menu: tuple[Entry, ...]
    csrf: str
    stand: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of one viewer on one generation."""

    request: Request
    site: Site
    viewer: Viewer
    reading: Reading
    secret: str
    password_due: bool = False

    def __post_init__(self) -> None:
        """Whatever a page asks the reading for lies in the viewer's scope."""
        object.__setattr__(self, "reading", seen_reading(self.reading, scope_of(self.viewer)))

    @property
    def labels(self) -> Labels:
        """Words for codes."""
        return self.site.labels

    @property
    def sql(self) -> sa.Engine:
        """The operational store."""
        return self.site.workspace.sql

    @property
    def as_of(self) -> dt.date:
        """The business date."""
        return self.reading.as_of

    @property
    def moment(self) -> dt.datetime:
        """Now, on the business date: a workspace with a fixed date does its work on that day."""
        return self.site.workspace.moment

    @property
    def unit_code(self) -> str:
        """Institution of the viewer's first post; empty where there is none."""
        return min(self.viewer.homes, default="")

    @property
    def names(self) -> BankNames:
        """Names of institutions and staff."""
        return self.site.names

    @property
    def words(self) -> Words:
        """Names behind codes, as reports say them."""
        labels = self.labels
        return Words(labels.products, labels.tags, labels.kinds, self.names.institutions, self.names.everyone)

    @property
    def stand(self) -> str:
        """Date and number of the data shown."""
        if not self.reading.number:
            return "尚无数据"
        return f"数据截至 {formats.day(self.as_of)}（第 {self.reading.number} 期）"

    def frame(self) -> Frame:
        """Return what surrounds the page."""
        role = leading_role(self.viewer)
        return Frame(
            name=self.viewer.name,
            role=ROLE_LABELS[role] if role else "",
            unit=self.site.names.institution(self.unit_code),
            menu=menu(self.viewer),
            csrf=form_token(self.secret),
            stand=self.stand,
        )

    def render(
        self, template: str, *, key: str, title: str, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """Draw a page within the frame."""
        context: Mapping[str, Any] = {
            "frame": self.frame(),
            "theme": chosen_theme(self.request),
            "key": key,
            "title": title,
            **values,
        }
        return HTMLResponse(to_html(template, context), status)

    def part(self, template: str, **values: Any) -> str:
        """Draw a part of a page."""
        return to_html(template, {"frame": self.frame(), **values})

    def fragment(self, template: str, **values: Any) -> HTMLResponse:
        """Answer with a part of a page."""
        return HTMLResponse(self.part(template, **values))

    def require(self, action: Action) -> None:
        """Refuse what the viewer's roles do not allow."""
        require(self.viewer, action)


def site_of(request: Request) -> Site:
    """Return what the application holds."""
    site: Site = request.app.state.site
    return site


def now() -> dt.datetime:
    """Return the moment of the request."""
    return dt.datetime.now(dt.UTC)


def at_account(request: Request) -> Visit:
    """Return the visit of the session's viewer, even where the password is due; ``SignInNeeded`` without a session."""
    return _session_visit(request)


def signed_in(request: Request) -> Visit:
    """Return the visit of the session's viewer; ``SignInNeeded`` where nobody is signed in."""
    visit = _session_visit(request)
    if visit.password_due:
        raise PasswordDue
    return visit


def _session_visit(request: Request) -> Visit:
    site = site_of(request)
    secret = request.cookies.get(site.entrance.cookies.session, "")
    if not secret:
        raise SignInNeeded
    moment = now()
    try:
        with reading(site.workspace.sql) as connection:
            session = session_of(connection, secret, moment)
    except NotAllowed as error:
        raise SignInNeeded from error
    if session.stale:
        with writing(site.workspace.sql) as connection:
            touch_session(connection, secret, moment)
    return replace(_visit(request, site, session.viewer, secret), password_due=session.password_due)


def _visit(request: Request, site: Site, viewer: Viewer, secret: str) -> Visit:
    current = site.readings.current()
    # The note in the audit log is made from these once the answer is known.
    request.state.viewer = viewer
    request.state.generation = current.number
    return Visit(request, site, viewer, current, secret)


async def changing(request: Request) -> Visit:
    """Return the visit of a request that changes something: from our own page, with the session's token."""
    visit = await run_in_threadpool(signed_in, request)
    await _check_form(request, visit)
    return visit


async def changing_account(request: Request) -> Visit:
    """Return the visit of a change that must be possible even where the password is due."""
    visit = await run_in_threadpool(at_account, request)
    await _check_form(request, visit)
    return visit


async def _check_form(request: Request, visit: Visit) -> None:
    check_origin(request)
    given = request.headers.get(TOKEN_HEADER)
    if given is None:
        form = await request.form()
        value = form.get(TOKEN_FIELD)
        given = value if isinstance(value, str) else None
    check_token(visit.secret, given)


def api_visit(request: Request) -> Visit:
    """Return the visit of an API call: by bearer token, else by the session, which must prove that a page calls."""
    site = site_of(request)
    header = request.headers.get("authorization", "")
    if header.lower().startswith("bearer "):
        visit = _token_visit(request, site, header[7:].strip())
    else:
        visit = signed_in(request)
        if request.method not in SAFE_METHODS:
            check_origin(request)
            check_token(visit.secret, request.headers.get(TOKEN_HEADER))
    if seconds := site.entrance.calls.take(visit.viewer.login):
        raise TooManyCalls(seconds)
    return visit


def visit_as(request: Request, viewer: Viewer) -> Visit:
    """Return the visit of a caller who proved himself by other means than session or token."""
    return _visit(request, site_of(request), viewer, "")


def _token_visit(request: Request, site: Site, token: str) -> Visit:
    """Return the visit of a bearer token; an address with too many wrong ones must wait."""
    stranger = address_of(request)
    if seconds := site.entrance.strangers.wait(stranger):
        raise TooManyCalls(seconds)
    try:
        with reading(site.workspace.sql) as connection:
            viewer = token_viewer(connection, token, now())
    except NotAllowed as error:
        site.entrance.strangers.take(stranger)
        raise SignInNeeded from error
    touch_token(site.workspace.sql, token, now())
    return _visit(request, site, viewer, token)
