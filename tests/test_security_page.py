"""The table of security requirements: every id once, every status known, every named file there, the counts right."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| (\d+\.\d+\.\d+)(?: – (\d+\.\d+\.\d+))? \| ([12]) \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE
)
STATUSES = {"met", "partly", "not met", "not applicable"}


def ids(first: str, last: str | None) -> list[str]:
    if not last:
        return [first]
    section, start = first.rsplit(".", 1)
    assert last.rsplit(".", 1)[0] == section
    return [f"{section}.{number}" for number in range(int(start), int(last.rsplit(".", 1)[1]) + 1)]


def test_each_requirement_stands_once() -> None:
    found = [each for row in ROW.findall(PAGE) for each in ids(row[0], row[1])]
    assert len(found) == len(set(found))
    assert found == sorted(found, key=lambda each: [int(part) for part in each.split(".")])


def test_counts_are_those_of_the_table() -> None:
    counted = Counter(row[4] for row in ROW.findall(PAGE) for _ in ids(row[0], row[1]))
    assert set(counted) == STATUSES
    for status, number in counted.items():
        assert f"| {status} | {number} |" in PAGE
    assert f"| all of levels 1 and 2 | {counted.total()} |" in PAGE


def test_named_files_exist() -> None:
    named = set(re.findall(r"`((?:qiaomen|tests|docs)/[\w./]+|constraints\.txt)`", PAGE))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
