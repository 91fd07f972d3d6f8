"""Updates of the CRM over HTTP: once by key, in turn by number, within the scope of the caller."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from tests.web.conftest import Enter


def test_updates_are_taken_once_and_in_turn(app: FastAPI, enter: Enter) -> None:
    browser = enter("e0001")
    listed = browser.get("/api/v1/tasks?state=unclaimed").json()["items"]
    task = next(item for item in listed if item["manager_no"] is None)["task_id"]

    def tell(**body: Any) -> Any:
        return browser.client.post(
            f"/api/v1/tasks/{task}/updates", json=body, headers={"X-CSRF-Token": browser.token}
        )

    late = {"idempotency_key": "b", "event": "reject", "reason": "不准入", "sequence": 2}
    assert tell(**late).json()["status"] == "waiting"
    first = tell(idempotency_key="a", event="return_to_pool", reason="退回", sequence=1).json()
    assert (first["status"], first["state"]) == ("applied", "unclaimed")
    again = tell(**late).json()
    assert (again["status"], again["state"], again["repeated"]) == ("applied", "closed", True)
    assert tell(**late | {"reason": "另一内容"}).status_code == 409
    assert tell(idempotency_key="c", event="explode").status_code == 422
    assert tell(event="reject").status_code == 422
