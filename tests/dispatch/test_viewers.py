"""Nothing reads operational rows without a viewer: signatures of the face, and no SQL text on protected tables."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import qiaomen
from qiaomen import dispatch

# They write for the system, or answer about a firm without telling of tasks.
WITHOUT_VIEWER = {"create_tasks", "refresh_tasks", "lock_tasks", "may_contact"}
PROTECTED = re.compile(
    r"\b(?:from|join|update|into)\s+(?:tasks|task_history|visit_records|controls)\b(?!\s+import)",
    re.IGNORECASE,
)


def test_functions_that_touch_tasks_take_the_viewer_first() -> None:
    checked = 0
    for name in dispatch.__all__:
        value = getattr(dispatch, name)
        if not inspect.isfunction(value) or "connection" not in inspect.signature(value).parameters:
            continue
        checked += 1
        first = next(iter(inspect.signature(value).parameters))
        assert (first == "viewer") != (name in WITHOUT_VIEWER), name
    assert checked >= 15


def test_no_sql_text_reads_protected_tables() -> None:
    root = Path(qiaomen.__file__).parent
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in sorted(root.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if PROTECTED.search(line) and ("text(" in line or "exec_driver_sql" in line or "execute(" in line)
    ]
    assert found == []
