"""Writes the migration script that takes the operational store to the tables declared now: review it, then commit.

python scripts/new_migration.py NAME "What changes, in one line"
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import qiaomen
from qiaomen.store import METADATA, migrate, open_sql, write_revision


def declare_everything() -> None:
    """Import every module that declares a table on METADATA."""
    root = Path(qiaomen.__file__).parent
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        if "migrations" not in parts and "METADATA," in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(parts).removesuffix(".__init__"))


def one_function_per_table(text: str, title: str) -> str:
    """Split Alembic's one long function."""
    head, _, body = text.partition('    """Apply the change."""\n')
    lines = [line for line in body.splitlines() if not line.strip().startswith("#")]
    statements = re.split(r"\n(?=    (?:op\.\w+_table|with op\.batch))", "\n".join(lines).strip("\n"))
    calls: list[str] = []
    functions: list[str] = []
    for statement in statements:
        found = re.search(r"op\.(\w+_table)\('(\w+)'", statement)
        if found is None:
            raise SystemExit("nothing has changed")
        name = f"_{found.group(2)}" + ("" if found.group(1) == "create_table" else f"_{len(calls)}")
        calls.append(f"    {name}()")
        functions.append(f"def {name}() -> None:\n    {statement.strip()}\n")
    head = re.sub(r'\A""".*?"""', lambda _: f'"""{title.rstrip(".")}."""', head)
    return head + '    """Apply the change."""\n' + "\n".join(calls) + "\n\n\n" + "\n\n".join(functions)


def main(name: str, title: str) -> None:
    """Write one script."""
    declare_everything()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_sql(f"sqlite:///{folder}/store.db")
        migrate(engine)
        path = write_revision(engine, METADATA, name)
        path.write_text(one_function_per_table(path.read_text(), title))
        engine.dispose()
    for command in (["check", "--fix", "-q"], ["format", "-q"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, str(path)], check=True)
    print(path)


if __name__ == "__main__":
    main(*sys.argv[1:3])
