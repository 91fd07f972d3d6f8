"""Why a company carries a tag, or why not: each rule of the tag with what was found, down to the source rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from qiaomen.tags.apply import apply_tags, rule_tables
from qiaomen.tags.catalogue import Tag, load_size_standards, needed_tags
from qiaomen.tags.conditions import COMPARISONS, describe, holds
from qiaomen.tags.keywords import FIELD_LABELS, find_word, in_trade, read_field
from qiaomen.tags.relational import SIZE_LABELS, size_rank, years_before
from qiaomen.tags.rules import (
    SIZE_CLASSES,
    AggregateRule,
    ExpressionRule,
    KeywordRule,
    ListRule,
    SizeRule,
    TagsRule,
    WindowRule,
)
from qiaomen.vocab import NotFound

if TYPE_CHECKING:
    import ibis.expr.types as ir

SIDES: Final = ("company_id", "from_id", "to_id", "supplier_id", "buyer_id")
ROWS_SHOWN: Final = 20

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Trial:
    """One rule put to one company: what it asks, whether it holds, what was found, the source rows (at most 20)."""

    kind: str
    asks: str
    holds: bool
    found: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a company carries a tag, with the evidence and a trial of each rule."""

    tag: str
    name_zh: str
    definition: str
    company_id: int
    carries: bool
    evidence: str
    trials: tuple[Trial, ...]


def _own_rows(table: ir.Table, company_id: int) -> ir.Table:
    sides = [table[name] == company_id for name in SIDES if name in table.columns]
    condition = sides[0]
    for side in sides[1:]:
        condition = condition | side
    return table.filter(condition)


def _dicts(table: ir.Table) -> Rows:
    rows: Rows = table.to_pyarrow().to_pylist()
    return rows


def _trial_expression(rule: ExpressionRule, rows: Mapping[str, Rows], company_id: int, as_of: date) -> Trial:
    own = [row for row in rows[rule.table] if row.get("company_id") == company_id]
    hits = [row for row in own if holds(rule.where, row, as_of)]
    columns = list(dict.fromkeys(str(leaf.column) for leaf in rule.where.leaves()))
    seen = "；".join("，".join(f"{name}={row.get(name)}" for name in columns) for row in (hits or own)[:3])
    return Trial(
        "expression",
        describe(rule.where),
        bool(hits),
        seen or f"表 {rule.table} 没有该企业的行",
        (hits or own)[:ROWS_SHOWN],
    )


def _trial_aggregate(rule: AggregateRule, rows: Mapping[str, Rows], company_id: int, as_of: date) -> Trial:
    own = [row for row in rows[rule.table] if row.get(rule.company) == company_id]
    hits = [row for row in own if rule.where is None or holds(rule.where, row, as_of)]
    values = [row[str(rule.column)] for row in hits if rule.column and row[rule.column] is not None]
    folds: dict[str, Callable[[], Any]] = {
        "count": lambda: len(hits),
        "distinct": lambda: len(set(values)),
        "sum": lambda: sum(values),
        "max": lambda: max(values, default=None),
    }
    folded = folds[rule.fold]()
    asks = f"{rule.table} 中{describe(rule.where) if rule.where else '全部行'}的 {rule.fold} {rule.op} {rule.value:g}"
    fulfilled = bool(hits) and folded is not None and bool(COMPARISONS[rule.op](folded, rule.value))
    return Trial("aggregate", asks, fulfilled, f"符合条件的行 {len(hits)}，值 {folded}", hits[:ROWS_SHOWN])


def _trial_keyword(rule: KeywordRule, rows: Mapping[str, Rows]) -> Trial:
    company = next(iter(rows["companies"]), {})
    allowed = in_trade(company.get("industry_code"), rule)
    texts: list[tuple[str, Any]] = [(field, company.get(field)) for field in rule.fields if field != "goods"]
    if "goods" in rule.fields:
        texts += [("goods", row["goods_name"]) for row in rows.get("company_goods", [])]
    hits = [
        f"{FIELD_LABELS[field]}含“{word}”"
        for field, text in texts
        if (word := find_word(read_field(text, field, rule), rule)) is not None
    ]
    found = "；".join(hits) or "没有找到关键词"
    if hits and not allowed:
        found += f"；但行业 {company.get('industry_code')} 不在所限行业"
    asks = f"含关键词：{'、'.join(rule.words)}"
    read = [{"field": field, "text": text} for field, text in texts[:ROWS_SHOWN]]
    return Trial("keyword", asks, bool(hits) and allowed, found, read)


def _list_fault(rule: ListRule, row: dict[str, Any], as_of: date) -> str:
    """Return why a list record does not count at as_of; empty where it counts."""
    if rule.levels and row.get("level") not in rule.levels:
        return "级别不符"
    if row["since"] is not None and row["since"] > as_of:
        return "尚未生效"
    if row["until"] is not None:
        return "已到期" if row["until"] < as_of else ""
    expired = rule.valid_years and row["since"] and row["since"] <= years_before(as_of, rule.valid_years)
    return f"超过{rule.valid_years}年有效期" if expired else ""


def _trial_list(rule: ListRule, rows: Mapping[str, Rows], as_of: date) -> Trial:
    own = [row for row in rows["list_tag_records"] if (row["list_code"] or "").strip() in rule.lists]
    faults = [_list_fault(rule, row, as_of) for row in own]
    words = [
        f"“{row['list_code']}”自{row['since']}至{row['until'] or '未注明'}{'：' + fault if fault else ''}"
        for row, fault in zip(own, faults, strict=True)
    ]
    asks = f"列入名单：{'、'.join(rule.lists)}"
    return Trial("list", asks, "" in faults, "；".join(words) or "名单中没有该企业", own[:ROWS_SHOWN])


def _trial_window(rule: WindowRule, rows: Mapping[str, Rows], as_of: date) -> Trial:
    own = [row for row in rows["opportunities"] if row["kind"] in rule.kinds]
    first = as_of - timedelta(days=rule.within_days)
    hits = []
    for row in own:
        on = row["published_on"] or row["occurred_on"]
        fitting = not rule.statuses or row["status"] in rule.statuses
        if on is not None and first <= on <= as_of and fitting:
            hits.append(row)
    amount = sum(row["amount_cny"] or 0.0 for row in hits)
    fulfilled = len(hits) >= rule.at_least and amount >= (rule.amount_cny or 0.0)
    asks = f"近{rule.within_days}天内 {'、'.join(rule.kinds)} 不少于{rule.at_least}条"
    found = f"窗口内{len(hits)}条，金额合计{amount:,.0f}元；窗口外或状态不符{len(own) - len(hits)}条"
    return Trial("window", asks, fulfilled, found, (hits or own)[:ROWS_SHOWN])


def _trial_size(rule: SizeRule, company: ir.Table) -> Trial:
    ranked = company.mutate(size_rank=size_rank(company, load_size_standards()))
    rows = _dicts(ranked.select("company_id", "industry_code", "employees", "revenue_cny", "size_rank"))
    rank = rows[0]["size_rank"] if rows else None
    words = SIZE_LABELS[SIZE_CLASSES[rank]] if rank is not None else "行业或指标不足，不能划型"
    return Trial(
        "size",
        f"划型为{SIZE_LABELS[rule.size_class]}",
        rank == SIZE_CLASSES.index(rule.size_class),
        words,
        rows,
    )


def _trial_tags(rule: TagsRule, tags: Mapping[str, Tag], carried: Mapping[str, str]) -> Trial:
    fulfilled = all(code in carried for code in rule.all) and not any(code in carried for code in rule.none)
    fulfilled = fulfilled and (not rule.any or any(code in carried for code in rule.any))
    held = [tags[code].name_zh for code in rule.used if code in carried]
    groups = (("全部", rule.all), ("任一", rule.any), ("均无", rule.none))
    asks = "；".join(
        f"{word}：{'、'.join(tags[code].name_zh for code in codes)}" for word, codes in groups if codes
    )
    rows = [{"tag": code, "evidence": carried[code]} for code in rule.used if code in carried]
    return Trial("tags", asks, fulfilled, f"现有：{'、'.join(held) or '无'}", rows)


@dataclass(frozen=True, slots=True)
class _Case:
    """All that the trials of one company read."""

    tags: Mapping[str, Tag]
    tables: Mapping[str, ir.Table]
    rows: Mapping[str, Rows]
    carried: Mapping[str, str]
    as_of: date
    company_id: int


def _try(rule: Any, case: _Case) -> Trial:
    absent = [name for name in rule_tables(rule) if name not in case.tables]
    if absent:
        return Trial(rule.kind, "", False, f"没有载入表 {'、'.join(absent)}", [])
    trials: dict[type, Callable[[], Trial]] = {
        ExpressionRule: lambda: _trial_expression(rule, case.rows, case.company_id, case.as_of),
        AggregateRule: lambda: _trial_aggregate(rule, case.rows, case.company_id, case.as_of),
        KeywordRule: lambda: _trial_keyword(rule, case.rows),
        ListRule: lambda: _trial_list(rule, case.rows, case.as_of),
        WindowRule: lambda: _trial_window(rule, case.rows, case.as_of),
        SizeRule: lambda: _trial_size(rule, case.tables["companies"]),
        TagsRule: lambda: _trial_tags(rule, case.tags, case.carried),
    }
    return trials[type(rule)]()


def why(
    tags: Mapping[str, Tag], code: str, tables: Mapping[str, ir.Table], as_of: date, company_id: int
) -> Explanation:
    """Explain one tag for one company; raises ``NotFound`` for an unknown tag.

    ``tables`` as for ``apply_tags``; a table that is not given counts as empty and the trial says so.
    """
    if code not in tags:
        raise NotFound(f"没有标签“{code}”", remedy="用 qiaomen tags 查看全部标签")
    tag, used = tags[code], needed_tags(tags, [code])
    own = {name: _own_rows(table, company_id) for name, table in tables.items() if name in _needed(used)}
    applied = apply_tags(used, own, as_of).to_pylist()
    carried = {row["tag"]: row["evidence"] for row in applied if row["company_id"] == company_id}
    rows = {name: _dicts(table) for name, table in own.items()}
    case = _Case(tags, own, rows, carried, as_of, company_id)
    trials = tuple(_try(rule, case) for rule in tag.rules)
    return Explanation(
        code, tag.name_zh, tag.definition, company_id, code in carried, carried.get(code, ""), trials
    )


def _needed(used: Mapping[str, Tag]) -> set[str]:
    names = {name for tag in used.values() for rule in tag.rules for name in rule_tables(rule)}
    return names | {"companies", "company_goods"}
