"""Pages and API: a server-rendered application over one workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from qiaomen.jobs import Workspace

__all__ = ["create_app"]


def create_app(workspace: Workspace) -> FastAPI:
    """Build the application for a workspace (ASGI)."""
    from qiaomen.web.app import create_app as build

    return build(workspace)
