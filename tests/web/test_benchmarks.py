"""The benchmark of pages signs in and reaches pages, not refusals or redirects."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from small_city import City

from benchmarks.__main__ import client_of, paths_of, sign_in


@pytest.mark.parametrize(
    ("role", "login"), [("manager", "e0005"), ("branch_admin", "e0003"), ("analyst", "e0001")]
)
def test_each_role_reaches_its_pages(app: FastAPI, city: City, role: str, login: str) -> None:
    with client_of(app) as client:
        assert client.get("/opportunities").status_code == 303
        sign_in(client, login, city.passwords[login])
        # Companies of the demo are not in the small city.
        pages = [path for path in paths_of(role) if not path.startswith(("/companies/", "/reach/"))]
        assert {path: client.get(path).status_code for path in pages} == dict.fromkeys(pages, 200)


def test_a_refused_sign_in_stops_the_benchmark(app: FastAPI) -> None:
    with client_of(app) as client, pytest.raises(SystemExit, match="sign-in of e0005"):
        sign_in(client, "e0005", "wrong")
