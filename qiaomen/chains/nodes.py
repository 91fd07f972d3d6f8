"""Every node in force: the catalogue's chains and the nodes that sources supply, each with its path in words.

Reads ``chain_node_records``; writes ``chain_nodes``. A node that the catalogue declares is not replaced by a loaded
one of the same code; a cycle among loaded parents is cut; both are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from qiaomen.chains.catalogue import Chain, PlanIndustry
from qiaomen.chains.tables import CHAIN_NODE_RECORDS, CHAIN_NODES
from qiaomen.vocab import STAGE_LABELS

CATALOGUE_ORIGIN: Final = "catalogue"
PATH_SEPARATOR: Final = "/"


@dataclass(frozen=True, slots=True)
class NodeRule:
    """What implies one node and what rules it out."""

    node_code: str
    node_name: str
    chain_code: str
    stage: str | None
    keywords: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    trade: bool = False


@dataclass(frozen=True, slots=True)
class ChainNodes:
    """``table`` conforms to CHAIN_NODES; ``rules`` are in its order; ``counts`` says what was set aside."""

    table: pa.Table
    rules: tuple[NodeRule, ...]
    counts: Mapping[str, int]


@dataclass(slots=True)
class _Draft:
    """A node before its path is known."""

    rule: NodeRule
    chain_name: str
    sector: str | None
    parent: str | None
    origin: str


def build_chain_nodes(
    catalogue: Sequence[Chain],
    chain_node_records: pa.Table | None = None,
    plans: Sequence[PlanIndustry] = (),
) -> ChainNodes:
    """Return all nodes, the catalogue's first; ``plans`` fills the column of plans that name the chain."""
    drafts = _declared(catalogue)
    counts = {"catalogue": len(drafts), "loaded": 0, "shadowed": 0, "no_code": 0, "no_parent": 0, "cycles": 0}
    if chain_node_records is not None:
        _add_loaded(drafts, counts, chain_node_records, catalogue)
    _check_parents(drafts, counts)
    named: dict[str, list[str]] = {}
    for row in plans:
        for chain in row.chains:
            if row.plan not in named.setdefault(chain, []):
                named[chain].append(row.plan)
    rows: list[dict[str, Any]] = []
    rules: list[NodeRule] = []
    for code in sorted(drafts):
        draft = drafts[code]
        rules.append(draft.rule)
        rows.append(_row(draft, drafts, named))
    return ChainNodes(
        CHAIN_NODES.conform(pa.Table.from_pylist(rows, CHAIN_NODES.schema)), tuple(rules), counts
    )


def _row(draft: _Draft, drafts: dict[str, _Draft], named: Mapping[str, list[str]]) -> dict[str, Any]:
    rule = draft.rule
    return {
        "node_code": rule.node_code,
        "node_name": rule.node_name,
        "chain_code": rule.chain_code,
        "chain_name": draft.chain_name,
        "sector": draft.sector,
        "parent_code": draft.parent,
        "stage": rule.stage,
        "path": _path(draft, drafts),
        "plans": ";".join(named.get(rule.chain_code, [])) or None,
        "origin": draft.origin,
    }


def _declared(catalogue: Sequence[Chain]) -> dict[str, _Draft]:
    drafts: dict[str, _Draft] = {}
    for chain in catalogue:
        for node in chain.nodes:
            rule = NodeRule(
                node.code,
                node.name,
                chain.code,
                node.stage,
                node.keywords,
                node.industries,
                node.excludes,
                node.trade,
            )
            parent = chain.parent_code(node.code)
            drafts[node.code] = _Draft(rule, chain.name, chain.sector, parent, CATALOGUE_ORIGIN)
    return drafts


def _add_loaded(
    drafts: dict[str, _Draft], counts: dict[str, int], records: pa.Table, catalogue: Sequence[Chain]
) -> None:
    chains = {chain.code: chain for chain in catalogue}
    ordered = CHAIN_NODE_RECORDS.conform(records).sort_by(
        [("source", "ascending"), ("record_key", "ascending")]
    )
    for row in ordered.to_pylist():
        code = (row["node_code"] or "").strip()
        if not code:
            counts["no_code"] += 1
        elif code in drafts:
            counts["shadowed"] += 1
        else:
            drafts[code] = _loaded(row, code, chains)
            counts["loaded"] += 1


def _loaded(row: Mapping[str, Any], code: str, chains: Mapping[str, Chain]) -> _Draft:
    chain_code = row["chain_code"] or row["source"] or "loaded"
    known = chains.get(chain_code)
    stage = row["stage"] if row["stage"] in STAGE_LABELS else None
    rule = NodeRule(
        code,
        _segment(row["node_name"] or code),
        chain_code,
        stage,
        _words(row["keywords"]),
        (),
        _words(row["excludes"]),
    )
    name = known.name if known else _segment(row["chain_name"] or chain_code)
    sector = row["sector"] or (known.sector if known else None)
    return _Draft(rule, name, sector, row["parent_code"] or None, row["source"] or "loaded")


def _segment(text: str) -> str:
    return text.strip().replace(PATH_SEPARATOR, "／")


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(";") if len(word.strip()) >= 2)


def _check_parents(drafts: dict[str, _Draft], counts: dict[str, int]) -> None:
    for code in sorted(drafts):
        draft = drafts[code]
        if draft.parent is not None and draft.parent not in drafts:
            counts["no_parent"] += 1
            draft.parent = None
    for code in sorted(drafts):
        seen = {code}
        above = drafts[code]
        while above.parent is not None:
            if above.parent in seen:
                counts["cycles"] += 1
                above.parent = None
                break
            seen.add(above.parent)
            above = drafts[above.parent]
    for draft in drafts.values():
        draft.rule = _with_inherited_stage(draft, drafts)


def _with_inherited_stage(draft: _Draft, drafts: Mapping[str, _Draft]) -> NodeRule:
    above: _Draft | None = draft
    while above is not None and above.rule.stage is None:
        above = drafts[above.parent] if above.parent is not None else None
    rule = draft.rule
    if above is None or rule.stage is not None:
        return rule
    return replace(rule, stage=above.rule.stage)


def _path(draft: _Draft, drafts: Mapping[str, _Draft]) -> str:
    names = [draft.rule.node_name]
    above = draft
    while above.parent is not None:
        above = drafts[above.parent]
        names.append(above.rule.node_name)
    stage = STAGE_LABELS.get(draft.rule.stage or "")
    head = [draft.chain_name] + ([stage] if stage else [])
    return PATH_SEPARATOR.join(head + names[::-1])
