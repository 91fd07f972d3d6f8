"""Drives every route of the application with generated calls, valid and invalid, and counts the answers.

Pages are put into the schema for this purpose, so that their parameters and forms are covered as the API's are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from conftest import Browser
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from qiaomen.web.api import router as api
from qiaomen.web.app import PAGES

# Signing out ends the session that the other calls need; these pages are driven by tests of their own.
LEFT_OUT = ("/logout", "/login", "/account")
HERE = "http://127.0.0.1"


@dataclass(slots=True)
class Fuzzed:
    """How many calls were made, by operation and status; each answer of 500 or above with what caused it."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """All calls made."""
        return sum(self.statuses.values())


def operations(app: FastAPI) -> list[Any]:
    """Return every operation of the application; its pages, hidden from its own schema, included."""
    shown = FastAPI()
    for page in PAGES:
        shown.include_router(page.router)
    shown.include_router(api, prefix="/api/v1")
    schema = schemathesis.openapi.from_dict(shown.openapi())
    schema.app = app
    found = [result.ok() for result in schema.get_all_operations()]
    return [one for one in found if not one.path.startswith(LEFT_OUT)]


def fuzz(app: FastAPI, browser: Browser, calls: int, seed: int) -> Fuzzed:
    """Make at least ``calls`` calls, spread over all operations and both modes, replayable by ``seed``."""
    found = operations(app)
    result = Fuzzed()
    round_ = 0
    while result.calls < calls:
        each = max(2, (calls - result.calls) // (2 * len(found)) + 1)
        for operation in found:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                _drive(operation, mode, browser, each, seed + round_, result)
        round_ += 1
    return result


def _drive(
    operation: Any, mode: GenerationMode, browser: Browser, examples: int, seed: int, result: Fuzzed
) -> None:
    headers = {"X-CSRF-Token": browser.token, "Origin": HERE}

    @seeded(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        try:
            answer = case.call(session=browser.client, headers=headers, base_url=HERE)
        except Exception as error:  # noqa: BLE001 - whatever escapes the application is what is looked for
            result.statuses[operation.label, 500] += 1
            result.broken.append(
                f"{operation.label} seed {seed} {mode.name}: {error!r}\n{case.as_curl_command()}"
            )
            return
        result.statuses[operation.label, answer.status_code] += 1
        if answer.status_code >= 500:
            result.broken.append(f"{operation.label} seed {seed} {mode.name}\n{case.as_curl_command()}")

    try:
        call()
    except Unsatisfiable:
        # Nothing invalid can be made for an operation without constrained parameters.
        return
