"""``make bench``: the product's budgets on the demo bank, and ratios against peers, in one run.

Writes nothing but standard output: a Markdown table for ``docs/benchmarks.md``.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

import numpy as np

BIN = Path(sys.executable).parent
ROWS: list[tuple[str, str, str, str]] = []


def note(what: str, ours: str, peer: str = "", ratio: str = "") -> None:
    """Add a row of the table and show it at once."""
    ROWS.append((what, ours, peer, ratio))
    print(f"{what}: {ours} {peer} {ratio}".rstrip(), file=sys.stderr, flush=True)


def best(work: Callable[[], Any], rounds: int = 5) -> float:
    """Return the median seconds of some rounds after one that warms up."""
    work()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def measured(command: list[str]) -> tuple[float, float]:
    """Run a command and return (seconds, peak GB)."""
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024**2


def commands(root: Path) -> None:
    """Time the command line on a fresh demo workspace."""
    qiaomen = [str(BIN / "qiaomen"), "--workspace", str(root)]
    python = best(lambda: measured([sys.executable, "-c", "import typer"]))
    ours = best(lambda: measured([str(BIN / "qiaomen"), "--help"]))
    note(
        "`qiaomen --help` (budget 0.4 s)",
        f"{ours:.2f} s",
        f"`import typer` {python:.2f} s",
        f"{ours / python:.1f}×",
    )
    seconds, memory = measured([*qiaomen, "init", "--demo"])
    note("`init --demo`", f"{seconds:.1f} s, {memory:.2f} GB")
    seconds, memory = measured([*qiaomen, "load"])
    note("`load` of the demo inbox (377 k rows)", f"{seconds:.1f} s, {memory:.2f} GB")
    seconds, memory = measured([*qiaomen, "run"])
    note("`run` on the demo (budget 60 s, 2 GB)", f"{seconds:.1f} s, {memory:.2f} GB")
    seconds, memory = measured([*qiaomen, "run"])
    note("`run` again, nothing new", f"{seconds:.1f} s, {memory:.2f} GB")


def pages(root: Path) -> None:
    """Time every page on the server's side as a manager, a branch president and an analyst.

    A process that has just started reads the generation ahead; its first answers are told apart from the others.
    """
    from datetime import UTC, datetime

    from qiaomen.bank import FirstPassword, create_users_for_staff
    from qiaomen.jobs import Workspace
    from qiaomen.store import writing
    from qiaomen.web import create_app

    workspace = Workspace(root)
    with writing(workspace.sql) as connection:
        made = create_users_for_staff(connection, now=datetime.now(UTC), first=FirstPassword.LASTS)
    by_role = {str(user.roles[0]): user for user in made}
    times: dict[str, list[float]] = {}
    app = create_app(workspace)
    for role in ("manager", "branch_admin", "analyst"):
        with client_of(app) as client:
            sign_in(client, by_role[role].login, by_role[role].password)
            if role == "manager":
                started_up(client, paths_of(role))
            for round_ in range(22):
                for path in paths_of(role):
                    seconds = answer_seconds(client, path)
                    if round_ >= 2:
                        times.setdefault(path.split("?")[0], []).append(seconds)
    every = np.array([value for values in times.values() for value in values])
    slowest = max(times, key=lambda path: float(np.percentile(times[path], 95)))
    note(
        "page, server time p50 / p95 (budget p95 150 ms)",
        f"{np.percentile(every, 50) * 1e3:.0f} / {np.percentile(every, 95) * 1e3:.0f} ms",
    )
    note(f"slowest page `{slowest}` p95", f"{np.percentile(times[slowest], 95) * 1e3:.0f} ms")


def started_up(client: TestClient, paths: list[str]) -> None:
    """Open pages in turn while the process reads ahead, at least each once."""
    started, slowest = time.perf_counter(), 0.0
    reading = True
    while reading:
        for path in paths:
            slowest = max(slowest, answer_seconds(client, path))
        reading = any(thread.name == "read-ahead" for thread in threading.enumerate())
    note(
        "after a start, while the generation is read ahead: until all pages are quick / slowest answer",
        f"{time.perf_counter() - started:.1f} s / {slowest * 1e3:.0f} ms",
    )


def answer_seconds(client: TestClient, path: str) -> float:
    """Return the seconds of one answer; a refusal or a redirect, which would time another page, ends the benchmark."""
    started = time.perf_counter()
    response = client.get(path)
    seconds = time.perf_counter() - started
    if response.status_code != 200:
        raise SystemExit(f"{path}: {response.status_code}")
    return seconds


def client_of(app: FastAPI) -> TestClient:
    """Return a client of the application by a host name that it knows; it follows no redirect."""
    from fastapi.testclient import TestClient

    return TestClient(app, base_url="http://127.0.0.1", follow_redirects=False)


def paths_of(role: str) -> list[str]:
    """Return the pages of a role; companies are spread over the registry."""
    shared = [
        "/opportunities",
        "/chains",
        "/chains/ic",
        "/parks",
        "/parks/PK01",
        "/map",
        "/inventory/screen?q=tag:high_tech",
    ]
    firms = [f"/companies/{number}" for number in (2, 777, 5001, 12345, 19000)]
    ways = [f"/reach/{number}" for number in (2, 777, 5001)]
    own = {
        "manager": ["/today", "/tasks"],
        "branch_admin": ["/cockpit", "/tasks", "/dispatch"],
        "analyst": ["/inventory/matches"],
    }
    return shared + firms + ways + own[role]


def sign_in(client: Any, login: str, password: str) -> None:
    """Log in through the form."""
    import re

    page = client.get("/login").text
    token = re.search(r'name="csrf" value="([^"]*)"', page)
    answer = client.post(
        "/login", data={"login": login, "password": password, "csrf": token.group(1) if token else ""}
    )
    if answer.status_code != 303 or answer.headers["location"].startswith("/login"):
        raise SystemExit(f"sign-in of {login}: {answer.status_code}")


def screening(root: Path) -> None:
    """Time five counts by bitmaps and by DuckDB on the memberships file; the answers must agree."""
    import duckdb

    from qiaomen.jobs import Workspace
    from qiaomen.membership import MEMBERSHIPS, Index, parse

    snapshot = Workspace(root).lake.snapshot()
    index = Index.open(snapshot.arrays("membership_index"))
    file = snapshot.files(MEMBERSHIPS.name)[0]
    live = f"SELECT DISTINCT company_id FROM '{file}' WHERE dimension = 'region'"
    cases = {
        "tag:high_tech & region:310115 & !customer": (
            f"SELECT count(*) FROM ({live} INTERSECT SELECT company_id FROM '{file}' WHERE dimension='tag' AND value='high_tech'"
            f" INTERSECT SELECT company_id FROM '{file}' WHERE dimension='region' AND value LIKE '310115%'"
            f" EXCEPT SELECT company_id FROM '{file}' WHERE dimension='customer')"
        ),
        "(tier:prime | tier:sound) & tag:high_tech": (
            f"SELECT count(*) FROM (SELECT DISTINCT company_id FROM '{file}' WHERE dimension='tier' AND value IN ('prime','sound')"
            f" INTERSECT SELECT company_id FROM '{file}' WHERE dimension='tag' AND value='high_tech' INTERSECT {live})"
        ),
    }
    for text, sql in cases.items():
        expression = parse(text, index.names)
        found = duckdb.execute(sql).fetchone()
        if found is None or found[0] != index.count(expression):
            raise SystemExit(f"{text}: {index.count(expression)} here, {found} by DuckDB")
        ours, peer = (
            best(lambda e=expression: index.count(e), 50),
            best(lambda s=sql: duckdb.execute(s).fetchone(), 20),
        )
        note(
            f"screening count `{text}`",
            f"{ours * 1e3:.2f} ms",
            f"DuckDB on the Parquet {peer * 1e3:.1f} ms",
            f"{peer / ours:.0f}×",
        )


def reach(root: Path) -> None:
    """Time the one pass from all customers against Dijkstra of scipy over the same pair costs (without a hop limit)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    from qiaomen.graph import Graph, price, reopen
    from qiaomen.jobs import Workspace

    snapshot = Workspace(root).lake.snapshot()
    graph = Graph.open(snapshot.arrays("graph"))
    arrays = snapshot.arrays("reaching")
    reopen(graph, arrays)
    ours = best(lambda: price(graph, arrays["pair_cost"], arrays["inner_cost"], arrays["target_cost"]))
    offsets, neighbours = np.asarray(graph.arrays["offsets"]), np.asarray(graph.arrays["neighbours"])
    costs = np.asarray(arrays["pair_cost"])[np.asarray(graph.arrays["slot_pair"])].astype(np.float64)
    matrix = csr_array((costs, neighbours, offsets), shape=(graph.size, graph.size))
    target = np.asarray(arrays["target_cost"])
    sources = np.flatnonzero(target < target.max())
    peer = best(lambda: dijkstra(matrix, directed=True, indices=sources, min_only=True), 3)
    note(
        f"reach of all {graph.size:,} nodes, 6 hops",
        f"{ours * 1e3:.0f} ms",
        f"scipy dijkstra {peer * 1e3:.0f} ms",
        f"{peer / ours:.1f}×",
    )


def matching(root: Path) -> None:
    """Time the matching of the demo list against best fuzzy scores of RapidFuzz over the same names; compare hits."""
    from rapidfuzz import fuzz, process

    from qiaomen.customers import CUSTOMER_RECORDS
    from qiaomen.jobs import Workspace
    from qiaomen.registry import COMPANIES, Matcher, match_customers, normalise_name

    snapshot = Workspace(root).lake.snapshot()
    records = snapshot.arrow(CUSTOMER_RECORDS).slice(0, 300)
    companies = snapshot.arrow(COMPANIES)
    truth = {
        row.split(",")[0]: row.split(",")[1]
        for row in (root / "answers/matches.csv").read_text(encoding="utf-8-sig").splitlines()[1:]
    }
    number_of = dict(zip(companies["uscc"].to_pylist(), companies["company_id"].to_pylist(), strict=True))
    right = [number_of.get(truth[number]) for number in records["customer_no"].to_pylist()]
    matcher = Matcher.open(snapshot.arrays("match_index"))
    started = time.process_time()
    ours = match_customers(records, matcher)["company_id"].to_pylist()
    own = time.process_time() - started
    names = companies["name_norm"].to_pylist()
    numbers = companies["company_id"].to_pylist()
    started = time.process_time()
    theirs = []
    for name in records["name"].to_pylist():
        hit = process.extractOne(normalise_name(name), names, scorer=fuzz.ratio, score_cutoff=90)
        theirs.append(numbers[hit[2]] if hit else None)
    peer = time.process_time() - started
    note(
        "matching 300 dirty rows to 20,000 companies",
        f"{own:.1f} CPU s, precision {precision(ours, right):.1%}, recall {recall(ours, right):.1%}",
        f"RapidFuzz ratio ≥ 90: {peer:.1f} CPU s, {precision(theirs, right):.1%}, {recall(theirs, right):.1%}",
        f"{peer / own:.1f}×",
    )


def precision(found: list[int | None], right: list[int | None]) -> float:
    """Return right automatic / automatic."""
    automatic = [(one, other) for one, other in zip(found, right, strict=True) if one is not None]
    return sum(one == other for one, other in automatic) / max(1, len(automatic))


def recall(found: list[int | None], right: list[int | None]) -> float:
    """Return right automatic / rows that have a truth."""
    known = [(one, other) for one, other in zip(found, right, strict=True) if other is not None]
    return sum(one == other for one, other in known) / max(1, len(known))


def main() -> None:
    """Run every benchmark and print the table."""
    only = set(sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "workspace"
        commands(root)
        for section in (pages, screening, reach, matching):
            if not only or section.__name__ in only:
                section(root)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}\n")
    print("| what | Qiaomen | peer in the same run | ratio |\n| --- | --- | --- | --- |")
    for row in ROWS:
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    print(json.dumps({"rows": len(ROWS)}), file=sys.stderr)


if __name__ == "__main__":
    main()
