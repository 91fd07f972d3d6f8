"""No generated call, valid or not, to any page or API route ends in an error of ours."""

from __future__ import annotations

import os
import warnings

import pytest
from conftest import Enter
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fuzzing import LEFT_OUT, fuzz, operations

CALLS = int(os.environ.get("FUZZ_CALLS", "2000"))
SEED = int(os.environ.get("FUZZ_SEED", "20260601"))
# An analyst of the head office, the administrator of the system, one of a branch, a manager of the small city.
LOGINS = ("e0001", "e0002", "e0003", "e0005")


@pytest.mark.parametrize("login", LOGINS)
def test_no_call_breaks_the_application(app: FastAPI, enter: Enter, login: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fuzz(app, enter(login), -(-CALLS // len(LOGINS)), SEED)
    assert found.calls >= CALLS // len(LOGINS)
    assert not found.broken, "\n\n".join(found.broken[:5])
    assert any(status == 200 for _, status in found.statuses)


def test_every_route_is_called(app: FastAPI) -> None:
    called = {operation.path for operation in operations(app)}
    declared = {str(route.path) for route in iter_route_contexts(app.routes)} - {app.openapi_url, "/static"}
    assert {path for path in declared - called if not path.startswith(LEFT_OUT)} == set()
    assert len(called) > 50
