"""Builds the application for one workspace: pages, API, static files, headers, problems."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from qiaomen.jobs import Workspace
from qiaomen.web.api import router as api
from qiaomen.web.labels import Labels
from qiaomen.web.pages import (
    board,
    chains,
    cockpit,
    company,
    customers,
    dispatch,
    entry,
    matches,
    opportunities,
    parks,
    radius,
    reach,
    screening,
    search,
    system,
    today,
)
from qiaomen.web.problems import install_problems
from qiaomen.web.reading import Readings
from qiaomen.web.rendering import STATIC
from qiaomen.web.security import install_headers
from qiaomen.web.visit import BankNames, Site
from qiaomen.web.warming import warm

PAGES = (
    entry,
    matches,
    today,
    cockpit,
    board,
    opportunities,
    dispatch,
    screening,
    customers,
    company,
    chains,
    parks,
    radius,
    reach,
    search,
    system,
)


def create_app(workspace: Workspace) -> FastAPI:
    """Build the application; the newest generation is read ahead in the background."""
    app = FastAPI(
        title="敲门 Qiaomen",
        version="1",
        summary="找谁、为什么是现在、谁能引荐",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.site = Site(
        workspace=workspace,
        readings=Readings(workspace, warm),
        labels=Labels.read(workspace.overlay),
        names=BankNames(workspace.sql),
    )
    app.state.site.readings.current()
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for page in PAGES:
        app.include_router(page.router, include_in_schema=False)
    app.include_router(api, prefix="/api/v1")
    install_problems(app)
    install_headers(app)
    return app
