"""Pushed records: whatever order, repeats and takings between, the lake ends with the highest state of each event, once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qiaomen.bank import Viewer
from qiaomen.customers import OUTCOME_RECORDS
from qiaomen.jobs import Workspace, init_workspace, receive_pushed
from qiaomen.jobs.pushed import take_pushed, waits
from qiaomen.jobs.run_record import begin_run
from qiaomen.opportunities import OPPORTUNITY_RECORDS
from qiaomen.store import jobs, migrate, open_sql, writing
from qiaomen.vocab import NotAllowed, NotFound, Role

PUSHER = Viewer(
    None,
    "token:1",
    "事件平台",
    frozenset({Role.INTEGRATOR}),
    whole_bank=True,
    actions=frozenset({"push_events"}),
)
SENDERS = itertools.count()


def record(title: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "上海澜微科技有限公司",
        "kind": "bid_won",
        "occurred_on": "2026-06-01",
        "title": title,
    } | more


@pytest.fixture
def place(sql_url: str, tmp_path: Path) -> Iterator[tuple[Workspace, jobs.Job]]:
    """An empty workspace on either engine, and the run that holds the lease."""
    engine = open_sql(sql_url)
    migrate(engine)
    engine.dispose()
    workspace = init_workspace(tmp_path / "workspace", {"database_url": sql_url})
    yield workspace, begin_run(workspace, date(2026, 6, 30))
    workspace.sql.dispose()


def outcome(mark: str) -> dict[str, Any]:
    return {
        "name": "上海澜微科技有限公司",
        "product": "kqd",
        "contacted_on": "2026-06-01",
        "responded": mark.endswith("2"),
        "staff_no": mark,
    }


# Each channel's table, the column that carries the mark of a message, and a record with that mark.
CHANNELS = {
    "opportunities": (OPPORTUNITY_RECORDS, "title", record),
    "outcomes": (OUTCOME_RECORDS, "staff_no", outcome),
}


def titles(workspace: Workspace, sender: str, channel: str = "opportunities") -> list[tuple[str, str]]:
    table, column, _ = CHANNELS[channel]
    rows = workspace.lake.snapshot().arrow(table).to_pylist()
    return sorted((row["record_key"], row[column]) for row in rows if sender in row["record_key"])


MESSAGES = st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3)), min_size=1, max_size=5, unique=True)


@pytest.mark.parametrize("channel", sorted(CHANNELS))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=MESSAGES, data=st.data())
def test_any_order_ends_in_the_highest_state(
    place: tuple[Workspace, jobs.Job], channel: str, sent: list[tuple[str, int]], data: st.DataObject
) -> None:
    (workspace, job), make = place, CHANNELS[channel][2]
    sender = f"sender{next(SENDERS):04d}"
    come = data.draw(st.permutations([*sent, *data.draw(st.lists(st.sampled_from(sent), max_size=3))]))
    for number, sequence in come:
        done = receive_pushed(
            workspace, PUSHER, sender, channel, [(number, sequence, make(f"{number}{sequence}"))]
        )
        assert not done.refused
        if data.draw(st.integers(0, 2)) == 0:
            take_pushed(workspace, job)
    take_pushed(workspace, job)
    assert not waits(workspace)
    highest = {number: max(place for one, place in sent if one == number) for number, _ in sent}
    assert [title for _, title in titles(workspace, sender, channel)] == [
        f"{n}{highest[n]}" for n in sorted(highest)
    ]


def test_a_run_stopped_before_it_noted_takes_again_and_changes_nothing(
    place: tuple[Workspace, jobs.Job],
) -> None:
    workspace, job = place
    receive_pushed(
        workspace, PUSHER, "s", "opportunities", [("e1", 1, record("一")), ("e2", 1, record("二"))]
    )
    assert take_pushed(workspace, job) == 2
    before = titles(workspace, "s")
    assert len(before) == 2
    with writing(workspace.sql) as connection:
        connection.execute(sa.text("UPDATE inbound_messages SET taken_at = NULL"))
    assert waits(workspace)
    number = workspace.lake.snapshot().number
    assert take_pushed(workspace, job) == 2
    assert titles(workspace, "s") == before
    assert workspace.lake.snapshot().number == number, (
        "what was published before the stop is not published again"
    )
    assert take_pushed(workspace, job) == 0


def test_each_row_says_what_is_wrong_with_it(place: tuple[Workspace, jobs.Job]) -> None:
    workspace, job = place
    done = receive_pushed(workspace, PUSHER, "s", "opportunities", [
        ("good", 1, record("好", text="第一行\n第二行")),
        ("no-kind", 1, {"name": "某企业", "occurred_on": "2026-06-01"}),
        ("bad-day", 1, record("坏", occurred_on="2026-02-30")),
        ("odd", 1, record("怪", colour="red")),
        ("sign", 1, record("\x00")),
        ("last", 1, record("末")),
    ])  # fmt: skip
    assert (done.accepted, done.repeated, done.superseded) == (2, 0, 0)
    assert [(one.row, one.event_no) for one in done.refused] == [
        (2, "no-kind"),
        (3, "bad-day"),
        (4, "odd"),
        (5, "sign"),
    ]
    reasons = [one.reason for one in done.refused]
    assert "kind" in reasons[0]
    assert "occurred_on" in reasons[1]
    assert "不认识的字段" in reasons[2]
    assert take_pushed(workspace, job) == 2
    assert [title for _, title in titles(workspace, "s")] == ["好", "末"]
    other = receive_pushed(workspace, PUSHER, "s", "opportunities", [("good", 1, record("另一内容"))])
    assert "另一内容" in other.refused[0].reason
    assert receive_pushed(workspace, PUSHER, "s", "opportunities", [("last", 1, record("末"))]).repeated == 1


def test_who_may_not_push_and_what_is_no_channel(place: tuple[Workspace, jobs.Job]) -> None:
    workspace, _ = place
    from dataclasses import replace

    with pytest.raises(NotAllowed):
        receive_pushed(
            workspace,
            replace(PUSHER, actions=frozenset({"screen"})),
            "s",
            "opportunities",
            [("e", 1, record("x"))],
        )
    with pytest.raises(NotFound):
        receive_pushed(workspace, PUSHER, "s", "weather", [("e", 1, record("x"))])
    assert not waits(workspace)
