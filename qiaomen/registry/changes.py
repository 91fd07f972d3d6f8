"""Turns updates of company records into rows of ``company_changes``: what changed, from what, to what, when."""

from __future__ import annotations

from datetime import date
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.tables import COMPANY_CHANGES
from qiaomen.registry.upsert import Merge


def change_rows(
    merged: Merge, incoming: pa.Table, tracked: tuple[str, ...], source: str, load_id: str, today: date
) -> pa.Table:
    """Return one row per updated record and tracked field that had a value and now has another.

    A value that appears or is no longer stated is no registered change. The date is the source's as-of date, else today.
    """
    after = incoming.take(pa.array(merged.updated))
    before = merged.before
    rows: list[dict[str, Any]] = []
    for field in tracked:
        differs = pc.fill_null(pc.not_equal(before[field], after[field]), False)
        chosen = pc.indices_nonzero(differs)
        old, new = before[field].take(chosen).to_pylist(), after[field].take(chosen).to_pylist()
        facts = (
            after.select(["company_ref", "observed_on", "record_key", "file", "line"])
            .take(chosen)
            .to_pylist()
        )
        for fact, was, now in zip(facts, old, new, strict=True):
            rows.append(
                _row(field, _words(was), _words(now), fact, today) | {"source": source, "load_id": load_id}
            )
    return pa.Table.from_pylist(rows, schema=COMPANY_CHANGES.schema)


def _row(field: str, old: str, new: str, fact: dict[str, Any], today: date) -> dict[str, Any]:
    on = fact["observed_on"] or today
    content = blake2b(f"{old}\x1f{new}".encode(), digest_size=12).hexdigest()
    return {
        "company_ref": fact["company_ref"],
        "field": field,
        "old_value": old,
        "new_value": new,
        "changed_on": on,
        "record_key": f"{fact['record_key']}|{field}|{on.isoformat()}|{content[:8]}",
        "record_hash": content,
        "file": fact["file"],
        "line": fact["line"],
    }


def _words(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
