"""The worker: queued jobs, what the clock asks for, failures, leases, stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from qiaomen.bank import local_analyst
from qiaomen.jobs import Workspace, ask_run, init_workspace, work_forever
from qiaomen.jobs.run_record import begin_run, claim_run, give_up_run, is_gone, process_name
from qiaomen.store import jobs, outbox, reading, writing
from qiaomen.vocab import Conflict

COMPANIES = "企业名称,统一社会信用代码\n上海某某有限公司,\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return init_workspace(tmp_path / "w", {"as_of": date(2026, 6, 30)})


def queue(workspace: Workspace, kind: str, payload: dict[str, Any] | None = None) -> int:
    with writing(workspace.sql) as connection:
        return jobs.submit(connection, kind, payload or {}, by="test", now=datetime.now(UTC))


def job(workspace: Workspace, number: int) -> jobs.Job:
    with reading(workspace.sql) as connection:
        return jobs.get(connection, number)


def test_a_load_is_done_with_its_counts(workspace: Workspace) -> None:
    (workspace.inbox / "companies.csv").write_text(COMPANIES, encoding="utf-8")
    number = queue(workspace, "load", {"paths": ["inbox"]})
    work_forever(workspace, once=True)
    done = job(workspace, number)
    assert (done.state, done.progress) == ("done", 1.0)
    assert done.result is not None
    assert done.result["totals"]["inserted"] == 1


@pytest.mark.parametrize("path", ["/etc/hostname", "../outside.csv", "inbox/../../outside.csv"])
def test_files_outside_the_workspace_are_refused(workspace: Workspace, path: str) -> None:
    number = queue(workspace, "load", {"source": "companies", "paths": [path]})
    work_forever(workspace, once=True)
    failed = job(workspace, number)
    assert failed.state == "failed"
    assert "工作区以内" in (failed.error or "")


def test_a_bad_job_does_not_end_the_worker(workspace: Workspace) -> None:
    bad = queue(workspace, "load", {"paths": ["inbox/none.csv"]})
    wrong = queue(workspace, "load", {"paths": 7})
    with writing(workspace.sql) as connection:
        run = ask_run(local_analyst(connection, datetime.now(UTC)), connection, datetime.now(UTC))
    good = queue(workspace, "recycle")
    work_forever(workspace, once=True)
    assert [job(workspace, number).state for number in (bad, wrong, run, good)] == ["failed"] * 3 + ["done"]
    assert "Traceback" not in (job(workspace, wrong).error or "")


def test_the_clock_queues_once_while_it_waits(workspace: Workspace) -> None:
    from qiaomen.jobs.working import queue as queue_by_clock

    for _ in range(3):
        queue_by_clock(workspace, "recycle")
    with reading(workspace.sql) as connection:
        assert len(jobs.recent(connection, kind="recycle")) == 1


def test_digests_of_an_empty_lake(workspace: Workspace) -> None:
    number = queue(workspace, "digest")
    work_forever(workspace, once=True)
    assert job(workspace, number).state == "done"


def test_the_outbox_is_settled(workspace: Workspace) -> None:
    with writing(workspace.sql) as connection:
        outbox.enqueue(connection, "task.created", "k1", {"task_id": 1}, now=datetime.now(UTC))
    work_forever(workspace, once=True)
    with reading(workspace.sql) as connection:
        assert outbox.counts(connection) == {"done": 1}


def test_one_run_at_a_time(workspace: Workspace) -> None:
    mine = begin_run(workspace, workspace.as_of)
    with pytest.raises(Conflict):
        # A thread of this process would be a bug; another machine is the case that the lease is for.
        _as_other_machine(workspace, mine)
        begin_run(workspace, workspace.as_of)


def _as_other_machine(workspace: Workspace, held: jobs.Job) -> None:
    from qiaomen.store.jobs import JOBS

    with writing(workspace.sql) as connection:
        connection.execute(
            JOBS.update().where(JOBS.c.job_id == held.job_id).values(lease_owner="elsewhere:1")
        )


def test_a_run_of_a_process_that_is_gone_is_taken_over(workspace: Workspace) -> None:
    from qiaomen.store.jobs import JOBS

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    owner = f"{os.uname().nodename}:{gone.pid}"
    assert is_gone(owner)
    assert not is_gone(f"{os.uname().nodename}:{os.getppid()}")
    assert not is_gone("elsewhere:1")
    assert not is_gone(None)
    old = begin_run(workspace, workspace.as_of)
    with writing(workspace.sql) as connection:
        connection.execute(JOBS.update().where(JOBS.c.job_id == old.job_id).values(lease_owner=owner))
    new = begin_run(workspace, workspace.as_of)
    assert new.job_id != old.job_id
    assert job(workspace, old.job_id).state == "cancelled"
    assert new.lease_owner == process_name()


def test_a_stopped_run_waits_and_a_failed_one_does_not(workspace: Workspace) -> None:
    first = begin_run(workspace, workspace.as_of)
    give_up_run(workspace, first, KeyboardInterrupt())
    again = claim_run(workspace)
    assert again is not None
    assert again.job_id == first.job_id
    give_up_run(workspace, again, ValueError("x"))
    assert job(workspace, first.job_id).state == "failed"
    assert claim_run(workspace) is None


def test_a_lease_that_ended_is_taken_again(workspace: Workspace) -> None:
    number = queue(workspace, "load", {"paths": ["inbox"]})
    past = datetime.now(UTC) - timedelta(hours=1)
    assert jobs.claim(workspace.sql, "elsewhere:1", past, kinds=["load"]) is not None
    (workspace.inbox / "companies.csv").write_text(COMPANIES, encoding="utf-8")
    work_forever(workspace, once=True)
    assert job(workspace, number).state == "done"


def test_a_signal_ends_an_idle_worker(workspace: Workspace) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QIAOMEN_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "qiaomen", "--workspace", str(workspace.root), "work"],
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    )
    number = queue(workspace, "recycle")
    end = time.monotonic() + 60
    while job(workspace, number).state != "done":
        assert time.monotonic() < end
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in err
