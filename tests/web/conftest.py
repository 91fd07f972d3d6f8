"""Fixtures of the pages: the small city served, clients that have signed in, and a real browser."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

with warnings.catch_warnings():
    # Starlette's test client warns of a change in httpx that does not touch these tests.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

from fastapi import FastAPI
from small_city import City, build_city

from qiaomen.web import create_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
SWITCHES = (
    "--no-sandbox",
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TOKEN = re.compile(r'name="csrf" value="(\w+)"')
Enter = Callable[[str], "Browser"]


class Browser:
    """A client that keeps cookies and sends the form token, as a page does."""

    def __init__(self, app: FastAPI) -> None:
        self.client = TestClient(
            app, base_url="http://127.0.0.1", follow_redirects=True, raise_server_exceptions=False
        )
        self.token = ""

    def sign_in(self, login: str, password: str) -> Browser:
        found = TOKEN.search(self.client.get("/login").text)
        assert found
        answer = self.client.post("/login", data={"login": login, "password": password, "csrf": found[1]})
        assert answer.status_code == 200, answer.text[:400]
        again = TOKEN.search(answer.text)
        assert again
        self.token = again[1]
        return self

    def get(self, address: str, **more: object):  # type: ignore[no-untyped-def]
        return self.client.get(address, **more)

    def post(self, address: str, data: dict[str, object] | None = None, **more: object):  # type: ignore[no-untyped-def]
        return self.client.post(address, data={"csrf": self.token, **(data or {})}, **more)

    def script(self, address: str, data: dict[str, object]):  # type: ignore[no-untyped-def]
        """Post as the scripts of a page do: the token in a header, problems as JSON."""
        return self.client.post(address, data=data, headers={"X-CSRF-Token": self.token, "X-Script": "1"})


@pytest.fixture
def city(tmp_path: Path) -> City:
    """A fresh city for tests that change something."""
    return build_city(tmp_path / "city")


@pytest.fixture(scope="module")
def still_city(tmp_path_factory: pytest.TempPathFactory) -> City:
    """A city for tests that only look."""
    return build_city(tmp_path_factory.mktemp("still") / "city")


@pytest.fixture
def app(city: City) -> FastAPI:
    return create_app(city.workspace)


@pytest.fixture(scope="module")
def still_app(still_city: City) -> FastAPI:
    return create_app(still_city.workspace)


@pytest.fixture
def enter(app: FastAPI, city: City) -> Iterator[Enter]:
    """Sign somebody in at the fresh city."""
    yield lambda login: Browser(app).sign_in(login, city.passwords[login])


@pytest.fixture(scope="module")
def look(still_app: FastAPI, still_city: City) -> Enter:
    """Sign somebody in at the city that only is looked at; each person once."""
    held: dict[str, Browser] = {}

    def sign_in(login: str) -> Browser:
        if login not in held:
            held[login] = Browser(still_app).sign_in(login, still_city.passwords[login])
        return held[login]

    return sign_in


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    """A real browser; the test is skipped where there is none, which CI does not allow."""
    if CHROMIUM is None:
        reason = "Chromium is missing: apt-get install chromium fonts-noto-cjk"
        if os.environ.get("QIAOMEN_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield opened
        opened.close()


@contextmanager
def serve(app: FastAPI) -> Iterator[str]:
    """Serve an application on a free port of this machine."""
    import uvicorn

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
