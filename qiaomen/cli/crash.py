"""Keeps what a user should not have to read."""

from __future__ import annotations

import tempfile
import traceback
from pathlib import Path


def note_crash(error: Exception) -> Path:
    """Write the traceback to a file of its own and return its path."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="qiaomen-", suffix=".log", delete=False
    ) as stream:
        stream.write("".join(traceback.format_exception(error)))
    return Path(stream.name)
