"""What of the whole lies in a viewer's scope: institutions, their divisions, their customers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qiaomen.bank import INSTITUTION_RECORDS, scope_of
from qiaomen.customers import CUSTOMERS
from qiaomen.vocab import region_contains
from qiaomen.web import formats
from qiaomen.web.visit import Visit


def covered_regions(visit: Visit) -> frozenset[str] | None:
    """Divisions that the viewer's institutions cover; None is everywhere."""
    if visit.viewer.whole_bank:
        return None
    units = visit.viewer.below | visit.viewer.homes
    return frozenset(
        code
        for row in visit.reading.table(INSTITUTION_RECORDS).to_pylist()
        if row["institution_code"] in units
        for code in formats.split(row["region_codes"])
    )


def covers(regions: frozenset[str] | None, code: str | None) -> bool:
    """Tell whether a division lies in the covered ones."""
    return regions is None or any(region_contains(region, code or "") for region in regions)


def region_mask(regions: frozenset[str] | None, codes: Sequence[str | None]) -> npt.NDArray[np.bool_]:
    """Tell for each code whether it is covered; each distinct code is looked at once."""
    known = {code: covers(regions, code) for code in set(codes)}
    return np.fromiter((known[code] for code in codes), bool, len(codes))


def customers_in_scope(visit: Visit) -> pa.Table:
    """Customers that the viewer may see."""
    rows = visit.reading.table(CUSTOMERS)
    return rows.filter(
        scope_of(visit.viewer).mask(rows.column("institution_code"), rows.column("manager_no"))
    )
