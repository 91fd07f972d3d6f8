"""Customer lists that staff upload on a page: dry run, apply, undo. Each change of the lake is one generation.

Reads and writes ``customer_records``, ``upload_changes``, ``loads`` and ``rejects``; the next run matches the rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa

from qiaomen.customers import (
    CUSTOMER_RECORDS,
    UPLOAD_CHANGES,
    Undo,
    Upload,
    apply_upload,
    prepare_upload,
    undo_upload,
)
from qiaomen.jobs.workspace import Workspace
from qiaomen.registry import LOADS, REJECTS, Source, load_sources

SOURCE: Final = "customers"


def customer_list_source(workspace: Workspace) -> Source:
    """Return the declared source of customer lists."""
    return load_sources(workspace.overlay)[SOURCE]


def try_customer_list(workspace: Workspace, path: Path, file_name: str, mapping: Mapping[str, str]) -> Upload:
    """Read a list with a mapping and say what it would do; nothing is written. ``InputRejected`` as for any load."""
    existing = workspace.lake.snapshot().arrow(CUSTOMER_RECORDS)
    return _prepared(workspace, path, file_name, mapping, existing)


def _prepared(
    workspace: Workspace, path: Path, file_name: str, mapping: Mapping[str, str], existing: pa.Table
) -> Upload:
    now = workspace.now()
    return prepare_upload(
        path,
        mapping,
        customer_list_source(workspace),
        existing,
        load_id=f"U{now:%Y%m%dT%H%M%S}{uuid.uuid4().hex[:6]}",
        now=now,
        file_name=file_name,
        overlay=workspace.overlay,
    )


def apply_customer_list(
    workspace: Workspace, path: Path, file_name: str, mapping: Mapping[str, str]
) -> Upload:
    """Apply a list against the newest generation and publish it; ``Conflict`` where another change was faster."""
    with workspace.lake.stage() as stage:
        upload = _prepared(workspace, path, file_name, mapping, stage.arrow(CUSTOMER_RECORDS))
        tables = apply_upload(upload, stage.arrow(UPLOAD_CHANGES))
        for table in (CUSTOMER_RECORDS, UPLOAD_CHANGES):
            if table.name in tables:
                stage.write(table, tables[table.name])
        stage.write(LOADS, LOADS.conform(pa.concat_tables([stage.arrow(LOADS), upload.result.loads])))
        stage.write(REJECTS, REJECTS.conform(pa.concat_tables([stage.arrow(REJECTS), upload.result.rejects])))
        stage.publish({**stage.note, "load_id": upload.result.load_id})
    return upload


def undo_customer_list(workspace: Workspace, load_id: str) -> Undo:
    """Take an uploaded list back and publish; ``NotFound`` where there is nothing to undo."""
    with workspace.lake.stage() as stage:
        undone = undo_upload(load_id, stage.arrow(CUSTOMER_RECORDS), stage.arrow(UPLOAD_CHANGES))
        for table in (CUSTOMER_RECORDS, UPLOAD_CHANGES):
            if table.name in undone.tables:
                stage.write(table, undone.tables[table.name])
        stage.publish({**stage.note, "undone": load_id})
    return undone
