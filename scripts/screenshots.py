"""Writes the pictures of the README (``docs/images``) from a demo workspace: ``python scripts/screenshots.py WORKSPACE``.

The workspace is copied first; in the copy a few managers work on their tasks through the product's own steps, so that
board and cockpit show a working day. Needs Chromium and fonts-noto-cjk.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import socket
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import sqlalchemy as sa
import uvicorn

from qiaomen.bank import Viewer, open_session, posts_held, viewer_by_login
from qiaomen.customers import CUSTOMERS
from qiaomen.dispatch import TaskEvent, TaskFilter, advance, claim, list_tasks, record_visit
from qiaomen.jobs import Workspace
from qiaomen.reach import REACH
from qiaomen.store import reading, writing
from qiaomen.vocab import Conflict, Role, TaskState
from qiaomen.web import create_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WORKING_MANAGERS = 14
SWITCHES = [
    "--no-sandbox",
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: its name, who looks, where, how wide, and in which theme."""

    name: str
    role: Role
    address: str
    width: int = 1440
    height: int = 900
    theme: str = "light"


def shots(company: int) -> list[Shot]:
    """Return all pictures; ``company`` is the prospect whose paths are drawn."""
    return [
        Shot("today", Role.MANAGER, "/today"),
        Shot("cockpit", Role.BRANCH_ADMIN, "/cockpit"),
        Shot("cockpit-dark", Role.BRANCH_ADMIN, "/cockpit", theme="dark"),
        Shot("board", Role.MANAGER, "/tasks"),
        Shot("board-phone", Role.MANAGER, "/tasks", 390, 844),
        Shot("today-phone", Role.MANAGER, "/today", 390, 844),
        Shot("company", Role.MANAGER, f"/companies/{company}"),
        Shot("reach", Role.MANAGER, f"/reach/{company}"),
        Shot("chain", Role.ANALYST, "/chains/ic"),
        Shot("map", Role.SUB_BRANCH_ADMIN, "/map"),
        Shot("opportunities", Role.ANALYST, "/opportunities"),
        Shot("screening", Role.ANALYST, "/inventory/screen?q=tag:high_tech %26 !customer"),
        Shot("matches", Role.ANALYST, "/inventory/matches"),
        Shot("dispatch", Role.BRANCH_ADMIN, "/dispatch?view=preview"),
        Shot("park", Role.ANALYST, "/parks"),
    ]


def by_role(workspace: Workspace) -> dict[Role, list[Viewer]]:
    """Return the staff who can sign in, by role; managers with most tasks first."""
    now = dt.datetime.now(dt.UTC)
    found: dict[Role, list[Viewer]] = {}
    with reading(workspace.sql) as connection:
        for post in posts_held(connection, workspace.as_of):
            found.setdefault(post.role, []).append(viewer_by_login(connection, post.staff_no, now))
        counts = {
            viewer.login: list_tasks(
                viewer, connection, TaskFilter(manager_no=viewer.staff_no), limit=1
            ).items
            for viewer in found[Role.MANAGER]
        }
    found[Role.MANAGER].sort(key=lambda viewer: -counts[viewer.login])
    return found


def work(workspace: Workspace, managers: list[Viewer]) -> None:
    """Let managers claim, call, agree, land and close some of their tasks."""
    for turn, viewer in enumerate(managers[:WORKING_MANAGERS]):
        mine = TaskFilter(states=(TaskState.UNCLAIMED,), manager_no=viewer.staff_no)
        with reading(workspace.sql) as connection:
            tasks = list_tasks(viewer, connection, mine, limit=22 - turn).tasks
        for number, task in enumerate(tasks):
            with writing(workspace.sql) as connection:
                work_on(viewer, connection, task.task_id, number, workspace.moment)


def work_on(viewer: Viewer, connection: sa.Connection, task_id: int, number: int, now: dt.datetime) -> None:
    """Take one task some steps on; every few go further."""
    try:
        task = claim(viewer, connection, task_id, now=now)
    except Conflict:
        return
    if number % 2:
        record_visit(
            viewer,
            connection,
            task_id,
            visited_at=now,
            channel="电话",
            note="已与财务负责人通话，约定见面时间",
            now=now,
            next_at=now + dt.timedelta(days=2),
        )
    if number % 3 == 0:
        task = advance(viewer, connection, task_id, TaskEvent.INTEND, expected_version=task.version, now=now)
        if number % 6 == 0:
            amount = (300 + number * 140) * 10_000 * 100
            task = advance(
                viewer,
                connection,
                task_id,
                TaskEvent.LAND,
                expected_version=task.version,
                now=now,
                landed_amount_fen=amount,
            )
            if number % 12 == 0:
                advance(viewer, connection, task_id, TaskEvent.FINISH, expected_version=task.version, now=now)
    elif number % 7 == 0:
        advance(
            viewer,
            connection,
            task_id,
            TaskEvent.LOSE,
            expected_version=task.version,
            now=now,
            reason="他行已锁定",
        )


def prospect_of(workspace: Workspace, manager: Viewer) -> int:
    """Return a prospect two or three hops from one of the manager's customers."""
    snapshot = workspace.lake.snapshot()
    customers = snapshot.arrow(CUSTOMERS)
    own = customers.filter(pc.equal(customers.column("manager_no"), manager.staff_no))
    reach = snapshot.arrow(REACH)
    mask = pc.is_in(reach.column("customer_id"), value_set=own.column("company_id").combine_chunks())
    mask = pc.and_(
        mask, pc.and_(pc.greater_equal(reach.column("hops"), 2), pc.less_equal(reach.column("hops"), 3))
    )
    mask = pc.and_(mask, pc.equal(reach.column("first_kind"), "office"))
    near = reach.filter(pc.and_(mask, reach.column("proven"))).sort_by([("warmth", "descending")])
    return int(near.column("company_id")[0].as_py())


def serve(workspace: Workspace) -> tuple[uvicorn.Server, str]:
    """Serve the workspace on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create_app(workspace), port=port, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    return server, f"http://127.0.0.1:{port}"


def take(browser: Browser, base: str, token: str, shot: Shot, folder: Path) -> None:
    """Take one picture."""
    context = browser.new_context(
        base_url=base, locale="zh-CN", viewport={"width": shot.width, "height": shot.height}
    )
    context.add_cookies(
        [
            {"name": "qiaomen_session", "value": token, "url": base},
            {"name": "qiaomen_theme", "value": shot.theme, "url": base},
        ]
    )
    page = context.new_page()
    page.goto(shot.address)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)
    page.screenshot(path=str(folder / f"{shot.name}.png"))
    print(folder / f"{shot.name}.png")
    context.close()


def main() -> None:
    """Copy the workspace, let managers work, take all pictures."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "images")
    given = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        raise SystemExit("Chromium is missing: apt-get install chromium fonts-noto-cjk")
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "workspace"
        shutil.copytree(given.workspace, copy, ignore=shutil.ignore_patterns("*.lock", "temp"))
        (copy / "temp").mkdir()
        workspace = Workspace(copy)
        staff = by_role(workspace)
        work(workspace, staff[Role.MANAGER])
        with writing(workspace.sql) as connection:
            now = dt.datetime.now(dt.UTC)
            tokens = {
                role: open_session(connection, viewers[0], now, life=dt.timedelta(hours=1))
                for role, viewers in staff.items()
            }
        server, base = serve(workspace)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
            for shot in shots(prospect_of(workspace, staff[Role.MANAGER][0])):
                take(browser, base, tokens[shot.role], shot, given.out)
            browser.close()
        server.should_exit = True


if __name__ == "__main__":
    main()
