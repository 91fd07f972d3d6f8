"""The command line obeys the same masking: the local analyst reads no person and no telephone, the keeper does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.conftest import call

pytestmark = pytest.mark.xdist_group("cli")


def test_persons_and_telephones_of_a_customer(ready: Path, people: Mapping[str, str]) -> None:
    from qiaomen.customers import CUSTOMERS
    from qiaomen.jobs import Workspace
    from qiaomen.registry import COMPANIES, PERSONS, RELATIONS

    snapshot = Workspace(ready).lake.snapshot()
    firms = {row["company_id"]: row for row in snapshot.arrow(COMPANIES).to_pylist()}
    names = {row["person_id"]: row["name"] for row in snapshot.arrow(PERSONS).to_pylist()}
    own = [
        row["company_id"]
        for row in snapshot.arrow(CUSTOMERS).to_pylist()
        if (row["manager_no"] or "").lower() == people["manager"]
        and firms[row["company_id"]]["legal_representative"]
    ]
    officers = {
        row["to_id"]: names[row["from_id"]]
        for row in snapshot.arrow(RELATIONS).to_pylist()
        if row["from_type"] == "person" and row["to_type"] == "company" and row["from_id"] in names
    }
    number = next(company for company in own if company in officers)
    secrets = {officers[number], firms[number]["legal_representative"]}
    secrets |= {firms[number]["phone"]} - {None}
    for form in ((), ("--json",)):
        keeper = call("company", number, *form, "--as", people["manager"], workspace=ready)
        assert officers[number] in keeper.out
        analyst = call("company", number, *form, workspace=ready)
        assert analyst.code == 0
        assert not [secret for secret in secrets if secret in analyst.out]


def persons(workspace: Path, company_id: int, *more: str) -> set[str]:
    """Return the persons on the paths of a company as somebody sees them."""
    document = call("reach", company_id, "--json", *more, workspace=workspace).document
    nodes = (hop[end] for path in document["paths"] for hop in path["hops"] for end in ("start", "end"))
    return {node["name"] for node in nodes if node["type"] == "person"}


def test_persons_on_paths(ready: Path, people: Mapping[str, str]) -> None:
    found = call("screen", "!customer & hops<=2", "--json", "--limit", 20, workspace=ready).document
    seen = 0
    for row in found["companies"]:
        clear = persons(ready, row["company_id"], "--as", people["manager"])
        masked = persons(ready, row["company_id"])
        assert all("*" in name for name in masked)
        assert not any("*" in name for name in clear)
        seen += len(clear)
    assert seen
