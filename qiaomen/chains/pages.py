"""The chain atlas: a chain's nodes with firms and customers per region and stage, gaps, and links between nodes.

``count_nodes`` is one pass per run and writes ``node_counts``; ``atlas`` reads that small table, so a page costs the
same at twenty thousand companies and at thirteen million.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.chains.live import live_companies
from qiaomen.chains.tables import NODE_COUNTS
from qiaomen.vocab import STAGE_LABELS, NotFound, region_prefix

if TYPE_CHECKING:
    import ibis.expr.types as ir

LEAST_FIRMS: Final = 10
"""A node with fewer local firms is never called a gap."""


@dataclass(frozen=True, slots=True)
class Count:
    """Firms and customers of one thing, and the share of customers.

    With ``below`` the number of customers is withheld: ``customers`` are the viewer's own, all together fewer than it.
    """

    companies: int = 0
    customers: int = 0
    below: int | None = None

    @property
    def penetration(self) -> float | None:
        """Return customers / companies; None where there is no company, or the number is withheld."""
        return self.customers / self.companies if self.companies and self.below is None else None

    @property
    def prospects(self) -> int | None:
        """Return the firms that are no customers; None where that would tell a withheld number."""
        return self.companies - self.customers if self.below is None else None


@dataclass(frozen=True, slots=True)
class AtlasNode:
    """One node of the tree with its count (nodes below included) and the nodes below."""

    node_code: str
    node_name: str
    path: str
    count: Count
    children: tuple[AtlasNode, ...]


@dataclass(frozen=True, slots=True)
class AtlasStage:
    """One stage; ``stage`` is empty for nodes of unknown stage."""

    stage: str
    label: str
    count: Count
    nodes: tuple[AtlasNode, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """A node with many local firms and fewer customers than the chain has there on average."""

    node_code: str
    node_name: str
    path: str
    count: Count
    missing: float
    reason: str


@dataclass(frozen=True, slots=True)
class AtlasLink:
    """One node supplies another; ends in other chains are included."""

    from_node: str
    to_node: str
    basis: str
    weight: float | None
    evidence: str


@dataclass(frozen=True, slots=True)
class Atlas:
    """One chain in one region (all regions where ``region_code`` is None)."""

    chain_code: str
    chain_name: str
    sector: str | None
    plans: tuple[str, ...]
    region_code: str | None
    count: Count
    stages: tuple[AtlasStage, ...]
    regions: Mapping[str, Count]
    gaps: tuple[Gap, ...]
    links: tuple[AtlasLink, ...]


def count_nodes(
    company_nodes: ir.Table, chain_nodes: pa.Table, companies: ir.Table, customers: ir.Table
) -> ir.Table:
    """Return NODE_COUNTS: distinct live registered companies per chain, stage, node and division."""
    import ibis

    above = ibis.memtable(_above(chain_nodes))
    live = live_companies(companies).select("company_id", "region_code")
    held = customers.select(customer_id=customers.company_id).distinct()
    placed = company_nodes.select("company_id", "node_code").join(above, "node_code")
    placed = placed.select("company_id", "chain_code", "level", "code").distinct()
    placed = placed.join(live, "company_id")
    placed = placed.left_join(held, placed.company_id == held.customer_id)
    return (
        placed.mutate(region_code=placed.region_code.fill_null(""))
        .group_by("chain_code", "level", "code", "region_code")
        .agg(
            companies=lambda t: t.company_id.count().cast("int64"),
            customers=lambda t: t.customer_id.count().cast("int64"),
        )
        .select(*NODE_COUNTS.names)
    )


def _above(chain_nodes: pa.Table) -> pa.Table:
    """Return (node_code, chain_code, level, code): everything that a company on the node counts for."""
    rows = chain_nodes.select(["node_code", "chain_code", "stage", "parent_code"]).to_pylist()
    parents = {row["node_code"]: row["parent_code"] for row in rows}
    found: list[tuple[str, str, str, str]] = []
    for row in rows:
        node, chain = row["node_code"], row["chain_code"]
        found.append((node, chain, "chain", chain))
        found.append((node, chain, "stage", row["stage"] or ""))
        above: str | None = node
        while above is not None:
            found.append((node, chain, "node", above))
            above = parents.get(above)
    columns = list(zip(*found, strict=True)) or [()] * 4
    names = ["node_code", "chain_code", "level", "code"]
    return pa.table(
        {name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)}
    )


def atlas(
    chain_code: str,
    chain_nodes: pa.Table,
    node_counts: pa.Table,
    *,
    region_code: str | None = None,
    node_links: pa.Table | None = None,
) -> Atlas:
    """Return one chain for a page; ``region_code`` takes in what lies below it. Raises ``NotFound``."""
    nodes = chain_nodes.filter(pc.equal(chain_nodes.column("chain_code"), chain_code)).to_pylist()
    if not nodes:
        raise NotFound(f"没有产业链“{chain_code}”", remedy="在产业链图谱中选择")
    counted = node_counts.filter(pc.equal(node_counts.column("chain_code"), chain_code))
    if region_code:
        inside = pc.starts_with(counted.column("region_code"), region_prefix(region_code))
        counted = counted.filter(inside)
    totals, regions = _totals(counted.to_pylist())
    count = totals.get(("chain", chain_code), Count())
    first = nodes[0]
    return Atlas(
        chain_code,
        first["chain_name"],
        first["sector"],
        tuple(plan for plan in (first["plans"] or "").split(";") if plan),
        region_code,
        count,
        _stages(nodes, totals),
        regions,
        _gaps(nodes, totals, count),
        _links(nodes, node_links),
    )


def _totals(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[tuple[str, str], Count], dict[str, Count]]:
    totals: dict[tuple[str, str], Count] = {}
    regions: dict[str, Count] = {}
    for row in rows:
        key = (row["level"], row["code"])
        before = totals.get(key, Count())
        totals[key] = Count(before.companies + row["companies"], before.customers + row["customers"])
        if row["level"] == "chain":
            regions[row["region_code"]] = Count(row["companies"], row["customers"])
    return totals, dict(sorted(regions.items(), key=lambda item: (-item[1].companies, item[0])))


def _stages(
    nodes: Sequence[Mapping[str, Any]], totals: Mapping[tuple[str, str], Count]
) -> tuple[AtlasStage, ...]:
    below: dict[str | None, list[Mapping[str, Any]]] = {}
    for node in nodes:
        below.setdefault(node["parent_code"], []).append(node)

    def tree(node: Mapping[str, Any]) -> AtlasNode:
        code = node["node_code"]
        children = tuple(tree(child) for child in below.get(code, []))
        return AtlasNode(code, node["node_name"], node["path"], totals.get(("node", code), Count()), children)

    codes = {node["node_code"] for node in nodes}
    tops = [node for node in nodes if node["parent_code"] not in codes]
    stages = []
    for stage, label in (*STAGE_LABELS.items(), ("", "未分段")):
        members = tuple(tree(node) for node in tops if (node["stage"] or "") == stage)
        if members:
            stages.append(AtlasStage(stage, label, totals.get(("stage", stage), Count()), members))
    return tuple(stages)


def _gaps(
    nodes: Sequence[Mapping[str, Any]], totals: Mapping[tuple[str, str], Count], chain: Count
) -> tuple[Gap, ...]:
    """Rank nodes by the customers that they lack against the chain's penetration in the same region."""
    average = chain.penetration or 0.0
    found = []
    for node in nodes:
        count = totals.get(("node", node["node_code"]), Count())
        missing = count.companies * average - count.customers
        if count.companies >= LEAST_FIRMS and missing > 0:
            reason = (
                f"本地企业 {count.companies} 户，存量客户 {count.customers} 户，"
                f"渗透率 {count.customers / count.companies:.1%}，低于全链 {average:.1%}"
            )
            gap = Gap(node["node_code"], node["node_name"], node["path"], count, round(missing, 2), reason)
            found.append(gap)
    return tuple(sorted(found, key=lambda gap: (-gap.missing, gap.node_code)))


def _links(nodes: Sequence[Mapping[str, Any]], node_links: pa.Table | None) -> tuple[AtlasLink, ...]:
    if node_links is None:
        return ()
    codes = pa.array([node["node_code"] for node in nodes], pa.string())
    touched = pc.or_(
        pc.is_in(node_links.column("from_node"), value_set=codes),
        pc.is_in(node_links.column("to_node"), value_set=codes),
    )
    return tuple(
        AtlasLink(row["from_node"], row["to_node"], row["basis"], row["weight"], row["evidence"])
        for row in node_links.filter(touched).to_pylist()
    )
