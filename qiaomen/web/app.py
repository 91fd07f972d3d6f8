"""Builds the application for one workspace: pages, API, static files, headers, problems."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles

from qiaomen.bank import ReadLog
from qiaomen.jobs import Workspace
from qiaomen.web import monitoring
from qiaomen.web.api import router as api
from qiaomen.web.entrance import open_entrance
from qiaomen.web.gates import install_gates
from qiaomen.web.labels import Labels
from qiaomen.web.monitoring import install_monitoring
from qiaomen.web.pages import (
    account,
    audit,
    board,
    chains,
    cockpit,
    company,
    contacts,
    customers,
    deputies,
    dispatch,
    entry,
    hand_overs,
    matches,
    opportunities,
    parks,
    provider,
    radius,
    reach,
    screening,
    search,
    sending,
    staff,
    system,
    today,
    users,
)
from qiaomen.web.problems import install_problems
from qiaomen.web.reading import Readings
from qiaomen.web.reads import close_read_log, install_read_log
from qiaomen.web.refusals import RefusalBound
from qiaomen.web.rendering import STATIC
from qiaomen.web.visit import BankNames, Site
from qiaomen.web.warming import warm

PAGES = (
    monitoring,
    entry,
    provider,
    account,
    matches,
    today,
    cockpit,
    board,
    opportunities,
    dispatch,
    sending,
    screening,
    customers,
    company,
    contacts,
    chains,
    parks,
    radius,
    reach,
    search,
    staff,
    deputies,
    hand_overs,
    users,
    system,
    audit,
)


def create_app(workspace: Workspace) -> FastAPI:
    """Build the application; the newest generation is read ahead in the background."""
    read_log, bound = ReadLog(workspace.sql), RefusalBound()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001 - the framework's signature
        yield
        await run_in_threadpool(close_read_log, read_log, bound)

    app = FastAPI(
        title="敲门 Qiaomen",
        version="1",
        summary="找谁、为什么是现在、谁能引荐",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.site = Site(
        workspace=workspace,
        readings=Readings(workspace, warm),
        labels=Labels.read(workspace.overlay),
        names=BankNames(workspace.sql),
        read_log=read_log,
        entrance=open_entrance(workspace.settings, workspace.root),
    )
    app.state.site.readings.current()
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for page in PAGES:
        app.include_router(page.router, include_in_schema=False)
    app.include_router(api, prefix="/api/v1")
    install_problems(app)
    install_read_log(app, read_log, bound)
    install_gates(app, workspace.settings, app.state.site.entrance.hosts)
    install_monitoring(app)
    return app
