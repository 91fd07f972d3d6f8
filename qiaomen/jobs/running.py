"""One run from the loaded tables to tasks.

Everything up to *publish* is staged and becomes visible as one generation or not at all. Tasks follow in one transaction
that also ends the job; the note of the generation names the job and what it read. Stopped anywhere, a second call
finishes the work: where the generation is there and nothing has changed since, only its tasks are written.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar, Final

from qiaomen.bank import audit
from qiaomen.jobs import book, indexes, leads, market, moments, profile, ranking, ways
from qiaomen.jobs.context import Run
from qiaomen.jobs.freshness import inputs_mark, marker
from qiaomen.jobs.handing import publish_keepers
from qiaomen.jobs.leases import kept_lease
from qiaomen.jobs.observer import Observer
from qiaomen.jobs.pushed import take_pushed, waits
from qiaomen.jobs.report_words import report_hints, report_rows
from qiaomen.jobs.retaining import note_retention
from qiaomen.jobs.rules_record import note_rules
from qiaomen.jobs.run_record import begin_run, give_up_run, is_done, last_run
from qiaomen.jobs.tasking import sync_bank, task_writer, write_tasks
from qiaomen.jobs.workspace import Workspace
from qiaomen.registry import COMPANY_RECORDS
from qiaomen.store import jobs
from qiaomen.vocab import InputRejected

# Step, what is shown, share of the time.
STEPS: Final[tuple[tuple[Callable[[Run], None], str, float], ...]] = (
    (market.identify, "登记企业", 0.03),
    (market.relate, "解析关系", 0.04),
    (book.match, "匹配客户", 0.10),
    (book.build_book, "建立客户台账", 0.03),
    (market.classify, "产业链分类", 0.05),
    (market.trade, "供应链汇总与核心判定", 0.03),
    (market.settle, "归入园区", 0.02),
    (moments.mine, "挖掘商机", 0.10),
    (moments.grade, "商机归并与分级", 0.04),
    (ways.link, "构建图谱", 0.05),
    (profile.tag, "打标签", 0.08),
    (ways.near, "触达全量计算", 0.05),
    (ranking.measure, "计算指标", 0.06),
    (ranking.score, "评分", 0.06),
    (ranking.tier, "分层与产品推荐", 0.03),
    (leads.list_prospects, "拓客长名单", 0.04),
    (leads.propose, "准入与分配", 0.05),
    (ways.introduce, "敲门话术", 0.04),
    (indexes.index, "筛选与搜索索引", 0.06),
)
# Everything that a run tells of, in order.
RUN_STEPS: Final = ("识别企业与人员", *(words for _, words, _ in STEPS), "生成任务")
WHOLE: Final = sum(share for _, _, share in STEPS)
# How far a run is when the companies have their numbers, and when the generation is published.
NUMBERED: Final = 0.12
PUBLISHED: Final = 0.95


@dataclass(slots=True)
class RunReport:
    """What a run did."""

    HEADER: ClassVar[tuple[str, ...]] = ("步骤", "结果")

    run_id: str
    generation: int
    as_of: date
    seconds: float
    counts: dict[str, dict[str, int]]
    repeated: bool = False
    notes: list[str] = field(default_factory=list)
    # Seconds by step; none where the run took up the generation of a stopped one.
    steps: dict[str, float] = field(default_factory=dict)

    def rows(self) -> list[tuple[str, str]]:
        """Return the rows of the printed table."""
        return report_rows(self.counts)

    def summary(self) -> str:
        """Return the closing words of the printed report."""
        if self.repeated:
            return (
                f"自上次运行以来数据、规则与任务都没有变化，沿用第 {self.generation} 代；仍要重跑请加 --again"
            )
        closing = f"数据截至 {self.as_of}，第 {self.generation} 代，用时 {self.seconds:.1f} 秒"
        return "\n".join([*self.notes, *report_hints(self.counts), closing])

    def document(self) -> dict[str, Any]:
        """Return the report for ``--json`` (without passwords)."""
        return {
            "run_id": self.run_id,
            "generation": self.generation,
            "as_of": self.as_of.isoformat(),
            "seconds": round(self.seconds, 3),
            "counts": self.counts,
            "repeated": self.repeated,
            "notes": self.notes,
        }


def run_all(workspace: Workspace, as_of: date | None, observer: Observer) -> RunReport:
    """Run every step; ``InputRejected`` where nothing was loaded, ``Conflict`` where another run is under way."""
    day = as_of or workspace.as_of
    _need_companies(workspace)
    return run_job(workspace, begin_run(workspace, day), day, observer)


def _need_companies(workspace: Workspace) -> None:
    if not workspace.lake.snapshot().has(COMPANY_RECORDS.name):
        raise InputRejected("还没有企业数据", remedy="先执行 qiaomen load 装载企业与客户文件")


def run_job(workspace: Workspace, job: jobs.Job, day: date, observer: Observer) -> RunReport:
    """Do a run that this process has taken; a stop gives it back at once, so that the next need not wait."""
    started = time.monotonic()
    try:
        _need_companies(workspace)
        with kept_lease(workspace, job):
            take_pushed(workspace, job)
            report = _publish(workspace, job, day, observer)
            observer("生成任务", PUBLISHED)
            _write_tasks(workspace, job, report, started)
    except BaseException as error:
        give_up_run(workspace, job, error)
        raise
    # A hand-over that was made while the run was under way is brought into its table of customers.
    publish_keepers(workspace)
    observer("完成", 1.0)
    return report


def last_report(workspace: Workspace, as_of: date | None) -> RunReport | None:
    """Return the report of the last run where another one would read the same; none where anything changed."""
    day = as_of or workspace.as_of
    snapshot = workspace.lake.snapshot()
    job = last_run(workspace) if snapshot.has("membership_index") and not waits(workspace) else None
    if job is None or job.result is None or job.result.get("inputs") != inputs_mark(workspace, day):
        return None
    return RunReport(
        job.result["run_id"], snapshot.number, day, 0.0, dict(job.result["counts"]), repeated=True
    )


def _issue_numbers(workspace: Workspace, job: jobs.Job, day: date) -> dict[str, Any]:
    """Publish the numbers of companies and persons as soon as they are issued; return who was found."""
    with workspace.lake.stage() as stage, workspace.engine() as engine:
        run = Run(
            stage, engine, day, workspace.settings, workspace.overlay, workspace.sql, clock=workspace.now
        )
        if market.issue_numbers(run):
            with jobs.holding(workspace.sql, job, workspace.now()):
                stage.publish(stage.note)
        return run.kept


def _publish(workspace: Workspace, job: jobs.Job, day: date, observer: Observer) -> RunReport:
    """Publish the generation of a run, or take the one that a stopped run left; its tasks are still to be written."""
    note_rules(workspace)
    sync_bank(workspace)
    left = _left_behind(workspace, day)
    if left is not None:
        return left
    run_id = f"R{workspace.now():%Y%m%dT%H%M%S}{uuid.uuid4().hex[:6]}"
    inputs = inputs_mark(workspace, day)
    observer("识别企业与人员", 0.0)
    known = _issue_numbers(workspace, job, day)
    with workspace.lake.stage() as stage, workspace.engine() as engine:
        run = Run(
            stage, engine, day, workspace.settings, workspace.overlay, workspace.sql,
            kept=known, clock=workspace.now,
        )  # fmt: skip
        done, took = NUMBERED, dict[str, float]()
        for step, words, share in STEPS:
            observer(words, done)
            since = time.monotonic()
            step(run)
            took[words] = round(time.monotonic() - since, 3)
            done += share / WHOLE * (PUBLISHED - NUMBERED)
            jobs.advance(workspace.sql, job, workspace.now(), progress=done, message=words, step=words)
        note_retention(run)
        report = RunReport(run_id, 0, day, 0.0, run.counts, notes=run.notes, steps=took)
        note = {"as_of": day.isoformat(), "run_id": run_id, "run": True, "job": job.job_id, "inputs": inputs}
        with jobs.holding(workspace.sql, job, workspace.now()):
            report.generation = stage.publish({**note, "counts": run.counts, "notes": run.notes}).number
    return report


def _left_behind(workspace: Workspace, day: date) -> RunReport | None:
    """Return the report of a run that published and was stopped before its tasks, where running anew would read the same.

    Where something has changed since, its tasks are written here and none is returned.
    """
    snapshot = workspace.lake.snapshot()
    note = snapshot.note
    if not note.get("run") or is_done(workspace, note.get("job")):
        return None
    if note.get("inputs") == inputs_mark(workspace, day):
        counts, notes = dict(note["counts"]), list(note["notes"])
        return RunReport(str(note["run_id"]), snapshot.number, day, 0.0, counts, notes=notes)
    write_tasks(workspace)
    return None


def _write_tasks(workspace: Workspace, job: jobs.Job, report: RunReport, started: float) -> None:
    """Write the tasks and end the job in one transaction."""
    write, mark = task_writer(workspace), marker(workspace, report.as_of)
    with jobs.holding(workspace.sql, job, workspace.now()) as connection:
        report.counts["tasks"] = write(connection)
        report.seconds = time.monotonic() - started
        result = {**report.document(), "inputs": mark(connection), "steps": report.steps}
        detail = {"run": report.run_id, "tasks": report.counts["tasks"]}
        audit(connection, None, "change.run", f"generation:{report.generation}", detail, now=workspace.now())
        jobs.finish_in(connection, job, workspace.now(), result)
