"""Opportunities from registered changes and from new companies, subsidiaries and branches.

Reads company_changes, company_refs, companies and relations; writes FINDINGS of detector ``registry_change``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from qiaomen.mining.findings import Detected, as_table, compute, conform, with_identity
from qiaomen.mining.kinds import OpportunityKind
from qiaomen.mining.money import parse_amount, word_amount
from qiaomen.mining.rules import ChangeRule
from qiaomen.mining.tables import FINDINGS
from qiaomen.registry import MoneyReader
from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir

_RELATION: Final = "relation:"
_FOUNDED: Final = "founded_on"
_PARTS: Final = re.compile(r"[;；,，、。\n]+")
_SHOWN: Final = 60


def find_registry_changes(
    company_changes: ir.Table | pa.Table,
    company_refs: ir.Table | pa.Table,
    companies: ir.Table | pa.Table,
    relations: ir.Table | pa.Table,
    placed: ir.Table | pa.Table | None,
    *,
    rules: Sequence[ChangeRule],
    kinds: Mapping[str, OpportunityKind],
    money: MoneyReader,
    as_of: dt.date,
) -> Detected:
    """Find opportunities in changes, new relations and new companies up to ``as_of``.

    ``placed`` (company_id, place) says which companies count as new in a park or chain; without it that rule is
    skipped and counted. Counts: read, found, unresolved, and rows per rule (``rule:<code>``).
    """
    firms = as_table(companies)
    changes = _changes(as_table(company_changes), as_table(company_refs), firms, rules, as_of)
    counts: dict[str, int] = {"read": changes.num_rows}
    parts = [FINDINGS.empty()]
    for rule in rules:
        part = None
        if rule.fields[0].startswith(_RELATION):
            part = _run(_from_relations(as_table(relations), firms, rule, kinds[rule.kind], as_of))
        elif rule.fields[0] != _FOUNDED:
            part = _from_changes(changes, rule, kinds[rule.kind], money, as_of)
        elif placed is not None:
            part = _run(_founded(firms, as_table(placed), rule, kinds[rule.kind], as_of))
        counts[f"rule:{rule.code}"] = 0 if part is None else part.num_rows
        parts += [] if part is None else [part]
    if placed is None:
        counts["skipped_without_places"] = 1
    findings = conform(pa.concat_tables(parts))
    counts |= {"found": findings.num_rows, "unresolved": findings["company_id"].null_count}
    return Detected(findings, counts)


def _run(expression: ir.Table) -> pa.Table:
    return conform(compute(with_identity(expression, "registry_change")))


def _changes(
    changes: ir.Table, refs: ir.Table, firms: ir.Table, rules: Sequence[ChangeRule], as_of: dt.date
) -> pa.Table:
    """Return the changes that any rule could read, with company and name, oldest first."""
    fields = sorted({name for rule in rules for name in rule.fields})
    oldest = as_of - dt.timedelta(days=max((rule.lookback_days for rule in rules), default=0))
    rows = changes.filter(
        changes.field.isin(fields) & (changes.changed_on > oldest) & (changes.changed_on <= as_of)
    ).select("company_ref", "field", "old_value", "new_value", "changed_on", "source", "record_key")
    rows = rows.left_join(
        refs.select("ref", "company_id", ref_confidence="confidence"), rows.company_ref == refs.ref
    )
    names = firms.select(own_id="company_id", company_name="name")
    rows = rows.left_join(names, rows.company_id == names.own_id)
    return compute(rows.order_by("changed_on", "source", "record_key"))


@lru_cache(maxsize=65_536)
def _added(old: str, new: str) -> str:
    """Return the parts of ``new`` that ``old`` lacks."""
    before = {part.strip() for part in _PARTS.split(old)}
    return "；".join(
        part.strip() for part in _PARTS.split(new) if part.strip() and part.strip() not in before
    )


def _yuan(text: str, money: MoneyReader) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        amount = parse_amount(text, money)
        return amount.cny if amount else None


def _grew(rule: ChangeRule, old: str, new: str, money: MoneyReader) -> tuple[bool, str, float | None]:
    before, after = _yuan(old, money), _yuan(new, money)
    if before is None or after is None or before <= 0:
        return False, "", None
    change = (after - before) / before
    if rule.test == "decrease":
        change = -change
    words = f"{word_amount(before)}变更为{word_amount(after)}"
    return change >= max(rule.ratio, 1e-9), words, round(abs(after - before), 2)


def _judge(rule: ChangeRule, old: str, new: str, money: MoneyReader) -> tuple[bool, str, float | None]:
    """Return whether the rule holds, the change in words, and its amount."""
    if rule.test in ("increase", "decrease"):
        return _grew(rule, old, new, money)
    if rule.test == "added":
        added = _added(old, new)
        holds = bool(added and old) and (not rule.words or bool(re.search(rule.words, added)))
        return holds, f"新增：{added[:_SHOWN]}", None
    words = f"由“{old[:_SHOWN] or '（空）'}”变更为“{new[:_SHOWN]}”"
    if rule.test == "became":
        unwanted = bool(rule.not_words and re.search(rule.not_words, new))
        matched = bool(re.search(rule.words, new)) and not re.search(rule.words, old)
        return matched and not unwanted, words, None
    return bool(old and new) and _plain(old) != _plain(new), words, None


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", text).replace("（", "(").replace("）", ")")


def _from_changes(
    changes: pa.Table, rule: ChangeRule, kind: OpportunityKind, money: MoneyReader, as_of: dt.date
) -> pa.Table:
    oldest = as_of - dt.timedelta(days=rule.lookback_days)
    found: list[dict[str, Any]] = []
    for row in changes.to_pylist():
        if row["field"] not in rule.fields or row["changed_on"] <= oldest:
            continue
        holds, words, amount = _judge(rule, row["old_value"] or "", row["new_value"] or "", money)
        if not holds:
            continue
        name = row["company_name"]
        found.append(
            {
                "finding_id": portable.hash_of(
                    "registry_change",
                    rule.kind,
                    rule.role,
                    row["company_id"],
                    row["source"],
                    row["record_key"],
                ),
                "detector": "registry_change",
                "kind": rule.kind,
                "company_id": row["company_id"],
                "company_name": name,
                "subject_role": rule.role,
                "title": f"{name or '（企业未识别）'}：{kind.name}，{rule.label}{words}",
                "occurred_on": row["changed_on"],
                "published_on": row["changed_on"],
                "amount_cny": amount,
                "amount_text": None if amount is None else word_amount(amount),
                "evidence": f"{rule.label}{words}｜company_changes/{row['source']}/{row['record_key']}",
                "confidence": rule.confidence
                * (0.5 if row["company_id"] is None else row["ref_confidence"] or 1.0),
                "source": row["source"],
                "record_key": row["record_key"],
            }
        )
    return pa.Table.from_pylist(found, schema=FINDINGS.schema)


def _window(date: ir.DateValue, rule: ChangeRule, as_of: dt.date) -> ir.BooleanValue:
    return (date > as_of - dt.timedelta(days=rule.lookback_days)) & (date <= as_of)


def _from_relations(
    relations: ir.Table, firms: ir.Table, rule: ChangeRule, kind: OpportunityKind, as_of: dt.date
) -> ir.Table:
    """New subsidiaries (the held company) and branches (the from side), told of the side that the role names."""
    import ibis

    wanted = rule.fields[0].removeprefix(_RELATION)
    rows = relations.filter(
        (relations.kind == wanted) & (relations.from_type == "company") & (relations.to_type == "company")
    )
    if rule.ratio:
        rows = rows.filter(rows.ratio >= rule.ratio)
    new, parent = ("from_id", "to_id") if wanted == "branch_of" else ("to_id", "from_id")
    child = firms.select(
        child_id="company_id", child_name="name", child_founded_on="founded_on", child_capital="capital_cny"
    )
    above = firms.select(parent_id="company_id", parent_name="name")
    rows = rows.inner_join(child, rows[new] == child.child_id)
    rows = rows.inner_join(above, rows[parent] == above.parent_id)
    rows = rows.filter(_window(rows.child_founded_on, rule, as_of))
    of_child = rule.role == kind.subject_role and wanted != "branch_of"
    own, other = ("child", "parent") if of_child else ("parent", "child")
    day = rows.child_founded_on.cast("string")
    fact = rows.parent_name + day + rule.label + "“" + rows.child_name + "”"
    return rows.mutate(
        kind=ibis.literal(rule.kind),
        subject_role=ibis.literal(rule.role),
        company_id=rows[f"{own}_id"],
        company_name=rows[f"{own}_name"],
        counterparty=rows[f"{other}_name"],
        title=rows[f"{own}_name"] + "：" + rule.label + "，" + day,
        occurred_on=rows.child_founded_on,
        published_on=rows.child_founded_on,
        expires_on=ibis.null("date"),
        amount_cny=rows.child_capital,
        amount_text=ibis.null("string"),
        evidence=fact + "｜relation_records/" + rows.source + "/" + rows.record_key,
        span_start=ibis.null("int64"),
        span_end=ibis.null("int64"),
        confidence=ibis.literal(rule.confidence) * ibis.coalesce(rows.confidence, ibis.literal(1.0)),
    )


def _founded(
    firms: ir.Table, placed: ir.Table, rule: ChangeRule, kind: OpportunityKind, as_of: dt.date
) -> ir.Table:
    """Companies founded lately that sit in a park or on a chain."""
    import ibis

    places = placed.group_by("company_id").agg(place=placed.place.min())
    new = firms.filter((firms.origin == "registry") & _window(firms.founded_on, rule, as_of))
    rows = new.inner_join(places, new.company_id == places.company_id)
    day = rows.founded_on.cast("string")
    number = rows.company_id.cast("string")
    return rows.select(
        "company_id",
        kind=ibis.literal(rule.kind),
        subject_role=ibis.literal(rule.role),
        company_name=rows.name,
        counterparty=ibis.null("string"),
        title=rows.name + "：" + kind.name + "，" + day,
        occurred_on=rows.founded_on,
        published_on=rows.founded_on,
        expires_on=ibis.null("date"),
        amount_cny=rows.capital_cny,
        amount_text=ibis.null("string"),
        evidence=day + "成立，位于" + rows.place + "｜companies/registry/" + number,
        span_start=ibis.null("int64"),
        span_end=ibis.null("int64"),
        confidence=ibis.literal(rule.confidence),
        source=ibis.literal("registry"),
        record_key=number,
    )
