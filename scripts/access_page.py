"""Writes the generated tables of docs/access.md from the policy itself: python scripts/access_page.py."""

from __future__ import annotations

from pathlib import Path

from qiaomen.bank import access_tables

PAGE = Path(__file__).parents[1] / "docs" / "access.md"
MARK = "<!-- generated -->"


def main() -> None:
    """Replace what stands after the mark."""
    head = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    PAGE.write_text(f"{head}{MARK}\n\n{access_tables()}", encoding="utf-8")


if __name__ == "__main__":
    main()
