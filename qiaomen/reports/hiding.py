"""What a list of companies may not tell: who is a customer outside the viewer's scope, and what only the bank knows of him.

On the page of one company such a customer is named as a referral; in lists, counts and facets it is a company like any
other, so that no list of the bank's customers can be drawn by those who do not keep them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.bank import Scope
from qiaomen.membership import Hidden, Index, SeenIndex

IN_BANK: Final = "in_bank"
OWN_BOOKS: Final = ("customers", "customer_records", "dealings", "cashflows", "outcomes")
# Fields that are measured from the customers: their values tell who is one.
FROM_CUSTOMERS: Final = ("hops", "warmth")
_FROM_BOOKS: Final = rf"｜({'|'.join(OWN_BOOKS)})/"


def foreign_of(scope: Scope, customers: pa.Table) -> npt.NDArray[np.int64]:
    """Return the customers outside a scope, ascending: for hiding them, never for showing."""
    if scope.whole_bank:
        return np.empty(0, np.int64)
    inside = scope.mask(customers["institution_code"], customers["manager_no"])
    outside = customers.filter(pc.invert(inside))
    return np.sort(outside["company_id"].to_numpy())


def inside_kinds(opportunities: pa.Table) -> frozenset[str]:
    """Return the kinds of opportunity that the bank's own flows gave (columns kind, detector)."""
    held = opportunities.filter(pc.fill_null(pc.equal(opportunities["detector"], IN_BANK), False))
    return frozenset(value for value in pc.unique(held["kind"]).to_pylist() if value)


def inside_tags(company_tags: pa.Table) -> frozenset[str]:
    """Return the tags that rest on the bank's own books for some company (columns tag, evidence)."""
    held = company_tags.filter(
        pc.fill_null(pc.match_substring_regex(company_tags["evidence"], _FROM_BOOKS), False)
    )
    return frozenset(value for value in pc.unique(held["tag"]).to_pylist() if value)


def seen_index(
    index: Index, foreign: npt.NDArray[np.int64], kinds: Collection[str], tags: Collection[str]
) -> Index:
    """Return the index without what it says of ``foreign`` customers as customers."""
    if not len(foreign):
        return index
    return SeenIndex(
        index, Hidden(foreign, ("customer",), {"opportunity": kinds, "tag": tags}, FROM_CUSTOMERS)
    )
