"""Opportunities that a structured feed delivers.

Reads opportunity_records and company_refs; writes FINDINGS of detector ``feed``. A kind may be written as its code,
its Chinese name or an alias; an unknown one is counted and named, not dropped unseen.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.mining.findings import Detected, as_table, compute, conform, with_identity
from qiaomen.mining.kinds import OpportunityKind, kinds_by_word

if TYPE_CHECKING:
    import ibis.expr.types as ir

CONFIDENCE: Final = 0.95
UNRESOLVED: Final = 0.5
EVIDENCE_CHARS: Final = 300
UNKNOWN_KINDS_NAMED: Final = 20


def kind_words(kinds: Mapping[str, OpportunityKind]) -> pa.Table:
    """Return one row per word that a feed may write: word, code, name, leading role, wording."""
    rows = [
        (word, code, kinds[code].name, kinds[code].subject_role, kinds[code].wording)
        for word, code in sorted(kinds_by_word(kinds).items())
    ]
    names = ("word", "kind_code", "kind_name", "subject_role", "wording")
    columns = list(zip(*rows, strict=True))
    return pa.table(
        {name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)}
    )


def resolved_records(
    records: ir.Table | pa.Table, refs: ir.Table | pa.Table, kinds: Mapping[str, OpportunityKind]
) -> ir.Table:
    """Return the feed's rows with company, kind and the date it became known (``known_on``)."""
    import ibis

    rows = as_table(records)
    known = as_table(refs).select("ref", "company_id", ref_confidence="confidence")
    words = ibis.memtable(kind_words(kinds))
    rows = rows.mutate(
        word=rows.kind.strip(), known_on=ibis.coalesce(rows.published_on, rows.occurred_on)
    ).drop("kind")
    joined = rows.left_join(known, rows.company_ref == known.ref)
    return joined.left_join(words, joined.word == words.word).drop("word_right")


def find_in_feed(
    opportunity_records: ir.Table | pa.Table,
    company_refs: ir.Table | pa.Table,
    *,
    kinds: Mapping[str, OpportunityKind],
    as_of: dt.date,
) -> Detected:
    """Take over the feed's events known up to ``as_of``.

    Counts: read, found, unresolved, undated, future, unknown_kind and ``unknown_kind:<word>``.
    """
    import ibis

    rows = resolved_records(opportunity_records, company_refs, kinds)
    title = ibis.coalesce(rows.title, rows.company_name + "：" + rows.kind_name, rows.kind_name)
    words = ibis.coalesce(rows.text.nullif(""), title, ibis.literal("")).left(EVIDENCE_CHARS)
    found = rows.mutate(
        kind=rows.kind_code,
        title=title,
        published_on=rows.known_on,
        occurred_on=ibis.coalesce(rows.occurred_on, rows.known_on),
        evidence=words + "｜opportunity_records/" + rows.source + "/" + rows.record_key,
        confidence=CONFIDENCE * ibis.coalesce(rows.ref_confidence, ibis.literal(UNRESOLVED)),
        span_start=ibis.null("int64"),
        span_end=ibis.null("int64"),
    )
    table = compute(with_identity(found, "feed"))
    counts, keep = _counted(table, as_of)
    kept = _with_roles(table.filter(keep), kinds)
    findings = conform(kept)
    counts |= {"found": findings.num_rows, "unresolved": findings["company_id"].null_count}
    return Detected(findings, counts)


def _counted(table: pa.Table, as_of: dt.date) -> tuple[dict[str, int], pa.ChunkedArray]:
    """Return the counts of what is left out, and the mask of what stays."""
    unknown = pc.is_null(table["kind"])
    undated = pc.and_(pc.invert(unknown), pc.is_null(table["known_on"]))
    future = pc.and_(pc.invert(unknown), pc.fill_null(pc.greater(table["known_on"], as_of), False))
    keep = pc.invert(pc.or_(unknown, pc.or_(undated, future)))
    counts = {
        "read": table.num_rows,
        "unknown_kind": pc.sum(unknown).as_py() or 0,
        "undated": pc.sum(undated).as_py() or 0,
        "future": pc.sum(future).as_py() or 0,
    }
    named = table.filter(unknown).group_by("word").aggregate([("word", "count")])
    rows = sorted(
        zip(named["word"].to_pylist(), named["word_count"].to_pylist(), strict=True), key=_most_first
    )
    counts |= {f"unknown_kind:{word or '（空）'}": number for word, number in rows[:UNKNOWN_KINDS_NAMED]}
    return counts, keep


def _most_first(row: tuple[str | None, int]) -> tuple[int, str]:
    return -row[1], row[0] or ""


def _with_roles(table: pa.Table, kinds: Mapping[str, OpportunityKind]) -> pa.Table:
    """Take ``subject_role`` from the arguments where the feed states one that the kind knows."""
    stated = pc.fill_null(pc.match_substring(table["arguments"], '"subject_role"'), False)
    if not pc.any(stated).as_py():
        return table
    roles = table["subject_role"].to_pylist()
    codes, arguments = table["kind"].to_pylist(), table["arguments"].to_pylist()
    for row in pc.indices_nonzero(stated.combine_chunks()).to_pylist():
        role = _stated_role(arguments[row])
        if any(known.role == role for known in kinds[codes[row]].role_needs):
            roles[row] = role
    position = table.column_names.index("subject_role")
    return table.set_column(position, "subject_role", pa.array(roles, pa.string()))


def _stated_role(arguments: str) -> str | None:
    try:
        data = json.loads(arguments)
    except ValueError:
        return None
    role = data.get("subject_role") if isinstance(data, dict) else None
    return role if isinstance(role, str) else None
