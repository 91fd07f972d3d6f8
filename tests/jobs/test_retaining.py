"""Rows kept too long: exactly those go, with their rejects; the next run works on what is left; others' work is not cut."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from qiaomen.bank import Viewer, local_analyst
from qiaomen.customers import UPLOAD_CHANGES
from qiaomen.jobs import (
    Workspace,
    delete_past,
    init_workspace,
    load_files,
    receive_pushed,
    retention_of,
    run_all,
    silent,
)
from qiaomen.registry import COMPANIES, COMPANY_RECORDS, LOADS, REJECTS
from qiaomen.store import jobs, reading, writing
from qiaomen.vocab import Conflict, InputRejected, NotAllowed, Role
from tests.clocks import Hands

# The shipped source `companies` allows 3,650 days.
FIRST, LATER, TODAY = (datetime(year, 6, 30, 2, tzinfo=UTC) for year in (2010, 2020, 2026))
DAYS = timedelta(days=3650)
ROLELESS = Viewer(1, "x", "x", frozenset({Role.MANAGER}))


@pytest.fixture
def hands() -> Hands:
    return Hands(FIRST)


@pytest.fixture
def workspace(tmp_path: Path, hands: Hands) -> Workspace:
    return init_workspace(tmp_path / "w", clock=hands)


def load(workspace: Workspace, name: str, lines: list[str]) -> None:
    """Load one file of companies: name, address."""
    path = workspace.inbox / name
    path.write_text("\n".join(["name,address", *lines]) + "\n", encoding="utf-8")
    load_files(workspace, "companies", [path], silent)


def viewer_of(workspace: Workspace) -> Viewer:
    with writing(workspace.sql) as connection:
        return local_analyst(connection, workspace.now())


def names_in(workspace: Workspace) -> set[str]:
    return set(workspace.lake.snapshot().arrow(COMPANY_RECORDS)["name"].to_pylist())


def audited(workspace: Workspace, action: str) -> list[dict[str, object]]:
    with reading(workspace.sql) as connection:
        query = sa.text("SELECT actor, object, detail FROM audit_log WHERE action = :action ORDER BY number")
        return [dict(row._mapping) for row in connection.execute(query, {"action": action})]


def two_ages(workspace: Workspace, hands: Hands) -> None:
    load(workspace, "companies_old.csv", ["甲有限公司,东街1号", "乙有限公司,东街2号", ",没有名称"])
    hands.at = LATER
    load(workspace, "companies_new.csv", ["乙有限公司,西街9号", "丙有限公司,东街3号", ",也没有名称"])
    hands.at = TODAY


def test_a_preview_names_the_rows_and_changes_nothing(workspace: Workspace, hands: Hands) -> None:
    two_ages(workspace, hands)
    before = workspace.lake.snapshot().number
    found = delete_past(workspace, viewer_of(workspace))
    counted = {row.table: (row.past_rows, row.rows) for row in found.rows}
    # 乙 was updated by the later load, and counts from then.
    assert counted == {"company_records": (1, 3), "rejects": (1, 2)}
    assert found.generation is None
    assert found.inbox == ("companies_new.csv", "companies_old.csv")
    assert workspace.lake.snapshot().number == before
    assert names_in(workspace) == {"甲有限公司", "乙有限公司", "丙有限公司"}
    assert audited(workspace, "change.retention") == []


def test_exactly_the_old_rows_go(workspace: Workspace, hands: Hands) -> None:
    two_ages(workspace, hands)
    before = workspace.lake.snapshot()
    done = delete_past(workspace, viewer_of(workspace), really=True)
    after = workspace.lake.snapshot()
    assert (done.generation, done.deleted) == (before.number + 1, 2)
    assert after.number == before.number + 1
    assert names_in(workspace) == {"乙有限公司", "丙有限公司"}
    assert ["也没有名称" in row for row in after.arrow(REJECTS)["row_text"].to_pylist()] == [True]
    # The record of loads stays: counts and hashes of files, no row of anybody.
    assert after.arrow(LOADS).equals(before.arrow(LOADS))
    (row,) = audited(workspace, "change.retention")
    assert row["object"] == f"generation:{after.number}"
    assert json.loads(str(row["detail"]))["deleted"] == {
        "companies.company_records": 1,
        "companies.rejects": 1,
    }
    assert not any(item.is_past for item in retention_of(workspace))
    again = delete_past(workspace, viewer_of(workspace), really=True)
    assert (again.rows, again.generation) == ((), None)
    assert workspace.lake.snapshot().number == after.number


def test_the_next_run_works_on_what_is_left(workspace: Workspace, hands: Hands) -> None:
    two_ages(workspace, hands)
    noted = run_all(workspace, None, silent).notes
    assert any("companies" in note and "2 行超过留存期限" in note for note in noted)
    assert set(workspace.lake.snapshot().arrow(COMPANIES)["name"].to_pylist()) == {
        "甲有限公司",
        "乙有限公司",
        "丙有限公司",
    }
    delete_past(workspace, viewer_of(workspace), really=True)
    notes = run_all(workspace, None, silent).notes
    assert not any("留存期限" in note for note in notes), "what is deleted is not complained of for ever"
    assert set(workspace.lake.snapshot().arrow(COMPANIES)["name"].to_pylist()) == {"乙有限公司", "丙有限公司"}


def test_a_run_on_nothing_at_all(workspace: Workspace, hands: Hands) -> None:
    load(workspace, "companies.csv", ["甲有限公司,东街1号"])
    hands.at = TODAY
    delete_past(workspace, viewer_of(workspace), really=True)
    assert names_in(workspace) == set()
    run_all(workspace, None, silent)
    assert workspace.lake.snapshot().rows("companies") == 0


@pytest.mark.parametrize("kind", ["run", "load"])
def test_it_waits_for_work_that_is_under_way(workspace: Workspace, hands: Hands, kind: str) -> None:
    two_ages(workspace, hands)
    with writing(workspace.sql) as connection:
        jobs.submit(connection, kind, {}, now=workspace.now())
    job = jobs.claim(workspace.sql, "here:1", workspace.now())
    assert job is not None
    before = workspace.lake.snapshot().number
    with pytest.raises(Conflict, match="正在进行"):
        delete_past(workspace, viewer_of(workspace), really=True)
    assert workspace.lake.snapshot().number == before
    assert delete_past(workspace, viewer_of(workspace)).deleted == 2, "a preview may be looked at"
    # A killed worker holds nobody up once its lease has ended.
    hands.at = TODAY + jobs.LEASE + timedelta(seconds=1)
    assert delete_past(workspace, viewer_of(workspace), really=True).deleted == 2


def test_a_load_meanwhile_is_not_lost(
    workspace: Workspace, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody publishes between the reading and the deletion: the deletion gives way, and says so in the log."""
    from qiaomen.jobs import retaining

    two_ages(workspace, hands)
    idle = retaining._require_idle

    def meanwhile(where: Workspace) -> None:
        idle(where)
        load(where, "companies_more.csv", ["丁有限公司,东街4号"])

    monkeypatch.setattr(retaining, "_require_idle", meanwhile)
    with pytest.raises(Conflict):
        delete_past(workspace, viewer_of(workspace), really=True)
    assert names_in(workspace) == {"甲有限公司", "乙有限公司", "丙有限公司", "丁有限公司"}
    assert len(audited(workspace, "change.retention_failed")) == 1


def test_a_source_declared_no_more_is_deleted_by_name_only(workspace: Workspace, hands: Hands) -> None:
    hands.at = TODAY
    load(workspace, "companies.csv", ["甲有限公司,东街1号"])
    with workspace.lake.stage() as stage:
        rows = stage.arrow(COMPANY_RECORDS)
        at = rows.column_names.index("source")
        gone = rows.set_column(at, rows.schema.field(at), pa.array(["former"] * rows.num_rows))
        stage.write(COMPANY_RECORDS, pa.concat_tables([rows, gone]))
        stage.publish(dict(stage.note))
    found = delete_past(workspace, viewer_of(workspace), really=True)
    assert (found.rows, found.generation) == ((), None)
    assert [(row.source, row.past_rows, row.retention_days) for row in found.undeclared] == [
        ("former", 1, None)
    ]
    done = delete_past(workspace, viewer_of(workspace), wanted=["former"], really=True)
    assert done.deleted == 1
    assert done.undeclared == ()
    assert workspace.lake.snapshot().arrow(COMPANY_RECORDS)["source"].to_pylist() == ["companies"]


def test_what_is_still_delivered_stays(workspace: Workspace, hands: Hands) -> None:
    load(workspace, "companies_2010.csv", ["甲有限公司,东街1号", "乙有限公司,东街2号"])
    hands.at = TODAY - timedelta(days=1)
    load(workspace, "companies_2026.csv", ["甲有限公司,东街1号"])
    hands.at = TODAY
    assert delete_past(workspace, viewer_of(workspace), really=True).rows == ()
    assert names_in(workspace) == {"甲有限公司", "乙有限公司"}
    hands.at = TODAY + DAYS + timedelta(days=2)
    assert delete_past(workspace, viewer_of(workspace), really=True).deleted == 2


def test_what_was_pushed_long_ago_loses_its_content(workspace: Workspace, hands: Hands) -> None:
    pusher = Viewer(None, "token:1", "平台", frozenset({Role.INTEGRATOR}), actions=frozenset({"push_events"}))
    event = {"name": "甲有限公司", "kind": "bid_won", "occurred_on": "2010-06-01", "title": "一"}
    load(workspace, "companies.csv", ["甲有限公司,东街1号"])
    receive_pushed(
        workspace, pusher, "s", "opportunities", [("e1", 1, event), ("e1", 2, event | {"title": "二"})]
    )
    hands.at = TODAY
    assert delete_past(workspace, viewer_of(workspace)).messages == 1, "what no run has taken yet stays"
    run_all(workspace, None, silent)
    hands.at = TODAY + DAYS + timedelta(days=1)
    found = delete_past(workspace, viewer_of(workspace), really=True)
    assert found.messages == 2
    with reading(workspace.sql) as connection:
        bodies = connection.execute(sa.text("SELECT body FROM inbound_messages")).scalars().all()
    assert [str(body) for body in bodies] == ["{}", "{}"]
    again = receive_pushed(workspace, pusher, "s", "opportunities", [("e1", 2, event | {"title": "二"})])
    assert again.repeated == 1, "a repeated one is still known"
    assert delete_past(workspace, viewer_of(workspace)).messages == 0


def test_uploads_lose_the_values_before(workspace: Workspace, hands: Hands) -> None:
    load(workspace, "companies.csv", ["甲有限公司,东街1号"])
    with workspace.lake.stage() as stage:
        (old,) = set(stage.arrow(LOADS)["load_id"].to_pylist())
        change = {"load_id": old, "applied_at": FIRST, "source": "companies", "record_key": "k",
                  "action": "insert", "before": None, "after": "{}"}  # fmt: skip
        stage.write(UPLOAD_CHANGES, pa.Table.from_pylist([change], schema=UPLOAD_CHANGES.schema))
        stage.publish(dict(stage.note))
    hands.at = TODAY
    done = delete_past(workspace, viewer_of(workspace), really=True)
    assert {row.table for row in done.rows} == {"company_records", "upload_changes"}
    assert workspace.lake.snapshot().rows("upload_changes") == 0


def test_who_may_and_what_is_unknown(workspace: Workspace, hands: Hands) -> None:
    two_ages(workspace, hands)
    with pytest.raises(NotAllowed):
        delete_past(workspace, ROLELESS, really=True)
    with pytest.raises(InputRejected, match="没有来源“compani”"):
        delete_past(workspace, viewer_of(workspace), wanted=["compani"], really=True)


@pytest.mark.parametrize("seed", range(6))
def test_any_history_of_loads(workspace: Workspace, hands: Hands, seed: int) -> None:
    """What stays is what the last load that changed a row brought within the time allowed, whatever came between."""
    draw = random.Random(seed)
    touched: dict[str, tuple[str, date]] = {}
    changes: list[date] = []
    seen: list[date] = []
    day = date(2005, 1, 1)
    for number in range(8):
        day += timedelta(days=draw.randrange(1, 1500))
        hands.at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=3)
        lines = {f"企业{draw.randrange(12)}有限公司": f"东街{draw.randrange(3)}号" for _ in range(6)}
        load(workspace, f"companies_{number}.csv", [f"{name},{place}" for name, place in lines.items()])
        seen += [day] if any(name in touched and touched[name][0] == lines[name] for name in lines) else []
        for name, place in lines.items():
            if name not in touched or touched[name][0] != place:
                changes += [day] if name in touched else []
                touched[name] = (place, day)
    hands.at += timedelta(days=draw.randrange(0, 2500))
    limit = hands.at.date() - DAYS
    # Where a file within the time allowed brought a row unchanged, which one is not kept: none may go.
    kept = {name for name, (_, last) in touched.items() if last >= limit or (seen and max(seen) >= limit)}
    done = delete_past(workspace, viewer_of(workspace), really=True)
    deleted = {row.table: row.past_rows for row in done.rows}
    expected = {
        "company_records": len(touched) - len(kept),
        "company_changes": sum(1 for changed in changes if changed < limit),
    }
    assert deleted == {table: rows for table, rows in expected.items() if rows}
    assert names_in(workspace) == kept
