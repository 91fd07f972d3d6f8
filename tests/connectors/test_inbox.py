"""Inbound messages: whatever is repeated, late or out of order, the state is that of the sequence in order, once."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.bank import Viewer, create_user, viewer_by_login
from qiaomen.connectors import (
    CrmReceipt,
    CrmUpdate,
    Inbound,
    accept_webhook,
    gaps,
    note_taken,
    receive_crm_update,
    receive_in_turn,
    receive_latest,
    sign,
    untaken,
)
from qiaomen.customers import CUSTOMERS
from qiaomen.dispatch import ALLOCATIONS, LEADS, create_tasks, task_words
from qiaomen.reach import INTRODUCTIONS
from qiaomen.store import METADATA, open_sql, reading, writing
from qiaomen.vocab import Conflict, InputRejected, NotAllowed, NotFound, Role, Table

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
SECRETS = ("a-new-secret-of-tests", "an-old-secret-of-tests")


def rows(table: Table, *given: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(given), schema=table.schema)


def bank(url: str) -> tuple[sa.Engine, Viewer, list[int]]:
    """Two unclaimed tasks, and the analyst on whose behalf the CRM speaks."""
    sql = open_sql(url)
    with writing(sql) as connection:
        METADATA.create_all(connection)
        create_user(connection, "crm", "客户关系系统", role=Role.ANALYST, now=NOW)
        leads = [
            {"lead_id": f"l{n}", "company_id": n, "origin": "opportunity", "product": "kqd", "is_customer": False,
             "priority": 1.0, "why_now": "中标", "admitted": True}
            for n in (1, 2)
        ]  # fmt: skip
        places = [
            {"lead_id": f"l{n}", "company_id": n, "rule": "region", "reason": "x", "hold_out": False, "rank": n,
             "manager_no": "M1"}
            for n in (1, 2)
        ]  # fmt: skip
        create_tasks(
            connection,
            rows(LEADS, *leads),
            rows(ALLOCATIONS, *places),
            words=task_words({}, {}),
            introductions=rows(INTRODUCTIONS),
            customers=rows(CUSTOMERS),
            generation=1,
            now=NOW,
        )
        connection.execute(sa.text("UPDATE tasks SET state = 'following', manager_no = 'M1'"))
        numbers = list(connection.execute(sa.text("SELECT task_id FROM tasks ORDER BY task_id")).scalars())
        return sql, viewer_by_login(connection, "crm", NOW), numbers


@pytest.fixture
def crm(sql_url: str) -> Any:
    sql, viewer, numbers = bank(sql_url)
    yield sql, viewer, numbers
    sql.dispose()


def send(sql: sa.Engine, viewer: Viewer, update: CrmUpdate, minutes: int = 0) -> CrmReceipt:
    with writing(sql) as connection:
        return receive_crm_update(viewer, connection, update, now=NOW + timedelta(minutes=minutes))


def state(sql: sa.Engine) -> dict[str, list[Any]]:
    """The state that must not depend on the order of arrival: everything but the times."""
    queries = {
        "tasks": "SELECT task_id, state, result, manager_no, version, landed_amount_fen FROM tasks ORDER BY 1",
        "history": "SELECT task_id, version, event, from_state, to_state, reason FROM task_history ORDER BY 1, 2",
        "outbox": "SELECT topic, key FROM outbox ORDER BY 1, 2",
        "positions": "SELECT object_key, position FROM inbound_positions ORDER BY 1",
        "messages": "SELECT message_key, state, receipt, error FROM inbound_messages ORDER BY 1",
    }
    with reading(sql) as connection:
        return {
            name: [tuple(row) for row in connection.execute(sa.text(query))]
            for name, query in queries.items()
        }


STEPS = st.sampled_from(["intend", "land", "finish", "lose", "return_to_pool", "withdraw", "claim", "reject"])
SEQUENCES = st.tuples(st.lists(STEPS, max_size=5), st.lists(STEPS, max_size=5))


def updates(numbers: Sequence[int], steps: tuple[list[str], list[str]]) -> list[CrmUpdate]:
    return [
        CrmUpdate(
            f"{number}-{place}", number, event, reason="CRM", sequence=place,
            landed_amount_fen=place * 100 if event == "land" else None,
        )
        for number, events in zip(numbers, steps, strict=True)
        for place, event in enumerate(events, 1)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inbox") / "template.db"
    sql, *_ = bank(f"sqlite:///{path}")
    sql.dispose()
    return path


@settings(max_examples=40, deadline=None)
@given(steps=SEQUENCES, data=st.data())
def test_repeated_late_and_shuffled_updates_end_in_the_same_state(
    template: Path, steps: tuple[list[str], list[str]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for name in ("straight", "shuffled"):
            path = shutil.copy(template, Path(folder) / f"{name}.db")
            sql = open_sql(f"sqlite:///{path}")
            with reading(sql) as connection:
                viewer = viewer_by_login(connection, "crm", NOW)
                numbers = list(connection.execute(sa.text("SELECT task_id FROM tasks ORDER BY 1")).scalars())
            sent = updates(numbers, steps)
            if name == "shuffled" and sent:
                again = data.draw(st.lists(st.sampled_from(sent), max_size=6))
                sent = data.draw(st.permutations([*sent, *again]))
            for minute, update in enumerate(sent):
                send(sql, viewer, update, minute)
            found.append(state(sql))
            sql.dispose()
    assert found[0] == found[1]
    assert all(row[1] in {"applied", "refused"} for row in found[1]["messages"]), "nothing waits at the end"


def test_an_early_update_waits_and_says_so(crm: tuple[sa.Engine, Viewer, list[int]]) -> None:
    sql, viewer, (number, _) = crm
    land = CrmUpdate("b", number, "land", landed_amount_fen=5, sequence=2)
    receipt = send(sql, viewer, land)
    assert (receipt.status, receipt.state, receipt.repeated) == ("waiting", None, False)
    assert send(sql, viewer, land).repeated
    with reading(sql) as connection:
        (gap,) = gaps(viewer, connection, before=NOW + timedelta(hours=1))
        assert (gap["position"], gap["reached"]) == (2, 0)
    assert send(sql, viewer, CrmUpdate("a", number, "intend", sequence=1)).state == "intended"
    receipt = send(sql, viewer, land)
    assert (receipt.status, receipt.state, receipt.repeated) == ("applied", "landed", True)
    with reading(sql) as connection:
        assert gaps(viewer, connection, before=NOW + timedelta(hours=1)) == []


def test_a_refused_update_lets_the_next_one_have_its_turn(crm: tuple[sa.Engine, Viewer, list[int]]) -> None:
    sql, viewer, (number, _) = crm
    receipt = send(sql, viewer, CrmUpdate("a", number, "finish", sequence=1))
    assert (receipt.status, receipt.state) == ("refused", None)
    assert "不能办结" in receipt.error
    assert send(sql, viewer, CrmUpdate("b", number, "land", sequence=2)).status == "applied"


@pytest.mark.parametrize(
    ("update", "error"),
    [
        (CrmUpdate("a", 0, "land", sequence=1), Conflict),
        (CrmUpdate("other", 0, "land", sequence=1), Conflict),
        (CrmUpdate("x", 0, "land", sequence=0), InputRejected),
        (CrmUpdate("x", 0, "land", sequence=2**63), InputRejected),
        (CrmUpdate("x", 999, "land", sequence=1), NotFound),
    ],
)
def test_a_wrong_place_or_key_is_refused(
    crm: tuple[sa.Engine, Viewer, list[int]], update: CrmUpdate, error: type[Exception]
) -> None:
    sql, viewer, (number, _) = crm
    send(sql, viewer, CrmUpdate("a", number, "intend", sequence=1))
    before = state(sql)
    with pytest.raises(error):
        send(
            sql,
            viewer,
            CrmUpdate(
                **{n: getattr(update, n) for n in update.__slots__} | {"task_id": update.task_id or number}
            ),
        )
    assert state(sql) == before


def test_an_error_that_is_no_refusal_undoes_the_whole(sql: sa.Engine) -> None:
    def broken(body: Mapping[str, Any]) -> Mapping[str, Any]:
        raise RuntimeError("disk")

    with pytest.raises(RuntimeError), writing(sql) as connection:
        receive_in_turn(connection, Inbound("s", "t", "o", 1, "k", {}), broken, now=NOW)
    with writing(sql) as connection:
        assert (
            receive_in_turn(connection, Inbound("s", "t", "o", 1, "k", {}), dict, now=NOW).state == "applied"
        )


def test_at_once_from_many_threads_all_are_carried_out_in_turn(sql: sa.Engine) -> None:
    done: list[int] = []

    def apply(body: Mapping[str, Any]) -> Mapping[str, Any]:
        done.append(body["n"])
        return {}

    def give(number: int) -> None:
        with writing(sql) as connection:
            receive_in_turn(
                connection, Inbound("s", "t", "o", number, f"k{number}", {"n": number}), apply, now=NOW
            )

    threads = [threading.Thread(target=give, args=(number,)) for number in range(12, 0, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == list(range(1, 13))


MESSAGES = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.integers(0, 9)),
    min_size=1,
    max_size=8,
    unique=True,
)


@settings(max_examples=40, deadline=None)
@given(given_messages=MESSAGES, data=st.data())
def test_of_whole_states_the_latest_counts_in_any_order(
    template: Path, given_messages: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    sent = [
        Inbound("s", "event", one, place, f"{one}{place}{value}", {"value": value})
        for one, place, value in given_messages
    ]
    shuffled = data.draw(st.permutations([*sent, *data.draw(st.lists(st.sampled_from(sent), max_size=5))]))
    query = sa.text("SELECT message_key, state FROM inbound_messages ORDER BY 1")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, messages in (("straight", sent), ("shuffled", shuffled)):
            sql = open_sql(f"sqlite:///{shutil.copy(template, Path(folder) / name)}")
            for minute, message in enumerate(messages):
                with writing(sql) as connection:
                    receive_latest(connection, message, now=NOW + timedelta(minutes=minute))
            with reading(sql) as connection:
                found.append(connection.execute(query).all())
            sql.dispose()
    assert found[0] == found[1]
    current = {key for key, one in found[1] if one == "current"}
    assert current == {
        max((m.position, m.message_key) for m in sent if m.object_key == one)[1]
        for one in {m.object_key for m in sent}
    }


def test_states_are_taken_over_once_safe(sql: sa.Engine) -> None:
    for place, value in ((2, "new"), (1, "old")):
        with writing(sql) as connection:
            receive_latest(connection, Inbound("s", "event", "e", place, value, {"v": value}), now=NOW)
    with writing(sql) as connection:
        ((source, key, body),) = untaken(connection, "event")
        assert (key, body) == ("new", {"v": "new"})
        assert untaken(connection, "event"), "again until it is noted"
        note_taken(connection, [(source, key)], NOW)
        assert untaken(connection, "event") == []
        receive_latest(connection, Inbound("s", "event", "e", 3, "newer", {}), now=NOW)
        assert [row[1] for row in untaken(connection, "event")] == ["newer"]


def signed(body: bytes, secret: str, moment: Any = NOW) -> dict[str, Any]:
    stamp = str(int(moment.timestamp()))
    return {"timestamp": stamp, "body": body, "signature": sign(secret, stamp, body)}


def accept(sql: sa.Engine, now: Any = NOW, **given: Any) -> None:
    with writing(sql) as connection:
        accept_webhook(connection, SECRETS, now=now, **given)


def test_a_signed_request_is_taken_once(sql: sa.Engine) -> None:
    accept(sql, **signed(b"one", SECRETS[0]))
    accept(sql, **signed(b"two", SECRETS[1]))
    both = signed(b"three", SECRETS[0])
    accept(sql, **both | {"signature": f"sha256=00, {both['signature']}"})
    for wrong in (
        signed(b"one", SECRETS[0]),
        signed(b"one", SECRETS[1]),
        both | {"signature": both["signature"] + ",sha256=1"},
        signed(b"four", "a-secret-of-somebody"),
        signed(b"four", SECRETS[0]) | {"body": b"five"},
        signed(b"four", SECRETS[0], NOW - timedelta(minutes=6)),
        signed(b"four", SECRETS[0], NOW + timedelta(minutes=6)),
        signed(b"four", SECRETS[0]) | {"signature": ""},
        signed(b"four", SECRETS[0]) | {"timestamp": "soon"},
    ):
        with pytest.raises(NotAllowed):
            accept(sql, **wrong)
    accept(sql, NOW + timedelta(minutes=1), **signed(b"one", SECRETS[0], NOW + timedelta(minutes=1)))


def test_a_signature_is_forgotten_only_after_its_window(sql: sa.Engine) -> None:
    early = signed(b"x", SECRETS[0], NOW + timedelta(minutes=5))
    accept(sql, **early)
    for minutes in (1, 5, 9, 10):
        with pytest.raises(NotAllowed):
            accept(sql, NOW + timedelta(minutes=minutes), **early)
    accept(sql, NOW + timedelta(hours=1), **signed(b"y", SECRETS[0], NOW + timedelta(hours=1)))
    with reading(sql) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM inbound_signatures")).scalar_one() == 1


@given(st.binary(max_size=60), st.sampled_from(SECRETS), st.binary(max_size=60))
def test_no_other_body_passes(body: bytes, secret: str, other: bytes) -> None:
    from qiaomen.connectors import verify_signature

    given_ = signed(body, secret)
    verify_signature(SECRETS, given_["timestamp"], body, given_["signature"], NOW)
    if other != body:
        with pytest.raises(NotAllowed):
            verify_signature(SECRETS, given_["timestamp"], other, given_["signature"], NOW)
