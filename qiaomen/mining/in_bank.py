"""Opportunities and warnings from the bank's own dealings and monthly flows.

Reads dealings, cashflows and companies; writes FINDINGS of detector ``in_bank``. Thresholds are declared in the
catalogue ``in_bank_rules``. Only complete months count: the month of ``as_of`` is left out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.mining.findings import Detected, as_table, compute, conform, with_identity
from qiaomen.mining.kinds import OpportunityKind
from qiaomen.mining.money import word_amount
from qiaomen.mining.rules import InBankRule
from qiaomen.mining.tables import FINDINGS
from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir

_OF_DEALINGS: Final = frozenset({"due", "unused", "usage"})
_LEAST_BASE_MONTHS: Final = 3
_COUNTS: Final = frozenset({"counterparties"})

Floats = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def find_in_bank(
    dealings: ir.Table | pa.Table,
    cashflows: ir.Table | pa.Table,
    companies: ir.Table | pa.Table,
    *,
    rules: Sequence[InBankRule],
    kinds: Mapping[str, OpportunityKind],
    as_of: dt.date,
) -> Detected:
    """Find what the bank's own books say at ``as_of``. Counts: found, unresolved, and rows per rule."""
    firms = as_table(companies).select(own_id="company_id", company_name="name")
    parts = [FINDINGS.empty()]
    counts: dict[str, int] = {}
    flows = _flows(
        as_table(cashflows), firms, [rule for rule in rules if rule.test not in _OF_DEALINGS], as_of
    )
    for rule in rules:
        kind = kinds[rule.kind]
        if rule.test in _OF_DEALINGS:
            rows = _from_dealings(as_table(dealings), firms, rule, kind, as_of)
            part = conform(compute(with_identity(rows, "in_bank")))
        else:
            part = _from_flows(flows, rule, kind)
        counts[f"rule:{rule.code}"] = part.num_rows
        parts.append(part)
    findings = conform(pa.concat_tables(parts))
    counts |= {"found": findings.num_rows, "unresolved": findings["company_id"].null_count}
    return Detected(findings, counts)


def _in_words(amount: ir.NumericValue) -> ir.StringValue:
    return portable.round_half_up(amount / 1e4, 0).cast("int64").cast("string") + "万元"


def _from_dealings(
    dealings: ir.Table, firms: ir.Table, rule: InBankRule, kind: OpportunityKind, as_of: dt.date
) -> ir.Table:
    import ibis

    rows = dealings.filter(
        dealings.kind.isin(list(rule.of))
        & (ibis.coalesce(dealings.status, ibis.literal("active")) == "active")
    ).drop("kind")
    rows = rows.left_join(firms, rows.company_id == firms.own_id)
    today = ibis.literal(as_of, "date")
    rows = rows.filter(ibis.coalesce(rows.started_on, today) <= today)
    amount = ibis.coalesce(rows[rule.measure], rows.amount_cny)
    if rule.test == "due":
        days = portable.days_between(today, rows.due_on)
        rows = rows.filter((days >= 0) & (days <= rule.lead_days))
        rows = rows.filter(ibis.coalesce(amount, ibis.literal(0.0)) >= rule.floor_cny)
        fact = ibis.literal(rule.label) + "到期日" + rows.due_on.cast("string")
        # The title names the kind first: what its name says already is not said again.
        brief = ibis.literal(_brief(rule, kind)) + "到期日" + rows.due_on.cast("string")
        on: ir.DateValue = rows.due_on
        known: ir.DateValue = portable.add_days(rows.due_on, -rule.lead_days)
        expires: ir.DateValue = rows.due_on
    else:
        share = portable.divide(ibis.coalesce(rows.balance_cny, ibis.literal(0.0)), rows.limit_cny)
        wanted = 1.0 - share if rule.test == "unused" else share
        open_still = ibis.coalesce(rows.due_on, today) >= today
        rows = rows.filter(open_still & (rows.limit_cny >= rule.floor_cny) & (wanted >= rule.threshold))
        unused = rows.limit_cny - ibis.coalesce(rows.balance_cny, ibis.literal(0.0))
        amount = unused if rule.test == "unused" else rows.balance_cny
        fact = (
            "额度"
            + _in_words(rows.limit_cny)
            + "，已用"
            + _in_words(ibis.coalesce(rows.balance_cny, ibis.literal(0.0)))
        )
        on = known = today
        expires = ibis.null("date")
        brief = fact
    return _dealing_finding(rows, rule, kind, (brief, fact), (on, known, expires), amount)


def _brief(rule: InBankRule, kind: OpportunityKind) -> str:
    return "" if rule.label in kind.name else rule.label


def _dealing_finding(
    rows: ir.Table,
    rule: InBankRule,
    kind: OpportunityKind,
    facts: tuple[ir.StringValue, ir.StringValue],
    dates: tuple[ir.DateValue, ir.DateValue, ir.DateValue],
    amount: ir.NumericValue,
) -> ir.Table:
    import ibis

    name = ibis.coalesce(rows.company_name, "客户号" + rows.customer_no)
    words = _in_words(amount)
    if rule.test == "usage":
        shown = ibis.literal("")
    else:
        shown = ibis.ifelse(amount.notnull(), ("，未用" if rule.test == "unused" else "，") + words, "")
    return rows.select(
        "company_id",
        "source",
        "record_key",
        company_name=name,
        kind=ibis.literal(kind.code),
        subject_role=ibis.literal(rule.role),
        title=name + "：" + kind.name + "，" + facts[0] + shown,
        occurred_on=dates[0],
        published_on=dates[1],
        expires_on=dates[2],
        amount_cny=amount.cast("float64"),
        amount_text=words,
        counterparty=ibis.null("string"),
        evidence=facts[1] + shown + "｜dealings/" + rows.source + "/" + rows.record_key,
        span_start=ibis.null("int64"),
        span_end=ibis.null("int64"),
        confidence=ibis.literal(rule.confidence),
    )


def _flows(
    cashflows: ir.Table, firms: ir.Table, rules: Sequence[InBankRule], as_of: dt.date
) -> dict[str, Any]:
    """Return one row per customer: sums of the recent and the base months of each rule, as columns."""
    import ibis

    complete = cashflows.filter(cashflows.month < as_of.replace(day=1))
    newest = compute(complete.aggregate(newest=complete.month.max()))["newest"][0].as_py()
    if newest is None or not rules:
        return {}
    reference = newest.year * 12 + newest.month - 1
    rows = complete.mutate(
        age=reference - portable.month_number(complete.month),
        who=ibis.ifelse(complete.company_id.notnull(), ibis.null("string"), complete.customer_no),
    )
    measures: dict[str, Any] = {"months": rows.month.nunique(), "first_age": rows.age.max()}
    for rule in rules:
        recent, base = rows.age < rule.recent_months, (rows.age >= rule.recent_months)
        base &= rows.age < rule.recent_months + rule.base_months
        versus = rule.versus or rule.measure
        value = rows[rule.measure].cast("float64")
        other = rows[versus].cast("float64")
        measures |= {
            f"{rule.code}:recent": value.sum(where=recent),
            f"{rule.code}:recent_other": other.sum(where=recent),
            f"{rule.code}:base": other.sum(where=base),
            f"{rule.code}:known": other.count(where=base),
        }
    last = rows.age == 0
    table = rows.group_by("company_id", "who").aggregate(
        **measures, source=rows.source.max(where=last), record_key=rows.record_key.max(where=last)
    )
    table = table.left_join(firms, table.company_id == firms.own_id)
    arrow = compute(table.order_by("company_id", "who"))
    return {"table": arrow, "on": _month_end(newest)}


def _month_end(month: dt.date) -> dt.date:
    following = (month.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
    return following - dt.timedelta(days=1)


def _column(table: pa.Table, name: str) -> Floats:
    filled = pc.fill_null(table[name].cast(pa.float64()), 0.0)
    return np.asarray(filled.to_numpy(), dtype=np.float64)


def _holds(rule: InBankRule, table: pa.Table) -> tuple[Mask, Floats, Floats]:
    """Return where the rule holds, the recent monthly mean and the base monthly mean."""
    known = _column(table, f"{rule.code}:known")
    recent = _column(table, f"{rule.code}:recent") / max(rule.recent_months, 1)
    base = _column(table, f"{rule.code}:base") / np.maximum(known, 1)
    measured = known >= min(_LEAST_BASE_MONTHS, max(rule.base_months, 1))
    if rule.test == "drop":
        return measured & (base >= rule.floor_cny) & (recent <= base * (1 - rule.threshold)), recent, base
    if rule.test == "rise":
        return measured & (recent >= rule.floor_cny) & (recent >= base * (1 + rule.threshold)), recent, base
    if rule.test == "single":
        return measured & (recent >= rule.floor_cny) & (recent >= base * rule.threshold), recent, base
    if rule.test == "first":
        return measured & (recent >= max(rule.floor_cny, 0.01)) & (base == 0), recent, base
    moved = _column(table, f"{rule.code}:recent") + _column(table, f"{rule.code}:recent_other")
    long_enough = _column(table, "first_age") >= rule.recent_months - 1
    return long_enough & (moved <= rule.threshold), moved, base


def _say(rule: InBankRule, value: float) -> str:
    return f"{value:,.0f}个" if rule.measure in _COUNTS else word_amount(value)


def _fact(rule: InBankRule, recent: float, base: float) -> str:
    months = f"近{rule.recent_months}个月"
    if rule.test == "idle":
        return f"{rule.label}：{months}收支合计{word_amount(recent)}"
    if rule.test == "first":
        return f"{rule.label}：{months}{_say(rule, recent)}，此前{rule.base_months}个月为零"
    return f"{rule.label}：{months}月均{_say(rule, recent)}，此前月均{_say(rule, base)}"


def _from_flows(flows: Mapping[str, Any], rule: InBankRule, kind: OpportunityKind) -> pa.Table:
    if not flows:
        return FINDINGS.empty()
    table: pa.Table = flows["table"]
    mask, recent, base = _holds(rule, table)
    # A finding rests on the newest month's row; a customer without one has gone from the file, not from the bank.
    mask &= np.asarray(pc.is_valid(table["record_key"]).to_numpy(zero_copy_only=False))
    places = np.flatnonzero(mask)
    chosen = table.select(["company_id", "who", "company_name", "source", "record_key"]).take(
        pa.array(places)
    )
    found = [
        _flow_finding(row, rule, kind, flows["on"], float(recent[place]), float(base[place]))
        for row, place in zip(chosen.to_pylist(), places, strict=True)
    ]
    return pa.Table.from_pylist(found, schema=FINDINGS.schema)


def _flow_finding(
    row: Mapping[str, Any], rule: InBankRule, kind: OpportunityKind, on: dt.date, recent: float, base: float
) -> dict[str, Any]:
    name = row["company_name"] or f"客户号{row['who']}"
    fact = _fact(rule, recent, base)
    brief = fact if _brief(rule, kind) else fact.removeprefix(f"{rule.label}：")
    amount = None if rule.measure in _COUNTS or rule.test == "idle" else round(abs(recent - base), 2)
    if rule.test in ("single", "first"):
        amount = round(recent, 2)
    return {
        "finding_id": portable.hash_of(
            "in_bank", rule.kind, rule.role, row["company_id"], row["source"], row["record_key"]
        ),
        "detector": "in_bank",
        "kind": kind.code,
        "company_id": row["company_id"],
        "company_name": name,
        "subject_role": rule.role,
        "title": f"{name}：{kind.name}，{brief}",
        "occurred_on": on,
        "published_on": on,
        "amount_cny": amount,
        "amount_text": None if amount is None else word_amount(amount),
        "evidence": f"{fact}｜cashflows/{row['source']}/{row['record_key']}",
        "confidence": rule.confidence,
        "source": row["source"],
        "record_key": row["record_key"],
    }
