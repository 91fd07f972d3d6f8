"""Every ``--json`` document is one JSON document of the declared shape, errors too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.conftest import Answer, call

pytestmark = pytest.mark.xdist_group("cli")

DOCS = Path(__file__).parents[2] / "docs" / "cli"


def schema(name: str) -> Any:
    return json.loads((DOCS / f"{name}.json").read_text(encoding="utf-8"))


def check(name: str, answer: Answer) -> Any:
    document = answer.document
    jsonschema.Draft202012Validator(
        schema(name), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(document)
    return document


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.json")), ids=lambda path: path.stem)
def test_schemas_are_schemas(path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(path.stem))


def test_every_json_command_has_a_schema_and_no_other() -> None:
    from qiaomen.cli.commands import app
    from qiaomen.cli.reference import commands_of

    having = {
        name.replace(" ", "-")
        for name, command in commands_of(app).items()
        if any("--json" in parameter.opts for parameter in command.params)
    }
    assert {path.stem for path in DOCS.glob("*.json")} == having | {"error"}


def test_company_schema_is_that_of_the_profile() -> None:
    from qiaomen.reports import CompanyProfile

    declared = schema("company")
    made = CompanyProfile.model_json_schema(mode="serialization")
    assert {name: declared[name] for name in ("properties", "required", "$defs")} == {
        name: made[name] for name in ("properties", "required", "$defs")
    }


def test_reference_page_is_that_of_the_commands() -> None:
    from qiaomen.cli.commands import app
    from qiaomen.cli.reference import reference_page

    assert (DOCS / "README.md").read_text(encoding="utf-8") == reference_page(app)


def test_init(tmp_path: Path) -> None:
    document = check("init", call("init", "--json", workspace=tmp_path / "new"))
    assert document["files"] == {}


def test_load(fresh: Path) -> None:
    answer = call("load", "--json", workspace=fresh)
    totals = check("load", answer)["totals"]
    assert answer.code == 0
    assert totals["inserted"] == totals["updated"] == 0
    assert totals["read"] == totals["unchanged"] + totals["repeated"] + totals["rejected"]


def test_run_says_that_nothing_changed(ready: Path) -> None:
    answer = call("run", "--json", workspace=ready)
    document = check("run", answer)
    assert document["repeated"]
    assert document["counts"]["tasks"]


def test_screen(ready: Path) -> None:
    document = check("screen", call("screen", "customer | tag:high_tech", "--json", workspace=ready))
    assert document["listed"] == len(document["companies"]) == 50
    assert document["total"] > 50
    assert document["customers"] > 0


def test_company_and_reach(ready: Path) -> None:
    found = call("screen", "!customer & hops<=2", "--json", "--limit", 1, workspace=ready).document
    number = found["companies"][0]["company_id"]
    profile = check("company", call("company", number, "--json", workspace=ready))
    assert profile["head"]["company_id"] == number
    paths = check("reach", call("reach", number, "-k", 3, "--json", workspace=ready))["paths"]
    assert paths
    assert all(path["wording"] for path in paths)
    assert [path["warmth"] for path in paths] == sorted((path["warmth"] for path in paths), reverse=True)
    diverse = check("reach", call("reach", number, "--diverse", "--json", workspace=ready))
    assert diverse["mode"] == "diverse"


def test_company_is_found_by_code_number_and_name(ready: Path) -> None:
    listed = call("screen", "!customer", "--json", "--limit", 1, workspace=ready).document["companies"][0]
    for key in (listed["uscc"], listed["company_id"], listed["name"]):
        answer = call("company", key, "--json", workspace=ready)
        assert answer.document["head"]["uscc"] == listed["uscc"]


def test_opportunities_tasks_rejects(ready: Path) -> None:
    document = check("opportunities", call("opportunities", "--json", workspace=ready))
    assert document["items"] > document["firms"] > 0
    assert check("tasks", call("tasks", "--json", workspace=ready))["items"] > 0
    check("rejects", call("rejects", "--json", workspace=ready))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("screen", "tagg:x"), "input_rejected"),
        (("company", "没有这样的企业名称"), "not_found"),
        (("company", "上海"), "input_rejected"),
        (("tasks", "--as", "nobody"), "not_found"),
        (("opportunities", "--kind", "financingg"), "input_rejected"),
        (("screen",), "usage"),
        (("screen", "customer", "--limit", "0"), "usage"),
    ],
)
def test_errors_are_one_document_too(ready: Path, arguments: tuple[str, ...], code: str) -> None:
    answer = call(*arguments, "--json", workspace=ready)
    document = check("error", answer)
    assert answer.code == 2
    assert document["error"]["code"] == code
    assert document["error"]["remedy"]
    assert answer.err


def test_candidates_of_an_ambiguous_name(ready: Path) -> None:
    answer = call("company", "上海", "--json", workspace=ready)
    candidates = answer.document["error"]["candidates"]
    assert len(candidates) > 1
    assert all(item["name"] in answer.err for item in candidates)
