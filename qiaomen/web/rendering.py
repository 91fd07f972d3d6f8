"""Turns a page's data into HTML: the template environment, static addresses, what the frame shows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from qiaomen.web import formats

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
THEME_COOKIE: Final = "qiaomen_theme"


@cache
def static_address(path: str) -> str:
    """Return the address of a static file with a part that changes with its content."""
    file = STATIC / path
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:10] if file.is_file() else "missing"
    return f"/static/{path}?v={digest}"


def environment() -> jinja2.Environment:
    """Build the template environment; an undefined name is an error, all text is escaped."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(static=static_address, fmt=formats)
    return env


TEMPLATES: Final = environment()


def chosen_theme(request: Request) -> str:
    """Return the stored theme; empty leaves it to the device."""
    theme = request.cookies.get(THEME_COOKIE, "")
    return theme if theme in {"light", "dark"} else ""


def to_html(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template."""
    return TEMPLATES.get_template(template).render(values)


def render_plain(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """Render a page without the frame: login and problems."""
    context = {"theme": chosen_theme(request), "frame": None, "key": "", "title": "", **values}
    return HTMLResponse(to_html(template, context), status, headers=dict(headers or {}))
