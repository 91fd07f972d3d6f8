"""The four walks: a company record, an opportunity, a customer list and a task, each from end to end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.compute as pc
import pytest
import sqlalchemy as sa

from qiaomen import (
    bank,
    chains,
    customers,
    dispatch,
    graph,
    membership,
    opportunities,
    parks,
    reach,
    registry,
    tags,
)
from qiaomen.jobs import customer_list_source, undo_customer_list
from qiaomen.jobs.tasking import sync_bank, write_tasks
from qiaomen.store import reading, writing
from qiaomen.vocab import Conflict, NotFound, Role, TaskState
from tests.walks.city import Demo, count, run_city, tasks_of
from tests.walks.newcomers import CODES, NODE, PARK, TITLE, Grown, grow

pytestmark = pytest.mark.xdist_group("walks")
NOW = datetime(2026, 6, 30, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def grown(city: Demo, tmp_path_factory: pytest.TempPathFactory) -> Grown:
    folder = tmp_path_factory.mktemp("grown")
    found = grow(city.copy(folder / "workspace"), folder / "new")
    run_city(found.demo)
    return found


def of(grown: Grown, table: Any, company: int) -> list[dict[str, Any]]:
    return [row for row in grown.demo.rows(table) if row["company_id"] == company]


def firms(grown: Grown) -> list[int]:
    numbers = grown.demo.companies()
    return [numbers[code] for code in CODES]


def index(grown: Grown) -> tuple[membership.Index, membership.Names]:
    snapshot = grown.demo.snapshot
    opened = membership.Index.open(snapshot.arrays("membership_index"))
    return opened, opened.names


# A company record


def test_bad_rows_are_refused_by_line_column_and_reason(grown: Grown) -> None:
    rejects = [row for row in grown.demo.rows(registry.REJECTS) if row["load_id"] == grown.load_id]
    found = {(row["file"], row["line"]): row for row in rejects}
    assert set(found) == {("companies_new.csv", 4), ("relations_new.csv", 5), ("relations_new.csv", 6)}
    assert found["relations_new.csv", 5]["column"] == "ratio"
    assert "同一个主体" in found["relations_new.csv", 6]["reason"]
    assert all(row["reason"] for row in rejects)


def test_a_company_record_reaches_chain_park_graph_tags_and_screening(grown: Grown) -> None:
    first = firms(grown)[0]
    nodes = {row["node_code"]: row for row in of(grown, chains.COMPANY_NODES, first)}
    assert "光刻胶" in nodes[NODE]["evidence"]
    residents = of(grown, parks.PARK_RESIDENTS, first)
    assert [row["basis"] for row in residents] == ["address"]
    assert PARK in residents[0]["evidence"]
    opened = graph.Graph.open(grown.demo.snapshot.arrays("graph"))
    person = next(
        row["person_id"] for row in grown.demo.rows(registry.PERSONS) if row["person_ref"].endswith(":NP1")
    )
    node, director = opened.company_nodes([first])[0], opened.person_nodes([person])[0]
    assert [edge.kind for edge in opened.edges_between(int(director), int(node))] == ["office"]
    assert of(grown, tags.COMPANY_TAGS, first)
    way = next(row for row in of(grown, reach.REACH, first))
    board = grown.demo.companies()[grown.director_of]
    assert (way["customer_id"], way["hops"], way["proven"]) == (board, 2, True)
    opened_index, names = index(grown)
    wanted = membership.parse(
        "chain:集成电路/上游 & region:310115 & capital_cny>=30000000 & !customer", names
    )
    assert first in opened_index.ids(wanted).tolist()


# An opportunity


def test_an_opportunity_becomes_a_task_with_a_message(grown: Grown) -> None:
    workspace = grown.demo.workspace
    with reading(workspace.sql) as connection:
        held = {row.company_id for row in connection.execute(sa.text("select company_id from controls"))}
    company = next(number for number in firms(grown) if number not in held)
    event = next(row for row in of(grown, opportunities.OPPORTUNITIES, company) if row["title"] == TITLE)
    assert (event["amount_cny"], event["status"], event["grade"] in {"high", "medium"}) == (
        8e6,
        "active",
        True,
    )
    signals = of(grown, opportunities.OPPORTUNITY_SIGNALS, company)
    assert {row["opportunity_id"] for row in signals} == {event["opportunity_id"]}
    leads = of(grown, dispatch.LEADS, company)
    leading = [row for row in leads if row["admitted"]]
    assert len(leading) == 1
    assert TITLE in leading[0]["why_now"]
    target = of(grown, dispatch.ALLOCATIONS, company)[0]
    assert (target["lead_id"], target["branch_code"]) == (leading[0]["lead_id"], "B01")
    viewer = governor(grown.demo)
    with reading(workspace.sql) as connection:
        page = dispatch.list_tasks(viewer, connection, dispatch.TaskFilter(company_id=company))
        task = page.tasks[0]
        history = dispatch.task_history(viewer, connection, task.task_id)
    assert page.items == 1
    assert task.state is TaskState.UNCLAIMED
    assert TITLE in task.why_now
    assert "董事" in task.who
    assert [row.event for row in history] == ["create"]
    assert count(workspace, "outbox", f"topic = 'task.created' and payload like '%{task.task_id},%'") == 1


def governor(demo: Demo) -> bank.Viewer:
    """Somebody who governs every unit and, unlike head office's analysts, reads persons."""
    with reading(demo.workspace.sql) as connection:
        units = frozenset(unit.institution_code for unit in bank.institutions_in_force(connection))
    return bank.Viewer(None, "governor", "", frozenset({Role.BRANCH_ADMIN}), homes=units, below=units)


def analyst(demo: Demo) -> bank.Viewer:
    with writing(demo.workspace.sql) as connection:
        return bank.local_analyst(connection, NOW)


def test_task_history_and_message_are_written_together_or_not_at_all(own_city: Demo) -> None:
    expected = tasks_of(own_city.workspace)
    (own_city.root / "operational.db").unlink()
    for extra in own_city.root.glob("operational.db-*"):
        extra.unlink()
    workspace = own_city.workspace
    sync_bank(workspace)
    refuse = "create trigger refuse before insert on outbox when new.key <> '' begin select raise(abort, 'disk full'); end"
    with writing(workspace.sql) as connection:
        connection.execute(sa.text(refuse))
    with pytest.raises(sa.exc.DatabaseError, match="disk full"):
        write_tasks(workspace)
    assert [
        count(workspace, table) for table in ("tasks", "task_history", "task_leads", "outbox", "controls")
    ] == [0] * 5
    with writing(workspace.sql) as connection:
        connection.execute(sa.text("drop trigger refuse"))
    write_tasks(workspace)
    assert tasks_of(workspace) == expected
    assert count(workspace, "outbox") == len(expected)
    write_tasks(workspace)
    assert tasks_of(workspace) == expected


# A customer list


def test_an_uploaded_list_is_checked_matched_and_joins_the_book(grown: Grown) -> None:
    rejects = [row for row in grown.demo.rows(registry.REJECTS) if row["load_id"] == grown.upload_id]
    assert [(row["line"], row["column"]) for row in rejects] == [(4, "户名")]
    matches = {row["customer_no"]: row for row in grown.demo.rows(customers.CUSTOMER_MATCHES)}
    first, second = matches["N00001"], matches["N00002"]
    assert (first["outcome"], first["company_id"]) == ("verified", grown.verified["company_id"])
    assert (second["outcome"], second["company_id"]) == ("ambiguous", None)
    shown = {row["company_id"] for row in json.loads(second["candidates"])}
    assert {row["company_id"] for row in grown.doubtful} <= shown
    book = {row["company_id"]: row for row in grown.demo.rows(customers.CUSTOMERS)}
    assert book[first["company_id"]]["customer_no"] == "N00001"
    assert not {row["company_id"] for row in grown.doubtful} & set(book)
    opened, names = index(grown)
    held = opened.ids(membership.parse("customer", names)).tolist()
    assert first["company_id"] in held
    assert set(held) <= set(book)


def test_an_upload_is_taken_back(grown: Grown, tmp_path: Any) -> None:
    demo = grown.demo.copy(tmp_path / "workspace")
    assert customer_list_source(demo.workspace).code == "customers"
    undone = undo_customer_list(demo.workspace, grown.upload_id)
    assert undone.removed == 2
    left = {row["customer_no"] for row in demo.rows(customers.CUSTOMER_RECORDS)}
    assert not left & {"N00001", "N00002"}
    with pytest.raises(NotFound):
        undo_customer_list(demo.workspace, grown.upload_id)


# A task


def test_a_task_goes_from_claim_to_landed_with_history_and_messages(own_city: Demo) -> None:
    sql = own_city.workspace.sql
    with writing(sql) as connection:
        bank.create_users_for_staff(connection, now=NOW)
    with reading(sql) as connection:
        row = connection.execute(
            sa.text(
                "select task_id, manager_no, branch_code from tasks where manager_no is not null order by task_id"
            )
        ).first()
        assert row is not None
        manager = bank.viewer_by_login(connection, row.manager_no, NOW)
        stranger = bank.viewer_by_login(connection, _elsewhere(own_city, row.branch_code), NOW)
        with pytest.raises(NotFound):
            dispatch.get_task(stranger, connection, row.task_id)
    messages = count(own_city.workspace, "outbox")
    with writing(sql) as connection:
        task = dispatch.claim(manager, connection, row.task_id, now=NOW)
    assert task.state is TaskState.FOLLOWING
    assert count(own_city.workspace, "outbox") == messages + 1
    steps = [
        (dispatch.TaskEvent.INTEND, None),
        (dispatch.TaskEvent.LAND, 500_000_000),
        (dispatch.TaskEvent.FINISH, None),
    ]
    for step, (event, amount) in enumerate(steps, start=1):
        at = NOW + timedelta(days=step)
        with pytest.raises(Conflict), writing(sql) as connection:
            dispatch.advance(
                manager, connection, task.task_id, event, expected_version=task.version + 1, now=at
            )
        with writing(sql) as connection:
            task = dispatch.advance(
                manager,
                connection,
                task.task_id,
                event,
                expected_version=task.version,
                now=at,
                landed_amount_fen=amount,
            )
        assert count(own_city.workspace, "outbox") == messages + 1 + step
    assert task.state is TaskState.CLOSED
    with reading(sql) as connection:
        history = dispatch.task_history(manager, connection, task.task_id)
    assert [item.event for item in history] == ["create", "claim", "intend", "land", "finish"]
    assert [item.to_state for item in history] == ["unclaimed", "following", "intended", "landed", "closed"]


def _elsewhere(demo: Demo, branch: str) -> str:
    """Return a manager of another branch."""
    units = {row["institution_code"]: row["parent_code"] for row in demo.rows(bank.INSTITUTION_RECORDS)}
    return next(
        row["staff_no"]
        for row in demo.rows(bank.STAFF_RECORDS)
        if row["role"] == "manager" and units[row["institution_code"]] != branch
    )


def test_a_step_that_fails_midway_leaves_task_history_and_outbox_as_they_were(own_city: Demo) -> None:
    sql = own_city.workspace.sql
    with writing(sql) as connection:
        bank.create_users_for_staff(connection, now=NOW)
    with reading(sql) as connection:
        row = connection.execute(
            sa.text("select task_id, manager_no from tasks where manager_no is not null")
        ).first()
        assert row is not None
        manager = bank.viewer_by_login(connection, row.manager_no, NOW)
    before = tasks_of(own_city.workspace), count(own_city.workspace, "outbox")
    with writing(sql) as connection:
        connection.execute(
            sa.text(
                "create trigger refuse before insert on outbox begin select raise(abort, 'disk full'); end"
            )
        )
    with pytest.raises(sa.exc.DatabaseError, match="disk full"), writing(sql) as connection:
        dispatch.claim(manager, connection, row.task_id, now=NOW)
    assert (tasks_of(own_city.workspace), count(own_city.workspace, "outbox")) == before


def test_what_was_there_before_stays(grown: Grown, city: Demo) -> None:
    before, after = city.companies(), grown.demo.companies()
    assert {code: after[code] for code in before} == before
    assert len(after) == len(before) + len(CODES)
    was, now = tasks_of(city.workspace), tasks_of(grown.demo.workspace)
    assert {row[0] for row in was} <= {row[0] for row in now}
    events = grown.demo.snapshot.arrow(opportunities.OPPORTUNITIES)
    assert pc.count_distinct(events["opportunity_id"]).as_py() == events.num_rows
