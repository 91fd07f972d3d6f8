"""What ends an opportunity before its time: 移出失信名单 ends 失信, 废标 ends 中标, 登记注销 ends a registration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.mining import OpportunityKind
from qiaomen.opportunities.duplicates import parties_agree

Mask = np.ndarray[Any, np.dtype[np.bool_]]


def ended_rows(rows: pa.Table, own: Sequence[OpportunityKind]) -> Mask:
    """Mark rows that a later row of the same company, of an ending kind and of no contradicting party, has ended."""
    ended = np.zeros(rows.num_rows, dtype=np.bool_)
    ending = {code for kind in own for code in kind.ending_kinds}
    places = pc.indices_nonzero(pc.is_in(rows["kind"], pa.array(sorted(ending), pa.string())))
    if len(places) == 0:
        return ended
    columns = ["company_id", "kind", "published_on", "counterparty"]
    later: dict[tuple[int, str], list[tuple[Any, str | None]]] = {}
    for row in rows.select(columns).take(places).to_pylist():
        later.setdefault((row["company_id"], row["kind"]), []).append(
            (row["published_on"], row["counterparty"])
        )
    open_kinds = sorted({kind.code for kind in own if kind.ending_kinds})
    touched = pc.and_(
        pc.is_in(rows["company_id"], pc.unique(rows["company_id"].take(places))),
        pc.is_in(rows["kind"], pa.array(open_kinds, pa.string())),
    )
    chosen = pc.indices_nonzero(touched)
    for place, row in zip(chosen.to_pylist(), rows.select(columns).take(chosen).to_pylist(), strict=True):
        ended[place] = any(
            on >= row["published_on"] and parties_agree(row["counterparty"], other)
            for code in own[place].ending_kinds
            for on, other in later.get((row["company_id"], code), ())
        )
    return ended
