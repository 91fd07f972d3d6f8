"""Admission: the declared rules that keep a lead from becoming a task, each with its code and ground in words.

Reads companies, customers, opportunities, the blacklist, institutions, open tasks and contacts; returns LEADS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING, Final

from qiaomen.dispatch.leads import with_others
from qiaomen.dispatch.rules import AdmissionRule
from qiaomen.dispatch.tables import LEADS
from qiaomen.store import portable

if TYPE_CHECKING:
    import ibis.expr.types as ir

JOINED: Final = "joined"


@dataclass(frozen=True, slots=True)
class AdmissionTables:
    """The tables admission looks into, as their folders declare them (OPEN_TASKS and CONTACTS are dispatch's)."""

    companies: ir.Table
    opportunities: ir.Table
    blacklist_records: ir.Table
    company_refs: ir.Table
    institution_records: ir.Table
    open_tasks: ir.Table
    contacts: ir.Table


def admit(leads: ir.Table, tables: AdmissionTables, rules: Sequence[AdmissionRule], as_of: date) -> ir.Table:
    """Return LEADS with ``admitted``, ``rules`` and ``grounds``.

    Of the leads of one company that pass, the one of highest priority leads; the others are joined to it and say so.
    So are those that only an open task of another product keeps out, where a lead of that task's product passes.
    """
    import ibis

    refused = [_refusals(leads, tables, rule, as_of) for rule in rules]
    grounds = ibis.union(*refused) if len(refused) > 1 else refused[0]
    grounds = grounds.group_by("lead_id").aggregate(
        refused_by=portable.join_words(grounds["rule"]), refused_for=portable.join_words(grounds.ground, "；")
    )
    judged = leads.left_join(grounds, "lead_id").drop("lead_id_right")
    judged = judged.mutate(free=judged.refused_by.isnull())
    blocked = judged.refused_by.isin([rule.code for rule in rules if rule.check == "open_task"])
    led = judged.free.any().over(group_by="company_id")
    judged = judged.mutate(passed=judged.free | (blocked.fill_null(False) & led))
    place = ibis.row_number().over(
        group_by=["company_id", "passed"],
        order_by=[
            portable.descending(judged.free.cast("int64")),
            portable.descending(judged.priority),
            portable.ascending(judged.lead_id),
        ],
    )
    return _finished(judged.mutate(place=place))


def _finished(judged: ir.Table) -> ir.Table:
    import ibis

    joins = judged.passed & (judged.place > 0)
    others = judged.filter(joins).group_by("company_id")
    others = others.aggregate(also=portable.join_words(judged.why_now, "；"))
    rows = judged.left_join(others, "company_id").drop("company_id_right")
    leads = rows.passed & (rows.place == 0)
    return rows.mutate(
        admitted=leads,
        rules=ibis.ifelse(rows.passed & (rows.place > 0), JOINED, rows.refused_by),
        grounds=ibis.ifelse(
            rows.passed & (rows.place > 0), "并入同一企业优先级更高的线索，一户一任务", rows.refused_for
        ),
        why_now=ibis.ifelse(leads, with_others(rows.why_now, rows.also), rows.why_now),
    ).select(*LEADS.names)


def _refusals(leads: ir.Table, tables: AdmissionTables, rule: AdmissionRule, as_of: date) -> ir.Table:
    """Return (lead_id, rule, ground) of the leads that a rule keeps out."""
    import ibis

    concerned = leads
    if rule.applies_to != "all":
        concerned = concerned.filter(concerned.is_customer == (rule.applies_to == "customer"))
    if rule.origins:
        concerned = concerned.filter(concerned.origin.isin(list(rule.origins)))
    concerned = concerned.select("lead_id", "company_id", "product")
    found = _CHECKS[rule.check](concerned, tables, rule, as_of)
    return found.select(
        "lead_id", rule=ibis.literal(rule.code), ground=ibis.literal(f"{rule.name}：") + found.ground
    )


def blacklisted(blacklist_records: ir.Table, company_refs: ir.Table, as_of: date) -> ir.Table:
    """Return the blacklist rows in force with their company; ``company_id`` is null where it is not resolved."""
    rows = blacklist_records.left_join(
        company_refs.select("ref", "company_id"), blacklist_records.company_ref == company_refs.ref
    )
    return rows.filter(
        (rows.since.isnull() | (rows.since <= as_of)) & (rows.until.isnull() | (rows.until >= as_of))
    )


def _blacklist(leads: ir.Table, tables: AdmissionTables, rule: AdmissionRule, as_of: date) -> ir.Table:  # noqa: ARG001
    listed = blacklisted(tables.blacklist_records, tables.company_refs, as_of)
    ground = (
        listed.list_kind.fill_null("名单未注明")
        + "，"
        + listed.reason.fill_null("原因未注明")
        + "（自"
        + listed.since.cast("string").fill_null("不详")
        + "）"
    )
    return leads.inner_join(listed.select("company_id", ground=ground), "company_id")


def _event(leads: ir.Table, tables: AdmissionTables, rule: AdmissionRule, as_of: date) -> ir.Table:  # noqa: ARG001
    events = tables.opportunities
    hits = (
        events.polarity.isin(list(rule.polarities)) if rule.polarities else events.kind.isin(list(rule.kinds))
    )
    hits = hits & (events.status == "active")
    if rule.amount_cny is not None:
        hits = hits & (events.amount_cny >= rule.amount_cny)
    ground = (
        events.title
        + "（"
        + events.published_on.cast("string").fill_null("日期不详")
        + "，来源："
        + events.source.fill_null("不详")
        + "）"
    )
    return leads.inner_join(events.filter(hits).select("company_id", ground=ground), "company_id")


def _status(leads: ir.Table, tables: AdmissionTables, rule: AdmissionRule, as_of: date) -> ir.Table:  # noqa: ARG001
    companies = tables.companies
    hits = companies.filter(portable.contains_any(companies.status, rule.words))
    return leads.inner_join(hits.select("company_id", ground=hits.status), "company_id")


def _region(leads: ir.Table, tables: AdmissionTables, rule: AdmissionRule, as_of: date) -> ir.Table:  # noqa: ARG001
    import ibis

    codes = portable.split_words(tables.institution_records, "region_codes", to="code")
    # A whole code ends in zeros where it means a province or a city with all below it.
    places = ibis.cases((codes.code.endswith("0000"), 2), (codes.code.endswith("00"), 4), else_=6)
    prefixes = codes.select(prefix=codes.code.substr(0, places)).distinct()
    rows = leads.inner_join(tables.companies.select("company_id", "region_code", "address"), "company_id")
    lengths = [
        rows.region_code.substr(0, length).isin(prefixes.filter(prefixes.prefix.length() == length).prefix)
        for length in (2, 4, 6)
    ]
    # An unknown region is not out of area: such a lead has no branch and waits for dispatch by hand.
    inside = reduce(lambda a, b: a | b, lengths).fill_null(True)
    return rows.mutate(ground=rows.region_code + "不在展业区域内", inside=inside).filter(lambda t: ~t.inside)


def _industry(leads: ir.Table, tables: AdmissionTables, rule: AdmissionRule, as_of: date) -> ir.Table:  # noqa: ARG001
    companies = tables.companies
    hits = reduce(
        lambda a, b: a | b, [companies.industry_code.startswith(prefix) for prefix in rule.prefixes]
    )
    hit = companies.filter(hits.fill_null(False))
    ground = hit.industry_code + hit.industry_name.fill_null("")
    return leads.inner_join(hit.select("company_id", ground=ground), "company_id")


def _age(leads: ir.Table, tables: AdmissionTables, rule: AdmissionRule, as_of: date) -> ir.Table:
    import ibis

    needed = ibis.cases(
        *((leads["product"] == product, months) for product, months in rule.months.items()), else_=0
    ).cast("int64")
    rows = leads.mutate(needed=needed)
    rows = rows.inner_join(tables.companies.select("company_id", "founded_on"), "company_id")
    age = portable.months_between(rows.founded_on, ibis.literal(as_of))
    rows = rows.mutate(age=age)
    young = rows.filter((rows.needed > 0) & (rows.age < rows.needed))
    return young.mutate(
        ground=ibis.literal("成立")
        + young.age.cast("string")
        + "个月，产品“"
        + young["product"]
        + "”要求"
        + young.needed.cast("string")
        + "个月"
    )


def _open_task(leads: ir.Table, tables: AdmissionTables, rule: AdmissionRule, as_of: date) -> ir.Table:  # noqa: ARG001
    tasks = tables.open_tasks
    tasks = tasks.filter(tasks.state != "closed")
    rows = leads.inner_join(
        tasks.select("company_id", "task_id", open_product=tasks["product"].fill_null("")), "company_id"
    )
    # The same product is no obstacle: its open task is brought up to date instead.
    other = rows.filter(rows["product"].fill_null("") != rows.open_product)
    return other.mutate(
        ground=other.task_id.cast("string") + "号任务正在营销该企业的“" + other.open_product + "”"
    )


def _closed_task(leads: ir.Table, tables: AdmissionTables, rule: AdmissionRule, as_of: date) -> ir.Table:
    import ibis

    tasks = tables.open_tasks
    tasks = tasks.filter(
        (tasks.state == "closed")
        & tasks.result.isin(["lost", "not_admitted", "withdrawn"])
        & (portable.days_between(tasks.closed_on, ibis.literal(as_of)) < rule.days)
    )
    tasks = tasks.select("company_id", "closed_on", closed_product=tasks["product"].fill_null(""))
    rows = leads.inner_join(tasks, "company_id")
    same = rows.filter(rows["product"].fill_null("") == rows.closed_product)
    return same.mutate(ground=same.closed_on.cast("string") + f"刚结束一次，{rule.days}天内不再下发")


def _contacts(leads: ir.Table, tables: AdmissionTables, rule: AdmissionRule, as_of: date) -> ir.Table:
    recent = _within(tables.contacts, rule.days, as_of)
    counted = recent.group_by("company_id").aggregate(number=recent.count())
    many = counted.filter(counted.number >= rule.at_most)
    ground = many.number.cast("string").concat(f"次主动联系在{rule.days}天内，上限{rule.at_most}次")
    return leads.inner_join(many.select("company_id", ground=ground), "company_id")


def _refusal(leads: ir.Table, tables: AdmissionTables, rule: AdmissionRule, as_of: date) -> ir.Table:
    recent = _within(tables.contacts, rule.days, as_of)
    refused = recent.filter(recent.refused)
    last = refused.group_by("company_id").aggregate(on=refused.contacted_on.max())
    return leads.inner_join(
        last.select("company_id", ground=last.on.cast("string") + "企业表示不愿再被联系"), "company_id"
    )


def _within(contacts: ir.Table, days: int, as_of: date) -> ir.Table:
    import ibis

    since = portable.days_between(contacts.contacted_on, ibis.literal(as_of))
    return contacts.filter((since >= 0) & (since < days))


_CHECKS: Final[Mapping[str, Callable[..., ir.Table]]] = {
    "blacklist": _blacklist,
    "event": _event,
    "status": _status,
    "region": _region,
    "industry": _industry,
    "age": _age,
    "open_task": _open_task,
    "closed_task": _closed_task,
    "contacts": _contacts,
    "refusal": _refusal,
}
