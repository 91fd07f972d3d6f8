"""Every page and list answers on PostgreSQL as it does on SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Browser
from fastapi.routing import iter_route_contexts
from small_city import build_city

from qiaomen.web import create_app

GIVEN = {"company_id": "55", "task_id": "1", "code": "ic", "chain": "ic", "park": "PK1", "key": "55"}
ABROAD = ("/login/provider", "/login/provider/return", "/metrics", "/static")


@pytest.mark.postgres
def test_every_page_answers_on_both_stores(tmp_path: Path, postgres_url: str) -> None:
    answers: dict[str, dict[tuple[str, str], int]] = {}
    for store, more in (("sqlite", {}), ("postgres", {"database_url": postgres_url})):
        city = build_city(tmp_path / store, **more)
        assert city.workspace.sql.dialect.name == ("postgresql" if store == "postgres" else "sqlite")
        app = create_app(city.workspace)
        addresses = sorted(
            {
                path.format(**{name: GIVEN.get(name, "1") for name in _names(path)})
                for route in iter_route_contexts(app.routes)
                if "GET" in (getattr(route, "methods", None) or ()) and (path := str(route.path))
            }
        )
        asked = [address for address in addresses if not address.startswith(ABROAD)]
        assert len(asked) > 30
        seen = answers[store] = {}
        for login in ("e0001", "e0003", "e0005"):
            browser = Browser(app).sign_in(login, city.passwords[login])
            for address in asked:
                seen[login, address] = browser.get(address).status_code
    assert answers["postgres"] == answers["sqlite"]
    assert max(answers["sqlite"].values()) < 500
    assert sum(status == 200 for status in answers["sqlite"].values()) > 40


def _names(path: str) -> list[str]:
    return [part.partition("}")[0].partition(":")[0] for part in path.split("{")[1:]]
