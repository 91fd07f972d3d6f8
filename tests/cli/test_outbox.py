"""``qiaomen outbox``: dead letters listed, sent again, given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qiaomen.jobs import Workspace
from qiaomen.store import outbox, writing
from tests.cli.conftest import call
from tests.cli.test_documents import check

pytestmark = pytest.mark.xdist_group("cli")


@pytest.fixture
def dead(empty: Path) -> tuple[Path, list[int]]:
    """Two dead messages about one task, and one that waits."""
    sql = Workspace(empty).sql
    now = datetime.now(UTC) - timedelta(hours=1)
    with writing(sql) as connection:
        for version in (1, 2, 3):
            outbox.enqueue(connection, "task.changed", f"7:{version}", {"name": "某公司"}, now=now)
    messages = outbox.claim(sql, "test", now, 2)
    for message in messages:
        outbox.fail(sql, message, "对方返回 500", now, None)
    return empty, [message.message_id for message in messages]


def test_dead_letters_are_listed_requeued_and_discarded(dead: tuple[Path, list[int]]) -> None:
    root, (first, second) = dead
    answer = call("outbox", "list", "--json", workspace=root)
    listed = check("outbox-list", answer)
    assert listed["counts"] == {"dead": 2, "waiting": 1}
    assert [row["message_id"] for row in listed["messages"]] == [first, second]
    assert "某公司" not in answer.out, "no content"
    assert "对方返回 500" in call("outbox", "list", workspace=root).out
    assert check("outbox-requeue", call("outbox", "requeue", first, "--json", workspace=root)) == {
        "requeued": [first]
    }
    assert check("outbox-discard", call("outbox", "discard", second, "--json", workspace=root)) == {
        "discarded": [second]
    }
    every = call("outbox", "list", "--state", "waiting,discarded", "--json", workspace=root)
    assert check("outbox-list", every)["counts"] == {"discarded": 1, "waiting": 2}
    assert len(every.document["messages"]) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("requeue", 999), "不是死信"),
        (("discard", 3), "不是死信"),
        (("list", "--state", "lost"), "不认识的状态"),
    ],
)
def test_what_is_not_there_is_refused(
    dead: tuple[Path, list[int]], arguments: tuple[object, ...], words: str
) -> None:
    answer = call("outbox", *arguments, workspace=dead[0])
    assert answer.code == 2
    assert words in answer.err
    assert "处理办法" in answer.err
