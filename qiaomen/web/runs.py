"""Runs and failed jobs as the page 数据与运行 shows them: how far, how long, and what to do about a failure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from sqlalchemy.engine import Connection

from qiaomen.jobs import RUN_STEPS
from qiaomen.store import jobs
from qiaomen.web import formats
from qiaomen.web.cells import Cell, Chip, ColumnView, TableView, Tone, table
from qiaomen.web.visit import SHANGHAI, Visit

SHOWN: Final = 10
LOOKED_AT: Final = 200
# A job that waits longer than this has no worker.
PATIENCE: Final = dt.timedelta(seconds=20)
KINDS: Final = {
    "run": "完整运行",
    "load": "装载文件",
    "recycle": "超时处理",
    "digest": "订阅摘要",
    "intake": "增量接入",
}
STATES: Final[dict[str, tuple[str, Tone]]] = {
    "waiting": ("排队中", "amber"),
    "running": ("运行中", "brand"),
    "done": ("完成", "green"),
    "failed": ("失败", "red"),
    "cancelled": ("已取消", "grey"),
}
BY: Final = {"command_line": "命令行", "clock": "定时"}
REMEDY: Final = "。处理办法："
ASK_ADMINISTRATOR: Final = "把作业编号告诉系统管理员，在服务日志中查看原因后重新运行"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run: done, now, or to come."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The run under way."""

    job_id: int
    running: bool
    share: float
    percent: str
    words: str
    since: str
    steps: tuple[Step, ...]
    stuck: bool


@dataclass(frozen=True, slots=True)
class RunsView:
    """What the part of the page shows; ``progress`` is none where no run is under way."""

    progress: Progress | None
    last_failure: str
    last_remedy: str
    runs: TableView
    failures: TableView


def explained(error: str | None) -> tuple[str, str]:
    """Return a failure in words and what to do about it."""
    text, _, remedy = (error or "").partition(REMEDY)
    kind, separator, rest = text.partition(": ")
    if separator and kind.isidentifier():
        text = rest or kind
    return text or "没有留下原因", remedy or ASK_ADMINISTRATOR


def lasted(job: jobs.Job, now: dt.datetime) -> str:
    """Say how long a job has taken."""
    if job.started_at is None:
        return ""
    seconds = max(0, int(((job.finished_at or now) - job.started_at).total_seconds()))
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} 分 {rest} 秒" if minutes else f"{rest} 秒"


def progress_of(job: jobs.Job, now: dt.datetime) -> Progress:
    """Lay out how far a run is: its record names the last step done."""
    at = RUN_STEPS.index(job.step) + 1 if job.step in RUN_STEPS else 0
    running = job.state == "running"
    steps = tuple(
        Step(name, "done" if number < at else ("now" if number == at and running else "later"))
        for number, name in enumerate(RUN_STEPS)
    )
    waited = now - job.created_at if not running else dt.timedelta()
    return Progress(
        job.job_id,
        running,
        job.progress,
        f"{job.progress:.0%}",
        RUN_STEPS[min(at, len(RUN_STEPS) - 1)] if running else "排队中",
        lasted(job, now),
        steps,
        waited > PATIENCE,
    )


def runs_view(visit: Visit, connection: Connection, now: dt.datetime) -> RunsView:
    """Read the newest jobs."""
    runs = jobs.recent(connection, kind="run", limit=SHOWN)
    others = [job for job in jobs.recent(connection, limit=LOOKED_AT) if job.kind != "run"]
    failed = [job for job in others if job.state == "failed"][:SHOWN]
    active = next((job for job in runs if job.state in {"waiting", "running"}), None)
    ended = next((job for job in runs if job.state in {"done", "failed"}), None)
    failure = explained(ended.error) if ended and ended.state == "failed" and active is None else ("", "")
    return RunsView(
        progress_of(active, now) if active else None,
        *failure,
        _table(visit, runs, now, "最近的运行", "还没有运行过", "载入企业与客户文件之后，点“开始运行”"),
        _table(visit, failed, now, "其他失败的作业", "没有失败的作业", ""),
    )


def _table(
    visit: Visit, rows: list[jobs.Job], now: dt.datetime, caption: str, empty: str, hint: str
) -> TableView:
    def state(job: jobs.Job) -> Cell:
        words, tone = STATES.get(job.state, (job.state, "grey"))
        return Cell(chips=(Chip(words, tone),))

    def result(job: jobs.Job) -> Cell:
        if job.state == "failed":
            words, remedy = explained(job.error)
            return Cell(words, note=f"处理办法：{remedy}")
        generation = (job.result or {}).get("generation")
        return Cell(f"第 {generation} 期数据" if generation else "—", tone="" if generation else "soft")

    columns: tuple[ColumnView[jobs.Job], ...] = (
        ColumnView("作业", lambda job: Cell(f"{KINDS.get(job.kind, job.kind)} {job.job_id}号"), fixed=True),
        ColumnView("状态", state, fixed=True),
        ColumnView(
            "发起",
            lambda job: Cell(BY.get(job.created_by) or visit.names.staff(job.created_by.upper())),
            fixed=True,
        ),
        ColumnView(
            "开始",
            lambda job: Cell(formats.moment((job.started_at or job.created_at).astimezone(SHANGHAI))),
            fixed=True,
        ),
        ColumnView("用时", lambda job: Cell(lasted(job, now) or "—"), align="right"),
        ColumnView("结果", result),
    )
    return table(columns, rows, caption=caption, empty=empty, empty_hint=hint)
