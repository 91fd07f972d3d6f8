"""Which opportunities a subscription asks for, and which of them its owner may see.

Reads opportunities, company_nodes, company_tags and customers. What a company does in public is open to all staff;
what the bank's own books say (detector ``in_bank``) only to those whose scope covers the customer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.bank import Action, Viewer, may, scope_of
from qiaomen.feed.subscriptions import Wish
from qiaomen.vocab import Grade

IN_BANK: Final = "in_bank"
_GRADES: Final = {
    Grade.HIGH: ("high",),
    Grade.MEDIUM: ("high", "medium"),
    Grade.LOW: ("high", "medium", "low"),
}
_ADVERSE: Final = ("warning", "veto")
_SEVERITY: Final = {"高": 0, "中": 1, "低": 2}

Mask = pa.Array


@dataclass(frozen=True, slots=True)
class FeedTables:
    """The lake's tables that matching reads, as Arrow tables."""

    opportunities: pa.Table
    company_nodes: pa.Table
    company_tags: pa.Table
    customers: pa.Table


def match_subscriptions(viewer: Viewer, wish: Wish, tables: FeedTables) -> pa.Table:
    """Return the standing opportunities that ``wish`` asks for and ``viewer`` may see, in the order of sending.

    Order: warnings by severity, then value, then the newest, then identity.
    """
    rows = tables.opportunities
    if not may(viewer, Action.SEE_COMPANIES):
        return rows.slice(0, 0)
    keep = _true(rows)
    for mask in (*_plain(rows, wish), *_related(rows, wish, tables), *_permitted(viewer, rows, wish, tables)):
        keep = pc.and_(keep, mask)
    return _ordered(rows.filter(keep))


def _true(rows: pa.Table) -> pa.ChunkedArray:
    return pa.chunked_array([pa.repeat(True, rows.num_rows)])


def _among(values: pa.ChunkedArray, wanted: pa.Array) -> pa.ChunkedArray:
    return pc.is_in(values, value_set=wanted)


def _plain(rows: pa.Table, wish: Wish) -> list[pa.ChunkedArray]:
    masks = [_among(rows["status"], pa.array(["active"]))]
    if wish.kinds:
        masks.append(_among(rows["kind"], pa.array(wish.kinds, pa.string())))
    if wish.companies:
        masks.append(_among(rows["company_id"], pa.array(wish.companies, pa.int64())))
    if wish.minimum_grade:
        # A warning has no grade and is never less than asked for.
        graded = _among(rows["grade"], pa.array(_GRADES[wish.minimum_grade]))
        masks.append(pc.or_(graded, _among(rows["polarity"], pa.array(_ADVERSE))))
    if wish.regions:
        masks.append(_any_of(rows["region_code"], [_trimmed(code) for code in wish.regions], pc.starts_with))
    if wish.keywords:
        text = pc.binary_join_element_wise(
            *(pc.fill_null(rows[name], "") for name in ("title", "evidence", "counterparty")), " "
        )
        masks.append(_any_of(text, list(wish.keywords), pc.match_substring))
    return masks


def _trimmed(code: str) -> str:
    """Return the significant digits: 310000 stands for the province, 310100 for the city."""
    while len(code) > 2 and code.endswith("00"):
        code = code[:-2]
    return code


def _any_of(values: pa.ChunkedArray, words: list[str], test: object) -> pa.ChunkedArray:
    found = pa.chunked_array([pa.repeat(False, len(values))])
    for word in words:
        found = pc.or_(found, pc.fill_null(test(values, word), False))  # type: ignore[operator]
    return found


def _related(rows: pa.Table, wish: Wish, tables: FeedTables) -> list[pa.ChunkedArray]:
    masks = []
    if wish.chains:
        wanted = pa.array(wish.chains, pa.string())
        nodes = tables.company_nodes
        on_chain = pc.or_(_among(nodes["node_code"], wanted), _among(nodes["chain_code"], wanted))
        masks.append(_among(rows["company_id"], _ids(nodes.filter(on_chain))))
    if wish.tags:
        tagged = tables.company_tags.filter(
            _among(tables.company_tags["tag"], pa.array(wish.tags, pa.string()))
        )
        masks.append(_among(rows["company_id"], _ids(tagged)))
    return masks


def _ids(rows: pa.Table) -> pa.Array:
    return pc.unique(rows["company_id"])


def _permitted(viewer: Viewer, rows: pa.Table, wish: Wish, tables: FeedTables) -> list[pa.ChunkedArray]:
    customers = tables.customers
    scope = scope_of(viewer)
    inside = scope.mask(customers["institution_code"], customers["manager_no"])
    own = _among(rows["company_id"], _ids(customers.filter(inside)))
    public = pc.not_equal(rows["detector"], IN_BANK)
    masks = [pc.or_(public, own)]
    if wish.own_customers:
        masks.append(own)
    return masks


def _ordered(rows: pa.Table) -> pa.Table:
    severities = [_SEVERITY.get(severity or "", 3) for severity in rows["severity"].to_pylist()]
    value = np.asarray(pc.fill_null(rows["value"], 0.0).to_numpy(), dtype=np.float64)
    days = np.asarray(rows["published_on"].cast(pa.int32()).fill_null(0).to_numpy(), dtype=np.int64)
    identity = np.empty(rows.num_rows, dtype=np.int64)
    identity[np.asarray(pc.sort_indices(rows["opportunity_id"]).to_numpy())] = np.arange(rows.num_rows)
    order = np.lexsort((identity, -days, -value, np.array(severities, dtype=np.int64)))
    return rows.take(pa.array(order))
