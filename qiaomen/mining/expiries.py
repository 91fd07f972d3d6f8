"""Opportunities from dates that draw near: registrations, pledges, guarantees, bonds, certificates.

Reads opportunity_records, company_refs, relations and companies; writes FINDINGS of detector ``expiry``. What is
computed from a registration says so in its evidence (登记到期推算，仅供核实).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from qiaomen.mining.feed_records import resolved_records
from qiaomen.mining.findings import Detected, as_table, compute, conform, with_identity
from qiaomen.mining.kinds import OpportunityKind
from qiaomen.mining.rules import ExpiryRule
from qiaomen.mining.tables import FINDINGS
from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir


def find_expiries(
    opportunity_records: ir.Table | pa.Table,
    company_refs: ir.Table | pa.Table,
    relations: ir.Table | pa.Table,
    companies: ir.Table | pa.Table,
    *,
    rules: Sequence[ExpiryRule],
    kinds: Mapping[str, OpportunityKind],
    as_of: dt.date,
) -> Detected:
    """Find what expires from ``as_of`` within the lead days of each rule. Counts: found, unresolved, per origin."""
    parts = []
    of_feed = [rule for rule in rules if rule.origin == "opportunity"]
    of_relations = [rule for rule in rules if rule.origin == "relation"]
    if of_feed:
        rows = resolved_records(opportunity_records, company_refs, kinds)
        parts.append(compute(with_identity(_from_records(rows, of_feed, kinds, as_of), "expiry")))
    parts += [
        compute(
            with_identity(
                _from_relations(as_table(relations), as_table(companies), rule, kinds, as_of), "expiry"
            )
        )
        for rule in of_relations
    ]
    tables = [conform(part) for part in parts]
    findings = conform(pa.concat_tables([FINDINGS.empty(), *tables]))
    counts = {
        "found": findings.num_rows,
        "unresolved": findings["company_id"].null_count,
        "from_feed": tables[0].num_rows if of_feed else 0,
        "from_relations": sum(table.num_rows for table in tables[1 if of_feed else 0 :]),
    }
    return Detected(findings, counts)


def _rule_rows(rules: Sequence[ExpiryRule], kinds: Mapping[str, OpportunityKind]) -> pa.Table:
    rows = [
        {
            "of_kind": of,
            "new_kind": rule.kind,
            "new_name": kinds[rule.kind].name,
            "new_role": rule.role,
            "new_wording": kinds[rule.kind].wording,
            "lead_days": rule.lead_days,
            "label": rule.label,
            "rule_confidence": rule.confidence,
        }
        for rule in rules
        for of in rule.of
    ]
    return pa.Table.from_pylist(rows)


def _due(date: ir.DateValue, as_of: dt.date) -> ir.IntegerValue:
    import ibis

    return portable.days_between(ibis.literal(as_of, "date"), date)


def _worded(rows: ir.Table, table: str) -> ir.Table:
    """Add title and evidence to rows that carry label, name, expires_on, amount_text, counterparty and wording."""
    import ibis

    date = rows.expires_on.cast("string")
    amount = ibis.ifelse(rows.amount_text.notnull(), "，登记金额" + rows.amount_text, "")
    other = ibis.ifelse(rows.counterparty.notnull(), "，对方" + rows.counterparty, "")
    wording = ibis.ifelse(rows.new_wording != "", "；" + rows.new_wording, "")
    fact = rows.label + "到期日" + date + amount + other
    return rows.mutate(
        title=ibis.coalesce(rows.company_name, ibis.literal("（企业未识别）"))
        + "："
        + rows.new_name
        + "，"
        + date,
        evidence=fact + wording + "｜" + table + "/" + rows.source + "/" + rows.record_key,
        span_start=ibis.null("int64"),
        span_end=ibis.null("int64"),
    )


def _from_records(
    rows: ir.Table, rules: Sequence[ExpiryRule], kinds: Mapping[str, OpportunityKind], as_of: dt.date
) -> ir.Table:
    import ibis

    table = ibis.memtable(_rule_rows(rules, kinds))
    joined = rows.drop("subject_role", "wording").inner_join(table, rows.kind_code == table.of_kind)
    days = _due(joined.expires_on, as_of)
    near = joined.filter((days >= 0) & (days <= joined.lead_days) & (joined.known_on <= as_of))
    near = near.mutate(
        kind=near.new_kind,
        subject_role=near.new_role,
        occurred_on=near.expires_on,
        published_on=near.known_on,
        confidence=near.rule_confidence * ibis.coalesce(near.ref_confidence, ibis.literal(0.5)),
    )
    return _worded(near, "opportunity_records")


def _from_relations(
    relations: ir.Table,
    companies: ir.Table,
    rule: ExpiryRule,
    kinds: Mapping[str, OpportunityKind],
    as_of: dt.date,
) -> ir.Table:
    import ibis

    near = relations.filter(relations.kind.isin(list(rule.of)))
    days = _due(near.until, as_of)
    near = near.filter((days >= 0) & (days <= rule.lead_days))
    if rule.words:
        near = near.filter(
            portable.matches(near.role.fill_null(""), rule.words)
            | portable.matches(near.evidence.fill_null(""), rule.words)
        )
    side, far = ("to", "from") if rule.side == "to" else ("from", "to")
    near = near.filter(near[f"{side}_type"] == "company")
    own = companies.select(own_id="company_id", company_name="name")
    other = companies.select(other_id="company_id", other_name="name")
    near = near.left_join(own, near[f"{side}_id"] == own.own_id)
    near = near.left_join(other, (near[f"{far}_id"] == other.other_id) & (near[f"{far}_type"] == "company"))
    kind = kinds[rule.kind]
    near = near.mutate(
        kind=ibis.literal(rule.kind),
        subject_role=ibis.literal(rule.role),
        company_id=near[f"{side}_id"],
        counterparty=near.other_name,
        expires_on=near.until,
        occurred_on=near.until,
        published_on=ibis.coalesce(near.since, near.observed_on, ibis.literal(as_of, "date")),
        amount_text=portable.round_half_up(near.amount_cny / 1e4, 0).cast("int64").cast("string") + "万元",
        label=ibis.literal(rule.label),
        new_name=ibis.literal(kind.name),
        new_wording=ibis.literal(kind.wording),
        confidence=rule.confidence * ibis.coalesce(near.confidence, ibis.literal(1.0)),
    )
    near = near.filter(near.published_on <= as_of)
    return _worded(near, "relation_records")
