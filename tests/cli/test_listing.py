"""Lists of opportunities, tasks and rejects: filters, scope, wrong values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import call

pytestmark = pytest.mark.xdist_group("cli")


def opportunities(ready: Path, *arguments: object) -> Any:
    answer = call("opportunities", *arguments, "--json", "--limit", 10_000, workspace=ready)
    assert answer.code == 0, answer.err
    return answer.document


def test_filters_narrow(ready: Path) -> None:
    whole = opportunities(ready)
    kind = whole["opportunities"][0]
    for arguments, holds in (
        (("--kind", kind["kind"]), lambda row: row["kind"] == kind["kind"]),
        (("--kind", kind["kind_name"]), lambda row: row["kind"] == kind["kind"]),
        (("--grade", "high"), lambda row: row["grade"] == "high"),
        (("--grade", "高"), lambda row: row["grade"] == "high"),
        (("--status", "有效"), lambda row: row["status"] == "active"),
        (("--region", "310115"), lambda row: row["region_code"] == "310115"),
        (("--region", "31"), lambda row: row["region_code"].startswith("31")),
        (("--since", "2026-06-01"), lambda row: row["published_on"] >= "2026-06-01"),
        (("--customers",), lambda row: row["is_customer"]),
        (("--prospects",), lambda row: not row["is_customer"]),
        (("--company", kind["uscc"]), lambda row: row["company_id"] == kind["company_id"]),
        (("--text", kind["company"]), lambda row: row["company"] == kind["company"]),
    ):
        found = opportunities(ready, *arguments)
        assert 0 < found["items"] <= whole["items"], arguments
        assert found["items"] == len(found["opportunities"])
        assert all(holds(row) for row in found["opportunities"]), arguments
    both = opportunities(ready, "--customers")["items"] + opportunities(ready, "--prospects")["items"]
    assert both == whole["items"]


def test_in_bank_knowledge_stays_in_scope(ready: Path, people: Mapping[str, str]) -> None:
    whole = opportunities(ready)
    seen = opportunities(ready, "--as", people["manager"])
    own = {
        row["company_id"]
        for row in opportunities(ready, "--customers", "--as", people["manager"])["opportunities"]
    }
    assert own
    inside = [row for row in whole["opportunities"] if row["detector"] == "in_bank"]
    shown = [row for row in seen["opportunities"] if row["detector"] == "in_bank"]
    assert {row["company_id"] for row in shown} == {row["company_id"] for row in inside} & own
    assert seen["items"] == whole["items"] - len(inside) + len(shown)
    assert {row["company_id"] for row in seen["opportunities"] if row["is_customer"]} == own


def test_tasks_by_state_and_institution(ready: Path, people: Mapping[str, str]) -> None:
    whole = call("tasks", "--json", "--limit", 10_000, workspace=ready).document
    assert whole["items"] == len(whole["tasks"]) > 0
    priorities = [task["priority"] for task in whole["tasks"]]
    assert priorities == sorted(priorities, reverse=True)
    code = next(task["sub_branch_code"] for task in whole["tasks"] if task["sub_branch_code"])
    held = call("tasks", "--institution", code, "--json", workspace=ready).document
    assert {task["sub_branch_code"] for task in held["tasks"]} == {code}
    assert call("tasks", "--state", "landed，已结束", "--json", workspace=ready).document["items"] == 0
    own = call("tasks", "--as", people["manager"], "--json", workspace=ready).document
    assert own["items"] < whole["items"]
    assert call("tasks", "--as", people["administrator"], workspace=ready).code == 2


def test_a_signal_may_be_given_in_words(ready: Path) -> None:
    by_code = call("opportunities", "--signal", "credit", "--json", workspace=ready).document
    assert by_code["items"] > 0
    assert call("opportunities", "--signal", "授信", "--json", workspace=ready).document == by_code


@pytest.mark.parametrize(
    "arguments",
    [
        ("opportunities", "--grade", "hig"),
        ("opportunities", "--region", "999999"),
        ("opportunities", "--status", "activ"),
        ("opportunities", "--signal", "x"),
        ("opportunities", "--sort", "colour"),
        ("opportunities", "--since", "2026-13-01"),
        ("tasks", "--state", "done"),
        ("tasks", "--institution", "X99"),
        ("rejects", "--load", "L1"),
        ("reach", "1", "-k", "99"),
    ],
)
def test_wrong_values_are_refused_with_a_remedy(ready: Path, arguments: tuple[str, ...]) -> None:
    answer = call(*arguments, workspace=ready)
    assert (answer.code, answer.out) == (2, "")
    assert "处理办法" in answer.err
    assert "Traceback" not in answer.err


def test_rejects_name_file_line_column_and_reason(fresh: Path) -> None:
    (fresh / "inbox" / "companies.csv").write_text("uscc,name,founded_on\n,,2020-02-01\n", encoding="utf-8")
    strict = call("load", "--strict", workspace=fresh)
    assert strict.code == 2
    assert call("load", workspace=fresh).code == 0
    found = call("rejects", "--json", workspace=fresh).document
    assert found["total"] >= 1
    row = found["rejects"][0]
    assert (row["file"], row["line"]) == ("companies.csv", 2)
    assert row["reason"]
    assert call("rejects", "--load", row["load_id"], "--json", workspace=fresh).document["total"] >= 1


def test_tables_are_for_people(ready: Path) -> None:
    for arguments in (
        ("opportunities",),
        ("tasks",),
        ("rejects",),
        ("company", "1"),
        ("reach", "1"),
        ("screen", "customer"),
    ):
        answer = call(*arguments, workspace=ready)
        assert answer.code == 0, answer.err
        assert "┃" in answer.out
