"""/health and /metrics: who may ask, what they say, and that a name never gets into a label."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from qiaomen.jobs import Workspace, init_workspace
from qiaomen.jobs.scheduling import queue_due
from qiaomen.store import jobs, outbox, writing
from qiaomen.web import create_app
from qiaomen.web.monitoring import BUCKETS, Requests

TOKEN = "a token for the watchdog of the bank"
LINE = re.compile(r'(?P<name>[a-z_]+)(\{(?P<labels>(?:[a-z]+="[^"]*",?)*)\})? (?P<value>\S+)')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')
NOW = datetime(2026, 6, 30, 2, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return init_workspace(
        tmp_path / "w", {"as_of": date(2026, 6, 30), "metrics_token": TOKEN}, clock=lambda: NOW
    )


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace), base_url="http://127.0.0.1", follow_redirects=False) as client:
        yield client


def read(client: TestClient) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {}
    kinds: dict[str, str] = {}
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in kinds, "a family is told once"
            kinds[name] = kind
        elif not line.startswith("#"):
            match = LINE.fullmatch(line)
            assert match is not None, line
            labels = frozenset(LABEL.findall(match["labels"] or ""))
            stem = re.sub(r"_(bucket|sum|count)$", "", match["name"])
            assert match["name"] in kinds or kinds.get(stem) == "histogram", line
            assert (match["name"], labels) not in found, "a series is told once"
            found[match["name"], labels] = float(match["value"])
    return found


def value(found: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    """The value of the one series with these labels, whatever others it has."""
    fitting = [
        each for (own, given), each in found.items() if own == name and frozenset(labels.items()) <= given
    ]
    assert len(fitting) == 1, (name, labels, fitting)
    return fitting[0]


def test_metrics_need_their_token(client: TestClient) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}):
        assert client.get("/metrics", headers=headers).status_code == 404
    assert read(client)


def test_without_a_token_in_the_settings_there_are_none(tmp_path: Path) -> None:
    app = create_app(init_workspace(tmp_path / "w"))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/metrics").status_code == 404
        assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_requests_are_counted_by_route(client: TestClient) -> None:
    for _ in range(3):
        client.get("/login")
    client.get("/companies/上海某某有限公司")
    client.get("/api/v1/companies/上海某某有限公司")
    client.get("/no/such/address/王小明")
    client.request("PROPFIND王".encode().decode("latin-1"), "/login")
    found = read(client)
    assert value(found, "qiaomen_http_requests_total", route="/login", method="GET", status="200") == 3
    assert value(found, "qiaomen_http_requests_total", route="none", method="GET", status="404") == 1
    assert value(found, "qiaomen_http_request_seconds_count", route="/login") >= 3
    buckets = [
        value(found, "qiaomen_http_request_seconds_bucket", route="/login", le=str(limit))
        for limit in BUCKETS
    ]
    assert buckets == sorted(buckets)
    assert value(found, "qiaomen_http_request_seconds_bucket", route="/login", le="+Inf") == value(
        found, "qiaomen_http_request_seconds_count", route="/login"
    )
    labels = {text for _, given in found for _, text in given}
    assert all(text.isascii() for text in labels), "what a caller typed is in no label"
    assert {"/companies/{company_id}", "/api/v1/companies/{key}"} <= labels


def test_the_stores_are_told(workspace: Workspace, client: TestClient) -> None:
    queue_due(workspace)
    with writing(workspace.sql) as connection:
        for kind in ("load", "load", "digest"):
            jobs.submit(connection, kind, {}, now=NOW)
        outbox.enqueue(connection, "task.created", "k", {}, now=NOW)
    with workspace.lake.stage() as stage:
        stage.publish({})
    found = read(client)
    assert value(found, "qiaomen_jobs", kind="load", state="waiting") == 2
    assert value(found, "qiaomen_outbox_messages", state="waiting") == 1
    assert value(found, "qiaomen_outbox_messages", state="dead") == 0
    assert value(found, "qiaomen_outbox_oldest_seconds") == 0
    assert value(found, "qiaomen_lake_generation") == 1
    assert value(found, "qiaomen_schedule_turn_timestamp_seconds", kind="digest") < NOW.timestamp()
    assert value(found, "qiaomen_database_connections", state="in_use") == 0
    assert value(found, "process_resident_memory_bytes") > 1e6


def test_counting_from_many_threads_loses_nothing() -> None:
    requests = Requests()

    def work() -> None:
        for number in range(2000):
            requests.note("/x", "GET", 200, number / 1000)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    families = {name: samples for name, _, _, samples in requests.samples()}
    assert families["qiaomen_http_requests_total"][0][2] == 16_000
    counts = {
        (suffix, labels.get("le")): each for suffix, labels, each in families["qiaomen_http_request_seconds"]
    }
    assert counts["_count", None] == counts["_bucket", "+Inf"] == 16_000
    # 0.000 to 0.005 lie within the first bucket: its limit counts.
    assert counts["_bucket", "0.005"] == 6 * 8


def test_health_names_the_part_that_fails(workspace: Workspace, client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok", "database": True, "lake": True}
    foreign = client.get("/health", headers={"Host": "anything.example"})
    assert foreign.status_code == 200
    manifest = workspace.root / "lake" / "manifest"
    manifest.mkdir()
    (manifest / "000000000001.json").write_text("{")
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "database": True, "lake": False}


def test_health_of_a_database_that_is_gone(workspace: Workspace, client: TestClient) -> None:
    workspace.sql.dispose()
    file = workspace.root / "operational.db"
    for path in workspace.root.glob("operational.db*"):
        path.unlink()
    file.mkdir()
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.json()["database"] is False


def test_every_answer_is_counted_even_a_refused_one(workspace: Workspace) -> None:
    app: FastAPI = create_app(workspace)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/login", headers={"Host": "evil.example"}).status_code == 400
        assert client.post("/login", content=b"x" * (2 << 20)).status_code == 413
        found = read(client)
    refused = sum(
        each
        for (name, labels), each in found.items()
        if name == "qiaomen_http_requests_total" and dict(labels)["status"] in ("400", "413")
    )
    assert refused == 2
