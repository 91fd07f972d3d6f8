"""Which company carries which tag: every rule family is applied, the rows are joined, evidence on each.

Reads companies, list_tag_records (with company_id), opportunities, company_goods, company_nodes, park_residents,
relations, supply tables and others that rules name; writes COMPANY_TAGS and the memberships of dimension ``tag``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.membership import MEMBERSHIPS
from qiaomen.tags.catalogue import SizeStandard, Tag, load_size_standards, order_tags
from qiaomen.tags.keywords import TAGGED_SCHEMA, keyword_rows
from qiaomen.tags.relational import (
    Placed,
    aggregate_rows,
    expression_rows,
    list_rows,
    size_rows,
    window_rows,
)
from qiaomen.tags.rules import (
    AggregateRule,
    ExpressionRule,
    KeywordRule,
    ListRule,
    SizeRule,
    TagsRule,
    WindowRule,
)
from qiaomen.tags.tables import COMPANY_TAGS

if TYPE_CHECKING:
    import ibis.expr.types as ir

Numbers = npt.NDArray[np.int64]


def rule_tables(rule: Any) -> tuple[str, ...]:
    """Return the tables that a rule cannot do without."""
    if isinstance(rule, ExpressionRule | AggregateRule):
        return (rule.table,)
    if isinstance(rule, ListRule):
        return ("list_tag_records",)
    if isinstance(rule, WindowRule):
        return ("opportunities",)
    return () if isinstance(rule, TagsRule) else ("companies",)


def missing_tables(tags: Mapping[str, Tag], tables: Mapping[str, ir.Table]) -> dict[str, list[str]]:
    """Return the tables that rules need and were not given, with the tags that stay empty or partial for it."""
    gaps: dict[str, list[str]] = defaultdict(list)
    for tag in tags.values():
        for name in {name for rule in tag.rules for name in rule_tables(rule)} - set(tables):
            gaps[name].append(tag.code)
    return dict(gaps)


def _placed(tags: Mapping[str, Tag], tables: Mapping[str, ir.Table]) -> dict[type, list[Placed]]:
    families: dict[type, list[Placed]] = defaultdict(list)
    for tag in tags.values():
        for position, rule in enumerate(tag.rules):
            if set(rule_tables(rule)) <= set(tables):
                families[type(rule)].append((tag.code, position, rule))
    return families


def _relational(
    families: Mapping[type, list[Placed]],
    tables: Mapping[str, ir.Table],
    as_of: date,
    standards: Sequence[SizeStandard],
) -> Iterator[ir.Table]:
    by_table: dict[str, list[Placed]] = defaultdict(list)
    for place in families.get(ExpressionRule, ()):
        by_table[place[2].table].append(place)
    for name, placed in by_table.items():
        yield expression_rows(name, tables[name], placed, as_of)
    for place in families.get(AggregateRule, ()):
        yield aggregate_rows(tables[place[2].table], place, as_of)
    if SizeRule in families:
        yield size_rows(tables["companies"], families[SizeRule], standards)
    if ListRule in families:
        yield list_rows(tables["list_tag_records"], families[ListRule], as_of)
    if WindowRule in families:
        yield window_rows(tables["opportunities"], families[WindowRule], as_of)


def _leading_rows(rows: pa.Table) -> pa.Table:
    """Keep one row per company and tag: the first alternative, the newest fact; say how many more there are."""
    if rows.num_rows == 0:
        return rows.drop_columns(["position"])
    order = pc.sort_indices(
        rows,
        sort_keys=[
            ("company_id", "ascending"),
            ("tag", "ascending"),
            ("position", "ascending"),
            ("since", "descending"),
            ("evidence", "ascending"),
        ],
    )
    rows = rows.take(order)
    companies = rows.column("company_id").to_numpy()
    codes = rows.column("tag").combine_chunks().dictionary_encode()
    places = codes.indices.to_numpy(zero_copy_only=False)
    first = np.ones(len(companies), dtype=bool)
    first[1:] = (companies[1:] != companies[:-1]) | (places[1:] != places[:-1])
    starts = np.flatnonzero(first)
    return rows.take(pa.array(starts)).drop_columns(["position"])


def _carriers(rows: pa.Table) -> dict[str, Numbers]:
    companies = rows.column("company_id").to_numpy()
    codes = rows.column("tag").combine_chunks().dictionary_encode()
    places = codes.indices.to_numpy(zero_copy_only=False)
    return {
        str(code): np.unique(companies[places == place])
        for place, code in enumerate(codes.dictionary.to_pylist())
    }


def combine_carriers(rule: TagsRule, carriers: Mapping[str, Numbers]) -> Numbers:
    """Return the companies that fulfil a combination of tags."""
    nobody: Numbers = np.empty(0, dtype=np.int64)
    found: Numbers | None = None
    if rule.any:
        found = np.unique(np.concatenate([carriers.get(code, nobody) for code in rule.any]))
    for code in rule.all:
        with_tag = carriers.get(code, nobody)
        found = with_tag if found is None else np.intersect1d(found, with_tag)
    if found is None:
        return nobody
    for code in rule.none:
        found = np.setdiff1d(found, carriers.get(code, nobody))
    return found


def _combination_rows(
    code: str, position: int, rule: TagsRule, tags: Mapping[str, Tag], carriers: Mapping[str, Numbers]
) -> pa.Table:
    found = combine_carriers(rule, carriers)
    nobody: Numbers = np.empty(0, dtype=np.int64)
    labels = [
        pc.if_else(pa.array(np.isin(found, carriers.get(used, nobody))), tags[used].name_zh, None)
        for used in (*rule.all, *rule.any)
    ]
    reason = pc.binary_join_element_wise(*labels, "、", null_handling="skip")
    place = pc.binary_join_element_wise("｜company_tags/", pc.cast(pa.array(found), pa.string()), "")
    absent = "，且无" + "、".join(tags[used].name_zh for used in rule.none) if rule.none else ""
    number = len(found)
    return pa.table(
        {
            "company_id": pa.array(found),
            "tag": pa.array([code] * number, pa.string()),
            "position": pa.array([position] * number, pa.int64()),
            "since": pa.nulls(number, pa.date32()),
            "evidence": pc.binary_join_element_wise("具有标签：", reason, absent, place, ""),
        },
        schema=TAGGED_SCHEMA,
    )


def apply_tags(
    tags: Mapping[str, Tag],
    tables: Mapping[str, ir.Table],
    as_of: date,
    standards: Sequence[SizeStandard] | None = None,
) -> pa.Table:
    """Return COMPANY_TAGS at ``as_of``; facts dated later are not used.

    ``tables`` are by lake name; loaded tables carry ``company_id`` beside the reference. A rule over a table that is
    not given yields nothing: ask ``missing_tables`` and report it. ``standards`` defaults to the shipped ones.
    """
    families = _placed(tags, tables)
    standards = load_size_standards() if standards is None else standards
    parts = [
        part.to_pyarrow().cast(TAGGED_SCHEMA) for part in _relational(families, tables, as_of, standards)
    ]
    if KeywordRule in families:
        parts += keyword_rows(tables, families[KeywordRule])
    rows = pa.concat_tables([TAGGED_SCHEMA.empty_table(), *parts])
    carriers = _carriers(rows) if rows.num_rows else {}
    for tag in order_tags(tags):
        for position, rule in enumerate(tag.rules):
            if isinstance(rule, TagsRule):
                added = _combination_rows(tag.code, position, rule, tags, carriers)
                rows = pa.concat_tables([rows, added])
                earlier = carriers.get(tag.code, np.empty(0, dtype=np.int64))
                carriers[tag.code] = np.union1d(earlier, added.column("company_id").to_numpy())
    return COMPANY_TAGS.conform(_leading_rows(rows))


def tagged_rows(tags: Mapping[str, Tag], tables: Mapping[str, ir.Table], as_of: date) -> ir.Table | None:
    """Return (company_id, tag) by the list and window rules alone, at any ``as_of``, as one Ibis expression.

    These are the rules whose facts carry dates, so that the answer is point-in-time. None where no rule applies.
    """
    import ibis

    families = _placed(tags, tables)
    dated: dict[type, list[Placed]] = {
        kind: families[kind] for kind in (ListRule, WindowRule) if kind in families
    }
    parts = [part.select("company_id", "tag") for part in _relational(dated, tables, as_of, ())]
    return (
        ibis.union(*parts, distinct=True)
        if len(parts) > 1
        else next((part.distinct() for part in parts), None)
    )


def tag_memberships(company_tags: pa.Table) -> pa.Table:
    """Return the MEMBERSHIPS rows of dimension ``tag``."""
    columns = {
        "company_id": company_tags.column("company_id"),
        "dimension": pa.array(["tag"] * company_tags.num_rows, pa.string()),
        "value": company_tags.column("tag"),
        "since": company_tags.column("since"),
        "until": company_tags.column("until"),
        "evidence": company_tags.column("evidence"),
    }
    rows = MEMBERSHIPS.conform(pa.table(columns))
    return rows.sort_by([("value", "ascending"), ("company_id", "ascending")])


def coverage(tags: Mapping[str, Tag], company_tags: pa.Table, companies: int) -> list[dict[str, Any]]:
    """Return per tag the carriers, the share of ``companies``, and whether the share is as expected."""
    counted = {
        row["values"]: row["counts"] for row in pc.value_counts(company_tags.column("tag")).to_pylist()
    }
    rows = []
    for tag in tags.values():
        carriers = int(counted.get(tag.code, 0))
        share = carriers / companies if companies else 0.0
        low, high = tag.coverage
        rows.append({"tag": tag.code, "carriers": carriers, "share": share, "expected": low <= share <= high})
    return rows
