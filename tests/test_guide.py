"""The user guides in both languages name what is really there: labels of the interface, commands, numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qiaomen.registry import load_sources

ROOT = Path(__file__).parents[1]
GUIDES = ("docs/guide.md", "docs/guide.zh-CN.md")
READMES = ("README.md", "README.zh-CN.md")


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", GUIDES)
def test_labels_of_the_guide_stand_in_the_interface(page: str) -> None:
    web = ROOT / "qiaomen" / "web"
    shown = "".join(
        path.read_text(encoding="utf-8")
        for path in (*web.rglob("*.html"), *web.rglob("*.py"))
        if "vendor" not in path.parts
    )
    labels = set(re.findall("「([^」]+)」", read(page)))
    assert len(labels) > 20
    assert not {label for label in labels if label not in shown}


def test_both_guides_name_the_same_labels() -> None:
    first, second = (set(re.findall("「([^」]+)」", read(page))) for page in GUIDES)
    assert first == second


@pytest.mark.parametrize("page", [*GUIDES, *READMES])
def test_commands_of_the_pages_exist_with_their_options(page: str) -> None:
    reference = read("docs/cli/README.md")
    lines = re.findall(r"qiaomen --workspace bank ([^#\n`]+)", read(page))
    assert len(lines) >= 5
    for line in lines:
        words = line.split()
        name = " ".join(words[:2]) if words[0] == "users" else words[0]
        section = re.search(rf"^qiaomen {re.escape(name)}\b.*$", reference, re.MULTILINE)
        assert section, name
        for option in (word for word in words if word.startswith("--")):
            assert option in section[0], f"{name} {option}"


@pytest.mark.parametrize("page", READMES)
def test_the_readme_counts_the_sources_of_a_bank(page: str) -> None:
    own = sum(source.supplier == "银行自备" for source in load_sources().values())
    assert re.search(rf"{own} (?:canonical|种标准来源)", read(page))
