"""Puts company numbers beside references. Reads ``company_refs``; a reference without a company stays null."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def with_company_ids(
    records: pa.Table,
    company_refs: pa.Table | None,
    *,
    ref_column: str = "company_ref",
    id_column: str = "company_id",
) -> pa.Table:
    """Return ``records`` with ``id_column`` (int64) found through ``ref_column``; a column already there is kept."""
    if id_column in records.column_names:
        return records
    if company_refs is None:
        raise ValueError(f"neither {id_column} nor company_refs is given")
    at = pc.index_in(records.column(ref_column), value_set=company_refs.column("ref").combine_chunks())
    return records.append_column(id_column, company_refs.column("company_id").take(at).cast(pa.int64()))
