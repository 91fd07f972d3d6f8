"""Outbound messages against a receiver that refuses, breaks off, stalls and asks for pauses."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from qiaomen.bank import create_user, verify_audit, viewer_by_login
from qiaomen.connectors import (
    DROP,
    KEY_HEADER,
    SIGNATURE_HEADER,
    STALL,
    TIME_HEADER,
    EgressPolicy,
    PushSettings,
    Receiver,
    deliver_outbox,
    discard_messages,
    load_delivery_rules,
    outbox_counts,
    outbox_entries,
    requeue_messages,
    verify_signature,
)
from qiaomen.connectors.rules import again_at
from qiaomen.connectors.webhooks import post_webhook
from qiaomen.store import METADATA, open_sql, outbox, reading, writing
from qiaomen.vocab import InputRejected, NotAllowed, NotFound, Role, Unavailable

NOW = datetime(2025, 6, 30, 1, tzinfo=UTC)
SECRET = "a-secret-of-the-tests"
LOCAL = EgressPolicy(("127.0.0.1",), networks=("127.0.0.1",))
RULES = load_delivery_rules()


def push(url: str, **more: Any) -> PushSettings:
    return PushSettings(
        **({"policy": LOCAL, "webhook_url": url, "webhook_secret": SECRET, "timeout_s": 2.0} | more)
    )


def put(sql: sa.Engine, task: int, version: int) -> None:
    with writing(sql) as connection:
        outbox.enqueue(
            connection, "task.changed", f"{task}:{version}", {"task_id": task, "version": version},
            order_key=f"task_id:{task}", now=NOW,
        )  # fmt: skip


def states(sql: sa.Engine) -> dict[str, int]:
    with reading(sql) as connection:
        return outbox.counts(connection)


def keys(receiver: Receiver) -> list[str]:
    return [json.loads(request.body)["key"] for request in receiver.requests]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("outbound") / "template.db"
    sql = open_sql(f"sqlite:///{path}")
    with writing(sql) as connection:
        METADATA.create_all(connection)
    sql.dispose()
    return path


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([200, 200, 500, 404, 429, DROP]), max_size=12),
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=8, unique=True),
    st.integers(0, 2),
)
def test_everything_arrives_in_order_under_its_key_whatever_the_receiver_does(
    template: Path, statuses: list[int], changes: list[tuple[int, int]], dying: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, Receiver(statuses=(*statuses, 200)) as receiver:
        sql = open_sql(f"sqlite:///{shutil.copy(template, Path(folder) / 'q.db')}")
        for task, version in changes:
            put(sql, task, version)
        now = NOW
        for number in range(dying):
            # A worker that dies after it sent, before it could note so.
            for message in outbox.claim(sql, f"dying{number}", now, 1):
                with contextlib.suppress(Unavailable):
                    post_webhook(receiver.url, [SECRET], message, policy=LOCAL, now=now)
            now += timedelta(minutes=3)
        for _ in range(40):
            deliver_outbox(sql, push(receiver.url), now)
            now += timedelta(minutes=30)
        sql_states = states(sql)
        bodies: dict[str, set[bytes]] = {}
        for request in receiver.requests:
            bodies.setdefault(request.headers[KEY_HEADER.lower()], set()).add(request.body)
        firsts = list(dict.fromkeys(keys(receiver)))
        sql.dispose()
    assert sql_states == {"done": len(changes)}
    assert all(len(each) == 1 for each in bodies.values()), "the same key, the same bytes"
    assert len(bodies) == len(changes)
    for wanted in {task for task, _ in changes}:
        sent = [f"{task}:{version}" for task, version in changes if task == wanted]
        assert [key for key in firsts if key.startswith(f"{wanted}:")] == sent


def test_a_receiver_that_breaks_off_or_stalls_gets_it_again(sql: sa.Engine) -> None:
    put(sql, 7, 2)
    with Receiver(statuses=(DROP, STALL, 200)) as receiver:
        where = push(receiver.url, timeout_s=0.3)
        outcomes = [deliver_outbox(sql, where, NOW + timedelta(hours=hour)) for hour in range(4)]
    assert [(each["failed"], each["sent"]) for each in outcomes] == [(1, 0), (1, 0), (0, 1), (0, 0)]
    assert keys(receiver) == ["7:2"] * 3


def test_both_keys_sign_while_they_change(sql: sa.Engine) -> None:
    put(sql, 7, 2)
    old = "the-key-of-last-month"
    with Receiver() as receiver:
        deliver_outbox(sql, push(receiver.url, webhook_secret_previous=old), NOW)
    (request,) = receiver.requests
    stamp, signature = (request.headers[name.lower()] for name in (TIME_HEADER, SIGNATURE_HEADER))
    for secret in (SECRET, old):
        verify_signature([secret], stamp, request.body, signature, NOW)
    with pytest.raises(NotAllowed):
        verify_signature(["a-key-of-somebody-else"], stamp, request.body, signature, NOW)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_pause_that_is_asked_for_is_kept_for_the_whole_endpoint(
    sql: sa.Engine, status: int, form: str
) -> None:
    for task in (1, 2, 3):
        put(sql, task, 1)
    until = NOW + timedelta(minutes=90)
    with Receiver(statuses=(status, 200)) as receiver:
        receiver.retry_after = "5400" if form == "seconds" else format_datetime(until, usegmt=True)
        where = push(receiver.url)
        first = deliver_outbox(sql, where, NOW)
        early = deliver_outbox(sql, where, NOW + timedelta(minutes=80))
        after = deliver_outbox(sql, where, NOW + timedelta(minutes=100))
    assert (first["waiting"], first["sent"], early["sent"], after["sent"]) == (3, 0, 0, 3)
    assert keys(receiver)[0] == keys(receiver)[1] == "1:1"
    with reading(sql) as connection:
        attempts = connection.execute(sa.text("SELECT max(attempts) FROM outbox")).scalar_one()
    assert attempts == 1, "a pause asked for is no failed attempt"


@pytest.mark.parametrize("text", ["soon", "-5", "", "1e9", "Mon, 99 Foo", "９"])
def test_nonsense_for_a_pause_is_a_short_one(sql: sa.Engine, text: str) -> None:
    put(sql, 1, 1)
    with Receiver(statuses=(429, 200)) as receiver:
        receiver.retry_after = text if text.isascii() else ""
        assert deliver_outbox(sql, push(receiver.url), NOW)["waiting"] == 1
        assert deliver_outbox(sql, push(receiver.url), NOW + timedelta(hours=1))["sent"] == 1


def test_an_endpoint_that_fails_in_a_row_rests_and_is_tried_with_one_message(sql: sa.Engine) -> None:
    rule = RULES["default"]
    for task in range(20):
        put(sql, task, 1)
    with Receiver(statuses=[500] * (rule.open_after + 1) + [200]) as receiver:
        where = push(receiver.url)
        counts = deliver_outbox(sql, where, NOW)
        assert (counts["failed"], counts["waiting"]) == (rule.open_after, 20 - rule.open_after)
        assert len(receiver.requests) == rule.open_after
        rested = NOW + timedelta(seconds=rule.rest_s + 30)
        counts = deliver_outbox(sql, where, rested)
        assert (counts["failed"], counts["sent"]) == (1, 0), "one on trial"
        assert deliver_outbox(sql, where, rested + timedelta(seconds=rule.rest_s))["sent"] == 0, (
            "twice as long"
        )
        counts = deliver_outbox(sql, where, rested + timedelta(hours=1))
        assert counts["failed"] == 0
        deliver_outbox(sql, where, rested + timedelta(hours=2))
    assert states(sql) == {"done": 20}
    with reading(sql) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM delivery_endpoints")).scalar_one() == 0


def test_what_is_too_old_is_not_sent_any_more(sql: sa.Engine) -> None:
    put(sql, 1, 1)
    with Receiver() as receiver:
        late = NOW + timedelta(hours=RULES["default"].give_up_hours + 1)
        assert deliver_outbox(sql, push(receiver.url), late)["dead"] == 1
    assert receiver.requests == []


def test_dead_letters_are_listed_requeued_and_discarded(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        create_user(connection, "ops", "运维", role=Role.ADMINISTRATOR, now=NOW)
        create_user(connection, "api", "接口", role=Role.INTEGRATOR, now=NOW)
        operator, other = viewer_by_login(connection, "ops", NOW), viewer_by_login(connection, "api", NOW)
    put(sql, 1, 1)
    put(sql, 1, 2)
    put(sql, 2, 1)
    late = NOW + timedelta(hours=100)
    with Receiver() as receiver:
        where = push(receiver.url)
        assert deliver_outbox(sql, where, late)["dead"] == 2
        with reading(sql) as connection:
            first, second = outbox_entries(operator, connection)
            assert (first.key, second.key, first.state) == ("1:1", "2:1", "dead")
            assert "未送达" in str(first.error)
            assert outbox_counts(operator, connection) == {"dead": 2, "waiting": 1}
            with pytest.raises(NotAllowed):
                outbox_entries(other, connection)
            with pytest.raises(InputRejected):
                outbox_entries(operator, connection, ["lost"])
        for wrong, error in (([first.message_id, 999], NotFound), ([], InputRejected)):
            with pytest.raises(error), writing(sql) as connection:
                requeue_messages(operator, connection, wrong, now=late)
        assert states(sql) == {"dead": 2, "waiting": 1}
        fresh = push(
            receiver.url, rules={"default": RULES["default"].model_copy(update={"give_up_hours": 1000})}
        )
        with writing(sql) as connection:
            assert requeue_messages(operator, connection, [first.message_id], now=late) == [first.message_id]
            assert discard_messages(operator, connection, [second.message_id], now=late) == [
                second.message_id
            ]
        deliver_outbox(sql, fresh, late)
    assert keys(receiver) == ["1:1", "1:2"]
    assert states(sql) == {"discarded": 1, "done": 2}
    with reading(sql) as connection:
        actions = connection.execute(
            sa.text("SELECT action FROM audit_log WHERE action LIKE 'outbox%'")
        ).scalars()
        assert sorted(actions) == ["outbox.discard", "outbox.requeue"]
        assert verify_audit(connection).broken_at is None


@given(st.integers(1, 30), st.text(min_size=1, max_size=20))
def test_waits_grow_within_their_bounds_and_do_not_change_on_restart(attempts: int, key: str) -> None:
    rule = RULES["default"]
    message = outbox.Message(1, "task.changed", key, {}, attempts, "w", None, NOW, NOW)
    again = again_at(rule, message, NOW)
    assert again == again_at(rule, message, NOW)
    if attempts >= rule.attempts:
        assert again is None
        return
    assert again is not None
    longest = min(rule.first_wait_s * rule.factor ** (attempts - 1), rule.longest_wait_s)
    assert longest * (1 - rule.jitter) <= (again - NOW).total_seconds() <= longest


def test_messages_wait_differently_long() -> None:
    rule = RULES["default"]
    waits = {
        again_at(rule, outbox.Message(n, "task.changed", f"{n}:1", {}, 1, "w", None, NOW, NOW), NOW)
        for n in range(50)
    }
    assert len(waits) == 50
