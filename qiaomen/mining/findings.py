"""What every detector returns: findings in the declared shape, and counts of all that was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.mining.tables import FINDINGS
from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True, slots=True)
class Detected:
    """Findings of one detector, and how many rows were read, found, unresolved or left out, by reason."""

    findings: pa.Table
    counts: Mapping[str, int] = field(default_factory=dict)


def as_table(data: ir.Table | pa.Table) -> ir.Table:
    """Return ``data`` as an Ibis table; an Arrow table is wrapped."""
    import ibis

    return ibis.memtable(data) if isinstance(data, pa.Table) else data


def compute(expression: ir.Table) -> pa.Table:
    """Run an expression on the engine that its tables belong to."""
    result: pa.Table = expression.to_pyarrow()
    return result


def with_identity(rows: ir.Table, detector: str) -> ir.Table:
    """Add ``detector`` and ``finding_id`` (hash of detector, kind, role, company, source row) to finding rows."""
    import ibis

    marked = rows.mutate(detector=ibis.literal(detector))
    return marked.mutate(
        finding_id=portable.hash_text(
            marked.detector,
            marked.kind,
            marked.subject_role,
            marked.company_id,
            marked.source,
            marked.record_key,
        )
    )


def conform(rows: pa.Table) -> pa.Table:
    """Return rows in the declared shape, one per ``finding_id``, in key order."""
    kept = [name for name in FINDINGS.names if name in rows.column_names]
    table = FINDINGS.conform(rows.select(kept)).sort_by("finding_id")
    if table.num_rows < 2:
        return table
    ids = table["finding_id"].combine_chunks()
    fresh = pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1))
    return table.filter(pa.concat_arrays([pa.array([True]), fresh]))


def join_findings(*parts: Detected) -> pa.Table:
    """Return the findings of several detectors as one table."""
    return conform(pa.concat_tables([FINDINGS.empty(), *(part.findings for part in parts)]))


def unresolved(findings: pa.Table) -> int:
    """Return how many findings name no company of the registry."""
    return int(findings["company_id"].null_count)
