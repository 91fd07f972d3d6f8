"""Which node supplies which: stated links, and links that relations between goods imply.

Reads ``node_link_records``, ``goods_relation_records``; writes ``node_links``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from qiaomen.chains.goods import normalise_goods
from qiaomen.chains.matcher import NodeMatcher
from qiaomen.chains.nodes import NodeRule
from qiaomen.chains.tables import GOODS_RELATION_RECORDS, NODE_LINK_RECORDS, NODE_LINKS

# From the point of view of (from_goods, to_goods): which of the two supplies the other.
_SUPPLIER_FIRST: Final = {"downstream": True, "material": False}


@dataclass(frozen=True, slots=True)
class NodeLinks:
    """``table`` conforms to NODE_LINKS; ``counts`` says which rows could not be used."""

    table: pa.Table
    counts: Mapping[str, int]


def link_nodes(
    rules: Sequence[NodeRule],
    matcher: NodeMatcher,
    *,
    node_link_records: pa.Table | None = None,
    goods_relation_records: pa.Table | None = None,
) -> NodeLinks:
    """Return the links between two different nodes in force; several rows of one pair are one link."""
    counts: Counter[str] = Counter()
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    if node_link_records is not None:
        _declared(node_link_records, rules, rows, counts)
    if goods_relation_records is not None:
        _by_goods(goods_relation_records, rules, matcher, rows, counts)
    ordered = [rows[key] for key in sorted(rows)]
    return NodeLinks(NODE_LINKS.conform(pa.Table.from_pylist(ordered, NODE_LINKS.schema)), dict(counts))


def _declared(
    records: pa.Table, rules: Sequence[NodeRule], rows: dict[Any, dict[str, Any]], counts: Counter[str]
) -> None:
    codes = {rule.node_code for rule in rules}
    named: dict[str, list[str]] = {}
    for rule in rules:
        named.setdefault(rule.node_name, []).append(rule.node_code)

    def found(text: str | None) -> str | None:
        if text in codes:
            return text
        called = named.get(text or "", [])
        return called[0] if len(called) == 1 else None

    ordered = NODE_LINK_RECORDS.conform(records).sort_by(
        [("source", "ascending"), ("record_key", "ascending")]
    )
    for row in ordered.to_pylist():
        counts["declared:read"] += 1
        start, end = found(row["from_node"]), found(row["to_node"])
        if start is None or end is None:
            counts["declared:unknown_node"] += 1
        elif start == end:
            counts["declared:self"] += 1
        else:
            key = (start, end, "declared")
            if key in rows:
                counts["declared:repeated"] += 1
            place = f"node_link_records/{row['source']}/{row['record_key']}"
            rows.setdefault(
                key, _link(key, row["weight"], f"来源载明“{row['from_node']}”供给“{row['to_node']}”｜{place}")
            )


def _link(key: tuple[str, str, str], weight: float | None, evidence: str) -> dict[str, Any]:
    start, end, basis = key
    return {"from_node": start, "to_node": end, "basis": basis, "weight": weight, "evidence": evidence}


def _by_goods(
    records: pa.Table,
    rules: Sequence[NodeRule],
    matcher: NodeMatcher,
    rows: dict[Any, dict[str, Any]],
    counts: Counter[str],
) -> None:
    table = GOODS_RELATION_RECORDS.conform(records).sort_by(
        [("source", "ascending"), ("record_key", "ascending")]
    )
    pairs = table.select(["from_goods", "to_goods", "kind", "source", "record_key"]).to_pylist()
    names = sorted({normalise_goods(row[side] or "") for row in pairs for side in ("from_goods", "to_goods")})
    place = {name: number for number, name in enumerate(names)}
    matches = matcher.in_names(pa.array(names, pa.string()))
    nodes: dict[int, list[int]] = {}
    for text, node in zip(matches.text.tolist(), matches.node.tolist(), strict=True):
        nodes.setdefault(text, []).append(node)
    times: Counter[tuple[str, str, str]] = Counter()
    for row in pairs:
        counts["goods:read"] += 1
        first = _SUPPLIER_FIRST.get(row["kind"])
        if first is None:
            counts["goods:other_kind"] += 1
            continue
        left, right = (normalise_goods(row[side] or "") for side in ("from_goods", "to_goods"))
        supplier, buyer = (left, right) if first else (right, left)
        linked = [
            (rules[a].node_code, rules[b].node_code, "goods")
            for a in nodes.get(place[supplier], ())
            for b in nodes.get(place[buyer], ())
            if a != b
        ]
        counts["goods:linked" if linked else "goods:no_node"] += 1
        for key in linked:
            times[key] += 1
            evidence = (
                f"“{supplier}”供给“{buyer}”｜goods_relation_records/{row['source']}/{row['record_key']}"
            )
            rows.setdefault(key, _link(key, None, evidence))
    for key, count in times.items():
        rows[key]["weight"] = float(count)
        if count > 1:
            words, _, source = rows[key]["evidence"].partition("｜")
            rows[key]["evidence"] = f"{words}等 {count} 条产品关系｜{source}"
