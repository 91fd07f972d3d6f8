"""The documents say what the code says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from qiaomen.jobs import TABLES, data_model_page
from qiaomen.settings import Settings, settings_page

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(path.parent.name for path in (ROOT / "qiaomen").glob("*/__init__.py"))


def test_settings_page_is_current() -> None:
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == settings_page()


def test_data_model_page_is_current() -> None:
    assert (ROOT / "docs/data-model.md").read_text(encoding="utf-8") == data_model_page(TABLES.values())


def test_every_setting_is_described() -> None:
    assert all(field.description and "/" in field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize("folder", FOLDERS)
def test_architecture_names_every_folder(folder: str) -> None:
    assert f"`{folder}`" in (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS)
def test_face_has_a_docstring_and_a_complete_list(folder: str) -> None:
    tree = ast.parse((ROOT / "qiaomen" / folder / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module not in {"__future__", "typing"}
        for alias in node.names
    }
    listed: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets
        ):
            listed = set(ast.literal_eval(node.value))
    assert imported <= listed, f"not in __all__: {sorted(imported - listed)}"


@pytest.mark.parametrize(
    "page", [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda path: path.name
)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} → {target}"


def test_make_targets_named_in_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md"):
        for target in re.findall(r"make ([a-z-]+)", (ROOT / page).read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page}: make {target}"
