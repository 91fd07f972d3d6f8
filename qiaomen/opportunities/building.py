"""Joins findings to opportunities, grades them and derives banking signals.

Reads FINDINGS and companies; writes OPPORTUNITIES and OPPORTUNITY_SIGNALS. A finding without a company or a date
cannot be acted on: it stays in FINDINGS and is counted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.mining import OpportunityKind
from qiaomen.opportunities.duplicates import DuplicateRule, Facts, Floats, Ints, join_duplicates
from qiaomen.opportunities.endings import ended_rows
from qiaomen.opportunities.grading import SPENT, Grading, decay, half_life
from qiaomen.opportunities.signals import SignalProducts, signal_rows
from qiaomen.opportunities.tables import OPPORTUNITIES, OPPORTUNITY_SIGNALS
from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir

USUAL: Final = DuplicateRule()
# The leading finding is of the first detector in this order, then the surest, then the one known first.
PRIORITY: Final = {"registry_change": 0, "in_bank": 1, "feed": 2, "expiry": 3, "text": 4}
# A schedule whose date the source did not give cannot stand for ever; a warning without one stands until it is ended.
UNDATED_SCHEDULE: Final = dt.timedelta(days=365)
_EPOCH: Final = dt.date(1970, 1, 1)


class Built(NamedTuple):
    """Opportunities, their signals, and counts of the findings that were joined or left out."""

    opportunities: pa.Table
    signals: pa.Table
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Columns:
    """The compared columns of the findings as arrays."""

    day: Ints
    confidence: Floats
    amount: Floats
    priority: Ints
    label: Ints
    order: Ints


def build_opportunities(
    findings: ir.Table | pa.Table,
    companies: ir.Table | pa.Table,
    kinds: Mapping[str, OpportunityKind],
    as_of: dt.date,
    *,
    grading: Grading,
    products: SignalProducts,
    duplicates: DuplicateRule = USUAL,
) -> Built:
    """Return what the findings amount to at ``as_of``, the same for any order of the findings.

    Companies may be handled in parts: opportunities of one company depend on its findings alone.
    """
    table = findings if isinstance(findings, pa.Table) else findings.to_pyarrow()
    counts, table = _usable(table, kinds, as_of)
    if table.num_rows == 0:
        return Built(OPPORTUNITIES.empty(), OPPORTUNITY_SIGNALS.empty(), counts | {"opportunities": 0})
    columns = _columns(table, kinds, duplicates)
    members, leaders = _leaders(columns)
    rows = _assemble(table, columns, members, leaders)
    rows = _with_regions(rows, companies)
    opportunities = _graded(rows, kinds, grading, as_of)
    signals = signal_rows(opportunities, kinds, products)
    counts["opportunities"] = opportunities.num_rows
    counts["joined"] = table.num_rows - opportunities.num_rows
    return Built(opportunities, signals, counts)


def _usable(
    table: pa.Table, kinds: Mapping[str, OpportunityKind], as_of: dt.date
) -> tuple[dict[str, int], pa.Table]:
    """Return counts and the findings that name a company and a date and are known by ``as_of``."""
    known = pc.coalesce(table["published_on"], table["occurred_on"])
    listed = pc.is_in(table["kind"], pa.array(sorted(kinds), pa.string()))
    undated, future = pc.is_null(known), pc.fill_null(pc.greater(known, as_of), False)
    unresolved = pc.is_null(table["company_id"])
    batch = pc.is_in(
        table["kind"], pa.array(sorted(code for code in kinds if kinds[code].batch), pa.string())
    )
    faults = {
        "unknown_kind": pc.invert(listed),
        "batch_theme": pc.and_(batch, unresolved),
        "unresolved": unresolved,
        "undated": undated,
        "future": future,
        "context_role": _context(table, kinds),
    }
    counts = {"findings": table.num_rows}
    keep = pa.chunked_array([pa.repeat(True, table.num_rows)])
    for name, fault in faults.items():
        counts[name] = pc.sum(pc.and_(keep, fault)).as_py() or 0
        keep = pc.and_(keep, pc.invert(fault))
    dated = table.set_column(table.column_names.index("published_on"), "published_on", known)
    return counts, dated.filter(keep)


def _context(table: pa.Table, kinds: Mapping[str, OpportunityKind]) -> pa.ChunkedArray:
    """Mark findings of a role that only names the other side (质权人, 原告 …)."""
    pairs = {
        f"{code}/{role.role}" for code, kind in kinds.items() for role in kind.role_needs if role.context
    }
    both = pc.binary_join_element_wise(table["kind"], pc.fill_null(table["subject_role"], ""), "/")
    return pc.is_in(both, pa.array(sorted(pairs), pa.string()))


def _days(dates: pa.ChunkedArray) -> Ints:
    return np.asarray(dates.cast(pa.int32()).to_numpy(), dtype=np.int64)


def _floats(values: pa.ChunkedArray) -> Floats:
    return np.asarray(values.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _group_codes(table: pa.Table) -> Ints:
    texts = pc.binary_join_element_wise(
        table["company_id"].cast(pa.string()), table["kind"], pc.fill_null(table["subject_role"], ""), "\x1f"
    )
    encoded = pa.chunked_array([texts.combine_chunks()]).combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices.to_numpy(), dtype=np.int64)


def _columns(table: pa.Table, kinds: Mapping[str, OpportunityKind], rule: DuplicateRule) -> _Columns:
    codes = table["kind"].to_pylist()
    scheduled = np.array(
        [kinds[code].ends_at_expiry and kinds[code].half_life_days is None for code in codes]
    )
    expires = _days(pc.coalesce(table["expires_on"], table["published_on"]))
    day = np.where(scheduled, expires, _days(table["published_on"]))
    reach = np.where(scheduled, rule.expiry_days, rule.near_days).astype(np.int64)
    group = _group_codes(table)
    identity = _ranks(table["finding_id"])
    order = np.lexsort((identity, day, group))
    amount = _floats(table["amount_cny"])
    facts = Facts(group, day, reach, amount, table["counterparty"].to_pylist())
    label = join_duplicates(facts, order, rule)
    priority = np.array([PRIORITY.get(name, 9) for name in table["detector"].to_pylist()], dtype=np.int64)
    confidence = _floats(pc.fill_null(table["confidence"], 0.0))
    known = _days(table["published_on"])
    leading = np.lexsort((identity, known, -confidence, priority, label))
    return _Columns(known, confidence, amount, priority, label, leading)


def _ranks(texts: pa.ChunkedArray) -> Ints:
    ranks = np.empty(len(texts), dtype=np.int64)
    ranks[np.asarray(pc.sort_indices(texts).to_numpy())] = np.arange(len(texts))
    return ranks


def _leaders(columns: _Columns) -> tuple[Ints, Ints]:
    """Return the group number of each finding in leading order, and the leading finding of each group."""
    labels = columns.label[columns.order]
    first = np.ones(len(labels), dtype=np.bool_)
    first[1:] = labels[1:] != labels[:-1]
    return np.cumsum(first) - 1, columns.order[first]


def _first_known(table: pa.Table, columns: _Columns, members: Ints, count: int, name: str) -> pa.Array:
    """Return, per group, the value of the foremost finding that has one."""
    valid = np.asarray(pc.is_valid(table[name]).to_numpy())[columns.order]
    places, groups = columns.order[valid], members[valid]
    first = np.ones(len(groups), dtype=np.bool_)
    first[1:] = groups[1:] != groups[:-1]
    source = np.full(count, -1, dtype=np.int64)
    source[groups[first]] = places[first]
    index = pa.array(source, mask=source < 0)
    taken = table[name].take(index)
    return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken


def _assemble(table: pa.Table, columns: _Columns, members: Ints, leaders: Ints) -> pa.Table:
    """Return one row per group: the leading finding, its gaps filled from the others, and the group's identity."""
    count = len(leaders)
    rows = table.take(pa.array(leaders))
    for name in ("amount_cny", "amount_text", "counterparty", "expires_on"):
        filled = _first_known(table, columns, members, count, name)
        rows = rows.set_column(rows.column_names.index(name), name, filled)
    days = columns.day[columns.order]
    earliest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(earliest, members, days)
    known = pa.array(earliest.astype(np.int32), pa.int32()).cast(pa.date32())
    rows = rows.set_column(rows.column_names.index("published_on"), "published_on", known)
    sizes = np.bincount(members, minlength=count)
    rows = rows.append_column("findings", pa.array(sizes, pa.int64()))
    first_ids = _founders(table, columns, members)
    ids = [portable.hash_of("opportunity", founder)[:24] for founder in first_ids]
    return rows.append_column("opportunity_id", pa.array(ids, pa.string()))


def _founders(table: pa.Table, columns: _Columns, members: Ints) -> list[str]:
    """Return the finding known first of each group: later findings do not change an opportunity's identity."""
    identity = _ranks(table["finding_id"])
    order, groups = columns.order, members
    ranked = np.lexsort((identity[order], columns.day[order], groups))
    first = np.ones(len(ranked), dtype=np.bool_)
    first[1:] = groups[ranked][1:] != groups[ranked][:-1]
    places = order[ranked[first]]
    ids: list[str] = table["finding_id"].take(pa.array(places)).to_pylist()
    return ids


def _with_regions(rows: pa.Table, companies: ir.Table | pa.Table) -> pa.Table:
    wanted = pc.unique(rows["company_id"])
    if isinstance(companies, pa.Table):
        firms = companies.select(["company_id", "region_code"])
    else:
        firms = companies.select("company_id", "region_code").to_pyarrow()
    firms = firms.filter(pc.is_in(firms["company_id"], wanted))
    place = pc.index_in(rows["company_id"], firms["company_id"].combine_chunks())
    regions = firms["region_code"].combine_chunks().take(place.combine_chunks())
    return rows.append_column("region_code", regions)


def _evidence(rows: pa.Table) -> pa.Array:
    texts = rows["evidence"].to_pylist()
    pairs = zip(rows["source"].to_pylist(), rows["record_key"].to_pylist(), strict=True)
    return pa.array(
        [
            text if text and "｜" in text else f"{text or ''}｜announcement_records/{source}/{key}"
            for text, (source, key) in zip(texts, pairs, strict=True)
        ],
        pa.string(),
    )


def _graded(
    rows: pa.Table, kinds: Mapping[str, OpportunityKind], grading: Grading, as_of: dt.date
) -> pa.Table:
    """Add group, polarity, value, grade, severity and status; return the declared columns."""
    own = [kinds[code] for code in rows["kind"].to_pylist()]
    roles = [kind.role(role) for kind, role in zip(own, rows["subject_role"].to_pylist(), strict=True)]
    adverse = [role.polarity in ("warning", "veto") for role in roles]
    grades = [None if bad else kind.grade for kind, bad in zip(own, adverse, strict=True)]
    fresh = grading.fresh(grades, _floats(rows["amount_cny"]), _floats(rows["confidence"]))
    age = (as_of - _EPOCH).days - _days(rows["published_on"]).astype(np.float64)
    left = decay(age, np.array([half_life(kind) for kind in own]))
    status = _statuses(rows, own, left, as_of)
    value = np.round(np.where(status == "active", fresh * left, 0.0), 6)
    worded = [
        None if bad else str(grading.grade_of(float(number)))
        for bad, number in zip(adverse, value, strict=True)
    ]
    columns: dict[str, Any] = {name: rows[name] for name in OPPORTUNITIES.names if name in rows.column_names}
    columns |= {
        "group": [kind.group for kind in own],
        "polarity": [str(role.polarity) for role in roles],
        "subject_role": [role.role for role in roles],
        "grade": pa.array(worded, pa.string()),
        "value": np.where(adverse, 0.0, value),
        "severity": pa.array(
            [kind.severity if bad else None for kind, bad in zip(own, adverse, strict=True)], pa.string()
        ),
        "status": status.tolist(),
        "evidence": _evidence(rows),
    }
    return OPPORTUNITIES.conform(pa.table(columns)).sort_by("opportunity_id")


def _statuses(
    rows: pa.Table, own: Sequence[OpportunityKind], left: Floats, as_of: dt.date
) -> np.ndarray[Any, np.dtype[np.str_]]:
    """Return active, expired (spent or past its own date) or ended (another kind ended it)."""
    expires = rows["expires_on"].to_pylist()
    oldest = as_of - UNDATED_SCHEDULE
    known = rows["published_on"].to_pylist()
    past = [
        kind.ends_at_expiry
        and (date < as_of if date else kind.grade is not None and kind.half_life_days is None and on < oldest)
        for kind, date, on in zip(own, expires, known, strict=True)
    ]
    status = np.where((left < SPENT) | np.array(past, dtype=np.bool_), "expired", "active")
    status[ended_rows(rows, own)] = "ended"
    return status
