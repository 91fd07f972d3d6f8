"""Why and why not: the explanation agrees with the application and shows the source rows."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import pyarrow as pa
import pytest

from qiaomen.tags import load_tags, why
from qiaomen.tags.examples import EXAMPLES_AS_OF, example_tables
from qiaomen.tags.rules import usable_tables
from qiaomen.vocab import NotFound

# One tag of each kind of rule and of each way in which a rule may fail.
CHOSEN = (
    "high_tech",
    "integrated_circuit",
    "many_subsidiaries",
    "penalised_repeatedly",
    "equity_financed_large",
    "size_micro",
    "shell_suspected",
    "inclusive_small",
    "capital_over_100m",
    "park_resident",
    "dishonest",
    "buyer_concentrated",
)


def _tables(given: dict[str, pa.Table]) -> dict[str, Any]:
    return {name: ibis.memtable(table) for name, table in given.items()}


def test_the_explanation_agrees_with_every_example() -> None:
    tags = load_tags()
    given, expected = example_tables({code: tags[code] for code in CHOSEN})
    tables = _tables(given)
    for number, code, carries in expected:
        explained = why(tags, code, tables, EXAMPLES_AS_OF, number)
        assert explained.carries is carries, code
        assert any(trial.holds for trial in explained.trials) is carries, code
        assert all(trial.asks and trial.found for trial in explained.trials), code
        assert bool(explained.evidence) is carries


def test_why_not_names_what_is_wrong_with_the_record() -> None:
    tags = load_tags()
    record = {"company_id": 5, "list_code": "高新技术企业", "since": date(2020, 1, 1)}
    tables = _tables(
        {
            "list_tag_records": pa.Table.from_pylist(
                [record], schema=usable_tables()["list_tag_records"].schema
            )
        }
    )
    explained = why(tags, "high_tech", tables, EXAMPLES_AS_OF, 5)
    assert not explained.carries
    assert "超过3年有效期" in explained.trials[0].found
    assert explained.trials[0].rows[0]["company_id"] == 5
    assert "没有载入表 opportunities" in explained.trials[1].found


def test_an_unknown_tag_is_not_found() -> None:
    with pytest.raises(NotFound, match="没有标签"):
        why(load_tags(), "no_such_tag", {}, EXAMPLES_AS_OF, 1)
