"""Steps of signing in that several tests take."""

from __future__ import annotations

from typing import Any

import httpx
from conftest import TOKEN, Browser
from fastapi import FastAPI
from small_city import City

from qiaomen.web import create_app

ADMINISTRATOR, ANALYST, MANAGER = "e0002", "e0001", "e0005"


def changed(city: City, **settings: Any) -> FastAPI:
    """The application under other settings."""
    city.workspace.settings = city.workspace.settings.model_copy(update=settings)
    return create_app(city.workspace)


def form(browser: Browser, address: str = "/login") -> str:
    found = TOKEN.search(browser.get(address).text)
    assert found
    return found[1]


def submit(browser: Browser, login: str, password: str, **more: str) -> httpx.Response:
    data = {"login": login, "password": password, "csrf": form(browser), **more}
    return browser.client.post("/login", data=data)
