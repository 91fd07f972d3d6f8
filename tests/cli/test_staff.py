"""``qiaomen staff`` from end to end on a small bank after a run."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from qiaomen.bank import today_of
from tests.cli.conftest import call
from tests.cli.test_documents import check

pytestmark = pytest.mark.xdist_group("cli")


@pytest.fixture
def own(ready: Path, tmp_path: Path) -> Path:
    root = tmp_path / "own"
    shutil.copytree(ready, root)
    return root


def staff_of(root: Path, user: str) -> dict[str, Any]:
    document: dict[str, Any] = check(
        "staff-list", call("staff", "list", "--as", user, "--json", workspace=root)
    )
    return {person["staff_no"]: person for person in document["staff"]}


def managers_at(root: Path, user: str, institution: str) -> list[str]:
    return [
        no
        for no, person in staff_of(root, user).items()
        if any(
            post["institution_code"] == institution and post["role"] == "manager" and post["in_force"]
            for post in person["posts"]
        )
    ]


def held(root: Path) -> Counter[str]:
    from qiaomen.customers import CUSTOMERS
    from qiaomen.jobs import Workspace

    return Counter(Workspace(root).lake.snapshot().arrow(CUSTOMERS)["manager_no"].to_pylist())


def test_posts_are_entered_and_ended(own: Path, people: dict[str, str]) -> None:
    admin, manager = people["administrator"], people["manager"].upper()
    person = staff_of(own, admin)[manager]
    place = next(
        post["institution_code"]
        for other in staff_of(own, admin).values()
        for post in other["posts"]
        if post["role"] == "manager" and post["institution_code"] != person["posts"][0]["institution_code"]
    )
    refused = call("staff", "add-post", manager, "客户经理", place, "--json", workspace=own)
    assert refused.code == 2
    assert refused.document["error"]["code"] == "not_allowed"
    made = check(
        "staff-add-post",
        call("staff", "add-post", manager, "客户经理", place, "--as", admin, "--json", workspace=own),
    )
    shown = check("staff-show", call("staff", "show", manager, "--as", admin, "--json", workspace=own))
    assert {post["institution_code"] for post in shown["person"]["posts"]} >= {place}
    check(
        "staff-end-post",
        call("staff", "end-post", made["post_id"], "--as", admin, "--json", workspace=own),
    )
    assert "人工" in call("staff", "show", manager, "--as", admin, workspace=own).out


def test_a_deputy_sees_the_principals_tasks(own: Path, people: dict[str, str]) -> None:
    admin, manager = people["administrator"], people["manager"].upper()
    home = staff_of(own, admin)[manager]["posts"][0]["institution_code"]
    colleague = next(no for no in managers_at(own, admin, home) if no != manager)
    day = str(today_of(datetime.now(UTC)))
    wanted = ("tasks", "--manager", manager, "--as", colleague, "--json")
    before = call(*wanted, workspace=own).document["items"]
    arguments = ("staff", "deputy", manager, colleague, "--since", day, "--until", day, "--reason", "休假")
    made = check("staff-deputy", call(*arguments, "--as", admin, "--json", workspace=own))
    listed = check("staff-list", call("staff", "list", "--as", admin, "--json", workspace=own))
    assert [row["deputy_no"] for row in listed["delegations"]] == [colleague]
    assert colleague in call("staff", "list", "--as", admin, workspace=own).out
    during = call(*wanted, workspace=own).document["items"]
    both = call("tasks", "--mine", "--as", colleague, "--json", workspace=own).document
    named = {row["manager_no"] for row in both["tasks"]}
    assert named == {manager, colleague}
    one = call("tasks", "--mine", "--manager", manager, "--as", colleague, "--json", workspace=own)
    assert one.document["items"] == during
    other = call("tasks", "--mine", "--manager", manager, "--as", admin, "--json", workspace=own)
    assert other.code != 0, "an administrator of the system sees no tasks"
    check(
        "staff-end-deputy",
        call("staff", "end-deputy", made["delegation_id"], "--as", admin, "--json", workspace=own),
    )
    after = call(*wanted, workspace=own).document["items"]
    assert before == after == 0
    assert (
        during
        == call("tasks", "--manager", manager, "--as", manager, "--json", workspace=own).document["items"]
        > 0
    )


def test_a_hand_over_is_previewed_made_and_shown(own: Path, people: dict[str, str]) -> None:
    manager = people["manager"].upper()
    admin = people["administrator"]
    home = staff_of(own, admin)[manager]["posts"][0]["institution_code"]
    colleague = next(no for no in managers_at(own, admin, home) if no != manager)
    before = held(own)
    assert before[manager] > 0
    seen = check(
        "staff-hand-over", call("staff", "hand-over", manager, "--to", colleague, "--json", workspace=own)
    )
    assert (seen["made"], seen["customers"]) == (False, before[manager])
    assert held(own) == before
    refused = call("staff", "hand-over", manager, "--to", colleague, "--yes", "--json", workspace=own)
    assert refused.document["error"]["code"] == "input_rejected"
    done = check(
        "staff-hand-over",
        call(
            "staff",
            "hand-over",
            manager,
            "--to",
            colleague,
            "--yes",
            "--reason",
            "调岗",
            "--json",
            workspace=own,
        ),
    )
    assert (done["made"], done["applied"], done["customers"]) == (True, True, seen["customers"])
    after = held(own)
    assert after[manager] == 0
    assert after[colleague] == before[colleague] + before[manager]
    shown = check("staff-show", call("staff", "show", manager, "--json", workspace=own))
    assert [row["reason"] for row in shown["hand_overs"]] == ["调岗"]
    assert "调岗" in call("staff", "show", manager, workspace=own).out


def test_a_hand_over_outlives_the_next_run(own: Path, people: dict[str, str]) -> None:
    manager, admin = people["manager"].upper(), people["administrator"]
    home = staff_of(own, admin)[manager]["posts"][0]["institution_code"]
    colleague = next(no for no in managers_at(own, admin, home) if no != manager)
    call("staff", "hand-over", manager, "--to", colleague, "--yes", "--reason", "离职", workspace=own)
    after = held(own)
    assert call("run", "--again", "--json", workspace=own).code == 0
    assert held(own) == after


def test_a_hand_over_during_a_run_is_brought_in_at_its_end(own: Path, people: dict[str, str]) -> None:
    from qiaomen.jobs import Workspace, publish_keepers
    from qiaomen.store import jobs, writing

    manager, admin = people["manager"].upper(), people["administrator"]
    home = staff_of(own, admin)[manager]["posts"][0]["institution_code"]
    colleague = next(no for no in managers_at(own, admin, home) if no != manager)
    workspace = Workspace(own)
    with writing(workspace.sql) as connection:
        jobs.submit(connection, "run", {}, key="run", by="test", now=datetime.now(UTC))
    job = jobs.claim(workspace.sql, "test", datetime.now(UTC), kinds=["run"])
    assert job is not None
    arguments = ("staff", "hand-over", manager, "--to", colleague, "--yes", "--reason", "离职", "--json")
    done = call(*arguments, workspace=own).document
    assert (done["made"], done["applied"]) == (True, False)
    assert held(own)[manager] == done["customers"] > 0
    jobs.finish(workspace.sql, job, datetime.now(UTC))
    assert publish_keepers(workspace)
    assert held(own)[manager] == 0
